import type { Blame } from './blame.js';
import type { ClassLike } from './metadata.js';
import { show } from './option-readers.js';
import type { StepMember } from './member-faults.js';

type Constructor = (new (...args: never[]) => object) & { readonly prototype: object };

/** Checks `static input`, and that the parameters with `@Input` are declared as what it gives. */
export function checkInput(
  target: ClassLike & { readonly input?: unknown },
  steps: readonly StepMember[],
  blame: Blame,
): void {
  const { input } = target;
  if (input === undefined || isSchema(input)) return;
  if (!isClass(input))
    return blame.class(`Expected static input to be a DTO class or a Standard Schema, got ${show(input)}.`);
  for (const step of steps) {
    for (const { kind, index } of step.parameters)
      if (kind === 'input') checkDeclared({ target, step, index }, { type: input, what: 'static input' }, blame);
  }
}

/** Whether it is a Standard Schema. Asked before `isClass`: the schemas of some libraries are functions. */
export function isSchema(input: unknown): input is { readonly '~standard': object } {
  return ((typeof input === 'object' && input !== null) || typeof input === 'function') && '~standard' in input;
}

export function isClass(input: unknown): input is Constructor {
  return typeof input === 'function' && typeof input.prototype === 'object' && input.prototype !== null;
}

/** A parameter of a method of the class. */
interface Parameter {
  readonly target: ClassLike;
  readonly step: StepMember;
  readonly index: number;
}

/** The class of what a parameter is given, and what says so. */
interface Given {
  readonly type: Constructor;
  readonly what: string;
}

/** Compares what a parameter is declared as with what it is given. */
export function checkDeclared({ target, step, index }: Parameter, given: Given, blame: Blame): void {
  const types = Reflect.getMetadata('design:paramtypes', target.prototype as object, step.key) as
    readonly unknown[] | undefined;
  const type = types?.[index];
  // Object stands for interfaces, unions and whatever else is no class at run time; undefined for a circular import.
  if (!isClass(type) || (type as unknown) === Object || type === given.type) return;
  if (given.type.prototype instanceof type) return;
  blame.member(step.key)(
    `parameter ${index} takes ${type.name}, but ${given.what} is ${given.type.name}. Declare the parameter as ${given.type.name}.`,
  );
}
