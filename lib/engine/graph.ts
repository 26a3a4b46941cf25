import type { RetryPolicy } from './retry-policy.js';

/** One step as the graph knows it: plain data, stored with the definition. */
export interface GraphNode {
  readonly name: string;
  /** The steps that must have ended before this one starts, in the order of the page. */
  readonly after: readonly string[];
  /** The steps whose results its parameters take. */
  readonly results: readonly string[];
  readonly queue: string;
  /** Lower runs first. */
  readonly priority: number;
  readonly retry: RetryPolicy;
  /** Milliseconds an attempt may take, or null for no limit. */
  readonly timeoutMs: number | null;
}

/** A workflow as data: what the engine decides from. Nodes stand in the order of the page. */
export interface WorkflowGraph {
  readonly workflow: string;
  readonly version: string | null;
  /** The step whose result is the run's, or null. */
  readonly output: string | null;
  readonly nodes: readonly GraphNode[];
}

/** The most steps a graph may have: what one decision costs is bounded by it. */
export const MAX_NODES = 1_000;

/** The queue of steps that name none. */
export const DEFAULT_QUEUE = 'orchestrate-flow';
