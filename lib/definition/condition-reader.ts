import { findMethod, methodNames } from './class-methods.js';
import type { StepMember } from './member-faults.js';
import type { ClassLike, MemberMetadata } from './metadata.js';
import { findNearMiss, list, suggest } from './near-miss.js';
import { isName, show, type Say } from './option-readers.js';
import type { StepScope } from './step-scope.js';

/**
 * The decorated members that are conditions: some step names them in `when`, and they are no steps themselves. One whose
 * name is misspelt there is among them: what is wrong is the one word, not the method too.
 */
export function findConditions(target: ClassLike, members: readonly MemberMetadata[]): ReadonlySet<MemberMetadata> {
  const keys = members.flatMap((member) => (isPlain(member) ? [member.key as string] : []));
  const named = members.flatMap(({ steps }) => steps.flatMap(({ options }) => whenOf(options) ?? []));
  const conditions = new Set(
    named.map((name) => (isMethod(target, name) ? name : findNearMiss(name, keys))).filter((name) => name !== null),
  );
  return new Set(members.filter((member) => isPlain(member) && conditions.has(member.key as string)));
}

/** The name of the method that `when` gives; null where it gives none, or none that is right. */
export function readWhen(value: unknown, step: StepMember, scope: StepScope, say: Say): string | null {
  if (value === undefined) return null;
  const fault = findWhenFault(value, step.key, scope);
  if (fault === null) return value as string;
  say(fault);
  return null;
}

/** The method as a member, so that its parameters are read as a step's are; it need not bear any decorator. */
export function toConditionMember(target: ClassLike, name: string, members: readonly MemberMetadata[]): StepMember {
  const method = findMethod(target.prototype as object, name)!;
  const decorated = members.find(({ key, place }) => key === name && place === 'method');
  const plain = { place: 'method', steps: [], retries: [], parameters: [] } as const;
  return { ...(decorated ?? plain), key: name, method };
}

function findWhenFault(value: unknown, step: string, { target, names, compensations }: StepScope): string | null {
  if (!isName(value)) return `Expected when to be the name of a method, got ${show(value)}.`;
  if (value === step) return `when names "${step}" itself. Name a method that is no step and returns a boolean.`;
  if (names.includes(value))
    return `when names "${value}", which is a step. Name a method that is no step and returns a boolean.`;
  if (compensations.includes(value))
    return `when names "${value}", which undoes a step. Name a method that does nothing else and returns a boolean.`;
  if (isMethod(target, value)) return null;
  const taken = new Set([...names, ...compensations]);
  const methods = methodNames(target.prototype as object).filter((name) => !taken.has(name));
  return `when names "${value}", which is no method of the class.${suggest(value, methods)} Its methods are ${list(methods)}.`;
}

function isMethod(target: ClassLike, name: string): boolean {
  return name !== 'constructor' && findMethod(target.prototype as object, name) !== null;
}

/** A method that bears decorators of parameters and no others of ours. */
function isPlain({ key, place, steps, retries }: MemberMetadata): boolean {
  return typeof key === 'string' && place === 'method' && steps.length === 0 && retries.length === 0;
}

function whenOf(options: unknown): string | null {
  const when = (options as { readonly when?: unknown } | null | undefined)?.when;
  return typeof when === 'string' ? when : null;
}
