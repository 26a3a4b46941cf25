import type { ExecutionContext, Type } from '@nestjs/common';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { StepContext } from './step-context.js';

/** What `getType()` of an interceptor's context says in a step. */
const TYPE = 'orchestrate-flow';

/** What an interceptor is told of the call that it is around. */
export class StepExecutionContext implements ExecutionContext {
  constructor(
    private readonly target: Type<unknown>,
    private readonly handler: () => unknown,
    private readonly parameters: readonly unknown[],
    readonly step: StepContext,
  ) {}

  getType<T extends string>(): T {
    return TYPE as T;
  }

  getClass<T>(): Type<T> {
    return this.target as Type<T>;
  }

  getHandler(): () => unknown {
    return this.handler;
  }

  getArgs<T extends unknown[]>(): T {
    return [...this.parameters] as T;
  }

  getArgByIndex<T>(index: number): T {
    return this.parameters[index] as T;
  }

  switchToHttp(): never {
    return this.refuse('HTTP request');
  }

  switchToRpc(): never {
    return this.refuse('message');
  }

  switchToWs(): never {
    return this.refuse('WebSocket message');
  }

  private refuse(asked: string): never {
    const { workflow, step, runId } = this.step;
    throw new OrchestrateFlowError(
      'OF_ARGUMENT_INVALID',
      `Cannot give the ${asked} of step "${step}" of workflow "${workflow}" (run ${runId}): a step has none. ` +
        `Ask context.getType() first: it is '${TYPE}' here, and stepContextOf(context) tells of the step.`,
    );
  }
}

/**
 * What an interceptor is told about the attempt that it is around: of its `ExecutionContext`, whose `getType()` is
 * `'orchestrate-flow'` there, what `@Ctx()` gives a step.
 *
 * @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` outside of steps
 * @publicApi
 */
export function stepContextOf(context: ExecutionContext): StepContext {
  if (context.getType<string>() === TYPE) return (context as StepExecutionContext).step;
  throw new OrchestrateFlowError(
    'OF_ARGUMENT_INVALID',
    `Cannot give the context of a step: this call is of type '${context.getType<string>()}'. Ask for it where context.getType() is '${TYPE}'.`,
  );
}
