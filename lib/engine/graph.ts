import type { RetryPolicy } from './retry-policy.js';

/** One step as the graph knows it: plain data, stored with the definition. What is absent has its default. */
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
  /** Milliseconds an attempt may be silent. @default no limit */
  readonly heartbeatMs?: number;
  /** Milliseconds that it may wait for a worker, each time that it does. @default no limit */
  readonly startWithinMs?: number;
  /**
   * `sleep`: it waits and runs no code. `sleep-until`: its code says until when it waits. `signal`: it waits for a signal and
   * then runs its code. `compensation`: it undoes another step, if the run fails or is cancelled.
   * @default 'step'
   */
  readonly kind?: 'sleep' | 'sleep-until' | 'signal' | 'compensation';
  /** Of a `signal`: the names of which the first that comes ends the wait. */
  readonly signals?: readonly string[];
  /** Of a `signal`: milliseconds that it waits at most. @default no limit */
  readonly waitMs?: number;
  /** Of a `signal`: what its end by `waitMs` comes to; the value itself is code, and stands in no graph. @default it fails */
  readonly onTimeout?: 'skip' | 'value';
  /** Of a `compensation`: the step that it undoes. */
  readonly compensates?: string;
  /** Milliseconds that it waits before its first attempt; of a `sleep`, all it does. @default 0 */
  readonly delayMs?: number;
  /** The method that decides whether it runs or is skipped. @default it runs */
  readonly when?: string;
  /** Of what comes before it those that may be skipped, or lose a join, and without which it is skipped. @default none */
  readonly needs?: readonly string[];
  /** Of `after` so many must complete, and then the rest is given up. @default all must have ended */
  readonly join?: number;
  /** It is repeated until the method says that it is done. @default it is done once */
  readonly repeat?: Repetition;
  /** It runs once for each item of a list. @default once */
  readonly fanOut?: FanOutLimits;
  /** `continue`: when it fails for good it has ended, and the run goes on. @default 'fail' */
  readonly onFailure?: 'continue';
  /** Its code runs in a transaction, with which its outcome is committed. @default false */
  readonly transactional?: true;
}

/** How a step is repeated. */
export interface Repetition {
  /** The method that decides whether it is done. */
  readonly until: string;
  /** Milliseconds between two rounds. */
  readonly everyMs: number;
  /** The most rounds. */
  readonly max: number;
}

/** The most rounds that a step may be given. */
export const MAX_ROUNDS = 1_000_000;

/** How a fan-out runs. */
export interface FanOutLimits {
  /** So many of its items run at once. */
  readonly maxItems: number;
  /** So many of its items, or such a part of them, may fail. */
  readonly tolerate: number | `${number}%`;
}

/** A workflow as data: what the engine decides from. Nodes stand in the order of the page. */
export interface WorkflowGraph {
  readonly workflow: string;
  readonly version: string | null;
  /** The step whose result is the run's, or null. */
  readonly output: string | null;
  /** Milliseconds after its beginning in which a run must have ended. @default no limit */
  readonly deadlineMs?: number;
  readonly nodes: readonly GraphNode[];
}

/** The most steps a graph may have: what one decision costs is bounded by it. */
export const MAX_NODES = 1_000;

/** The queue of steps that name none. */
export const DEFAULT_QUEUE = 'orchestrate-flow';
