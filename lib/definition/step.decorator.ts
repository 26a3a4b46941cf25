import { declareQueue } from './declared-queues.js';
import { addToMember, placeOf } from './metadata.js';
import type { ParallelOptions, StepOptions } from './step-options.js';
import type { Verification } from './verdict.js';
import type { Condition } from './workflow-class.js';

/**
 * A method decorator that compiles only on a class whose public members include every name in `S`, and whose public methods
 * with a boolean for a result include every name in `N`, and those with a `Verdict` every name in `V`.
 */
export type StepDecorator<S extends string, N extends string = never, V extends string = never> = <
  W extends { [P in S]: unknown } & { [P in N]: Condition } & { [P in V]: Verification },
>(
  target: W,
  key: string | symbol,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- applyDecorators() hands over a descriptor of any type
  descriptor: TypedPropertyDescriptor<any>,
) => void;

/**
 * Makes a method a step. Without `after` it waits until every step above it has ended.
 *
 * @example
 * ```ts
 * @Step({ timeout: '30s' })
 * charge(@Input() order: OrderDto, @Ctx() step: StepContext): Promise<Charge> { … }
 * ```
 * @publicApi
 */
export function Step<const A extends string = never, const N extends string = never, const V extends string = never>(
  options?: StepOptions<A, N, V>,
): StepDecorator<A, N, V> {
  return mark('@Step', options);
}

/**
 * Makes a method a step that runs side by side with its `@Parallel` neighbours; all of them wait for everything above
 * their group, and what stands below waits for all of them. Methods that are no steps do not split a group.
 *
 * @example
 * ```ts
 * @Parallel() charge(@Input() order: OrderDto): Promise<Charge> { … }
 * @Parallel() printLabel(@Input() order: OrderDto): Promise<Label> { … }
 * ```
 * @publicApi
 */
export function Parallel<
  const A extends string = never,
  const N extends string = never,
  const V extends string = never,
>(options?: ParallelOptions<A, N, V>): StepDecorator<A, N, V> {
  return mark('@Parallel', options);
}

function mark<A extends string, N extends string, V extends string>(
  decorator: '@Step' | '@Parallel',
  options: unknown = {},
): StepDecorator<A, N, V> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    declareQueue(options);
    addToMember(target, key, { place: placeOf(descriptor), steps: [{ decorator, options }] });
  };
}
