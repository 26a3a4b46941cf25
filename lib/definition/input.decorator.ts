import { addToMember } from './metadata.js';

/**
 * Gives a step's parameter the run's input: of the class of `static input` where that is a DTO class and class-transformer
 * is installed. Every attempt receives a fresh value.
 *
 * @example
 * ```ts
 * @Step() reserve(@Input() order: OrderDto): Promise<Reservation> { … }
 * ```
 * @publicApi
 */
export function Input(): ParameterDecorator {
  return (target, key, index) => addToMember(target, key, { parameters: [{ kind: 'input', index }] });
}
