import { addToMember } from './metadata.js';

/**
 * Makes the step transactional, and gives the parameter the TypeORM `EntityManager` of its transaction. What is written through
 * it and the outcome of the step are committed together: exactly once, or not at all.
 *
 * The transaction begins when the method is called and ends with it. It is rolled back where the method throws, takes longer
 * than its timeout, or where its run has been stopped or the step given to another worker meanwhile. Whatever else the method
 * does (mail, HTTP, another database) is not part of it, and may happen more than once.
 *
 * @example
 * ```ts
 * @Step() book(@Input() order: Order, @Manager() manager: EntityManager): Promise<Booking> {
 *   return manager.save(Booking, { order: order.id });
 * }
 * ```
 * @publicApi
 */
export function Manager(): ParameterDecorator {
  return (target, key, index) => addToMember(target, key, { parameters: [{ kind: 'manager', index }] });
}
