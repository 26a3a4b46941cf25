import type { Duration } from '../engine/duration.js';
import type { RetryInput } from './retry-options.js';

/**
 * Options of `@Step`.
 *
 * @publicApi
 */
export interface StepOptions<A extends string = string> {
  /**
   * The steps this one waits for, in place of the order of the page; `[]`: it starts at once.
   * @default every step above
   */
  readonly after?: readonly A[];
  /**
   * Takes a step with `after` off the page: what stands below does not wait for it.
   * @default false
   */
  readonly beside?: boolean;
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
}

/**
 * Options of `@Parallel`: those of `@Step`, and `group`.
 *
 * @publicApi
 */
export interface ParallelOptions<A extends string = string> extends StepOptions<A> {
  /**
   * Separates two groups that stand in a row: neighbours with another `group` wait for each other.
   * @default neighbours are one group
   */
  readonly group?: string;
}

export const STEP_KEYS = [
  'after',
  'beside',
  'timeout',
  'retry',
  'queue',
  'priority',
] as const satisfies readonly (keyof StepOptions)[];
export const PARALLEL_KEYS = [...STEP_KEYS, 'group'] as const satisfies readonly (keyof ParallelOptions)[];
