import type { Duration } from '../engine/duration.js';
import { addToMember, placeOf } from './metadata.js';
import type { SleepOptions } from './sleep-options.js';
import type { Condition } from './workflow-class.js';

/** A property decorator that compiles only on a class with every step in `S` and every condition in `N`. */
export type SleepDecorator<S extends string, N extends string> = <
  W extends { [P in S]: unknown } & { [P in N]: Condition },
>(
  target: W,
  key: string | symbol,
  // What a method would hand over: on a method the decorator does not compile.
  descriptor?: undefined,
) => void;

/**
 * A durable pause: a step of the page that runs no code and holds no worker. The run survives restarts and deployments in
 * the meantime. It stands on a property, which is never read or set.
 *
 * @param duration more than 0, at most 10 years
 * @example
 * ```ts
 * @Step() charge(): Promise<Charge> { … }
 * @Sleep('7d') coolDown!: void;
 * @Step() askForReview(): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Sleep<const A extends string = never, const N extends string = never>(
  duration: Duration,
  options: SleepOptions<A, N> = {},
): SleepDecorator<A, N> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    addToMember(target, key, { place: placeOf(descriptor), steps: [{ decorator: '@Sleep', options, duration }] });
  };
}
