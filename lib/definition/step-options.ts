import type { Duration } from '../engine/duration.js';
import type { RepeatOptions } from './repeat-options.js';
import type { RetryInput } from './retry-options.js';

/** Where a step stands in the order of the run, and whether it runs at all: what steps and pauses have in common. */
export interface PlaceOptions<A extends string = string, N extends string = string> {
  /**
   * The steps this one waits for, in place of the order of the page; `[]`: it starts at once. Where one of them was
   * skipped, this one is skipped as well.
   * @default every step above
   */
  readonly after?: readonly A[];
  /**
   * Takes a step with `after` off the page: what stands below does not wait for it.
   * @default false
   */
  readonly beside?: boolean;
  /**
   * How many of the steps in `after`, of which there are at least two, have to complete; `all`: all have to end. `any` (one) and
   * `{ atLeast }` cancel the others as soon as there are enough.
   * @default 'all'
   */
  readonly join?: 'all' | 'any' | { readonly atLeast: number };
  /**
   * A public method of the class that decides whether this step runs or is skipped. It returns a boolean, or a promise of
   * one, and takes parameters as a step does.
   * @default it runs
   */
  readonly when?: N;
  /**
   * The name, or names, that it had in earlier builds: runs that were started there go on with it. Keep it as long as there are
   * such runs.
   * @default it was always named so
   */
  readonly renamedFrom?: string | readonly string[];
}

/** How the code of a step is run: what `@Step` and `@SleepUntil` have in common. */
export interface CodeOptions<A extends string = string, N extends string = string> extends PlaceOptions<A, N> {
  /**
   * How long one attempt may take. When it has passed the attempt counts as failed and its `signal` is aborted.
   * At most 24 days.
   * @default the module's `defaults.timeout`, else no limit
   */
  readonly timeout?: Duration;
  /**
   * The retry policy, or the number of attempts; the same as `@Retry`.
   * @default the workflow's
   */
  readonly retry?: RetryInput;
  /**
   * The queue whose workers run this step: at most 100 characters, no colon.
   * @default the workflow's
   */
  readonly queue?: string;
  /**
   * Lower runs first, as in BullMQ: an integer from 0 to 2,097,151.
   * @default the workflow's
   */
  readonly priority?: number;
  /**
   * What its failure for good means. `fail`: the run fails. `continue`: the run goes on; who takes its result takes it with
   * `{ optional: true }`, and `@Failure` gives the error.
   * @default 'fail'
   */
  readonly onFailure?: 'fail' | 'continue';
}

/**
 * Options of `@Step`.
 *
 * @publicApi
 */
export interface StepOptions<
  A extends string = string,
  N extends string = string,
  V extends string = string,
> extends CodeOptions<A, N> {
  /**
   * A public method of the class that is asked before another attempt where nobody knows how the last one ended: its process died,
   * it timed out, or it was handed over. It takes parameters as the step does, looks outside (by `idempotencyKey`, say) whether the
   * step has been done, and returns a `Verdict`, or a promise of one. What it throws is the attempt's failure, and it is asked again.
   * @default the step is run again
   */
  readonly verify?: V;
  /**
   * How long it waits before its first attempt, once all it waits for has ended. More than 0, at most 10 years.
   * @default no wait
   */
  readonly delay?: Duration;
  /**
   * How long it may wait for a worker: before its first attempt, and each time that it is to be taken up again. When that has passed
   * and no worker has taken it the step fails for good, with `OF_SCHEDULE_TO_START_TIMEOUT`, whatever its retry policy. Of a fan-out
   * it counts for each item. More than 0, at most 10 years.
   * @default no limit
   */
  readonly scheduleToStart?: Duration;
  /**
   * How long an attempt may be silent: one that has not called `heartbeat()` of its context for so long counts as failed, with
   * `OF_HEARTBEAT_TIMEOUT`, and its `signal` is aborted. What it has told last is `lastHeartbeat` for the attempt after it. At most
   * 24 days. Not with `@Manager()`.
   * @default no limit, and `heartbeat()` is refused
   */
  readonly heartbeat?: Duration;
  /**
   * Repeats the step until a method of the class says that it is done; the same as `@Repeat`. Not with `@Item`, `@Manager()` or
   * `heartbeat`.
   * @default it is done once
   */
  readonly repeat?: RepeatOptions;
  /**
   * Of a fan-out (a step with `@Item`): how many of its items run at once, over all processes. From 1 to 1,000.
   * @default 100
   */
  readonly maxItems?: number;
  /**
   * Of a fan-out: how many of its items may fail for good before it does, a number or a share such as `'10%'`; `'100%'`: all of
   * them. `@Results` leaves out those that failed.
   * @default 0
   */
  readonly tolerate?: number | `${number}%`;
}

/**
 * Options of `@Parallel`: those of `@Step`, and `group`.
 *
 * @publicApi
 */
export interface ParallelOptions<
  A extends string = string,
  N extends string = string,
  V extends string = string,
> extends StepOptions<A, N, V> {
  /**
   * Separates two groups that stand in a row: neighbours with another `group` wait for each other.
   * @default neighbours are one group
   */
  readonly group?: string;
}

export const PLACE_KEYS = [
  'after',
  'beside',
  'join',
  'when',
  'renamedFrom',
] as const satisfies readonly (keyof PlaceOptions)[];
export const CODE_KEYS = [
  ...PLACE_KEYS,
  'timeout',
  'retry',
  'queue',
  'priority',
  'onFailure',
] as const satisfies readonly (keyof CodeOptions)[];
export const STEP_KEYS = [
  ...CODE_KEYS,
  'verify',
  'delay',
  'scheduleToStart',
  'heartbeat',
  'repeat',
  'maxItems',
  'tolerate',
] as const satisfies readonly (keyof StepOptions)[];
export const PARALLEL_KEYS = [...STEP_KEYS, 'group'] as const satisfies readonly (keyof ParallelOptions)[];
