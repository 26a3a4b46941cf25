import { addToMember, placeOf } from './metadata.js';
import type { RepeatOptions } from './repeat-options.js';
import type { StepDecorator } from './step.decorator.js';

/**
 * Repeats a step until a method of the class says that it is done. Each round has its own idempotency key, attempts and retries; what it
 * gives is recorded, and in between the run waits for `every`, holding no worker. The result of the step is that of its last round. The
 * same as the option `repeat`.
 *
 * @example
 * ```ts
 * @Step()
 * @Repeat({ until: 'isPrinted', every: '1m', max: 60 })
 * print(@Input() order: OrderDto): Promise<Job> { … }
 *
 * isPrinted(@Result('print') job: Job): boolean {
 *   return job.state === 'printed';
 * }
 * ```
 * @publicApi
 */
export function Repeat<const N extends string>(options: RepeatOptions<N>): StepDecorator<never, N> {
  return (target, key, descriptor?: PropertyDescriptor) => {
    addToMember(target, key, { place: placeOf(descriptor), repeats: [options] });
  };
}
