import type { Duration } from '../engine/duration.js';

/** An error class, as `retryOn` and `doNotRetryOn` list them; compared with `instanceof`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- an error class may take any arguments
export type ErrorClass = abstract new (...args: any[]) => Error;

/**
 * Says how long a step waits before its next attempt. It is called in the worker, when an attempt has failed that may be
 * followed by another, and its answer is recorded with the failure: it is asked once per failure.
 *
 * Where it throws, or gives anything but a duration (a promise, for one), the step waits as `exponential` says by the `delay`,
 * `factor`, `maxDelay` and `jitter` of the same policy; `backoff.failed` is announced and logged as an error.
 *
 * @param failures - how often the step has failed, from 1; crashes and attempts that were handed over do not count
 * @param error - what the attempt threw
 * @returns a duration, which is taken as it is: neither `maxDelay` nor `jitter` changes it
 * @publicApi
 */
export type BackoffFunction = (failures: number, error: unknown) => Duration;

/**
 * How often a step is tried and how long it waits in between. What is left out comes from the workflow's `retry`, then
 * from the module's `defaults.retry`, then from the defaults below, field by field.
 *
 * @publicApi
 */
export interface RetryOptions {
  /**
   * How many failures end the step; counts the first attempt.
   * @default 3
   */
  readonly attempts?: number;
  /**
   * How the wait grows from failure to failure, or a function that says how long it is. `RetryAfterError` goes before it.
   * @default 'exponential'
   */
  readonly backoff?: 'fixed' | 'exponential' | BackoffFunction;
  /**
   * The wait before the second attempt.
   * @default '1s'
   */
  readonly delay?: Duration;
  /**
   * What an exponential delay is multiplied by after each failure.
   * @default 2
   */
  readonly factor?: number;
  /**
   * The longest wait.
   * @default '1h', or `delay` where that is longer
   */
  readonly maxDelay?: Duration;
  /**
   * `full`: the wait is drawn evenly between zero and the computed one, so that many failures do not come back as a wave.
   * @default 'full'
   */
  readonly jitter?: 'full' | 'none';
  /**
   * Only these errors (and their subclasses) are tried again.
   * @default every error
   */
  readonly retryOn?: readonly ErrorClass[];
  /**
   * These errors (and their subclasses) are never tried again; goes before `retryOn`.
   * @default none
   */
  readonly doNotRetryOn?: readonly ErrorClass[];
}

/** A retry policy as users write it: options, or the number of attempts alone. */
export type RetryInput = number | RetryOptions;

export const RETRY_KEYS = [
  'attempts',
  'backoff',
  'delay',
  'factor',
  'maxDelay',
  'jitter',
  'retryOn',
  'doNotRetryOn',
] as const satisfies readonly (keyof RetryOptions)[];

/** Enough for anything that is meant; beyond it the number is a mistake. */
export const MAX_ATTEMPTS = 10_000;
