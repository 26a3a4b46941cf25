import type {
  AuditNote,
  Decision,
  InboxSignal,
  OpenRow,
  Renewal,
  RunFailure,
  SignalWrite,
  StepWrite,
} from './decision.js';
import type { Asked, Claim, Unclaimed } from './facts.js';
import type { StepPlace } from './indexed-graph.js';
import type { Gate } from './limits.js';
import type { ChildOrder } from './notices.js';
import type { CatchUp, Overlap, Timing } from './occurrences.js';
import type { Tally } from './run-state.js';
import type { ControlAction, RunStatus, StepStatus, EndStatus } from './words.js';

/** Time, chance and new names. Only through it does the runtime come by them, so that a test can give it others. */
export interface Clock {
  /** Milliseconds that never go back. To be compared with nothing but each other. */
  now(): number;
  /** Calls back in so many milliseconds. @returns what calls it off */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back when all that has come with this turn has been dealt with. */
  soon(callback: () => void): void;
  /** A number in [0, 1). */
  random(): number;
  /** An id that nobody has had, a UUID that sorts by its time. */
  newId(): string;
}

/** A run as it lies in the store. Texts are encoded; times are the database's, in ISO 8601. */
export interface StoredRun {
  readonly id: string;
  readonly workflow: string;
  readonly definition: number;
  readonly status: RunStatus;
  readonly revision: number;
  readonly generation: number;
  readonly state: string;
  readonly worker: string | null;
  readonly priority: number;
  readonly input: string;
  /** What was captured where it was started, encoded, or null. */
  readonly context: string | null;
  /** Whose it is, or null. */
  readonly tenant: string | null;
  /** Whether it waits for its turn, by the limits of its workflow; null: it has none. */
  readonly gate: Gate | null;
  readonly failure: RunFailure | null;
  readonly cancelReason: string | null;
  /** The parent that waits for its end. @default none */
  readonly reportsTo?: string | null;
  readonly updatedAt: string;
}

/** What one decision changes in a run. Applies only where the run is still at `revision`, and raises it. */
export interface RunWrite {
  readonly id: string;
  readonly definition: number;
  readonly generation: number;
  readonly revision: number;
  readonly priority: number;
  readonly status: RunStatus;
  readonly state: string;
  readonly worker: string | null;
  readonly failedStep: string | null;
  readonly failure: string | null;
  readonly cancelReason: string | null;
  readonly ended: boolean;
  readonly expectsNoSignals: boolean;
  readonly signals: readonly SignalWrite[];
  /** Born with this, if it is written. Pending, and due. */
  readonly births: readonly NewRun[];
  readonly orders: readonly StoredOrder[];
  /** To be kept in the audit log, if this is written. */
  readonly audit: readonly AuditNote[];
  /** A new generation begins, of which `generation` is the number, and keeps so much. Only by `submitLocked`. */
  readonly renewal: Renewal | null;
  /** A pause begins, or ends, for its open rows that do not run. Only by `submitLocked`. */
  readonly pause: Decision['pause'];
  /** A run that waits for its turn does so from now on, and not from its start time. */
  readonly hurries: boolean;
  readonly steps: readonly QueuedStepWrite[];
}

/** What is asked of a child, if it has not ended. */
export interface StoredOrder {
  readonly child: string;
  readonly order: ChildOrder;
}

/** A step's write with what its row must say for a claim to find it. */
export interface QueuedStepWrite extends StepWrite {
  readonly row: StepPlace;
  readonly queue: string;
  readonly priority: number;
  /** Milliseconds in which a worker has to take it once it is ready, or null: it waits for as long as it takes. */
  readonly startWithinMs: number | null;
}

/** A run to be born. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  readonly definition: number;
  readonly status: RunStatus;
  readonly state: string;
  readonly worker: string | null;
  readonly key: string | null;
  /** SHA-256 of the encoded input, where the run has a key: the same key with other input is an error. */
  readonly inputHash: Uint8Array | null;
  readonly priority: number;
  readonly input: string;
  /** What was captured where it was started, encoded, or null. */
  readonly context: string | null;
  /** Words by which it is found. */
  readonly tags: readonly string[];
  /** Whose it is, or null. */
  readonly tenant: string | null;
  /** Whether it waits for its turn, by the limits of its workflow: from its start time on. It is pending then. */
  readonly isGated: boolean;
  /** Milliseconds from the commit until the run begins, or null: at once, or at `dueAt`. */
  readonly delayMs: number | null;
  /** The time at which the run begins (ISO 8601), or null. */
  readonly dueAt: string | null;
  /** Milliseconds after its beginning in which it must have ended, or null. */
  readonly deadlineMs: number | null;
  /** The run that has begun it in one of its steps. @default none */
  readonly parent?: ParentLink;
  /** Queues whose workers should know of it: those with ready steps, or, before its time, that of its first step. */
  readonly wakes: readonly string[];
  readonly steps: readonly QueuedStepWrite[];
}

/** Whose child a run is. Where it is waited for, its deadline is never later than that of its parent. */
export interface ParentLink {
  readonly runId: string;
  /** The step, or the item of a fan-out. */
  readonly step: string;
  /** The notice by which its end is told to its parent, or null: nobody waits for it. */
  readonly notice: string | null;
}

/** How the door answers. */
export type CommitAnswer =
  /** Written. `at` is the database's time of the commit. */
  | { readonly kind: 'applied'; readonly at: string }
  /** Not written: the run has moved on (or its id or key is taken). Read it again and decide anew. */
  | { readonly kind: 'stale' }
  /** Not written, and never will be: the database refuses one of its values. */
  | { readonly kind: 'refused'; readonly error: Error }
  /** There was nothing to write. */
  | { readonly kind: 'nothing' };

/** A run and its open rows, read under the run's lock. */
export interface LockedRun {
  readonly run: StoredRun;
  readonly inbox: readonly InboxSignal[];
  readonly rows: ReadonlyMap<string, OpenRow>;
}

/** The one door through which every change of state goes. All runs of a process share its commits. */
export interface RunDoor {
  /** Commits a decision with whatever else has gathered. `prepare` is called when the commit is about to leave. */
  submit(prepare: () => RunWrite | null): Promise<CommitAnswer>;
  /**
   * Starts runs, all in one commit. Those with a name that another transaction may hold (`named`) go by a lane where they
   * delay nobody; if a name is held, `prepare(true)` is asked for runs that claim nothing here, because it may take long.
   * Answers in the order of the runs; `stale`: the id or key is taken, of this run or of one it was to be started with.
   */
  start(prepare: (held: boolean) => readonly NewRun[], named: boolean): Promise<readonly CommitAnswer[]>;
  /** Lock → read → decide → write, alone. `decide` sees null where there is no such run; it may be called again. */
  submitLocked(runId: string, decide: (locked: LockedRun | null) => RunWrite | null): Promise<CommitAnswer>;
}

/** A step that this worker has claimed, with its run. */
export interface ClaimedStep {
  readonly step: string;
  readonly tally: Tally;
  readonly startedAt: string;
  readonly run: StoredRun;
}

/** What a worker looks for when it claims. */
export interface ClaimRequest {
  readonly queue: string;
  readonly worker: string;
  /** Definitions that this process can run. */
  readonly definitions: readonly number[];
  readonly limit: number;
}

/** What a worker looks for when it claims a suspect: a step whose workers died under it more than once. */
export interface SuspectRequest {
  readonly queue: string;
  readonly worker: string;
  readonly definitions: readonly number[];
  /** The number of crashes that is too many. */
  readonly maxCrashes: number;
  /** Whether to take one that needs a single crash more, or one that does not yet. */
  readonly isAccused: boolean;
  /** Whether it will run with nothing beside it. */
  readonly isAlone: boolean;
}

/** A queue in which suspects wait. */
export interface SuspectQueue {
  readonly queue: string;
  /** Whether the suspects are such as need a single crash more to be quarantined. */
  readonly isAccused: boolean;
}

/**
 * Whom a beat may declare dead of those whose lease ran out: nobody; those who were silent while somebody else was heard;
 * all. A database that was away has heard nobody, and those who live need a moment to be heard again.
 */
export type Reaping = 'none' | 'witnessed' | 'all';

/** What a beat found. */
export interface BeatNews {
  /** False: this worker has been declared dead. It must drop its claims and go on under a new id. */
  readonly alive: boolean;
  /** Runs in which this worker has claims and that have been stopped, and those of `openRuns` that have ended or are gone. */
  readonly stoppedRuns: readonly string[];
  /** Claims of this worker in the step table. */
  readonly claims: readonly OwnClaim[];
  /** Runs in whose state this worker holds claims and that have not changed for half a lease. */
  readonly heldRuns: readonly string[];
  /** Queues of this worker with ready rows that it can run, suspects apart. */
  readonly readyQueues: readonly string[];
  /** Queues of this worker with ready suspects that it can run. */
  readonly suspects: readonly SuspectQueue[];
  /** Queues in which steps became ready with this beat, because their time had come. */
  readonly wokenQueues: readonly string[];
  /** Runs whose deadline has passed. */
  readonly overdueRuns: readonly string[];
  /** Ready steps that no worker has taken in the time that they have for that. */
  readonly unclaimed: readonly UnclaimedStep[];
  /** Runs with signals at which nobody has looked. */
  readonly signalledRuns: readonly string[];
  /** Runs whose start time has come. */
  readonly dueRuns: readonly string[];
  /** Schedules of which this process can start runs, and of which an occurrence is due or need not wait any longer. */
  readonly dueSchedules: readonly string[];
  /** Open runs of schedules after which a later one has begun that takes their place. */
  readonly supersededRuns: readonly SupersededRun[];
  /** Workers that are not alive, with the runs in which they still have claims. */
  readonly lost: readonly LostClaims[];
  /** Milliseconds until the nearest timer, or null where none falls before the next beat. */
  readonly nextDueMs: number | null;
}

export interface OwnClaim {
  readonly runId: string;
  /** Whether its attempt is no longer wanted: the step has lost a join. */
  readonly isUnwanted: boolean;
  readonly claim: Claim;
}

export interface UnclaimedStep extends Omit<Unclaimed, 'error'> {
  readonly runId: string;
  readonly queue: string;
}

export interface SupersededRun {
  readonly runId: string;
  readonly schedule: string;
}

export interface LostClaims {
  readonly runId: string;
  readonly workers: readonly string[];
}

export interface BeatRequest {
  readonly worker: string;
  readonly queues: readonly string[];
  readonly definitions: readonly number[];
  /** Workflows of which this process can start runs. */
  readonly workflows: readonly string[];
  /** Schedules whose input this process can compute. */
  readonly computed: readonly string[];
  readonly leaseMs: number;
  /** Runs that have attempts in this process. */
  readonly openRuns: readonly string[];
  /** The number of crashes that is too many. */
  readonly maxCrashes: number;
  /** Whether this process may declare others dead: not before it has itself renewed for a while after an outage. */
  readonly reap: Reaping;
}

export interface WorkerIdentity {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly queues: readonly string[];
}

/** Items of a fan-out to be stored. */
export interface NewItems {
  readonly runId: string;
  readonly generation: number;
  readonly step: string;
  /** Of the fan-out's own step: which stores them. */
  readonly attempt: number;
  readonly queue: string;
  readonly priority: number;
  /** The index of the first of them. */
  readonly first: number;
  /** Encoded. */
  readonly payloads: readonly string[];
}

/** Items of a fan-out that an earlier attempt has stored, and that are none of the list of this one. */
export interface SurplusItems {
  readonly runId: string;
  readonly generation: number;
  readonly step: string;
  /** Of the fan-out's own step. */
  readonly attempt: number;
  /** How many items the list has. */
  readonly count: number;
}

/** Which items of a fan-out are looked at. */
export interface ItemPage {
  readonly runId: string;
  readonly generation: number;
  readonly step: string;
  /** Only items after this index; -1: from the first on. */
  readonly after: number;
  readonly limit: number;
}

/** An item as it lies in the store. */
export interface StoredItem {
  readonly payload: string;
  /** The result it has, also where it had it in an earlier generation and has not begun in this one. */
  readonly result: string | null;
}

export interface ItemResult {
  readonly index: number;
  readonly result: string;
}

/** What an attempt has told of how far it is. */
export interface ToldHeartbeat {
  readonly runId: string;
  readonly generation: number;
  readonly row: StepPlace;
  readonly attempt: number;
  /** Encoded. */
  readonly details: string;
}

/** A signal on its way to a run. */
export interface NewSignal {
  readonly runId: string;
  readonly name: string;
  /** The same key again, for the same run and name, is the same signal. */
  readonly key: string | null;
  /** Encoded. */
  readonly payload: string;
}

export interface TakenSignal {
  readonly name: string;
  readonly payload: string;
}

/** How a waiting caller learns that a run has ended. */
export interface EndedRun {
  readonly id: string;
  readonly workflow: string;
  readonly status: RunStatus;
  /** The encoded result of the run's output step; null where it has none. */
  readonly output: string | null;
  readonly failure: RunFailure | null;
  readonly cancelReason: string | null;
}

/** Which runs that have ended are deleted. */
export interface PurgeRequest {
  /** How they have ended, and how many milliseconds ago at the least. */
  readonly rules: readonly PurgeRule[];
  readonly workflow: string | null;
  /** They bear all of these. */
  readonly tags: readonly string[] | null;
  /** At most so many by each rule. */
  readonly limit: number;
}

export interface PurgeRule {
  readonly status: EndStatus;
  readonly ageMs: number;
}

/** What the runtime reads and claims. */
export interface RunStore {
  /** Claims ready steps that are no suspects. */
  claim(request: ClaimRequest): Promise<readonly ClaimedStep[]>;
  /** Claims one suspect; null where there is none. */
  claimSuspect(request: SuspectRequest): Promise<ClaimedStep | null>;
  findRun(runId: string): Promise<StoredRun | null>;
  /** The id of the run with this key, and whether its input was the same; null where there is none. */
  findByKey(workflow: string, key: string): Promise<{ readonly id: string; readonly inputHash: Uint8Array } | null>;
  /** Encoded results of completed steps, by step. */
  loadResults(runId: string, generation: number, steps: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Encoded errors of those of these steps that have failed, by step. */
  loadFailures(runId: string, generation: number, steps: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Stores items of a fan-out. Those that have begun, or have a result from an earlier generation, stay as they are; what an
   * earlier attempt had stored is replaced; and where there has been a later attempt nothing is stored.
   */
  addItems(items: NewItems): Promise<void>;
  /** Deletes what an earlier attempt had stored beyond the list, unless there has been a later attempt. */
  dropItems(surplus: SurplusItems): Promise<void>;
  /** An item, encoded; null where there is none. */
  loadItem(runId: string, generation: number, step: string, index: number): Promise<StoredItem | null>;
  /** Encoded results of the items of a fan-out that have completed, in their order: so many of those after an index. */
  loadItemResults(page: ItemPage): Promise<readonly ItemResult[]>;
  /** Stores what attempts have told, in place of what those of the same steps told before; of one that a later one has followed nothing. */
  saveHeartbeats(told: readonly ToldHeartbeat[]): Promise<void>;
  /** What an attempt of the step has told last in this generation, encoded; null: nothing. */
  loadHeartbeat(runId: string, generation: number, row: StepPlace): Promise<string | null>;
  /** Whether an attempt of the step in an earlier generation was given up before it ended. */
  hasDoubts(runId: string, generation: number, step: StepPlace): Promise<boolean>;
  /** The signal that a step of the run has taken, its payload encoded; null where it has taken none. */
  loadSignal(runId: string, step: string): Promise<TakenSignal | null>;
  /**
   * Stores a signal, once for each key. @returns false where there is no such run, or it has ended
   */
  addSignal(signal: NewSignal): Promise<boolean>;
  /** Those of these runs that have ended, in one look. */
  findEnded(runIds: readonly string[]): Promise<readonly EndedRun[]>;
  registerWorker(worker: WorkerIdentity, leaseMs: number): Promise<void>;
  removeWorker(workerId: string): Promise<void>;
  beat(request: BeatRequest): Promise<BeatNews>;
  /** Deletes runs that have ended, with all that is theirs, the oldest first; one that somebody locks stays. @returns how many */
  purge(request: PurgeRequest): Promise<number>;
  /**
   * Deletes one run with all that is its own but the audit log, which says who has asked for it.
   *
   * @returns false where there is no such run, or it has not ended
   */
  deleteRun(runId: string, asked: Asked): Promise<boolean>;
  /** Deletes what nothing names any more: workers long dead, lanes long unused. */
  sweepDead(): Promise<void>;
  /** Gives a definition its number, writing its row where it is new. */
  registerDefinition(definition: NewDefinition): Promise<number>;
  /** All stored definitions of these workflows. */
  loadDefinitions(workflows: readonly string[]): Promise<readonly StoredDefinition[]>;
  /** Calls back with the name of a queue in which somebody's transaction has just left a ready step. */
  onReady(listener: (queue: string) => void): void;
}

export interface NewDefinition {
  readonly name: string;
  readonly hash: string;
  readonly version: string | null;
  /** The step whose result is the run's. */
  readonly output: string | null;
  readonly graph: string;
}

export interface StoredDefinition extends NewDefinition {
  readonly id: number;
}

/** The bell: wakes a worker of a queue. Carries nothing; may be lost, doubled, late or stale. */
export interface WorkQueue {
  ring(queue: string): void;
}

/** A run as callers see it; payloads still encoded. */
export interface RunRecordView {
  readonly id: string;
  readonly workflow: string;
  readonly definition: number;
  readonly status: RunStatus;
  readonly state: string;
  readonly generation: number;
  readonly worker: string | null;
  readonly key: string | null;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly tenant: string | null;
  readonly input: string;
  readonly failure: RunFailure | null;
  readonly cancelReason: string | null;
  readonly dueAt: Date | null;
  /** Since when it waits for its turn, or from when on; null where it does not. */
  readonly admitAt: Date | null;
  readonly deadlineAt: Date | null;
  /** The schedule that has started it, or null. */
  readonly schedule: string | null;
  /** The occurrence that it is of, or null. */
  readonly scheduledAt: Date | null;
  /** The run that has begun it, and the step or item in which it did, or null. */
  readonly parentId: string | null;
  readonly parentStep: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly updatedAt: Date;
  readonly endedAt: Date | null;
}

/** A step's row as callers see it; payloads still encoded. */
export interface StepRecordView extends Tally {
  readonly name: string;
  readonly status: Exclude<StepStatus, 'pending'>;
  readonly queue: string;
  readonly worker: string | null;
  readonly result: string | null;
  readonly errors: readonly string[];
  readonly dueAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** The row of an item of a fan-out; `pending` until it begins. */
export interface ItemRecordView extends Omit<StepRecordView, 'status'> {
  readonly status: StepStatus;
  readonly index: number;
  readonly payload: string;
}

/**
 * How far a fan-out has come.
 *
 * @publicApi
 */
export interface ItemCounts {
  readonly total: number;
  /** Not yet begun. */
  readonly pending: number;
  /** Begun and not ended: being run, waiting for a worker or for their next attempt. */
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** A step for which its run waits until somebody does something. */
export interface BlockedStepView {
  readonly runId: string;
  /** An item of a fan-out by its own name. */
  readonly step: string;
  /** Why a person is asked, encoded. */
  readonly error: string;
}

/** What `list` filters by. Newest runs come first. */
export interface RunQuery {
  /** Only those that wait for a person. */
  readonly isBlocked: boolean;
  readonly workflow: string | null;
  readonly statuses: readonly RunStatus[] | null;
  /** It bears all of these. */
  readonly tags: readonly string[] | null;
  readonly tenant: string | null;
  /** Begun by a step of this run. */
  readonly parentId: string | null;
  /** Created at or after. */
  readonly from: Date | null;
  /** Created before. */
  readonly to: Date | null;
  /** Only runs older than this one, in the order of the list. */
  readonly after: RunPosition | null;
  readonly limit: number;
}

/** A run's place in the list. The time is text: a Date would cut its microseconds. */
export interface RunPosition {
  readonly createdAt: string;
  readonly id: string;
}

/** Which entries of the audit log are looked up. Newest come first. */
export interface AuditQuery {
  readonly runId: string | null;
  readonly workflow: string | null;
  readonly by: string | null;
  /** Only entries older than the one with this id. */
  readonly before: string | null;
  readonly limit: number;
}

/**
 * What somebody asked of a run, and was done.
 *
 * @publicApi
 */
export interface AuditEntry {
  /** A whole number, as text: later entries have higher ones. */
  readonly id: string;
  readonly runId: string;
  readonly workflow: string;
  readonly action: ControlAction;
  /** Who asked for it, as the caller said; null where they did not. */
  readonly by: string | null;
  /** Why, as the caller said; null where they did not. */
  readonly reason: string | null;
  readonly at: Date;
}

/** A stored definition, and the runs of it that have not ended. */
export interface DefinitionInFlight {
  readonly workflow: string;
  readonly version: string | null;
  readonly hash: string;
  /** As JSON. */
  readonly graph: string;
  readonly count: number;
  readonly runIds: readonly string[];
}

/** What callers look up. */
export interface RunArchive {
  find(runId: string): Promise<RunRecordView | null>;
  findByKey(workflow: string, key: string): Promise<RunRecordView | null>;
  /** The newest child of each of these steps, or items, of a run that has begun one. */
  findChildren(runId: string, steps: readonly string[]): Promise<ReadonlyMap<string, string>>;
  list(query: RunQuery): Promise<{ readonly runs: readonly RunRecordView[]; readonly last: RunPosition | null }>;
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /** The definitions of runs that have not ended, by workflow, the oldest first, with so many of those runs, the oldest first. */
  definitionsInFlight(mostRunIds: number): Promise<readonly DefinitionInFlight[]>;
  /** The rows of its steps, items of fan-outs apart. */
  steps(runId: string, generation: number): Promise<readonly StepRecordView[]>;
  /** Of these runs those that wait for a person, each with the first step that does. */
  findBlocked(runIds: readonly string[]): Promise<readonly BlockedStepView[]>;
  /** The row of a step or of an item; null where it has none. */
  findStep(runId: string, generation: number, place: StepPlace): Promise<StepRecordView | null>;
  /** Rows of items of a fan-out, in their order. */
  items(page: ItemPage): Promise<readonly ItemRecordView[]>;
  /** How the items of a fan-out that has ended came to their end. */
  countItems(runId: string, generation: number, step: string): Promise<ItemCounts>;
}

/** The starts that belong to a caller's own transaction. `Manager` is the database library's, unknown to the engine. */
export interface TransactionalStarts<Manager> {
  /** @throws OrchestrateFlowError `OF_NOT_IN_TRANSACTION` where the manager is not inside a transaction */
  assertInTransaction(manager: Manager): void;
  isInTransaction(manager: Manager): boolean;
  /** Stores a signal; its run is told once the transaction has committed. @returns false where the run is not to be seen, or has ended */
  addSignal(manager: Manager, signal: NewSignal): Promise<boolean>;
  /** Inserts, and nothing but inserts, a run and its first steps. @returns false where its id or key is taken */
  insert(manager: Manager, run: NewRun): Promise<boolean>;
  /** The run with this key as the caller's transaction sees it. */
  findByKey(
    manager: Manager,
    workflow: string,
    key: string,
  ): Promise<{ readonly id: string; readonly inputHash: Uint8Array } | null>;
}

/** An attempt that is to mark its own row. */
export interface TransactionRequest {
  readonly runId: string;
  readonly generation: number;
  readonly row: StepPlace;
  readonly claim: Claim;
  /** Milliseconds its statements may take each, or null for no limit. */
  readonly timeoutMs: number | null;
  /** Raised where the attempt is not wanted any more: it then need not wait for its turn. */
  readonly signal: AbortSignal;
}

/**
 * What became of it. `committed`: its effects and its result are in. `refused`: they are not, because the attempt is not the one
 * that its row and its run wait for. `unknown`: nobody has answered; its row tells.
 */
export type TransactionEnd = 'committed' | 'refused' | 'unknown';

/** The transactions in which steps run. `Manager` is the database library's, unknown to the engine. */
export interface StepTransactions<Manager> {
  /**
   * Runs the work in a transaction, and commits with it the encoded result that it gives: as long as the attempt still runs, its
   * step has lost no join, and its run has not been stopped.
   *
   * @throws what the work throws, and what the database says of its effects; nothing has been committed then
   */
  run(request: TransactionRequest, work: (manager: Manager) => Promise<string>): Promise<TransactionEnd>;
}

/** A schedule as it is declared, or was made by a caller. Times are milliseconds since 1970. */
export interface ScheduleSpec {
  readonly name: string;
  readonly workflow: string;
  readonly timing: Timing;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** Encoded; null: the code that declares it computes one for each occurrence. */
  readonly input: string | null;
  readonly isDeclared: boolean;
}

/** A schedule as it lies in the store. */
export interface StoredSchedule extends ScheduleSpec {
  readonly revision: number;
  readonly isPaused: boolean;
  /** Whether its declaration is gone. */
  readonly isOrphaned: boolean;
  readonly nextAt: number | null;
  /** The occurrence that waits for the end of the run before. */
  readonly queuedAt: number | null;
  /** The last occurrence of which a run was started. */
  readonly lastAt: number | null;
  readonly lastRun: string | null;
  /** Why the last occurrence has no run, where its input was to blame. */
  readonly lastError: string | null;
  /** Whether a run of it is open. */
  readonly isRunning: boolean;
  /** The store's time when it was read. */
  readonly now: number;
}

/** How a schedule goes on. Applies only where it is still at `revision`, and raises it. */
export interface ScheduleMove {
  readonly name: string;
  readonly revision: number;
  readonly nextAt: number | null;
  readonly queuedAt: number | null;
  readonly lastAt: number | null;
  readonly lastRun: string | null;
  readonly lastError: string | null;
}

/** A run to be born of an occurrence: pending, and due at once. */
export interface ScheduledRun {
  readonly schedule: string;
  readonly scheduledAt: number;
  readonly run: NewRun;
}

/** Which schedules to list, by name. */
export interface ScheduleQuery {
  readonly workflow: string | null;
  readonly after: string | null;
  readonly limit: number;
}

/** What starts runs by the clock. */
export interface ScheduleStore {
  /** The time that schedules live in. */
  now(): Promise<number>;
  /**
   * Writes a schedule. One that is there keeps its pause, its past, and, where its timing is the same, its next occurrence.
   * @returns false where the name is that of one declared otherwise: nothing is written
   */
  put(spec: ScheduleSpec, nextAt: number | null): Promise<boolean>;
  /** Puts those declared schedules of these workflows to rest that are not among `names`. */
  orphan(workflows: readonly string[], names: readonly string[]): Promise<void>;
  find(names: readonly string[]): Promise<readonly StoredSchedule[]>;
  list(query: ScheduleQuery): Promise<readonly StoredSchedule[]>;
  /** @returns false where there is none, or it has moved on */
  remove(name: string, revision: number): Promise<boolean>;
  /** Forgets its next occurrence and the one that waits. @returns false where there is none */
  pause(name: string): Promise<boolean>;
  /** @returns false where it is not paused, or has moved on */
  resume(name: string, revision: number, nextAt: number | null): Promise<boolean>;
  /**
   * Moves schedules on and gives birth to the runs of those that it moves, all in one. A run whose id is taken is left out.
   * @returns the schedules that it has moved
   */
  take(moves: readonly ScheduleMove[], runs: readonly ScheduledRun[]): Promise<readonly string[]>;
}
