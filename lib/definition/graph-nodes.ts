import { DEFAULT_QUEUE, type GraphNode } from '../engine/graph.js';
import type { RetryPolicy } from '../engine/retry-policy.js';
import { findTaken, type StepBindings } from './binding-faults.js';
import type { OrderedPage, ReadClass } from './class-reader.js';
import type { WrittenCode, WrittenStep } from './step-reader.js';
import type { WrittenWait } from './wait-reader.js';
import { DEFAULT_PRIORITY } from './workflow-options.js';

/** A workflow without faults, ordered. */
export interface OrderedWorkflow extends ReadClass {
  readonly ordered: OrderedPage;
  /** By the names of steps and compensations. */
  readonly policies: ReadonlyMap<string, RetryPolicy>;
  readonly timeoutMs: number | null;
}

/** The nodes of its graph, in the order of the page. */
export function computeNodes(read: OrderedWorkflow): readonly GraphNode[] {
  const { page, steps, compensations, ordered } = read;
  const nodes = steps.map((step, position): GraphNode => {
    const after = ordered.order.edges[position]!.map((before) => steps[before]!.name);
    return { ...toNode(step, after, read), ...saidOf(step, ordered.needs.needs[position]!) };
  });
  const undoing = compensations.map((compensation): GraphNode => {
    return { ...toNode(compensation, [], read), kind: 'compensation', compensates: compensation.compensates! };
  });
  const byName = new Map([...nodes, ...undoing].map((node) => [node.name, node]));
  return page.map((name) => byName.get(name)!);
}

/** What stands in every node. */
function toNode(code: WrittenCode, after: readonly string[], read: OrderedWorkflow): GraphNode {
  const { workflow, bindings, policies, timeoutMs } = read;
  const isTransactional = bindings.get(code.name)!.step.some(({ kind }) => kind === 'manager');
  return {
    name: code.name,
    after,
    results: resultsOf(bindings.get(code.name)!).filter((step) => step !== code.name),
    queue: code.queue ?? workflow.queue ?? DEFAULT_QUEUE,
    priority: code.priority ?? workflow.priority ?? DEFAULT_PRIORITY,
    retry: policies.get(code.name)!,
    timeoutMs: code.timeoutMs ?? timeoutMs,
    ...(isTransactional && { transactional: true }),
  };
}

/** What stands in a step's node only where it is not the default. */
function saidOf(step: WrittenStep, needs: readonly string[]): Partial<GraphNode> {
  return {
    ...(step.kind !== undefined && { kind: step.kind }),
    ...(step.wait !== null && saidOfWait(step.wait)),
    ...(step.delayMs !== undefined && { delayMs: step.delayMs }),
    ...(step.repeat !== null && { repeat: step.repeat }),
    ...(step.heartbeatMs !== undefined && { heartbeatMs: step.heartbeatMs }),
    ...(step.startWithinMs !== undefined && { startWithinMs: step.startWithinMs }),
    ...(step.when !== null && { when: step.when }),
    ...(needs.length > 0 && { needs }),
    ...(step.join !== null && { join: step.join }),
    ...(step.fanOut !== null && { fanOut: step.fanOut }),
    ...(step.onFailure === 'continue' && { onFailure: step.onFailure }),
  };
}

function saidOfWait({ signals, waitMs, onTimeout }: WrittenWait): Partial<GraphNode> {
  return {
    signals,
    ...(waitMs !== undefined && { waitMs }),
    ...(onTimeout !== 'fail' && { onTimeout: onTimeout === 'skip' ? onTimeout : 'value' }),
  };
}

/** The steps whose results a step, or a method that it names, takes. */
function resultsOf({ step, condition, verification, until }: StepBindings): readonly string[] {
  return [...new Set([...step, ...condition, ...verification, ...until].flatMap(findTaken))];
}
