import { DEFAULT_QUEUE, type GraphNode } from '../engine/graph.js';
import type { StepBindings } from './binding-faults.js';
import type { DependencyOrder } from './dependency-order.js';
import type { RetryPolicy } from '../engine/retry-policy.js';
import { computeNeeds } from './step-needs.js';
import type { WrittenStep } from './step-reader.js';
import { DEFAULT_PRIORITY } from './workflow-options.js';
import type { WrittenWorkflow } from './workflow-reader.js';

/** A workflow without faults, ordered; lists are by the positions of its steps. */
export interface OrderedWorkflow {
  readonly workflow: Pick<WrittenWorkflow, 'queue' | 'priority'>;
  readonly steps: readonly WrittenStep[];
  readonly bindings: ReadonlyMap<string, StepBindings>;
  readonly order: DependencyOrder;
  readonly policies: readonly RetryPolicy[];
  readonly timeoutMs: number | null;
}

/** The nodes of its graph, in the order of the page. */
export function computeNodes(read: OrderedWorkflow): readonly GraphNode[] {
  const { workflow, steps, bindings, order, policies, timeoutMs } = read;
  const taken = steps.map(({ name }) => resultsOf(bindings.get(name)!));
  const needs = computeNeeds(
    steps.map((step, position) => ({ ...step, required: taken[position]!.required })),
    order,
  );
  return steps.map((step, position): GraphNode => {
    return {
      name: step.name,
      after: order.edges[position]!.map((before) => steps[before]!.name),
      results: taken[position]!.all,
      queue: step.queue ?? workflow.queue ?? DEFAULT_QUEUE,
      priority: step.priority ?? workflow.priority ?? DEFAULT_PRIORITY,
      retry: policies[position]!,
      timeoutMs: step.timeoutMs ?? timeoutMs,
      ...saidOf(step, needs[position]!),
    };
  });
}

/** What stands in a node only where it is not the default. */
function saidOf(step: WrittenStep, needs: readonly string[]): Partial<GraphNode> {
  return {
    ...(step.kind !== undefined && { kind: step.kind }),
    ...(step.delayMs !== undefined && { delayMs: step.delayMs }),
    ...(step.when !== null && { when: step.when }),
    ...(needs.length > 0 && { needs }),
    ...(step.join !== null && { join: step.join }),
    ...(step.onFailure === 'continue' && { onFailure: step.onFailure }),
  };
}

/** The steps whose results a step or its condition takes, and those of them without which it cannot be called. */
function resultsOf({ step, condition }: StepBindings) {
  const results = [...step, ...condition].filter((binding) => binding.kind === 'result');
  const required = results.filter(({ isOptional }) => !isOptional);
  return { all: distinct(results), required: distinct(required) };
}

function distinct(results: readonly { readonly step: string }[]): readonly string[] {
  return [...new Set(results.map(({ step }) => step))];
}
