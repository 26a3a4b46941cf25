import { createHash } from 'node:crypto';
import type { GraphNode, WorkflowGraph } from '../engine/graph.js';

/** What nodes say only where it is not the default: it enters only there, so that older graphs keep their hashes. */
const OPTIONAL_KEYS = [
  'kind',
  'delayMs',
  'when',
  'needs',
  'join',
  'onFailure',
  'signals',
  'waitMs',
  'onTimeout',
  'compensates',
  'transactional',
  'startWithinMs',
  'heartbeatMs',
] as const satisfies readonly (keyof GraphNode)[];

/**
 * A graph's fingerprint: the same for graphs that decide the same, another as soon as steps, their order, what they wait
 * for, their policies, queues, priorities or options or the output differ. The version is a label and does not enter.
 *
 * @returns SHA-256, 64 hexadecimal digits
 */
export function hashOf(graph: WorkflowGraph): string {
  // Lists in a fixed order, not objects: the text does not depend on the order in which keys were written.
  const nodes = graph.nodes.map(listNode);
  const deadline = graph.deadlineMs === undefined ? [] : [graph.deadlineMs];
  const text = JSON.stringify([graph.workflow, graph.output, nodes, ...deadline]);
  return createHash('sha256').update(text).digest('hex');
}

function listNode(node: GraphNode): readonly unknown[] {
  const { name, after, results, queue, priority, retry, timeoutMs } = node;
  const policy = [retry.attempts, retry.backoff, retry.delayMs, retry.factor, retry.maxDelayMs, retry.jitter];
  const said = OPTIONAL_KEYS.filter((key) => node[key] !== undefined).map((key): unknown[] => [key, node[key]]);
  if (node.repeat) said.push(['repeat', node.repeat.until, node.repeat.everyMs, node.repeat.max]);
  if (node.fanOut) said.push(['fanOut', node.fanOut.maxItems, node.fanOut.tolerate]);
  return [name, after, results, queue, priority, policy, timeoutMs, ...(said.length > 0 ? [said] : [])];
}
