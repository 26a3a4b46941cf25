import type { Asked, Claim } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import type { Gate } from './limits.js';
import type { ChildOrder } from './notices.js';
import type { NewRun } from './ports.js';
import type { RunState, Stage, Tally } from './run-state.js';
import type { ControlAction, RunStatus, StepStatus } from './words.js';

/** An open row of the step table, as read under the run's lock. */
export interface OpenRow extends Tally {
  readonly status: 'ready' | 'running' | 'retrying' | 'waiting';
  readonly worker: string | null;
  /** Whether its attempt runs in a process that runs nothing beside it. */
  readonly alone: boolean;
}

/** A signal that was sent to a run. */
export interface InboxSignal {
  readonly id: string;
  readonly name: string;
  /** Whether a commit has looked at it. */
  readonly seen: boolean;
  /** What another run lets this one know by it; null of a signal that somebody has sent. @default null */
  readonly notice?: string | null;
}

/** A run as the engine sees it: committed state only. */
export interface RunView {
  readonly graph: IndexedGraph;
  readonly status: RunStatus;
  readonly state: RunState;
  /** How often it was retried. */
  readonly generation: number;
  /** Whether it has to wait for its turn, by the limits of its workflow; null: it has none. */
  readonly gate: Gate | null;
  /** The one process that may hold claims in the state, or null. */
  readonly worker: string | null;
  /** Why it was stopped, where it has failed. */
  readonly failure: RunFailure | null;
  /** Signals that nobody has taken yet, oldest first, or null where they were not read. */
  readonly inbox: readonly InboxSignal[] | null;
  /** The open rows of its queued steps, or null where they were not read: a claim may change them at any time. */
  readonly rows: ReadonlyMap<string, OpenRow> | null;
}

/** The process that decides. */
export interface Place {
  readonly worker: string;
  /** Free slots by queue: as many of the steps that come next may start here at once. */
  readonly slots: ReadonlyMap<string, number>;
}

/** The row is still at this attempt and stage, and that attempt is still running (or still waiting to run). */
export interface RowGuard {
  readonly attempt: number;
  readonly running: boolean;
  readonly stage?: Stage;
}

/** How a step's row is to be written. */
export interface StepWrite {
  readonly step: string;
  /** What the row must still be for the write to count; null where the step has no row yet and this inserts it. */
  readonly guard: RowGuard | null;
  readonly status: Exclude<StepStatus, 'pending'>;
  readonly tally: Tally;
  readonly worker: string | null;
  /** The encoded result of a completed step. */
  readonly result: string | null;
  /** The encoded error of the attempt that ended, to be kept behind those of earlier attempts. */
  readonly error: string | null;
  /** Milliseconds from the commit until a retrying or waiting step is due. */
  readonly delayMs: number | null;
  /** The time at which a waiting step is due, where it is not so long from now but then (ISO 8601). */
  readonly dueAt: string | null;
  /** Whether the step has lost a join: its worker raises the AbortSignal of its attempt, and nobody takes its result. */
  readonly aborting: boolean;
  /** The database's time at which the attempt started; null where it starts with this commit or never did. */
  readonly startedAt: string | null;
}

/** A step to start here once the commit has answered. */
export interface StartHere {
  readonly step: string;
  readonly tally: Tally;
}

/** What became of one attempt, to be announced after the commit. */
export interface StepNews {
  readonly step: string;
  readonly status: Exclude<StepStatus, 'pending' | 'running'>;
  readonly attempt: number;
  readonly error: string | null;
  readonly delayMs: number | null;
}

/** The failure that ended a run: the step and its last error, encoded. */
export interface RunFailure {
  readonly step: string;
  readonly error: string;
}

/** What becomes of a signal: the step that takes it, or null where it was only looked at. */
export interface SignalWrite {
  readonly id: string;
  readonly step: string | null;
}

/** What is asked of the child of a step. */
export interface OrderToChild {
  readonly step: string;
  readonly order: ChildOrder;
}

/** What somebody asked of the run and was done. */
export interface AuditNote extends Asked {
  readonly action: ControlAction;
}

/** A run that has failed begins a new generation, in which what is not named here begins anew. */
export interface Renewal {
  /** Steps whose rows, those of their items included, and signals go on into it. */
  readonly keeps: readonly string[];
  /** Fan-outs that begin anew, and whose items keep the results they have. */
  readonly keepsItemsOf: readonly string[];
  /** Whether what it failed with is forgotten: else it is what it fails with in the end. */
  readonly forgetsFailure: boolean;
}

/** What happens next: to be committed as a whole or not at all. */
export interface Decision {
  readonly kind: 'decided';
  /** Whether there is anything to write. */
  readonly changed: boolean;
  readonly status: RunStatus;
  readonly state: RunState;
  readonly worker: string | null;
  readonly writes: readonly StepWrite[];
  readonly starts: readonly StartHere[];
  /** Queues in which this leaves ready rows. */
  readonly rings: ReadonlySet<string>;
  /** Set by the decision that stops the run. */
  readonly failure: RunFailure | null;
  readonly cancelReason: string | null;
  /** Whether it begins to wait for a signal without having looked: it is void where there is any that nobody has taken. */
  readonly expectsNoSignals: boolean;
  /** Signals that were looked at, and by which step they were taken. */
  readonly signals: readonly SignalWrite[];
  /** Children that are born with this. */
  readonly births: readonly NewRun[];
  readonly orders: readonly OrderToChild[];
  /** What people asked for and this does. */
  readonly audit: readonly AuditNote[];
  readonly renewal: Renewal | null;
  /** Whether this is where a pause begins or ends: rows that wait are then passed by, or are no longer. */
  readonly pause: 'begins' | 'ends' | null;
  /** Whether a run that waits for its turn no longer waits for its start time. */
  readonly hurries: boolean;
  readonly news: readonly StepNews[];
  /** Outcomes that came too late: another attempt or another end was recorded first. */
  readonly stale: readonly Claim[];
}

/** The engine cannot decide from what it was shown: it must see the open rows, under the run's lock. */
export interface NeedsRows {
  readonly kind: 'needs-rows';
}

export const NEEDS_ROWS: NeedsRows = { kind: 'needs-rows' };
