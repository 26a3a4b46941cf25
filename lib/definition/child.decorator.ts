import { declareQueue } from './declared-queues.js';
import type { ChildStepOptions } from './child-options.js';
import { addToMember, placeOf } from './metadata.js';
import type { CheckChild, Condition } from './workflow-class.js';

/** As {@link StepDecorator}, on a method that says what is to run. */
export type ChildDecorator<S extends string, N extends string> = <
  W extends { [P in S]: unknown } & { [P in N]: Condition },
  K extends string | symbol,
>(
  target: W & CheckChild<W, K>,
  key: K,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- applyDecorators() hands over a descriptor of any type
  descriptor: TypedPropertyDescriptor<any>,
) => void;

/**
 * Runs another workflow: the method returns `child(OtherWorkflow, input)`, or a promise of that, and the step waits for the end of
 * that run, holding no worker. Its result is the output of the run; where the run fails or is cancelled the step fails, with
 * `OF_CHILD_FAILED` or `OF_CHILD_CANCELLED` and without a retry: the run has had its own. With `@Item` one run begins for each
 * item of a list.
 *
 * The run begins in the commit that says so, once, however often the method is called.
 *
 * @example
 * ```ts
 * @Child() report(@Input() order: OrderDto) { return child(ReportWorkflow, { country: order.country }); }
 * @Step() send(@Result('report') report: Report): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Child<const A extends string = never, const N extends string = never>(
  options: ChildStepOptions<A, N> = {},
): ChildDecorator<A, N> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    declareQueue(options);
    addToMember(target, key, { place: placeOf(descriptor), steps: [{ decorator: '@Child', options }] });
  };
}
