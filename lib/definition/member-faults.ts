import type { ClassLike, MemberMetadata, MemberPlace } from './metadata.js';
import { isStorable, MAX_NAME_LENGTH, type Say } from './option-readers.js';

const MISPLACED: Readonly<Record<Exclude<MemberPlace, 'method'>, string>> = {
  static: 'is static. A step is a method of the instance: remove `static`.',
  property: 'is a property, such as an arrow function. A step is a method of the class: write `name() { … }`.',
  accessor: 'is an accessor. A step is a method: remove `get` or `set`.',
  constructor: 'a parameter of the constructor bears @Input, @Result or @Ctx. They belong to the parameters of steps.',
};

/** Nest calls these itself, whatever else they are. */
const LIFECYCLE_HOOKS: ReadonlySet<string> = new Set([
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/** A decorated member that is a step: a method with a name that can be stored. */
export interface StepMember extends MemberMetadata {
  readonly key: string;
  readonly method: (...args: unknown[]) => unknown;
}

/** The step that this member is, or null where it is none: then everything that is wrong with it has been said. */
export function findStepMember(target: ClassLike, member: MemberMetadata, say: Say): StepMember | null {
  const { key, place } = member;
  if (place !== 'method') return saying(say, MISPLACED[place]);
  if (typeof key !== 'string')
    return saying(say, 'has a symbol for a name. Runs are stored under the names of their steps: use a plain name.');
  if (member.steps.length === 0) return saying(say, describeStray(member));
  if (key.length > MAX_NAME_LENGTH || !isStorable(key))
    return saying(
      say,
      `has a name that cannot be stored: at most ${MAX_NAME_LENGTH} characters, neither NUL nor lone surrogates.`,
    );
  if (LIFECYCLE_HOOKS.has(key))
    return saying(say, 'is a lifecycle hook: Nest would call the step when the app starts or stops. Rename it.');
  if (key === 'then')
    return saying(say, 'is what `await` calls: whoever awaits the workflow class would run the step. Rename it.');

  const method = findMethod(target.prototype as object, key);
  if (method === null)
    return saying(say, 'is overridden by something that is no method. A step is a method of the class.');
  if (member.steps.length > 1) say(describeTwice(member));
  return { ...member, key, method };
}

function saying(say: Say, fault: string): null {
  say(fault);
  return null;
}

function describeStray(member: MemberMetadata): string {
  const kinds = new Set(member.parameters.map(({ kind }) => kind));
  const names = [
    ...(member.retries.length > 0 ? ['@Retry'] : []),
    ...(kinds.has('input') ? ['@Input'] : []),
    ...(kinds.has('result') ? ['@Result'] : []),
    ...(kinds.has('context') ? ['@Ctx'] : []),
  ];
  return `bears ${names.join(', ')} but is no step. Add @Step() or @Parallel(); a decorated override says it again.`;
}

function describeTwice({ steps }: MemberMetadata): string {
  const names = new Set(steps.map(({ decorator }) => decorator));
  return names.size > 1
    ? 'bears both @Step and @Parallel. Keep one of them.'
    : `bears ${[...names].join()} ${steps.length} times. Keep one of them.`;
}

/** The method as the class has it now: other decorators may have wrapped it, subclasses may have overridden it. */
function findMethod(prototype: object, key: string): StepMember['method'] | null {
  for (let owner: object | null = prototype; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    if (descriptor) return typeof descriptor.value === 'function' ? (descriptor.value as StepMember['method']) : null;
  }
  return null;
}
