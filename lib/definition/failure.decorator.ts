import { addToMember } from './metadata.js';
import type { CheckFailure } from './workflow-class.js';

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

/**
 * Gives a step's parameter the error with which an earlier step with `onFailure: 'continue'` failed for good, or undefined
 * where it did not fail. Name and type are checked by the compiler; at boot it is checked that the other step may fail so
 * and has ended whenever this one starts.
 *
 * @example
 * ```ts
 * @Step({ onFailure: 'continue' }) notify(@Input() order: OrderDto): Promise<void> { … }
 * @Step() report(@Failure('notify') error: Error | undefined): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Failure<S extends string>(step: S): FailureDecorator<S> {
  return (target, key, index) => {
    addToMember(target, key as string | symbol, { parameters: [{ kind: 'failure', index, step }] });
  };
}
