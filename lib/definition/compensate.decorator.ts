import type { CompensateOptions } from './compensate-options.js';
import { declareQueue } from './declared-queues.js';
import { addToMember, placeOf } from './metadata.js';
import type { Method } from './workflow-class.js';

/** A method decorator that compiles only on a class with a public method `S`. */
export type CompensateDecorator<S extends string> = <W extends { [P in S]: Method }>(
  target: W,
  key: string | symbol,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in StepDecorator
  descriptor: TypedPropertyDescriptor<any>,
) => void;

/**
 * The method undoes this step when the run fails or is cancelled, also where it is not known whether the step has done its
 * work: so it takes the result of that step with `{ optional: true }`, and must bear that there is nothing to undo. A step
 * that was never taken up is not undone; one that was, and was handed over or lost before its code began, is: nobody can tell.
 * What was done last is undone first.
 *
 * It is no step of the page: nothing waits for it, and it parts no group of `@Parallel` methods. It takes `@Input`, `@Ctx`,
 * `@Failure()` (why the run is undone), and results, all of them optional but those that its step could rely on as well.
 *
 * @param step a `@Step`, `@Parallel`, `@SleepUntil` or `@WaitForSignal` of the class; each is undone by one method at most
 * @example
 * ```ts
 * @Compensate('charge')
 * refund(@Result('charge', { optional: true }) charge: Charge | undefined): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Compensate<const S extends string>(step: S, options: CompensateOptions = {}): CompensateDecorator<S> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    declareQueue(options);
    const mark = { decorator: '@Compensate', options, compensates: step } as const;
    addToMember(target, key, { place: placeOf(descriptor), steps: [mark] });
  };
}
