import { addToMember } from './metadata.js';

/**
 * Gives a parameter of a `@WaitForSignal` method the payload of the signal that has come: of the class that `static signals`
 * names for it where that is a DTO class and class-transformer is installed. Every attempt receives a fresh value.
 *
 * @example
 * ```ts
 * @WaitForSignal('delivered') delivered(@SignalPayload() proof: DeliveryProof): DeliveryProof { return proof; }
 * ```
 * @publicApi
 */
export function SignalPayload(): ParameterDecorator {
  return (target, key, index) => addToMember(target, key, { parameters: [{ kind: 'payload', index }] });
}
