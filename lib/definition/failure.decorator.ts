import { addToMember } from './metadata.js';
import type { CheckFailure, CheckRunFailure } from './workflow-class.js';

/** A parameter decorator that compiles only where member `S` exists, and the parameter takes an Error or undefined. */
export type FailureDecorator<S extends string> = <
  W extends { [P in S]: unknown },
  K extends PropertyKey,
  I extends number,
>(
  target: W & CheckFailure<W, K, I, S>,
  key: K,
  index: I,
) => void;

/** A parameter decorator that compiles only where the parameter takes an Error or undefined. */
export type RunFailureDecorator = <W extends object, K extends PropertyKey, I extends number>(
  target: W & CheckRunFailure<W, K, I>,
  key: K,
  index: I,
) => void;

/**
 * Gives a step's parameter the error with which an earlier step with `onFailure: 'continue'` failed for good, or undefined
 * where it did not fail. Name and type are checked by the compiler; at boot it is checked that the other step may fail so
 * and has ended whenever this one starts.
 *
 * Without a name, and only in a `@Compensate` method: the error for which the run is undone, or undefined where it was
 * cancelled.
 *
 * @example
 * ```ts
 * @Step({ onFailure: 'continue' }) notify(@Input() order: OrderDto): Promise<void> { … }
 * @Step() report(@Failure('notify') error: Error | undefined): Promise<void> { … }
 * @Compensate('charge') refund(@Failure() reason: Error | undefined): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Failure(): RunFailureDecorator;
export function Failure<S extends string>(step: S): FailureDecorator<S>;
export function Failure(step?: string): (target: object, key: PropertyKey, index: number) => void {
  return (target, key, index) => {
    addToMember(target, key as string | symbol, {
      parameters: [step === undefined ? { kind: 'run-failure', index } : { kind: 'failure', index, step }],
    });
  };
}
