import { addToMember } from './metadata.js';
import type { CheckResults, Method } from './workflow-class.js';

/** A parameter decorator that compiles only where step `S` exists, is public, and the parameter takes a list of what it gives. */
export type ResultsDecorator<S extends string> = <
  W extends { [P in S]: Method },
  K extends PropertyKey,
  I extends number,
>(
  target: W & CheckResults<W, K, I, S>,
  key: K,
  index: I,
) => void;

/**
 * Gives a parameter the results of a fan-out, in the order of its items. Items that failed, where the fan-out tolerates
 * that, are left out; so are, in a `@Compensate` method, all that have not completed.
 *
 * @example
 * ```ts
 * @Step() ship(@Results('printLabel') labels: Label[]): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Results<S extends string>(step: S): ResultsDecorator<S> {
  return (target, key, index) => {
    addToMember(target, key as string | symbol, { parameters: [{ kind: 'results', index, step }] });
  };
}
