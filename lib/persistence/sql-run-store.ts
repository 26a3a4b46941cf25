import type { Asked } from '../engine/facts.js';
import type {
  BeatNews,
  BeatRequest,
  ClaimedStep,
  ClaimRequest,
  EndedRun,
  ItemPage,
  ItemResult,
  LostClaims,
  NewDefinition,
  NewItems,
  NewSignal,
  OwnClaim,
  PurgeRequest,
  RunStore,
  StoredDefinition,
  StoredItem,
  StoredRun,
  SupersededRun,
  SurplusItems,
  SuspectQueue,
  SuspectRequest,
  TakenSignal,
  ToldHeartbeat,
  UnclaimedStep,
  WorkerIdentity,
} from '../engine/ports.js';
import { claimIn } from '../engine/facts.js';
import type { StepPlace } from '../engine/indexed-graph.js';
import { doubted, repeated, staged } from '../engine/run-state.js';
import { Connection, SESSION_SETTINGS, type ConnectionConfig } from './connection.js';
import { unreadable } from './database-failure.js';
import { LeaseKeeper } from './lease-keeper.js';
import { untilNoRaceIsLost } from './race.js';
import { toFailure, toStoredRun, type RunRecord } from './records.js';
import { DEFAULT_SCHEMA, qualify } from './schema.js';
import { SignalPost } from './signal-post.js';
import { SqlLimitStore } from './sql-limit-store.js';
import { SqlScheduleStore } from './sql-schedule-store.js';
import * as sql from './store-statements.js';

/** Bounds of one look. */
const MAX_DUE = 500;
const MAX_LOST = 500;

/** Milliseconds that a signal waits for its key at a time. */
const SIGNAL_LOCK_MS = 50;

/** The channel on which a user's transaction that started a run tells, once it commits, which queue has work. */
export const READY_CHANNEL = 'orchestrate_flow_ready';

export interface SqlRunStoreOptions {
  readonly schema: string;
  readonly leaseMs: number;
  /** Told why no thread keeps the lease while the event loop is blocked. */
  readonly onUnavailable: (error: unknown) => void;
}

type ClaimRecord = RunRecord & {
  step: string;
  attempt: number;
  failures: number;
  crashes: number;
  stage: string | null;
  in_doubt: boolean;
  rounds: number | null;
  started_at: string;
};

interface LookRecord {
  readonly stopped_runs: string[];
  readonly claims: string[];
  readonly held_runs: string[];
  readonly ready_queues: string[];
  readonly suspects: string[];
  readonly overdue_runs: string[];
  readonly unclaimed: string[];
  readonly signalled_runs: string[];
  readonly due_runs: string[];
  readonly due_schedules: string[];
  readonly superseded_runs: string[];
  readonly next_due_ms: number | null;
}

/** The store on PostgreSQL: reads and claims over one connection, the heartbeat over another that nothing can hold up. */
export class SqlRunStore implements RunStore {
  readonly schedules = new SqlScheduleStore((name, text, values) => this.lookUp(name, text, values));
  readonly limits = new SqlLimitStore((name, text, values) => this.lookUp(name, text, values));
  private readonly reads: Connection;
  private readonly signals: Connection;
  private readonly post: SignalPost;
  private readonly beats: Connection;
  private readonly deletes: Connection;
  private readonly keeper: LeaseKeeper;
  /** Whose sign of life the heartbeat's connection is. */
  private worker: string | null = null;
  private readonly listeners = new Set<(queue: string) => void>();

  constructor(
    config: ConnectionConfig,
    private readonly options: SqlRunStoreOptions,
  ) {
    const settings = { ...SESSION_SETTINGS, lock_timeout: Math.round(options.leaseMs / 4) };
    const answerWithinMs = options.leaseMs / 2;
    this.keeper = new LeaseKeeper(config, options);
    const impatient = { ...settings, lock_timeout: SIGNAL_LOCK_MS };
    this.signals = new Connection(config, { name: 'orchestrate-flow signals', settings: impatient, answerWithinMs });
    this.post = new SignalPost(this.signals, this.prepared('add_signals', sql.ADD_SIGNALS));
    this.reads = new Connection(config, { name: 'orchestrate-flow claims', settings, answerWithinMs });
    this.deletes = new Connection(config, { name: 'orchestrate-flow retention', settings, answerWithinMs });
    this.beats = new Connection(
      config,
      { name: 'orchestrate-flow heartbeat', settings, answerWithinMs },
      async (client) => {
        client.on('notification', ({ payload }) => this.hear(payload));
        await client.query(`LISTEN ${this.channel}`);
        if (this.worker !== null) await client.query(sql.HOLD_WORKER_LOCK, [this.worker]);
      },
    );
  }

  async claim({ queue, worker, definitions, limit }: ClaimRequest): Promise<ClaimedStep[]> {
    const rows = await this.read<ClaimRecord>('claim', sql.CLAIM_STEPS, [queue, definitions, limit, worker]);
    return rows.map(toClaimedStep);
  }

  async claimSuspect(request: SuspectRequest): Promise<ClaimedStep | null> {
    const { queue, worker, definitions, maxCrashes, isAccused, isAlone } = request;
    const values = [queue, definitions, 1, worker, maxCrashes, isAccused, isAlone];
    const [row] = await this.read<ClaimRecord>('claim_suspect', sql.CLAIM_SUSPECT, values);
    return row ? toClaimedStep(row) : null;
  }

  async findRun(runId: string): Promise<StoredRun | null> {
    const [row] = await this.lookUp<RunRecord>('find_run', sql.FIND_RUN, [runId]);
    return row ? toStoredRun(row) : null;
  }

  async findByKey(workflow: string, key: string): Promise<{ id: string; inputHash: Uint8Array } | null> {
    type Row = { id: string; input_hash: string };
    const [row] = await this.lookUp<Row>('find_by_key', sql.FIND_BY_KEY, [workflow, key]);
    return row ? { id: row.id, inputHash: Buffer.from(row.input_hash, 'hex') } : null;
  }

  async loadResults(runId: string, generation: number, steps: readonly string[]): Promise<Map<string, string>> {
    type Row = { name: string; result: string };
    const rows = await this.read<Row>('load_results', sql.LOAD_RESULTS, [runId, generation, steps]);
    return new Map(rows.map(({ name, result }) => [name, result]));
  }

  async loadFailures(runId: string, generation: number, steps: readonly string[]): Promise<Map<string, string>> {
    type Row = { name: string; error: string };
    const rows = await this.read<Row>('load_failures', sql.LOAD_FAILURES, [runId, generation, steps]);
    return new Map(rows.map(({ name, error }) => [name, error]));
  }

  async addItems({ runId, generation, step, attempt, first, ...items }: NewItems): Promise<void> {
    const { queue, priority, payloads } = items;
    const values = [runId, generation, step, attempt, first + 1, queue, priority, payloads];
    await this.read('add_items', sql.ADD_ITEMS, values);
  }

  async dropItems({ runId, generation, step, attempt, count }: SurplusItems): Promise<void> {
    await this.read('drop_items', sql.DROP_ITEMS, [runId, generation, step, attempt, count]);
  }

  async loadItem(runId: string, generation: number, step: string, index: number): Promise<StoredItem | null> {
    const [row] = await this.read<StoredItem>('load_item', sql.LOAD_ITEM, [runId, generation, step, index + 1]);
    return row ?? null;
  }

  async loadItemResults({ runId, generation, step, after, limit }: ItemPage): Promise<ItemResult[]> {
    type Row = { item: number; result: string };
    const values = [runId, generation, step, after + 1, limit];
    const rows = await this.read<Row>('load_item_results', sql.LOAD_ITEM_RESULTS, values);
    return rows.map(({ item, result }) => ({ index: item - 1, result }));
  }

  async saveHeartbeats(told: readonly ToldHeartbeat[]): Promise<void> {
    const columns = [
      told.map(({ runId }) => runId),
      told.map(({ generation }) => generation),
      told.map(({ row }) => row.name),
      told.map(({ row }) => row.item),
      told.map(({ attempt }) => attempt),
      told.map(({ details }) => details),
    ];
    await this.read('save_heartbeats', sql.SAVE_HEARTBEATS, columns);
  }

  async loadHeartbeat(runId: string, generation: number, { name, item }: StepPlace): Promise<string | null> {
    type Row = { details: string };
    const [row] = await this.read<Row>('load_heartbeat', sql.LOAD_HEARTBEAT, [runId, generation, name, item]);
    return row?.details ?? null;
  }

  async loadSignal(runId: string, step: string): Promise<TakenSignal | null> {
    const [row] = await this.read<TakenSignal>('load_signal', sql.LOAD_SIGNAL, [runId, step]);
    return row ?? null;
  }

  addSignal(signal: NewSignal): Promise<boolean> {
    return this.post.add(signal);
  }

  async findEnded(runIds: readonly string[]): Promise<EndedRun[]> {
    type Row = Pick<EndedRun, 'id' | 'workflow' | 'status' | 'output'> &
      Pick<RunRecord, 'failed_step' | 'failure' | 'cancel_reason'>;
    const rows = await this.read<Row>('find_ended', sql.FIND_ENDED, [runIds]);
    return rows.map(({ failed_step, failure, cancel_reason, ...row }) => ({
      ...row,
      failure: toFailure(failed_step, failure),
      cancelReason: cancel_reason,
    }));
  }

  async registerWorker({ id, host, pid, queues }: WorkerIdentity, leaseMs: number): Promise<void> {
    await this.pulse('register_worker', sql.REGISTER_WORKER, [id, host, pid, queues, leaseMs]);
    this.worker = id;
    await this.pulse('hold_worker_lock', sql.HOLD_WORKER_LOCK, [id]);
    await this.keeper.keep(id);
  }

  async removeWorker(workerId: string): Promise<void> {
    await this.keeper.stop();
    await this.pulse('remove_worker', sql.REMOVE_WORKER, [workerId]);
  }

  async beat(request: BeatRequest): Promise<BeatNews> {
    const { worker, queues, definitions, workflows, computed, leaseMs, maxCrashes, openRuns, reap } = request;
    const alive = (await this.pulse('renew', sql.RENEW_LEASE, [worker, leaseMs])).length > 0;
    if (alive) this.keeper.renewed();
    if (reap !== 'none') await this.pulse('bury', sql.BURY_WORKERS, [worker, leaseMs, reap === 'all']);
    // Whoever is dead already is dead for everybody.
    const lost = await this.findLost();
    const woken = await this.pulse<{ queue: string }>('wake', sql.WAKE_DUE_STEPS, [MAX_DUE]);
    const [look] = await this.pulse<LookRecord>('look', sql.LOOK_ROUND, [
      worker,
      queues,
      definitions,
      MAX_DUE,
      leaseMs,
      maxCrashes,
      openRuns,
      workflows,
      computed,
    ]);
    return {
      alive,
      lost,
      wokenQueues: [...new Set(woken.map(({ queue }) => queue))],
      stoppedRuns: look!.stopped_runs,
      claims: look!.claims.map(parseClaim),
      heldRuns: look!.held_runs,
      readyQueues: look!.ready_queues,
      suspects: look!.suspects.map(parseSuspect),
      overdueRuns: look!.overdue_runs,
      unclaimed: look!.unclaimed.map(parseUnclaimed),
      signalledRuns: look!.signalled_runs,
      dueRuns: look!.due_runs,
      dueSchedules: look!.due_schedules,
      supersededRuns: look!.superseded_runs.map(parseSuperseded),
      nextDueMs: [woken, look!.due_runs, look!.unclaimed].some(isFull) ? 0 : look!.next_due_ms,
    };
  }

  async purge({ rules, workflow, tags, limit }: PurgeRequest): Promise<number> {
    const statuses = rules.map(({ status }) => status);
    const ages = rules.map(({ ageMs }) => ageMs);
    return (await this.delete('purge_runs', sql.PURGE_RUNS, [statuses, ages, workflow, tags, limit])).length;
  }

  async deleteRun(runId: string, { by, reason }: Asked): Promise<boolean> {
    return (await this.delete('delete_run', sql.DELETE_RUN, [runId, by, reason])).length > 0;
  }

  async sweepDead(): Promise<void> {
    await this.pulse('sweep_dead', sql.SWEEP_DEAD, []);
  }

  async registerDefinition({ name, hash, version, output, graph }: NewDefinition): Promise<number> {
    for (;;) {
      const [row] = await this.read<{ id: number }>('find_definition', sql.FIND_DEFINITION, [name, hash]);
      if (row) return row.id;
      await this.read('register_definition', sql.REGISTER_DEFINITION, [name, hash, version, output, graph]);
    }
  }

  async loadDefinitions(workflows: readonly string[]): Promise<StoredDefinition[]> {
    return this.lookUp('load_definitions', sql.LOAD_DEFINITIONS, [workflows]);
  }

  onReady(listener: (queue: string) => void): void {
    this.listeners.add(listener);
  }

  async close(): Promise<void> {
    const connections = [this.reads, this.signals, this.beats, this.deletes];
    await Promise.all([...connections.map((connection) => connection.close()), this.keeper.stop()]);
  }

  private async findLost(): Promise<LostClaims[]> {
    const rows = await this.pulse<{ run_id: string; workers: string[] }>('find_lost', sql.FIND_LOST, [MAX_LOST]);
    return rows.map(({ run_id, workers }) => ({ runId: run_id, workers }));
  }

  /** One channel per schema: two sets of tables in one database do not wake each other. */
  private get channel(): string {
    const { schema } = this.options;
    return schema === DEFAULT_SCHEMA ? READY_CHANNEL : `${schema}_ready`;
  }

  private hear(queue: string | undefined): void {
    if (queue === undefined) return;
    for (const listener of this.listeners) listener(queue);
  }

  /** What a caller asks for: told in our words where the database does not answer. */
  private lookUp<Row extends object>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.read<Row>(name, text, values).catch((error: unknown) => {
      throw unreadable(error);
    });
  }

  private read<Row extends object>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    return untilNoRaceIsLost(() => this.reads.query<Row>(this.prepared(name, text), values));
  }

  /** On a connection where it holds up nobody. */
  private async delete(name: string, text: string, values: readonly unknown[]): Promise<object[]> {
    try {
      return await untilNoRaceIsLost(() => this.deletes.query<object>(this.prepared(name, text), values));
    } catch (error) {
      throw unreadable(error);
    }
  }

  private pulse<Row extends object>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    return untilNoRaceIsLost(() => this.beats.query<Row>(this.prepared(name, text), values));
  }

  private prepared(name: string, text: string) {
    return { name: `of_${name}`, text: qualify(text, this.options.schema) };
  }
}

function toClaimedStep(record: ClaimRecord): ClaimedStep {
  const { step, attempt, failures, crashes, stage, in_doubt, rounds, started_at, ...run } = record;
  const tally = { attempt, failures, crashes, ...staged(stage), ...doubted(in_doubt), ...repeated(rounds) };
  return { step, tally, startedAt: started_at, run: toStoredRun(run) };
}

function parseSuspect(text: string): SuspectQueue {
  const [queue, isAccused] = JSON.parse(text) as [queue: string, isAccused: boolean];
  return { queue, isAccused };
}

/** Whether there may be more. */
function isFull({ length }: readonly unknown[]): boolean {
  return length === MAX_DUE;
}

function parseUnclaimed(text: string): UnclaimedStep {
  type Columns = [string, string, number, string | null, number, string];
  const [runId, step, attempt, stage, generation, queue] = JSON.parse(text) as Columns;
  return { runId, step, attempt, ...staged(stage), generation, queue };
}

function parseSuperseded(text: string): SupersededRun {
  const [runId, schedule] = JSON.parse(text) as [runId: string, schedule: string];
  return { runId, schedule };
}

function parseClaim(text: string): OwnClaim {
  type Counts = [attempt: number, failures: number, crashes: number];
  type Flags = [isUnwanted: boolean, inDoubt: boolean, generation: number, rounds: number | null];
  type Columns = [runId: string, step: string, ...Counts, startedAt: string, stage: string | null, ...Flags];
  const [runId, step, attempt, failures, crashes, startedAt, stage, isUnwanted, inDoubt, generation, rounds] =
    JSON.parse(text) as Columns;
  const tally = { attempt, failures, crashes, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) };
  return { runId, isUnwanted, claim: claimIn(generation, { step, ...tally, startedAt }) };
}
