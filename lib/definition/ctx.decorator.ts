import { addToMember } from './metadata.js';

/**
 * Gives a step's parameter the {@link StepContext} of the attempt: run, attempt number, idempotency key, AbortSignal.
 *
 * `@nestjs/microservices` exports a `Ctx` too: importing that one by mistake is an error at boot.
 *
 * @example
 * ```ts
 * @Step() charge(@Ctx() step: StepContext): Promise<Charge> { … }
 * ```
 * @publicApi
 */
export function Ctx(): ParameterDecorator {
  return (target, key, index) => addToMember(target, key, { parameters: [{ kind: 'context', index }] });
}
