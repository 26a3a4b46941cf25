import { addToMember } from './metadata.js';
import type { CheckResult, Method } from './workflow-class.js';

/** A parameter decorator that compiles only where step `S` exists, is public, and gives what the parameter takes. */
export type ResultDecorator<S extends string> = <
  W extends { [P in S]: Method },
  K extends PropertyKey,
  I extends number,
>(
  target: W & CheckResult<W, K, I, S>,
  key: K,
  index: I,
) => void;

/**
 * Gives a step's parameter the result of an earlier step: always the decoded value of what was stored, never the object
 * that the other step returned. Name and type are checked by the compiler; at boot it is checked that the other step has
 * ended whenever this one starts.
 *
 * @example
 * ```ts
 * @Step() ship(@Result('charge') charge: Charge): Promise<Shipment> { … }
 * ```
 * @publicApi
 */
export function Result<S extends string>(step: S): ResultDecorator<S> {
  return (target, key, index) => {
    addToMember(target, key as string | symbol, { parameters: [{ kind: 'result', index, step }] });
  };
}
