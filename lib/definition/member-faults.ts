import { findMethod, type FoundMethod } from './class-methods.js';
import { STEP_DECORATORS, type ClassLike, type MemberMetadata, type MemberPlace } from './metadata.js';
import { isStorable, MAX_NAME_LENGTH, type Say } from './option-readers.js';

const MISPLACED: Readonly<Record<Exclude<MemberPlace, 'method'>, string>> = {
  static: 'is static. A step is a method of the instance: remove `static`.',
  property: 'is a property, such as an arrow function. A step is a method of the class: write `name() { … }`.',
  accessor: 'is an accessor. A step is a method: remove `get` or `set`.',
  constructor:
    'a parameter of the constructor bears @Input, @Result, @Failure, @SignalPayload or @Ctx. They belong to the parameters of steps.',
};

/** Nest calls these itself, whatever else they are. */
const LIFECYCLE_HOOKS: ReadonlySet<string> = new Set([
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/** A decorated member that is a step: a method, or the property of a `@Sleep`, with a name that can be stored. */
export interface StepMember extends MemberMetadata {
  readonly key: string;
  /** Null: it has no code. */
  readonly method: FoundMethod | null;
  /** Whether it is called for an item of a fan-out alone, though it is none itself. */
  readonly isOfItems?: boolean;
}

/** The step that this member is, or null where it is none: then everything that is wrong with it has been said. */
export function findStepMember(target: ClassLike, member: MemberMetadata, say: Say): StepMember | null {
  const { key, place } = member;
  const isSleep = member.steps.some(({ decorator }) => decorator === '@Sleep');
  if (place !== 'method' && !(isSleep && place === 'property')) return saying(say, MISPLACED[place]);
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

  if (isSleep) return findSleep(member, key, say);
  const method = findMethod(target.prototype as object, key);
  if (method === null)
    return saying(say, 'is overridden by something that is no method. A step is a method of the class.');
  if (member.steps.length > 1) say(describeTwice(member));
  return { ...member, key, method };
}

function findSleep(member: MemberMetadata, key: string, say: Say): StepMember | null {
  if (member.steps.length > 1) return saying(say, describeTwice(member));
  if (member.place === 'method')
    return saying(
      say,
      'bears @Sleep and is a method, which would never be called. A pause is a property: write `name!: void;`; ' +
        'a time that code computes is a @SleepUntil.',
    );
  if ((member.repeats ?? []).length > 0) say('bears @Repeat, and a @Sleep is done once. Remove @Repeat.');
  if (member.retries.length > 0) say('bears @Retry, and a @Sleep runs no code that could fail. Remove @Retry.');
  return { ...member, key, method: null };
}

function saying(say: Say, fault: string): null {
  say(fault);
  return null;
}

function describeStray(member: MemberMetadata): string {
  const kinds = new Set(member.parameters.map(({ kind }) => kind));
  const names = [
    ...(member.retries.length > 0 ? ['@Retry'] : []),
    ...((member.repeats ?? []).length > 0 ? ['@Repeat'] : []),
    ...(kinds.has('input') ? ['@Input'] : []),
    ...(kinds.has('result') ? ['@Result'] : []),
    ...(kinds.has('failure') || kinds.has('run-failure') ? ['@Failure'] : []),
    ...(kinds.has('payload') ? ['@SignalPayload'] : []),
    ...(kinds.has('context') ? ['@Ctx'] : []),
  ];
  return `bears ${names.join(', ')} but is no step. Add @Step() or @Parallel(); a decorated override says it again.`;
}

function describeTwice({ steps }: MemberMetadata): string {
  const names = STEP_DECORATORS.filter((name) => steps.some(({ decorator }) => decorator === name));
  if (names.length === 1) return `bears ${names.join()} ${steps.length} times. Keep one of them.`;
  return `bears ${names.length === 2 ? `both ${names.join(' and ')}` : names.join(', ')}. Keep one of them.`;
}
