import { addToMember, placeOf } from './metadata.js';
import type { RetryInput } from './retry-options.js';
import type { StepDecorator } from './step.decorator.js';

/**
 * The retry policy of a step, above or below its `@Step`: the number of attempts (counting the first) or a policy. The
 * same as the step's option `retry`; saying it in both places is an error at boot.
 *
 * @example
 * ```ts
 * @Step()
 * @Retry({ attempts: 5, backoff: 'exponential', delay: '1s', maxDelay: '1m' })
 * charge(@Input() order: OrderDto): Promise<Charge> { … }
 * ```
 * @publicApi
 */
export function Retry(policy: RetryInput): StepDecorator<never> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    addToMember(target, key, { place: placeOf(descriptor), retries: [policy] });
  };
}
