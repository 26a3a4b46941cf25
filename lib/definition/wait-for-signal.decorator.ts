import { declareQueue } from './declared-queues.js';
import { addToMember, placeOf } from './metadata.js';
import type { WaitForSignalOptions } from './signal-options.js';
import type { CheckWaitValue, Condition } from './workflow-class.js';

/** As {@link StepDecorator}, on a method whose result may be the value `V` of `onTimeout`. */
export type WaitForSignalDecorator<S extends string, N extends string, V> = <
  W extends { [P in S]: unknown } & { [P in N]: Condition },
  K extends string | symbol,
>(
  target: W & CheckWaitValue<W, K, V>,
  key: K,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- applyDecorators() hands over a descriptor of any type
  descriptor: TypedPropertyDescriptor<any>,
) => void;

/**
 * Waits for a signal of this name, or for the first of several, and holds no worker. When it has come the method is run as a
 * step's, with retries, and its result is the step's. A signal that comes before the run has got here is kept for it.
 *
 * Where the class has `static signals`, the names have to stand there, and payloads are checked when the signal is sent.
 *
 * @param names 1 to 200 characters each, at least one, none of them twice
 * @example
 * ```ts
 * static readonly signals = { delivered: DeliveryProof };
 *
 * @WaitForSignal('delivered', { timeout: '3d', onTimeout: 'skip' })
 * delivered(@SignalPayload() proof: DeliveryProof): DeliveryProof { return proof; }
 * ```
 * @publicApi
 */
export function WaitForSignal<
  const A extends string = never,
  const N extends string = never,
  // Constant, so that the value of a narrow type is not taken for one of a wide type.
  const V = never,
>(names: string | readonly string[], options: WaitForSignalOptions<A, N, V> = {}): WaitForSignalDecorator<A, N, V> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    declareQueue(options);
    const mark = { decorator: '@WaitForSignal', options, signals: names } as const;
    addToMember(target, key, { place: placeOf(descriptor), steps: [mark] });
  };
}
