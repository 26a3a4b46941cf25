import { findMethod, methodNames } from './class-methods.js';
import type { StepMember } from './member-faults.js';
import type { ClassLike, MemberMetadata } from './metadata.js';
import { findNearMiss, list, suggest } from './near-miss.js';
import { isName, show, type Say, type WrittenOptions } from './option-readers.js';
import type { StepScope } from './step-scope.js';

/** An option that names a method which is no step, and what that returns. */
interface Aside {
  readonly option: 'when' | 'verify' | 'until';
  readonly returns: string;
}

export const WHEN: Aside = { option: 'when', returns: 'a boolean' };
export const UNTIL: Aside = { option: 'until', returns: 'a boolean' };
const VERIFY: Aside = { option: 'verify', returns: '{ done: false }, or { done: true, result }' };

/**
 * The decorated members that some step names in `when`, `verify` or `until`, and that are no steps themselves. One whose
 * name is misspelt there is among them: what is wrong is the one word, not the method too.
 */
export function findAsides(target: ClassLike, members: readonly MemberMetadata[]): ReadonlySet<MemberMetadata> {
  const keys = members.flatMap((member) => (isPlain(member) ? [member.key as string] : []));
  const named = members.flatMap(({ steps, repeats = [] }) => [
    ...steps.flatMap(({ options }) => namedBy(options)),
    ...repeats.flatMap(namedBy),
  ]);
  const asides = new Set(
    named.map((name) => (isMethod(target, name) ? name : findNearMiss(name, keys))).filter((name) => name !== null),
  );
  return new Set(members.filter((member) => isPlain(member) && asides.has(member.key as string)));
}

/** The name of the method that the option gives; null where it gives none, or none that is right. */
export function readAside(
  aside: Aside,
  options: WrittenOptions,
  step: StepMember,
  scope: StepScope,
  say: Say,
): string | null {
  const value = options[aside.option];
  if (value === undefined) return null;
  const fault = findFault(aside, value, step.key, scope);
  if (fault === null) return value as string;
  say(fault);
  return null;
}

/** The method as a member, so that its parameters are read as a step's are; it need not bear any decorator. */
export function toAsideMember(target: ClassLike, name: string, members: readonly MemberMetadata[]): StepMember {
  const method = findMethod(target.prototype as object, name)!;
  const decorated = members.find(({ key, place }) => key === name && place === 'method');
  const plain = { place: 'method', steps: [], retries: [], parameters: [] } as const;
  return { ...(decorated ?? plain), key: name, method };
}

/** `verify`, of a step whose attempts may leave a doubt: a transaction has come in, or it has not. */
export function readVerify(options: WrittenOptions, step: StepMember, scope: StepScope, say: Say): string | null {
  const verify = readAside(VERIFY, options, step, scope, say);
  if (verify !== null && step.parameters.some(({ kind }) => kind === 'manager'))
    say('has verify and @Manager(). Whether its transaction has come in is known: remove verify.');
  return verify;
}

function findFault(
  { option, returns }: Aside,
  value: unknown,
  step: string,
  { target, names, compensations }: StepScope,
): string | null {
  if (!isName(value)) return `Expected ${option} to be the name of a method, got ${show(value)}.`;
  const subject = `${option} names "${value}"`;
  if (value === step) return `${subject} itself. Name a method that is no step and returns ${returns}.`;
  if (names.includes(value))
    return `${subject}, which is a step. Name a method that is no step and returns ${returns}.`;
  if (compensations.includes(value))
    return `${subject}, which undoes a step. Name a method that does nothing else and returns ${returns}.`;
  if (isMethod(target, value)) return null;
  const taken = new Set([...names, ...compensations]);
  const methods = methodNames(target.prototype as object).filter((name) => !taken.has(name));
  return `${subject}, which is no method of the class.${suggest(value, methods)} Its methods are ${list(methods)}.`;
}

function isMethod(target: ClassLike, name: string): boolean {
  return name !== 'constructor' && findMethod(target.prototype as object, name) !== null;
}

/** A method that bears decorators of parameters and no others of ours. */
function isPlain({ key, place, steps, retries, repeats = [] }: MemberMetadata): boolean {
  const isDecorated = steps.length + retries.length + repeats.length > 0;
  return typeof key === 'string' && place === 'method' && !isDecorated;
}

function namedBy(options: unknown): readonly string[] {
  const { when, verify, until, repeat } = (options ?? {}) as Readonly<Record<string, unknown>>;
  const names: readonly unknown[] = [when, verify, until];
  return [...names.filter((name) => typeof name === 'string'), ...(repeat === undefined ? [] : namedBy(repeat))];
}
