import { addToMember } from './metadata.js';
import type { CheckResult, Method, ResultMode } from './workflow-class.js';

/** A parameter decorator that compiles only where step `S` exists, is public, and gives what the parameter takes. */
export type ResultDecorator<S extends string, Mode extends ResultMode> = <
  W extends { [P in S]: Method },
  K extends PropertyKey,
  I extends number,
>(
  target: W & CheckResult<W, K, I, S, Mode>,
  key: K,
  index: I,
) => void;

/**
 * Gives a step's parameter the result of an earlier step: always the decoded value of what was stored, never the object
 * that the other step returned. Name and type are checked by the compiler; at boot it is checked that the other step has
 * ended whenever this one starts.
 *
 * Where the other step was skipped, this one is skipped as well. With `{ optional: true }` it is not: the parameter gets
 * undefined where there is no result, because the other step was skipped, lost a join, or failed with
 * `onFailure: 'continue'`.
 *
 * @example
 * ```ts
 * @Step() ship(@Result('charge') charge: Charge): Promise<Shipment> { … }
 * @Step() report(@Result('gift', { optional: true }) gift: Gift | undefined): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Result<S extends string>(step: S): ResultDecorator<S, 'required'>;
export function Result<S extends string>(step: S, options: { readonly optional: true }): ResultDecorator<S, 'optional'>;
export function Result<S extends string>(step: S, options: unknown = {}): ResultDecorator<S, 'required'> {
  return (target, key, index) => {
    addToMember(target, key as string | symbol, { parameters: [{ kind: 'result', index, step, options }] });
  };
}
