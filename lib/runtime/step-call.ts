import type { Type } from '@nestjs/common';

import type { CallHost } from '../definition/provider-host.js';
import type { WorkflowDefinition } from '../definition/registry.js';
import type { StepContext } from '../definition/step-context.js';
import { StepExecutionContext } from '../definition/step-execution-context.js';
import type { Attempt } from './attempt.js';
import { intercept } from './intercept.js';

type Methods = Readonly<Record<string, (...parameters: unknown[]) => unknown>>;

/** A method of a workflow with what it is called with. */
export interface StepCall {
  readonly name: string;
  /** Whether it is the step's own, and not one that the step asks before. */
  readonly isOwn: boolean;
  readonly parameters: readonly unknown[];
  /** What the step is told of its attempt. Made where somebody asks. */
  readonly context: () => StepContext;
}

/** Calls the method itself, or does not where nobody wants its attempt any more. */
export type Enter = (method: () => unknown) => unknown;

/** Calls a method of a workflow: on the one instance, or as its host says. */
export function callStep(attempt: Attempt, code: WorkflowDefinition, call: StepCall, enter: Enter): unknown {
  const { instance, host } = code;
  if (host?.concerns(call.name)) return callHosted(host, attempt, code, call, enter);
  return enter(() => (instance as Methods)[call.name]!.apply(instance, [...call.parameters]));
}

async function callHosted(
  host: CallHost,
  attempt: Attempt,
  code: WorkflowDefinition,
  { name, parameters, context }: StepCall,
  enter: Enter,
): Promise<unknown> {
  const step = context();
  const { instance, interceptors } = await host.enter(name, step);
  // The method of the one instance, where a stub may stand; on the instance that is its own.
  const method = (code.instance as Methods)[name]!;
  const call = () => enter(() => method.apply(instance, [...parameters]));
  if (interceptors.length === 0) return call();
  const handler = (code.target.prototype as Methods)[name]!;
  const execution = new StepExecutionContext(code.target as Type<unknown>, handler, parameters, step);
  return intercept(interceptors, execution, call, attempt);
}
