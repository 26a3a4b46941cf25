import type { StandardSchemaV1 } from '@standard-schema/spec';

import type { ChildRequest } from './child-request.js';

/** Any method. Inference of a method's parameters and result works against `any[]` only. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- `unknown[]` would refuse methods with typed parameters
export type Method = (...args: any[]) => any;

/** A method that `when` may name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Method
export type Condition = (...args: any[]) => boolean | PromiseLike<boolean>;

/** What a step gives: what its method returns, awaited; of a `@Child` what its run gives. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Method
export type ResultOf<M> = M extends (...args: any[]) => infer R ? Given<Awaited<R>> : never;

type Given<R> = R extends ChildRequest<infer Output> ? Output : R;

/**
 * What a `@Child` step gives for whose run nobody waits.
 *
 * @publicApi
 */
export interface DetachedChild {
  readonly runId: string;
}

/**
 * A class that `@Workflow` accepts: any class; `static input`, `static output` and `static signals`, where it has them, type its runs.
 *
 * @publicApi
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a workflow's constructor takes whatever it injects
export type WorkflowClass = (abstract new (...args: any[]) => object) & {
  readonly input?: unknown;
  readonly output?: string;
  readonly signals?: Record<string, unknown>;
};

/** The provider that Nest makes of a workflow's class. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in WorkflowClass
export type InstanceOf<C> = C extends abstract new (...args: any[]) => infer T ? T : never;

/** A Standard Schema gives its input type; a DTO class its instance. The schema first: some schemas are functions too. */
type TypeIn<S> =
  S extends StandardSchemaV1<infer I, unknown>
    ? I
    : // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in WorkflowClass
      S extends abstract new (...args: any[]) => infer T
      ? T
      : never;

/**
 * The input of a workflow's runs: what its `static input` describes, or undefined without one.
 *
 * @publicApi
 */
export type InputOf<C> = C extends { readonly input: infer S } ? TypeIn<S> : undefined;

/**
 * The result of a workflow's runs: the result of the step that `static output` names, or void without one.
 *
 * @publicApi
 */
export type OutputOf<C> = C extends { readonly output: infer S }
  ? S extends keyof InstanceOf<C>
    ? ResultOf<InstanceOf<C>[S]>
    : never
  : void;

/**
 * The payloads of a workflow's signals by their names: what its `static signals` describes. Without one, anything under any
 * name.
 *
 * @example
 * ```ts
 * static readonly signals = { delivered: DeliveryProof };   // SignalsOf<typeof OrderWorkflow>: { delivered: DeliveryProof }
 * ```
 * @publicApi
 */
export type SignalsOf<C> = C extends { readonly signals: infer M }
  ? { [K in keyof M]: TypeIn<M[K]> }
  : Record<string, unknown>;

/**
 * The arguments that follow the workflow's class in `start()`: the input may be left out where there is none.
 *
 * @publicApi
 */
export type StartArguments<C, Options> =
  undefined extends InputOf<C> ? [input?: InputOf<C>, options?: Options] : [input: InputOf<C>, options?: Options];

/** `unknown` where `static output` names a public method; else an object no class is, which says what is wrong. */
export type CheckOutput<C> = C extends { readonly output: infer S }
  ? S extends keyof InstanceOf<C>
    ? InstanceOf<C>[S] extends Method
      ? unknown
      : { 'static output must name a step': S }
    : { 'static output must name a step': S }
  : unknown;

// [R] extends [P], not R extends P: a naked conditional would distribute over unions and accept too much.
type Fits<R, P, Message extends string> = [R] extends [P]
  ? unknown
  : { [M in Message]: { gives: R; 'the parameter takes': P } };

/** Whether a parameter gets the result always, or undefined where there is none. */
export type ResultMode = 'required' | 'optional';

/** `unknown` where parameter `I` of method `K` takes what step `S` gives; else an object no workflow is. */
export type CheckResult<W, K, I extends number, S extends keyof W, Mode extends ResultMode> = CheckParameter<
  W,
  K,
  I,
  Mode extends 'optional' ? ResultOf<W[S]> | undefined : ResultOf<W[S]>,
  `@Result('${S & string}') does not fit its parameter`
>;

/** As {@link CheckResult}, of a list of what step `S` gives. */
export type CheckResults<W, K, I extends number, S extends keyof W> = CheckParameter<
  W,
  K,
  I,
  ResultOf<W[S]>[],
  `@Results('${S & string}') does not fit its parameter`
>;

/** `unknown` where `S` is the input, whose type a decorator does not know, or a step that gives a list of what the parameter takes. */
export type CheckItem<W, K, I extends number, S extends string> = S extends 'input' | `input.${string}`
  ? unknown
  : S extends keyof W
    ? ResultOf<W[S]> extends readonly (infer T)[]
      ? CheckParameter<W, K, I, T, `@Item('${S}') does not fit its parameter`>
      : { '@Item needs a step that gives a list': S }
    : { '@Item must name a step, or the input': S };

/** `unknown` where parameter `I` of method `K` takes a `T`. */
export type CheckItemOf<W, K, I extends number, T> = CheckParameter<W, K, I, T, '@Item() does not fit its parameter'>;

/** `unknown` where parameter `I` of method `K` takes an Error or undefined; else an object no workflow is. */
export type CheckFailure<W, K, I extends number, S extends string> = CheckParameter<
  W,
  K,
  I,
  Error | undefined,
  `@Failure('${S}') does not fit its parameter`
>;

/** As {@link CheckFailure}, of `@Failure()` without a name. */
export type CheckRunFailure<W, K, I extends number> = CheckParameter<
  W,
  K,
  I,
  Error | undefined,
  '@Failure() does not fit its parameter'
>;

type CheckParameter<W, K, I extends number, G, Message extends string> = K extends keyof W
  ? W[K] extends Method
    ? Fits<G, Parameters<W[K]>[I], Message>
    : unknown
  : { 'a step method must be public': K };

/** `unknown` where method `K` gives a Date, or is private; else an object no workflow is. */
export type CheckWakeTime<W, K> = K extends keyof W
  ? W[K] extends Method
    ? [ResultOf<W[K]>] extends [Date]
      ? unknown
      : { '@SleepUntil needs a Date': { gives: ResultOf<W[K]> } }
    : unknown
  : unknown;

/** `unknown` where method `K` says what is to run, or is private; else an object no workflow is. */
export type CheckChild<W, K> = K extends keyof W
  ? W[K] extends (...parameters: never[]) => infer R
    ? [Awaited<R>] extends [ChildRequest<unknown>]
      ? unknown
      : { '@Child needs child(…)': { gives: Awaited<R> } }
    : unknown
  : unknown;

/** `unknown` where method `K` gives such a value as `V`, or is private; else an object no workflow is. */
export type CheckWaitValue<W, K, V> = K extends keyof W
  ? W[K] extends Method
    ? [V] extends [ResultOf<W[K]>]
      ? unknown
      : Fits<Mutable<V>, ResultOf<W[K]>, 'the value of onTimeout does not fit the result of its method'>
    : unknown
  : unknown;

/** What a schedule gives as input: the value, or what the function gives. */
type ScheduledInput<O> = O extends { readonly input: infer V }
  ? V extends (occurrence: never) => infer R
    ? Awaited<R>
    : Mutable<V>
  : undefined;

/** `unknown` where the input of a schedule is one of the workflow; else an object no workflow is. */
export type CheckScheduleInput<C, O> = [ScheduledInput<O>] extends [InputOf<C>]
  ? unknown
  : { 'the input of @Schedule is not that of the workflow': { gives: ScheduledInput<O>; 'static input': InputOf<C> } };

/** The value as it was written: inferred as a constant it would be readonly in its depths. */
type Mutable<V> = { -readonly [P in keyof V]: Mutable<V[P]> };
