import type { Duration } from '../engine/duration.js';
import type { CodeOptions } from './step-options.js';

/**
 * Options of `@WaitForSignal`: those of `@Step` without `join` and `delay`; `timeout` is the wait's. An attempt of its method
 * has the module's `defaults.timeout`.
 *
 * @publicApi
 */
export interface WaitForSignalOptions<A extends string = string, N extends string = string, V = unknown> extends Omit<
  CodeOptions<A, N>,
  'join' | 'timeout'
> {
  /**
   * How long it waits for the signal, once all steps it waits for have ended. More than 0, at most 10 years.
   * @default no limit
   */
  readonly timeout?: Duration;
  /**
   * What comes of it when `timeout` is over and no signal has come. `fail`: it fails, with `OF_SIGNAL_TIMEOUT` and without a
   * retry. `skip`: it is skipped, as by `when`. `{ value }`: it completes with this value, and its method is not called.
   * @default 'fail'
   */
  readonly onTimeout?: 'fail' | 'skip' | { readonly value: V };
}

export const WAIT_KEYS = [
  'after',
  'beside',
  'when',
  'renamedFrom',
  'timeout',
  'onTimeout',
  'retry',
  'queue',
  'priority',
  'onFailure',
  'pointOfNoReturn',
] as const satisfies readonly (keyof WaitForSignalOptions)[];
