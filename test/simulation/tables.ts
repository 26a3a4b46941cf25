import type { LaneWrite } from '../../lib/persistence/lane.js';
import type { AuditNote, OpenRow, Renewal } from '../../lib/engine/decision.js';
import type {
  AuditEntry,
  AuditQuery,
  CommitAnswer,
  LockedRun,
  LostClaims,
  NewDefinition,
  NewItems,
  NewRun,
  NewSignal,
  PurgeRequest,
  QueuedStepWrite,
  RunWrite,
  ScheduledRun,
  ScheduleMove,
  ScheduleSpec,
  StoredSchedule,
  StoredDefinition,
  StoredRun,
  SurplusItems,
  SuspectQueue,
  ToldHeartbeat,
} from '../../lib/engine/ports.js';
import type { Admission, WorkflowLimits } from '../../lib/engine/limits.js';
import { claimIn, type Claim } from '../../lib/engine/facts.js';
import { doubted, repeated, staged, type Tally } from '../../lib/engine/run-state.js';
import { SUSPECT_CRASHES } from '../../lib/engine/suspects.js';
import { isEnded, isStopping, RUN_STATUSES, type RunStatus, type StepStatus } from '../../lib/engine/words.js';

/** A row of the run table. Times are milliseconds of the database's clock. */
export interface RunRow {
  readonly id: string;
  readonly workflow: string;
  readonly definition: number;
  readonly status: RunStatus;
  readonly revision: number;
  readonly generation: number;
  readonly state: string;
  readonly worker: string | null;
  readonly key: string | null;
  readonly inputHash: Uint8Array | null;
  readonly priority: number;
  readonly input: string;
  readonly context: string | null;
  readonly tags: readonly string[];
  readonly tenant: string | null;
  readonly admitAt: number | null;
  readonly admittedAt: number | null;
  readonly failedStep: string | null;
  readonly failure: string | null;
  readonly cancelReason: string | null;
  readonly dueAt: number | null;
  readonly deadlineAt: number | null;
  readonly schedule: string | null;
  readonly scheduledAt: number | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly updatedAt: number;
  readonly endedAt: number | null;
}

/** A row of the signal table. */
export interface SignalRow extends NewSignal {
  readonly id: string;
  readonly seen: boolean;
  readonly step: string | null;
  readonly createdAt: number;
}

/** A row of the schedule table. Its times are milliseconds since 1970. */
export type ScheduleRow = Omit<StoredSchedule, 'isRunning' | 'now'>;

/** A row of the step table. */
export interface StepRow extends Tally {
  readonly runId: string;
  readonly name: string;
  readonly status: StepStatus;
  /** Of an item of a fan-out. */
  readonly payload: string | null;
  readonly definition: number;
  readonly queue: string;
  readonly priority: number;
  readonly worker: string | null;
  readonly alone: boolean;
  readonly aborting: boolean;
  readonly pausedAt: number | null;
  readonly result: string | null;
  readonly errors: readonly string[];
  readonly dueAt: number | null;
  readonly startBy: number | null;
  readonly createdAt: number;
  readonly startedAt: string | null;
  readonly endedAt: number | null;
}

interface WorkerRow {
  readonly id: string;
  readonly isAlive: boolean;
  readonly leaseUntil: number;
  /** Whether its heartbeat's connection stands. */
  readonly isConnected: boolean;
}

/** Is told of every change, before and after. */
export interface Observer {
  claimed?(step: StepRow): void;
  written?(change: {
    readonly before: RunRow | null;
    readonly after: RunRow;
    readonly steps: readonly { readonly before: StepRow | null; readonly after: StepRow }[];
  }): void;
  woken?(step: StepRow, now: number): void;
  admitted?(run: RunRow): void;
  effected?(runId: string, step: string, attempt: number): void;
  taken?(signal: SignalRow, step: string | null): void;
}

/** Whoever holds locks: a transaction that has not ended. */
export type Holder = object;

/** What a batch comes to where nobody's open transaction holds one of its names. */
export type BatchOutcome = readonly CommitAnswer[] | 'held';

/** The year in which simulated time begins. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

/** Text that stands for a value the database refuses beside those that PostgreSQL does. */
export const REFUSED = '\ufffdrefused';

/**
 * The library's tables in memory, and its statements on them, each of which happens at one moment as it does in
 * PostgreSQL. What the statements do is described where they are: `commit-statement.ts` and `store-statements.ts`.
 */
export class Tables {
  readonly runs = new Map<string, RunRow>();
  readonly steps = new Map<string, Map<string, StepRow>>();
  readonly signals: SignalRow[] = [];
  /** What attempts have told last, by run, generation and step. */
  private readonly heartbeats = new Map<string, ToldHeartbeat>();
  readonly audit: AuditEntry[] = [];
  readonly workers = new Map<string, WorkerRow>();
  readonly schedules = new Map<string, ScheduleRow>();
  /** When each was put for the first time. */
  readonly scheduledSince = new Map<string, number>();
  readonly limits = new Map<string, WorkflowLimits>();
  readonly definitions: StoredDefinition[] = [];
  /** Since when the server has been up. */
  upSince = -Infinity;
  private readonly byKey = new Map<string, string>();
  /** Runs that have not ended: all that claims and looks have to read. */
  private readonly open = new Set<string>();
  private readonly locks = new Map<string, Holder>();
  /** When each run was last locked: what came since was not seen by whoever did. */
  readonly lockedAt = new Map<string, number>();
  /** Names that an open transaction has inserted. */
  private readonly heldNames = new Map<string, Holder>();

  constructor(
    private readonly clock: () => number,
    private readonly observer: Observer = {},
  ) {}

  get now(): number {
    return this.clock();
  }

  // ── commits ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `COMMIT_BATCH`. @throws where the database refuses a value: then nothing is written */
  commit(writes: readonly LaneWrite[], holder: Holder | null = null): BatchOutcome {
    for (const write of writes) assertStorable('run' in write ? write.run : write.start);
    if (writes.some((write) => 'start' in write && this.isHeldFor(write.start, holder))) return 'held';
    // Every guard sees the rows as they were before the statement.
    const valid = new Set(
      writes.flatMap((write) => ('run' in write && this.isValid(write.run, holder) ? [write] : [])),
    );
    return writes.map((write): CommitAnswer => {
      if ('run' in write ? !valid.has(write) : this.isTaken(write.start)) return { kind: 'stale' };
      if ('run' in write) this.advance(write.run);
      else this.create(write.start);
      return { kind: 'applied', at: this.text(this.now) };
    });
  }

  /** The same for starts of which all or none are written. */
  commitGroup(starts: readonly NewRun[], holder: Holder | null = null): BatchOutcome {
    const names = starts.flatMap(namesOf);
    const isTaken = new Set(names).size < names.length || starts.some((start) => this.isTaken(start));
    if (isTaken) {
      for (const start of starts) assertStorable(start);
      return starts.some((start) => this.isHeldFor(start, holder)) ? 'held' : starts.map(() => ({ kind: 'stale' }));
    }
    return this.commit(
      starts.map((start) => ({ start })),
      holder,
    );
  }

  /** `LOCK_RUN` and `LOCK_OPEN_ROWS`. @returns `held` where somebody else has locked the run */
  lock(runId: string, holder: Holder): LockedRun | null | 'held' {
    if (this.isLocked(runId, holder)) return 'held';
    const run = this.runs.get(runId);
    if (!run) return null;
    this.locks.set(runId, holder);
    this.lockedAt.set(runId, this.now);
    const open = [...this.stepsOf(runId).values()].filter(({ status }) => OPEN.has(status));
    return {
      run: this.toStored(run),
      inbox: this.inboxOf(runId),
      rows: new Map(open.map((row) => [row.name, toOpenRow(row)])),
    };
  }

  /** Ends a transaction: its locks and names are free. */
  release(holder: Holder): void {
    for (const held of [this.locks, this.heldNames]) {
      for (const [name, who] of held) if (who === holder) held.delete(name);
    }
  }

  holds(holder: Holder, runId: string): boolean {
    return this.locks.get(runId) === holder;
  }

  /** An open transaction inserts the names of a run. @returns whether they are free; `held` where another's may be taken */
  holdNames(start: NewRun, holder: Holder): boolean | 'held' {
    if (this.isHeldFor(start, holder)) return 'held';
    if (this.isTaken(start)) return false;
    for (const name of namesOf(start)) this.heldNames.set(name, holder);
    return true;
  }

  /** `MARK_COMMITTED` in a step's transaction, and its COMMIT: the effect of the step and its result, or neither. */
  commitStep(runId: string, { step, attempt, stage, generation = 0 }: Claim, result: string): 'committed' | 'refused' {
    const run = this.runs.get(runId)!;
    const row = this.stepsOf(runId).get(step);
    const isRunning = row?.status === 'running' && row.attempt === attempt && row.stage === stage && !row.aborting;
    if (!isRunning || run.generation !== generation || !TAKES_EFFECTS.has(run.status)) return 'refused';
    if (result.includes(REFUSED)) throw refusal('22021');
    this.put({ ...row, stage: 'committed', result });
    this.observer.effected?.(runId, step, attempt);
    return 'committed';
  }

  // ── heartbeats ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `SAVE_HEARTBEATS`. */
  saveHeartbeats(told: readonly ToldHeartbeat[]): void {
    for (const one of told) {
      const { runId, generation, row, attempt } = one;
      const run = this.runs.get(runId);
      if (!run || run.endedAt !== null || run.generation !== generation) continue;
      const step = this.stepsOf(runId).get(row.item === 0 ? row.name : `${row.name}[${row.item - 1}]`);
      const before = this.heartbeats.get(heartbeatName(one));
      if ((step && step.attempt > attempt) || (before && before.attempt > attempt)) continue;
      this.heartbeats.set(heartbeatName(one), one);
    }
  }

  findHeartbeat(of: Pick<ToldHeartbeat, 'runId' | 'generation' | 'row'>): ToldHeartbeat | undefined {
    return this.heartbeats.get(heartbeatName(of));
  }

  // ── signals ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `ADD_SIGNALS`. */
  addSignal(signal: NewSignal): boolean {
    const run = this.runs.get(signal.runId);
    const { runId, name, key } = signal;
    const isSame = (other: SignalRow) => other.runId === runId && other.name === name && other.key === key;
    if (key !== null && this.signals.some(isSame)) return true;
    if (!run || run.endedAt !== null) return false;
    const id = String(this.signals.length + 1);
    this.signals.push({ ...signal, id, seen: false, step: null, createdAt: this.now });
    return true;
  }

  /** `READ_INBOX`. */
  private inboxOf(runId: string): SignalRow[] {
    return this.signals.filter((signal) => signal.runId === runId && signal.step === null);
  }

  private takeSignals({ signals }: RunWrite): void {
    for (const { id, step } of signals) {
      const index = this.signals.findIndex((signal) => signal.id === id);
      this.observer.taken?.(this.signals[index]!, step);
      this.signals[index] = { ...this.signals[index]!, seen: true, step };
    }
  }

  // ── audit ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  private keep({ id: runId, workflow }: RunRow, note: AuditNote): void {
    const id = String(this.audit.length + 1);
    this.audit.push({ id, runId, workflow, ...note, at: this.date(this.now) });
  }

  /** Newest first. */
  findAudit({ runId, workflow, by, before, limit }: AuditQuery): AuditEntry[] {
    const isWanted = (entry: AuditEntry) =>
      (runId === null || entry.runId === runId) &&
      (workflow === null || entry.workflow === workflow) &&
      (by === null || entry.by === by) &&
      (before === null || Number(entry.id) < Number(before));
    return this.audit.filter(isWanted).reverse().slice(0, limit);
  }

  // ── items ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `ADD_ITEMS`. */
  addItems({ runId, generation, step, attempt, queue, priority, first, payloads }: NewItems): void {
    const run = this.runs.get(runId);
    if (!run || run.endedAt !== null || run.generation !== generation || this.isOvertaken(runId, step, attempt)) return;
    payloads.forEach((payload, index) => {
      const name = `${step}[${first + index}]`;
      const there = this.stepsOf(runId).get(name);
      if (there && !isReplaceable(there)) return;
      this.put({
        ...{ runId, name, status: 'pending', payload, definition: run.definition, queue, priority, worker: null },
        ...{ attempt: 0, failures: 0, crashes: 0, alone: false, aborting: false, result: null, errors: [] },
        ...{ pausedAt: null, dueAt: null, startBy: null, createdAt: this.now, startedAt: null, endedAt: null },
      });
    });
  }

  /** `DROP_ITEMS`. */
  dropItems({ runId, generation, step, attempt, count }: SurplusItems): void {
    const run = this.runs.get(runId);
    if (run?.generation !== generation || this.isOvertaken(runId, step, attempt)) return;
    for (const { row, index } of this.itemsOf(runId, step))
      if (index >= count && isReplaceable(row)) this.steps.get(runId)!.delete(row.name);
  }

  private isOvertaken(runId: string, step: string, attempt: number): boolean {
    return (this.stepsOf(runId).get(step)?.attempt ?? 0) > attempt;
  }

  /** The items of a fan-out, in their order. */
  itemsOf(runId: string, step: string): { row: StepRow; index: number }[] {
    const rows = this.stepsOf(runId);
    const items: { row: StepRow; index: number }[] = [];
    for (let row = rows.get(`${step}[0]`); row; row = rows.get(`${step}[${items.length}]`))
      items.push({ row, index: items.length });
    return items;
  }

  // ── claims ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `CLAIM_STEPS` and `CLAIM_SUSPECT`. */
  claim(request: {
    readonly queue: string;
    readonly worker: string;
    readonly definitions: readonly number[];
    readonly limit: number;
    readonly isWanted: (row: StepRow) => boolean;
    readonly alone: boolean;
  }): { readonly row: StepRow; readonly run: StoredRun }[] {
    const { queue, worker, definitions, limit, isWanted, alone } = request;
    const ready = this.openSteps('ready').filter(
      (row) =>
        row.queue === queue &&
        row.pausedAt === null &&
        definitions.includes(row.definition) &&
        isWanted(row) &&
        !this.isLocked(row.runId),
    );
    ready.sort((one, other) => one.priority - other.priority || one.createdAt - other.createdAt);
    return ready.slice(0, limit).map((before) => {
      const startedAt = this.text(this.now);
      const claimed = {
        status: 'running',
        attempt: before.attempt + 1,
        worker,
        startedAt,
        alone,
        startBy: null,
      } as const;
      const row = { ...before, ...claimed };
      this.put(row);
      this.observer.claimed?.(row);
      return { row, run: this.toStored(this.runs.get(row.runId)!) };
    });
  }

  // ── workers and what a beat sees ───────────────────────────────────────────────────────────────────────────────────

  registerWorker(id: string, leaseMs: number): void {
    this.workers.set(id, { id, isAlive: true, leaseUntil: this.now + leaseMs, isConnected: true });
  }

  removeWorker(id: string): void {
    const isNamed = this.openRuns().some(({ worker }) => worker === id);
    if (!isNamed && !this.openSteps('running').some(({ worker }) => worker === id)) this.workers.delete(id);
  }

  /** `RENEW_LEASE`. @returns false where the worker is dead */
  renew(id: string, leaseMs: number): boolean {
    const worker = this.workers.get(id);
    if (!worker?.isAlive) return false;
    this.workers.set(id, { ...worker, leaseUntil: this.now + leaseMs, isConnected: true });
    return true;
  }

  /** The heartbeat's connection of a worker is gone. */
  disconnect(id: string): void {
    const worker = this.workers.get(id);
    if (worker) this.workers.set(id, { ...worker, isConnected: false });
  }

  /** `BURY_WORKERS`. */
  bury(by: string, leaseMs: number, all: boolean): void {
    if (this.now <= this.upSince + leaseMs) return;
    const isWitnessed = ({ id }: WorkerRow, since: number) =>
      [...this.workers.values()].some((other) => {
        const heardAt = other.leaseUntil - leaseMs;
        return other.id !== id && heardAt >= since && heardAt <= this.now - leaseMs / 5;
      });
    for (const worker of this.workers.values()) {
      const since = deadAt(worker, leaseMs);
      if (worker.id === by || !worker.isAlive || since >= this.now) continue;
      if (!all && !isWitnessed(worker, since)) continue;
      this.workers.set(worker.id, { ...worker, isAlive: false });
    }
  }

  /** `SWEEP_DEAD`. */
  sweep(): void {
    const named = new Set([
      ...this.openRuns().map(({ worker }) => worker),
      ...this.openSteps('running').map((row) => row.worker),
    ]);
    for (const { id, isAlive, leaseUntil } of this.workers.values()) {
      if (!isAlive && leaseUntil < this.now - 3_600_000 && !named.has(id)) this.workers.delete(id);
    }
    this.signals.forEach((signal, index) => {
      if (this.runs.get(signal.runId)?.endedAt != null) this.signals[index] = { ...signal, seen: true };
    });
  }

  /** `PURGE_RUNS`. */
  purge({ rules, workflow, tags, limit }: PurgeRequest): number {
    const doomed = rules.flatMap(({ status, ageMs }) =>
      [...this.runs.values()]
        .filter((run) => run.status === status && run.endedAt! <= this.now - ageMs && !this.isLocked(run.id))
        .filter((run) => workflow === null || run.workflow === workflow)
        .filter((run) => tags === null || tags.every((tag) => run.tags.includes(tag)))
        .sort((one, other) => one.endedAt! - other.endedAt!)
        .slice(0, limit),
    );
    for (const { id } of doomed) this.delete(id);
    return doomed.length;
  }

  /** `DELETE_RUN`. */
  delete(runId: string): boolean {
    const run = this.runs.get(runId);
    if (!run || run.endedAt === null) return false;
    this.runs.delete(runId);
    this.steps.delete(runId);
    for (const [name, told] of this.heartbeats) if (told.runId === runId) this.heartbeats.delete(name);
    // Their places are their ids.
    this.signals.forEach((signal, index) => {
      if (signal.runId === runId) this.signals[index] = { ...signal, runId: '' };
    });
    if (run.key !== null) this.byKey.delete(keyName(run.workflow, run.key));
    return true;
  }

  /** `FIND_LOST`. */
  findLost(): LostClaims[] {
    const lost = new Map<string, Set<string>>();
    const note = (runId: string, worker: string | null) => {
      if (worker === null || this.workers.get(worker)?.isAlive) return;
      lost.set(runId, (lost.get(runId) ?? new Set()).add(worker));
    };
    for (const { id, worker } of this.openRuns()) note(id, worker);
    for (const { runId, worker } of this.openSteps('running')) note(runId, worker);
    return [...lost].map(([runId, workers]) => ({ runId, workers: [...workers].sort() }));
  }

  /** `WAKE_DUE_STEPS`. @returns the queues in which steps became ready */
  wakeDueSteps(): string[] {
    const queues = new Set<string>();
    for (const row of this.stepsWithTime()) {
      if (row.dueAt! > this.now || this.isLocked(row.runId)) continue;
      this.observer.woken?.(row, this.now);
      const startBy = row.startBy === null ? null : row.startBy + this.now - row.dueAt!;
      const pausedAt = row.pausedAt === null ? null : this.now;
      this.put({ ...row, status: 'ready', dueAt: null, startBy, pausedAt });
      queues.add(row.queue);
    }
    return [...queues];
  }

  /** `LOOK_ROUND`. */
  look(request: {
    readonly worker: string;
    readonly queues: readonly string[];
    readonly definitions: readonly number[];
    readonly workflows: readonly string[];
    readonly computed: readonly string[];
    readonly leaseMs: number;
    readonly maxCrashes: number;
    readonly openRuns: readonly string[];
  }) {
    const { worker, queues, definitions, leaseMs, maxCrashes, openRuns } = request;
    const runs = this.openRuns();
    const running = this.openSteps('running').filter((row) => row.worker === worker);
    const ready = this.openSteps('ready').filter(
      (row) => row.pausedAt === null && definitions.includes(row.definition),
    );
    const mine = new Set([
      ...runs.filter((run) => run.worker === worker).map(({ id }) => id),
      ...running.map((row) => row.runId),
    ]);
    const suspects: SuspectQueue[] = queues.flatMap((queue) =>
      [false, true]
        .filter((isAccused) =>
          ready.some((row) => row.queue === queue && isSuspect(row) && row.crashes >= maxCrashes - 1 === isAccused),
        )
        .map((isAccused) => ({ queue, isAccused })),
    );
    return {
      stoppedRuns: [
        ...[...mine].filter((id) => isStopping(this.runs.get(id)!.status)),
        ...openRuns.filter((id) => this.runs.get(id)?.endedAt !== null),
      ],
      overdueRuns: runs
        .filter(({ deadlineAt, definition }) => isPast(deadlineAt, this.now) && definitions.includes(definition))
        .map(({ id }) => id),
      unclaimed: this.openSteps('ready')
        .filter(({ startBy, pausedAt }) => pausedAt === null && isPast(startBy, this.now))
        .map(({ runId, name: step, attempt, stage, queue }) => {
          return { runId, step, attempt, ...staged(stage), generation: this.runs.get(runId)!.generation, queue };
        }),
      signalledRuns: runs
        .filter(({ id, definition }) => definitions.includes(definition) && this.inboxOf(id).some(({ seen }) => !seen))
        .map(({ id }) => id),
      claims: running.map(({ runId, name: step, rounds, ...row }) => ({
        runId,
        isUnwanted: row.aborting,
        claim: claimIn(this.runs.get(runId)!.generation, {
          ...{ step, attempt: row.attempt, failures: row.failures, crashes: row.crashes, startedAt: row.startedAt! },
          ...{ ...staged(row.stage), ...doubted(row.inDoubt), ...repeated(rounds) },
        }),
      })),
      heldRuns: runs
        .filter((run) => run.worker === worker && run.updatedAt < this.now - leaseMs / 2)
        .map(({ id }) => id),
      readyQueues: queues.filter((queue) => ready.some((row) => row.queue === queue && !isSuspect(row))),
      suspects,
      dueRuns: runs
        .filter((run) => run.status === 'pending' && run.dueAt! <= this.now && definitions.includes(run.definition))
        .map(({ id }) => id),
      dueSchedules: this.schedulesOf(request)
        .filter((row) => this.isScheduleDue(row))
        .map(({ name }) => name),
      supersededRuns: runs
        .filter((run) => definitions.includes(run.definition) && this.isSuperseded(run))
        .map(({ id, schedule }) => ({ runId: id, schedule: schedule! })),
      nextDueMs: this.nextDueMs(request, leaseMs),
    };
  }

  // ── schedules ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The time that schedules live in: whole milliseconds since 1970. */
  get epochMs(): number {
    return Math.floor(EPOCH_MS + this.now);
  }

  /** `PUT_SCHEDULE`. */
  putSchedule(spec: ScheduleSpec, nextAt: number | null): boolean {
    const before = this.schedules.get(spec.name);
    if (before && before.isDeclared !== spec.isDeclared && !before.isOrphaned) return false;
    const isSame = before?.workflow === spec.workflow && sameTiming(before, spec) && !before.isOrphaned;
    const kept = before ?? { isPaused: false, queuedAt: null, lastAt: null, lastRun: null, lastError: null };
    const queuedAt = spec.overlap === 'queue' && before?.workflow === spec.workflow ? kept.queuedAt : null;
    if (!before) this.scheduledSince.set(spec.name, this.epochMs);
    this.schedules.set(spec.name, {
      ...kept,
      ...spec,
      revision: (before?.revision ?? -1) + 1,
      isOrphaned: false,
      nextAt: kept.isPaused ? null : isSame ? before.nextAt : nextAt,
      queuedAt,
    });
    return true;
  }

  /** `ORPHAN_SCHEDULES`. */
  orphanSchedules(workflows: readonly string[], names: readonly string[]): void {
    for (const row of this.schedules.values()) {
      if (row.isDeclared && !row.isOrphaned && workflows.includes(row.workflow) && !names.includes(row.name))
        this.changeSchedule(row, { isOrphaned: true, nextAt: null, queuedAt: null });
    }
  }

  changeSchedule(row: ScheduleRow, change: Partial<ScheduleRow>): void {
    this.schedules.set(row.name, { ...row, ...change, revision: row.revision + 1 });
  }

  /** `FIND_SCHEDULES` and `LIST_SCHEDULES`. */
  readSchedules(isWanted: (row: ScheduleRow) => boolean): StoredSchedule[] {
    const found = [...this.schedules.values()].filter(isWanted).sort((one, other) => (one.name < other.name ? -1 : 1));
    return found.map((row) => ({ ...row, isRunning: this.isScheduleRunning(row), now: this.epochMs }));
  }

  /** `TAKE_OCCURRENCES`. */
  takeOccurrences(moves: readonly ScheduleMove[], runs: readonly ScheduledRun[]): string[] {
    const moved = moves.filter(({ name, revision }) => this.schedules.get(name)?.revision === revision);
    for (const { revision, ...move } of moved) this.schedules.set(move.name, this.moveSchedule(move, revision));
    const names = moved.map(({ name }) => name);
    for (const { schedule, scheduledAt, run } of runs) {
      if (!names.includes(schedule) || this.isTaken(run)) continue;
      this.create({ ...run, delayMs: 0 }, { schedule, scheduledAt });
    }
    return names;
  }

  private moveSchedule(move: Omit<ScheduleMove, 'revision'>, revision: number): ScheduleRow {
    return { ...this.schedules.get(move.name)!, ...move, revision: revision + 1 };
  }

  /** Those of which a process can start runs. */
  private schedulesOf(request: { readonly workflows: readonly string[]; readonly computed: readonly string[] }) {
    const { workflows, computed } = request;
    return [...this.schedules.values()].filter(
      ({ workflow, input, name }) => workflows.includes(workflow) && (input !== null || computed.includes(name)),
    );
  }

  private isScheduleDue(row: ScheduleRow): boolean {
    if (row.nextAt !== null && row.nextAt <= this.epochMs) return true;
    return row.queuedAt !== null && !this.isScheduleRunning(row);
  }

  private isScheduleRunning({ name }: ScheduleRow): boolean {
    return this.openRuns().some(({ schedule }) => schedule === name);
  }

  private isSuperseded({ schedule, scheduledAt, status }: RunRow): boolean {
    const row = schedule === null ? undefined : this.schedules.get(schedule);
    if (row?.overlap !== 'cancel' || row.lastAt === null || scheduledAt! >= row.lastAt) return false;
    return status === 'pending' || status === 'paused' || GOES_ON.has(status);
  }

  // ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `PUT_LIMITS`. */
  putLimits(limits: readonly WorkflowLimits[], unlimited: readonly string[]): string[] {
    for (const limit of limits) this.limits.set(limit.workflow, limit);
    const lifted = unlimited.filter((workflow) => this.limits.has(workflow));
    for (const workflow of lifted) this.limits.set(workflow, { workflow, total: null, perTenant: null });
    return [...limits.map(({ workflow }) => workflow), ...lifted];
  }

  /** `ADMIT_RUNS`. */
  admit(workflows: readonly string[], limit: number): Admission {
    const admitted = workflows.flatMap((workflow) => {
      const limits = this.limits.get(workflow);
      return limits ? this.admitRunsOf(limits, limit) : [];
    });
    const waiting = this.openRuns().filter(({ workflow }) => workflows.includes(workflow));
    const later = waiting.flatMap(({ admitAt }) =>
      admitAt !== null && admitAt > this.now ? [admitAt - this.now] : [],
    );
    return { admitted, isBusy: false, nextDueMs: later.length === 0 ? null : Math.min(...later) };
  }

  /** One after the other: who is first is asked anew each time. */
  private admitRunsOf({ workflow, total, perTenant }: WorkflowLimits, limit: number): string[] {
    const admitted: string[] = [];
    while (admitted.length < limit) {
      const runs = this.openRuns().filter((run) => run.workflow === workflow);
      const held = runs.filter(({ admittedAt }) => admittedAt !== null);
      if (total !== null && held.length >= total) break;
      const heldBy = (tenant: string | null) => held.filter((run) => run.tenant === tenant).length;
      const [next] = runs
        .filter(({ id, admitAt, status }) => isPast(admitAt, this.now) && status === 'pending' && !this.isLocked(id))
        .filter(({ tenant }) => perTenant === null || heldBy(tenant) < perTenant)
        .sort(
          (one, other) =>
            one.priority - other.priority ||
            heldBy(one.tenant) - heldBy(other.tenant) ||
            one.admitAt! - other.admitAt! ||
            (one.id < other.id ? -1 : 1),
        );
      if (!next) break;
      const after = { ...next, admitAt: null, admittedAt: this.now, dueAt: this.now, updatedAt: this.now };
      this.runs.set(next.id, after);
      admitted.push(next.id);
      this.observer.admitted?.(after);
    }
    return admitted;
  }

  // ── what is read ───────────────────────────────────────────────────────────────────────────────────────────────────

  find(runId: string): StoredRun | null {
    const run = this.runs.get(runId);
    return run ? this.toStored(run) : null;
  }

  findByKey(workflow: string, key: string): RunRow | null {
    const id = this.byKey.get(keyName(workflow, key));
    return id === undefined ? null : this.runs.get(id)!;
  }

  stepsOf(runId: string): ReadonlyMap<string, StepRow> {
    return this.steps.get(runId) ?? NO_STEPS;
  }

  /** Runs that nothing will ever move again: the view `orphans`. */
  findOrphans(): string[] {
    const isAlive = (worker: string | null) => worker !== null && this.workers.get(worker)?.isAlive === true;
    return this.openRuns()
      .filter(({ id, status: run, dueAt, admitAt, worker }) => {
        const rows = [...this.stepsOf(id).values()];
        const moves = ({ status, stage, worker: by }: StepRow) =>
          status === 'ready' ||
          status === 'retrying' ||
          (status === 'waiting' && stage !== 'expanded') ||
          (status === 'running' && isAlive(by));
        return dueAt === null && admitAt === null && run !== 'paused' && !isAlive(worker) && !rows.some(moves);
      })
      .map(({ id }) => id);
  }

  registerDefinition(definition: NewDefinition): number {
    const known = this.definitions.find(({ name, hash }) => name === definition.name && hash === definition.hash);
    if (known) return known.id;
    this.definitions.push({ ...definition, id: this.definitions.length + 1 });
    return this.definitions.length;
  }

  /** A time as text, in microseconds. */
  text(ms: number): string {
    const micros = Math.round(ms * 1_000);
    const seconds = new Date(EPOCH_MS + Math.floor(micros / 1_000)).toISOString().slice(0, 23).replace('T', ' ');
    return `${seconds}${String(((micros % 1_000) + 1_000) % 1_000).padStart(3, '0')}+00`;
  }

  date(ms: number): Date {
    return new Date(EPOCH_MS + ms);
  }

  /** Runs that have not ended. */
  get openCount(): number {
    return this.open.size;
  }

  openRuns(): RunRow[] {
    return [...this.open].map((id) => this.runs.get(id)!);
  }

  /** Rows of open runs that wait for a time. */
  private stepsWithTime(): StepRow[] {
    return [...this.openSteps('retrying'), ...this.openSteps('waiting')].filter(({ dueAt }) => dueAt !== null);
  }

  /** Rows of open runs in this status. */
  openSteps(status: StepRow['status']): StepRow[] {
    const found: StepRow[] = [];
    for (const id of this.open) for (const row of this.stepsOf(id).values()) if (row.status === status) found.push(row);
    return found;
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private isValid(write: RunWrite, holder: Holder | null): boolean {
    const run = this.runs.get(write.id);
    if (!run || run.revision !== write.revision || this.isLocked(run.id, holder)) return false;
    if (write.expectsNoSignals && this.inboxOf(run.id).length > 0) return false;
    const isOfNow = write.generation === run.generation || write.renewal !== null;
    return write.steps.every(({ step, guard }) => {
      if (guard === null) return true;
      if (!isOfNow) return false;
      const row = this.stepsOf(run.id).get(step);
      if (!row || row.stage !== guard.stage) return false;
      return row.attempt === guard.attempt && (row.status === 'running') === guard.running;
    });
  }

  private isLocked(runId: string, holder: Holder | null = null): boolean {
    const who = this.locks.get(runId);
    return who !== undefined && who !== holder;
  }

  private isHeldFor(start: NewRun, holder: Holder | null): boolean {
    return namesOf(start).some((name) => this.heldNames.has(name) && this.heldNames.get(name) !== holder);
  }

  private isTaken({ id, workflow, key }: NewRun): boolean {
    return this.runs.has(id) || (key !== null && this.byKey.has(keyName(workflow, key)));
  }

  private advance(write: RunWrite): void {
    const before = this.runs.get(write.id)!;
    const after: RunRow = {
      ...before,
      revision: before.revision + 1,
      generation: write.generation,
      status: write.status,
      state: write.state,
      worker: write.worker,
      failedStep: write.failedStep ?? (write.renewal?.forgetsFailure ? null : before.failedStep),
      failure: write.failure ?? (write.renewal?.forgetsFailure ? null : before.failure),
      cancelReason: write.cancelReason ?? before.cancelReason,
      admitAt: this.admitAt(write, before),
      admittedAt: this.admittedAt(write, before),
      dueAt: RESTS.has(write.status) ? before.dueAt : null,
      deadlineAt: RESTS.has(write.status) || GOES_ON.has(write.status) ? before.deadlineAt : null,
      startedAt: GOES_ON.has(write.status) ? (before.startedAt ?? this.now) : before.startedAt,
      updatedAt: this.now,
      endedAt: write.ended ? this.now : null,
    };
    this.runs.set(after.id, after);
    if (write.ended) this.open.delete(after.id);
    else this.open.add(after.id);
    if (write.renewal) this.startGeneration(after.id, write.renewal);
    if (write.pause !== null) this.pauseRows(after.id, write.pause === 'begins');
    this.takeSignals(write);
    for (const note of write.audit) this.keep(after, note);
    const steps = write.steps.map((step) => this.writeStep(after, step));
    this.observer.written?.({ before, after, steps });
  }

  /** `PAUSE_ROWS`. */
  private pauseRows(runId: string, paused: boolean): void {
    for (const row of this.stepsOf(runId).values()) {
      if (!WAITS.has(row.status)) continue;
      const { status, startBy, pausedAt } = row;
      const isLater = status === 'ready' && startBy !== null && pausedAt !== null;
      const pause = { pausedAt: paused ? this.now : null };
      this.put({ ...row, ...pause, startBy: isLater ? startBy + this.now - pausedAt : startBy });
    }
  }

  /** `RENEW_RUN`. Of an earlier generation nothing is kept here. */
  private startGeneration(runId: string, { keeps, keepsItemsOf }: Renewal): void {
    const baseOf = ({ name, payload }: StepRow) => (payload === null ? name : name.slice(0, name.lastIndexOf('[')));
    const rows = [...this.stepsOf(runId).values()].flatMap((row): StepRow[] => {
      if (keeps.includes(baseOf(row))) return [row];
      const hasResult = row.payload !== null && keepsItemsOf.includes(baseOf(row)) && row.result !== null;
      return hasResult ? [neverBegun(row)] : [];
    });
    this.steps.set(runId, new Map(rows.map((row) => [row.name, row])));
    this.signals.forEach((signal, index) => {
      const isLeft = signal.step === null || !keeps.includes(signal.step);
      if (signal.runId === runId && isLeft) this.signals[index] = { ...signal, step: null, seen: false };
    });
  }

  private admitAt(write: RunWrite, before: RunRow): number | null {
    if (!RESTS.has(write.status)) return null;
    if (isRetriedToWait(write, before)) return this.now;
    return write.hurries && before.admitAt !== null ? this.now : before.admitAt;
  }

  /** One that was stopped before it had its turn is still one with limits. */
  private admittedAt(write: RunWrite, before: RunRow): number | null {
    if (isRetriedToWait(write, before)) return null;
    return !RESTS.has(write.status) && before.admitAt !== null ? this.now : before.admittedAt;
  }

  private create(start: NewRun, of: Pick<RunRow, 'schedule' | 'scheduledAt'> = UNSCHEDULED): void {
    const { id, workflow, definition, status, state, worker, key, inputHash, priority, input } = start;
    const { context, tags, tenant, delayMs, dueAt } = start;
    const { now } = this;
    const begins = this.dueAt(dueAt, delayMs, now);
    const isGated = start.isGated;
    const after: RunRow = {
      ...{ id, workflow, definition, status, state, worker, key, inputHash, priority, input, context, tags, tenant },
      ...{ revision: 0, generation: 0 },
      ...{ failedStep: null, failure: null, cancelReason: null, createdAt: now, updatedAt: now, endedAt: null },
      dueAt: isGated ? null : begins,
      admitAt: isGated ? (begins ?? now) : null,
      admittedAt: null,
      deadlineAt: start.deadlineMs === null ? null : (begins ?? now) + start.deadlineMs,
      startedAt: status === 'pending' ? null : now,
      ...of,
    };
    this.runs.set(id, after);
    this.open.add(id);
    if (key !== null) this.byKey.set(keyName(workflow, key), id);
    const steps = start.steps.map((step) => this.writeStep(after, step));
    this.observer.written?.({ before: null, after, steps });
  }

  private writeStep(run: RunRow, write: QueuedStepWrite): { before: StepRow | null; after: StepRow } {
    const before = this.stepsOf(run.id).get(write.step) ?? null;
    const { status, tally, worker, result, error, delayMs, queue, priority } = write;
    const began = write.startedAt ?? (status === 'running' ? this.text(this.now) : null);
    const after: StepRow = {
      payload: before?.payload ?? null,
      ...{ runId: run.id, name: write.step, status, worker, definition: run.definition, queue, priority },
      ...{ attempt: tally.attempt, failures: tally.failures, crashes: tally.crashes, alone: before?.alone ?? false },
      ...{
        ...staged(tally.stage),
        ...doubted(tally.inDoubt),
        ...repeated(tally.rounds),
        aborting: write.aborting,
        pausedAt: run.status === 'paused' && WAITS.has(status) ? this.now : null,
        result: result ?? before?.result ?? null,
      },
      errors: error === null ? (before?.errors ?? []) : [...(before?.errors ?? []), error],
      dueAt: this.dueAt(write.dueAt, delayMs),
      startBy:
        write.startWithinMs === null ? null : (this.dueAt(write.dueAt, delayMs) ?? this.now) + write.startWithinMs,
      createdAt: before?.createdAt ?? this.now,
      startedAt: (write.aborting ? before?.startedAt : null) ?? began ?? before?.startedAt ?? null,
      endedAt: OPEN.has(status) ? null : this.now,
    };
    this.put(after);
    return { before, after };
  }

  private dueAt(time: string | null, delayMs: number | null, now = this.now): number | null {
    if (time !== null) return Date.parse(time) - EPOCH_MS;
    return delayMs === null ? null : now + delayMs;
  }

  private put(row: StepRow): void {
    const rows = this.steps.get(row.runId) ?? new Map<string, StepRow>();
    this.steps.set(row.runId, rows.set(row.name, row));
  }

  private toStored(run: RunRow): StoredRun {
    const { id, workflow, definition, status, revision, generation, state, worker, priority, input, context, tenant } =
      run;
    return {
      ...{ id, workflow, definition, status, revision, generation, state, worker, priority, input, context, tenant },
      gate: run.admitAt !== null ? 'waits' : run.admittedAt !== null ? 'passed' : null,
      cancelReason: run.cancelReason,
      failure: failureOf(run),
      updatedAt: this.text(run.updatedAt),
    };
  }

  private nextDueMs(
    request: {
      readonly worker: string;
      readonly definitions: readonly number[];
      readonly workflows: readonly string[];
      readonly computed: readonly string[];
    },
    leaseMs: number,
  ): number | null {
    const { worker, definitions } = request;
    const schedules = this.schedulesOf(request);
    const due = [
      ...this.stepsWithTime().map(({ dueAt }) => dueAt!),
      ...this.openSteps('ready').flatMap(({ startBy, pausedAt }) =>
        startBy !== null && startBy > this.now && pausedAt === null ? [startBy] : [],
      ),
      ...this.openRuns().flatMap(({ status, dueAt, definition }) =>
        dueAt !== null && status === 'pending' && definitions.includes(definition) ? [dueAt] : [],
      ),
      ...this.openRuns().flatMap(({ deadlineAt, definition }) =>
        deadlineAt !== null && definitions.includes(definition) ? [deadlineAt] : [],
      ),
      ...schedules.flatMap(({ nextAt }) => (nextAt !== null && nextAt > this.epochMs ? [nextAt - EPOCH_MS] : [])),
      ...schedules.flatMap(({ queuedAt }) => (queuedAt === null ? [] : [this.now + 1_000])),
      ...[...this.workers.values()]
        .filter(({ id, isAlive }) => isAlive && id !== worker)
        .map((other) => deadAt(other, leaseMs))
        .filter((at) => at > this.now),
    ];
    return due.length === 0 ? null : Math.min(...due) - this.now;
  }
}

/** An item that has not begun in this generation, with the result that it had in an earlier one. */
function neverBegun({ stage: _stage, inDoubt: _inDoubt, ...row }: StepRow): StepRow {
  return {
    ...{ ...row, status: 'pending', attempt: 0, failures: 0, crashes: 0, errors: [], startedAt: null, endedAt: null },
    ...{ aborting: false, alone: false },
  };
}

/** An item that an earlier attempt of its fan-out may have stored, and of which no more is known. */
function isReplaceable({ status, result }: StepRow): boolean {
  return status === 'pending' && result === null;
}

const NO_STEPS: ReadonlyMap<string, StepRow> = new Map();

const UNSCHEDULED = { schedule: null, scheduledAt: null };

const OPEN: ReadonlySet<StepStatus> = new Set<StepStatus>(['ready', 'running', 'retrying', 'waiting']);
const TAKES_EFFECTS: ReadonlySet<RunStatus> = new Set<RunStatus>(['running', 'waiting', 'paused', 'compensating']);
/** Statuses of steps that claims pass by while their run is paused. */
const WAITS: ReadonlySet<StepStatus> = new Set<StepStatus>(['ready', 'retrying', 'waiting']);
const RESTS: ReadonlySet<RunStatus> = new Set<RunStatus>(['pending', 'paused']);
const GOES_ON: ReadonlySet<RunStatus> = new Set<RunStatus>(['running', 'waiting']);

/** A run with limits that had failed waits for its turn again. */
function isRetriedToWait({ status }: RunWrite, before: RunRow): boolean {
  return RESTS.has(status) && before.status === 'failed' && before.admittedAt !== null;
}

function isPast(time: number | null, now: number): boolean {
  return time !== null && time <= now;
}

/** When a worker counts as dead unless it renews. */
function deadAt({ leaseUntil, isConnected }: WorkerRow, leaseMs: number): number {
  return leaseUntil - (isConnected ? 0 : leaseMs / 2);
}

export function isSuspect({ crashes }: StepRow): boolean {
  return crashes >= SUSPECT_CRASHES;
}

export function failureOf({ failedStep, failure }: RunRow): StoredRun['failure'] {
  return failedStep === null || failure === null ? null : { step: failedStep, error: failure };
}

function toOpenRow({ status, attempt, failures, crashes, stage, inDoubt, rounds, worker, alone }: StepRow): OpenRow {
  const tally = { attempt, failures, crashes, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) };
  return { status: status as OpenRow['status'], ...tally, worker, alone };
}

function heartbeatName({ runId, generation, row }: Pick<ToldHeartbeat, 'runId' | 'generation' | 'row'>): string {
  return JSON.stringify([runId, generation, row.name, row.item]);
}

function namesOf({ id, workflow, key }: NewRun): string[] {
  return key === null ? [id] : [id, keyName(workflow, key)];
}

function keyName(workflow: string, key: string): string {
  return JSON.stringify([workflow, key]);
}

/** What the types of the columns and their checks refuse. */
function assertStorable(run: RunWrite | NewRun): void {
  const texts = [run.state, 'input' in run ? run.input : run.failure];
  for (const { result, error, step } of run.steps) texts.push(result, error, step);
  if (texts.some((text) => text?.includes('\0') || text?.includes(REFUSED))) throw refusal('22021');
  if (!RUN_STATUSES.includes(run.status)) throw refusal('23514');
  if ('ended' in run && run.ended !== isEnded(run.status)) throw refusal('23514');
  for (const { status, worker, delayMs, dueAt } of run.steps) {
    const hasTime = delayMs !== null || dueAt !== null;
    if ((status === 'running') !== (worker !== null)) throw refusal('23514');
    if (status !== 'waiting' && (status === 'retrying') !== hasTime) throw refusal('23514');
  }
}

/** An error with which a database refuses a value, whoever sends it. */
export class Refusal extends Error {
  constructor(readonly code: string) {
    super(`The simulated database refuses a value: ${code}.`);
  }
}

function refusal(code: string): Refusal {
  return new Refusal(code);
}

function sameTiming(
  { timing: one }: Pick<ScheduleSpec, 'timing'>,
  { timing: other }: Pick<ScheduleSpec, 'timing'>,
): boolean {
  if (one.kind === 'interval') return other.kind === 'interval' && one.everyMs === other.everyMs;
  return other.kind === 'cron' && one.cron === other.cron && one.timeZone === other.timeZone;
}
