import 'reflect-metadata';

// Registered symbols: two copies of this package in one app find each other's metadata.
const WORKFLOW = Symbol.for('orchestrate-flow:workflow');
const MEMBERS = Symbol.for('orchestrate-flow:members');
const SCHEDULES = Symbol.for('orchestrate-flow:schedules');
const DATA = Symbol.for('orchestrate-flow:data');

/** Any class, as metadata is kept by it. */
export type ClassLike = abstract new (...args: never[]) => object;

/** Where a decorator was put. Only a method can be a step, and a property a `@Sleep`; the rest is reported at boot, never thrown at import. */
export type MemberPlace = 'method' | 'accessor' | 'property' | 'static' | 'constructor';

/** The decorators that make a step, or what undoes one. */
export const STEP_DECORATORS = [
  '@Step',
  '@Parallel',
  '@Sleep',
  '@SleepUntil',
  '@WaitForSignal',
  '@Compensate',
] as const;

/** One of them with its options as they were written. */
export interface StepMark {
  readonly decorator: (typeof STEP_DECORATORS)[number];
  readonly options: unknown;
  /** Of `@Sleep`. */
  readonly duration?: unknown;
  /** Of `@WaitForSignal`: a name or several. */
  readonly signals?: unknown;
  /** Of `@Compensate`: the step that it undoes. */
  readonly compensates?: unknown;
}

/** What a parameter decorator said. */
export type ParameterMark =
  | { readonly index: number; readonly kind: 'input' | 'context' | 'payload' | 'run-failure' | 'manager' }
  | { readonly index: number; readonly kind: 'result'; readonly step: unknown; readonly options: unknown }
  | { readonly index: number; readonly kind: 'failure' | 'results'; readonly step: unknown }
  | { readonly index: number; readonly kind: 'item'; readonly source: unknown };

/** Everything our decorators said about one member of a class, in the order in which they were called. */
export interface MemberMetadata {
  readonly key: string | symbol | undefined;
  readonly place: MemberPlace;
  readonly steps: readonly StepMark[];
  readonly retries: readonly unknown[];
  /** What `@Repeat` said. */
  readonly repeats?: readonly unknown[];
  readonly parameters: readonly ParameterMark[];
}

/** What one decorator adds to its member. */
type Addition = Partial<Pick<MemberMetadata, 'place' | 'steps' | 'retries' | 'repeats' | 'parameters'>>;

/** Notes a decorator on the class itself, not on the function: another decorator may wrap the function afterwards. */
export function addToMember(target: object, name: string | symbol | undefined, addition: Addition): void {
  // TypeScript hands over the number of a method such as `1() {}`, whatever its types say.
  const key = typeof name === 'number' ? String(name) : name;
  const owner = typeof target === 'function' ? target : target.constructor;
  const place = typeof target === 'function' ? (key === undefined ? 'constructor' : 'static') : addition.place;
  const members = ownMembers(owner);
  const index = members.findIndex(
    (member) => member.key === key && isOnClass(member) === (typeof target === 'function'),
  );
  const known = members[index] ?? { key, place: 'method', steps: [], retries: [], parameters: [] };
  const member: MemberMetadata = {
    key,
    place: place ?? known.place,
    steps: [...known.steps, ...(addition.steps ?? [])],
    retries: [...known.retries, ...(addition.retries ?? [])],
    repeats: [...(known.repeats ?? []), ...(addition.repeats ?? [])],
    parameters: [...known.parameters, ...(addition.parameters ?? [])],
  };
  // The place of a member is its first decorator call.
  const next = index < 0 ? [...members, member] : members.with(index, member);
  Reflect.defineMetadata(MEMBERS, next, owner);
}

/** What a descriptor says about the member it describes. Arrow properties have none. */
export function placeOf(descriptor: PropertyDescriptor | undefined): MemberPlace {
  if (typeof descriptor?.value === 'function') return 'method';
  return descriptor?.get || descriptor?.set ? 'accessor' : 'property';
}

/**
 * The decorated members of a class in the order of the page: inherited ones first; an override that was decorated again
 * keeps its place and takes what was said anew, one that was not keeps what the base said.
 */
export function readMembers(target: ClassLike): readonly MemberMetadata[] {
  const merged: MemberMetadata[] = [];
  for (const owner of lineOf(target)) {
    for (const member of ownMembers(owner)) {
      const index = merged.findIndex((other) => other.key === member.key && isOnClass(other) === isOnClass(member));
      if (index < 0) merged.push(member);
      else merged[index] = member;
    }
  }
  return merged;
}

/** Notes what `@Workflow` said. */
export function writeWorkflowOptions(target: object, options: unknown): void {
  // In a box, so that `@Workflow()` without options (from JavaScript) is still told from no decorator.
  Reflect.defineMetadata(WORKFLOW, { options }, target);
}

/** What `@Workflow` said on this very class; its subclasses are no workflows. Null without the decorator. */
export function findWorkflowOptions(target: unknown): { readonly options: unknown } | null {
  if (typeof target !== 'function') return null;
  return (Reflect.getOwnMetadata(WORKFLOW, target) as { options: unknown } | undefined) ?? null;
}

/** What one `@Schedule` said, as it was written. */
export interface ScheduleMark {
  readonly timing: unknown;
  readonly options: unknown;
}

/** Notes what a `@Schedule` said. */
export function addSchedule(target: object, mark: ScheduleMark): void {
  Reflect.defineMetadata(SCHEDULES, [...readScheduleMarks(target), mark], target);
}

/** What `@Schedule` said on this very class, in the order in which the decorators were called. */
export function readScheduleMarks(target: object): readonly ScheduleMark[] {
  return (Reflect.getOwnMetadata(SCHEDULES, target) as readonly ScheduleMark[] | undefined) ?? [];
}

/** What is wrong with the data that a workflow was made of: with a step of it, or (null) with the whole. */
export interface DataFault {
  readonly step: string | null;
  readonly fault: string;
}

/** Notes that a class was made of data, and what was wrong with that. */
export function writeDataFaults(target: object, faults: readonly DataFault[]): void {
  Reflect.defineMetadata(DATA, faults, target);
}

/** What was wrong with the data that a class was made of. Null: it was made of none. */
export function findDataFaults(target: unknown): readonly DataFault[] | null {
  if (typeof target !== 'function') return null;
  return (Reflect.getOwnMetadata(DATA, target) as readonly DataFault[] | undefined) ?? null;
}

function ownMembers(owner: object): readonly MemberMetadata[] {
  return (Reflect.getOwnMetadata(MEMBERS, owner) as readonly MemberMetadata[] | undefined) ?? [];
}

function isOnClass(member: MemberMetadata): boolean {
  return member.place === 'static' || member.place === 'constructor';
}

/** The classes a class is made of, the base first. */
function lineOf(target: ClassLike): readonly object[] {
  const line: object[] = [];
  for (let owner: unknown = target; typeof owner === 'function'; owner = Object.getPrototypeOf(owner))
    line.unshift(owner);
  return line;
}
