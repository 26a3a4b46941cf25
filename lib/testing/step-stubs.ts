import { list, suggest } from '../definition/near-miss.js';
import type { WorkflowDefinition } from '../definition/registry.js';
import type { InstanceOf, Method, WorkflowClass } from '../definition/workflow-class.js';
import { OrchestrateFlowError } from '../engine/errors.js';

/**
 * The names of a workflow's public methods, its steps among them.
 *
 * @publicApi
 */
export type StepName<C> = {
  [K in keyof InstanceOf<C>]: InstanceOf<C>[K] extends Method ? K : never;
}[keyof InstanceOf<C>] &
  string;

/**
 * What may stand in for a step: takes what the step takes, and gives what it gives, or a promise of it, or throws.
 *
 * @publicApi
 */
export type StubFor<C, K extends StepName<C>> = InstanceOf<C>[K] extends (...parameters: infer P) => infer R
  ? (...parameters: P) => R | Awaited<R> | Promise<Awaited<R>>
  : never;

/**
 * A step that is stubbed.
 *
 * @publicApi
 */
export interface StepStub<C, K extends StepName<C>> {
  /** The parameters of each call so far. */
  readonly calls: readonly Parameters<StubFor<C, K>>[];
  /** Puts the method back. */
  restore(): void;
}

/** The stubs of one app: methods of the workflows' own instances, which others are put in the place of. */
export class StepStubs {
  private readonly restores = new Set<() => void>();

  stub<C extends WorkflowClass, K extends StepName<C>>(
    definition: WorkflowDefinition,
    step: K,
    stub: StubFor<C, K>,
  ): StepStub<C, K> {
    assertStep(definition, step);
    const instance = definition.instance as Record<string, unknown>;
    // Where a test has put a spy on the instance that is what is put back; else the method shows again.
    const before = Object.getOwnPropertyDescriptor(instance, step);
    const calls: Parameters<StubFor<C, K>>[] = [];
    instance[step] = (...parameters: Parameters<StubFor<C, K>>): unknown => {
      calls.push(parameters);
      return stub.call(instance, ...parameters);
    };
    const restore = () => {
      if (!this.restores.delete(restore)) return;
      if (before) Object.defineProperty(instance, step, before);
      else delete instance[step];
    };
    this.restores.add(restore);
    return { calls, restore };
  }

  /** The newest first, so that of two stubs of one step the method comes out again. */
  restoreAll(): void {
    for (const restore of [...this.restores].reverse()) restore();
  }
}

function assertStep({ name, steps }: WorkflowDefinition, step: string): void {
  if (steps.has(step)) return;
  const names = [...steps.keys()];
  throw new OrchestrateFlowError(
    'OF_ARGUMENT_INVALID',
    `Cannot stub "${step}" of workflow "${name}": it is no step.${suggest(step, names)} Its steps are ${list(names)}.`,
  );
}
