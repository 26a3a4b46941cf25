import type {
  Decision,
  InboxSignal,
  NeedsRows,
  OpenRow,
  Place,
  RunFailure,
  RunView,
} from '../../../lib/engine/decision.js';
import type { AttemptFailure, Fact, Quarantine } from '../../../lib/engine/facts.js';
import type { FanOut } from '../../../lib/engine/fan-out.js';
import type { GraphNode } from '../../../lib/engine/graph.js';
import type { Gate } from '../../../lib/engine/limits.js';
import { indexGraph, type IndexedGraph } from '../../../lib/engine/indexed-graph.js';
import { DEFAULT_RETRY } from '../../../lib/engine/retry-policy.js';
import { newRunState, type Hold } from '../../../lib/engine/run-state.js';
import type { RunStatus } from '../../../lib/engine/words.js';

/** Step names with the steps each waits for. */
export type Edges = Readonly<Record<string, readonly string[]>>;

/** A graph of these steps, all in queue `q`; `changes` are laid over the node of that name. */
export function buildGraph(edges: Edges, changes: Readonly<Record<string, Partial<GraphNode>>> = {}): IndexedGraph {
  const nodes = Object.entries(edges).map(([name, after]): GraphNode => {
    const node = { name, after, results: after, queue: 'q', priority: 0, retry: DEFAULT_RETRY, timeoutMs: null };
    return { ...node, ...changes[name] };
  });
  return indexGraph({ workflow: 'w', version: null, output: null, nodes });
}

export interface ViewParts {
  readonly status?: RunStatus;
  readonly marks?: string;
  readonly holds?: Readonly<Record<string, Partial<Hold>>>;
  /** Fan-outs whose items are on their way. @default none */
  readonly fanOuts?: Readonly<Record<string, Partial<FanOut>>>;
  /** @default 0 */
  readonly generation?: number;
  readonly worker?: string | null;
  readonly rows?: Readonly<Record<string, Partial<OpenRow>>> | null;
  /** @default none where the rows are shown, else not read */
  readonly inbox?: readonly InboxSignal[];
  readonly failure?: RunFailure;
  /** @default none */
  readonly gate?: Gate | null;
}

/** A run as the engine sees it. Without marks it has not begun; holds lie with worker `here` unless another is named. */
export function buildView(graph: IndexedGraph, parts: ViewParts = {}): RunView {
  const holds = Object.entries(parts.holds ?? {}).map(([step, hold]): [string, Hold] => {
    return [step, { attempt: 1, failures: 0, crashes: 0, since: 'then', ...hold }];
  });
  const rows = Object.entries(parts.rows ?? {}).map(([step, row]): [string, OpenRow] => {
    const worker = row.status === 'running' ? 'there' : null;
    return [step, { status: 'ready', attempt: 0, failures: 0, crashes: 0, alone: false, worker, ...row }];
  });
  const fanOuts = Object.entries(parts.fanOuts ?? {}).map(([step, fanOut]): [string, FanOut] => {
    const tally = { attempt: 1, failures: 0, crashes: 0, stage: 'expanded' } as const;
    return [step, { tally, total: 4, next: 2, completed: 0, failed: 0, cancelled: 0, ...fanOut }];
  });
  const marks = parts.marks ?? newRunState(graph.nodes).marks;
  return {
    graph,
    status: parts.status ?? (parts.marks === undefined ? 'pending' : 'running'),
    state: { marks, holds: new Map(holds), ...(parts.fanOuts && { fanOuts: new Map(fanOuts) }) },
    generation: parts.generation ?? 0,
    gate: parts.gate ?? null,
    worker: parts.worker ?? (holds.length > 0 ? 'here' : null),
    failure: parts.failure ?? null,
    inbox: parts.inbox ?? (parts.rows ? [] : null),
    rows: parts.rows ? new Map(rows) : null,
  };
}

/** The worker `here` with so many free slots in queue `q`. */
export function buildPlace(slots = 0, worker = 'here'): Place {
  return { worker, slots: new Map([['q', slots]]) };
}

export function completed(step: string, attempt = 1): Fact {
  return { type: 'step-completed', claim: { step, attempt, failures: 0, crashes: 0, startedAt: 'then' }, result: '42' };
}

export function failed(
  step: string,
  failure: Partial<AttemptFailure> & { attempt?: number; failures?: number } = {},
): Fact {
  const { attempt = 1, failures = 0, ...rest } = failure;
  const plain = { error: 'boom', retryable: true, retryAfterMs: null, aborted: false, inDoubt: false, random: 0.5 };
  return {
    type: 'step-failed',
    claim: { step, attempt, failures, crashes: 0, startedAt: 'then' },
    failure: { ...plain, ...rest },
  };
}

export function released(step: string, attempt = 1): Fact {
  return { type: 'step-released', claim: { step, attempt, failures: 0, crashes: 0, startedAt: 'then' } };
}

export function lost(...workers: readonly string[]): Fact {
  return { type: 'workers-lost', workers: new Set(workers), quarantine: QUARANTINE };
}

/** Three crashes, the last of them alone. */
export const QUARANTINE: Quarantine = { crashes: 3, error: 'poison' };

export const RETRIED: Fact = { type: 'retry-requested', by: 'me', reason: 'the bank is back' };
export const PAUSED: Fact = { type: 'pause-requested', by: 'me', reason: 'a fault' };
export const RESUMED: Fact = { type: 'resume-requested', by: 'me', reason: null };
export const BEGUN: Fact = { type: 'begun' };
export const CANCELLED: Fact = { type: 'cancel-requested', by: 'me', reason: 'no longer wanted' };

/** The decision, where the engine could decide. */
export function expectDecided(answer: Decision | NeedsRows): Decision {
  if (answer.kind === 'decided') return answer;
  throw new Error('The engine asks for the open rows.');
}
