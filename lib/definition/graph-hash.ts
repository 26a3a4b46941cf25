import { createHash } from 'node:crypto';
import type { WorkflowGraph } from '../engine/graph.js';

/**
 * A graph's fingerprint: the same for graphs that decide the same, another as soon as steps, their order, what they wait
 * for, their policies, queues or priorities or the output differ. The version is a label and does not enter.
 *
 * @returns SHA-256, 64 hexadecimal digits
 */
export function hashOf(graph: WorkflowGraph): string {
  // Lists in a fixed order, not objects: the text does not depend on the order in which keys were written.
  const nodes = graph.nodes.map(({ name, after, results, queue, priority, retry, timeoutMs }) => [
    name,
    after,
    results,
    queue,
    priority,
    [retry.attempts, retry.backoff, retry.delayMs, retry.factor, retry.maxDelayMs, retry.jitter],
    timeoutMs,
  ]);
  const text = JSON.stringify([graph.workflow, graph.output, nodes]);
  return createHash('sha256').update(text).digest('hex');
}
