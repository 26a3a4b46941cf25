import { declareQueue } from './declared-queues.js';
import { addToMember, placeOf } from './metadata.js';
import type { SleepUntilOptions } from './sleep-options.js';
import type { CheckWakeTime, Condition } from './workflow-class.js';

/** As {@link StepDecorator}, on a method that gives a Date. */
export type SleepUntilDecorator<S extends string, N extends string> = <
  W extends { [P in S]: unknown } & { [P in N]: Condition },
  K extends string | symbol,
>(
  target: W & CheckWakeTime<W, K>,
  key: K,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- applyDecorators() hands over a descriptor of any type
  descriptor: TypedPropertyDescriptor<any>,
) => void;

/**
 * A durable pause until the time that the method returns: a Date, or a promise of one. The method is run as a step's, with
 * retries; then the run waits and holds no worker. A time that has passed is no wait. Its result is the Date.
 *
 * @example
 * ```ts
 * @SleepUntil() reviewAt(@Input() order: OrderDto): Date { return order.reviewAt; }
 * ```
 * @publicApi
 */
export function SleepUntil<const A extends string = never, const N extends string = never>(
  options: SleepUntilOptions<A, N> = {},
): SleepUntilDecorator<A, N> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    declareQueue(options);
    addToMember(target, key, { place: placeOf(descriptor), steps: [{ decorator: '@SleepUntil', options }] });
  };
}
