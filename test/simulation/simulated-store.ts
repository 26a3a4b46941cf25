import type {
  AuditEntry,
  AuditQuery,
  BeatNews,
  BeatRequest,
  ClaimedStep,
  ClaimRequest,
  EndedRun,
  ItemCounts,
  ItemPage,
  ItemRecordView,
  ItemResult,
  NewDefinition,
  NewItems,
  NewSignal,
  PurgeRequest,
  RunArchive,
  RunRecordView,
  RunStore,
  StepRecordView,
  StoredDefinition,
  StoredItem,
  StoredRun,
  SurplusItems,
  SuspectRequest,
  TakenSignal,
  ToldHeartbeat,
  WorkerIdentity,
} from '../../lib/engine/ports.js';
import type { StepPlace } from '../../lib/engine/indexed-graph.js';
import { doubted, repeated, staged } from '../../lib/engine/run-state.js';
import { short } from './simulated-door.js';
import { failureOf, isSuspect, type RunRow, type StepRow, type Tables } from './tables.js';
import type { Wire } from './wire.js';

/** The store on the simulated tables: the same statements as `SqlRunStore`, each on a way of its own. */
export class SimulatedStore implements RunStore {
  private readonly listeners = new Set<(queue: string) => void>();

  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  claim({ queue, worker, definitions, limit }: ClaimRequest): Promise<ClaimedStep[]> {
    const isWanted = (row: StepRow) => !isSuspect(row);
    return this.wire.call(`claim ${queue}`, () =>
      this.tables.claim({ queue, worker, definitions, limit, isWanted, alone: false }).map(toClaimedStep),
    );
  }

  claimSuspect(request: SuspectRequest): Promise<ClaimedStep | null> {
    const { queue, worker, definitions, maxCrashes, isAccused, isAlone: alone } = request;
    const isWanted = (row: StepRow) => isSuspect(row) && row.crashes >= maxCrashes - 1 === isAccused;
    return this.wire.call(`claim suspect ${queue}`, () => {
      const [claimed] = this.tables.claim({ queue, worker, definitions, limit: 1, isWanted, alone });
      return claimed ? toClaimedStep(claimed) : null;
    });
  }

  findRun(runId: string): Promise<StoredRun | null> {
    return this.wire.call(`find ${short(runId)}`, () => this.tables.find(runId));
  }

  findByKey(workflow: string, key: string): Promise<{ id: string; inputHash: Uint8Array } | null> {
    return this.wire.call(`find key ${key}`, () => {
      const run = this.tables.findByKey(workflow, key);
      return run && { id: run.id, inputHash: run.inputHash! };
    });
  }

  loadResults(runId: string, _generation: number, steps: readonly string[]): Promise<Map<string, string>> {
    return this.wire.call(`results of ${short(runId)}`, () => {
      const rows = this.tables.stepsOf(runId);
      return new Map(
        steps.flatMap((step): [string, string][] => {
          const result = rows.get(step)?.result ?? null;
          return result === null ? [] : [[step, result]];
        }),
      );
    });
  }

  loadFailures(runId: string, _generation: number, steps: readonly string[]): Promise<Map<string, string>> {
    return this.wire.call(`failures of ${short(runId)}`, () => {
      const rows = this.tables.stepsOf(runId);
      return new Map(
        steps.flatMap((step): [string, string][] => {
          const row = rows.get(step);
          const hasFailed = row?.status === 'failed' || row?.status === 'quarantined';
          return hasFailed ? [[step, row.errors.at(-1)!]] : [];
        }),
      );
    });
  }

  addItems(items: NewItems): Promise<void> {
    return this.wire.call(`items ${items.step} of ${short(items.runId)}`, () => this.tables.addItems(items));
  }

  dropItems(surplus: SurplusItems): Promise<void> {
    return this.wire.call(`no more items ${surplus.step} of ${short(surplus.runId)}`, () =>
      this.tables.dropItems(surplus),
    );
  }

  loadItem(runId: string, _generation: number, step: string, index: number): Promise<StoredItem | null> {
    return this.wire.call(`item of ${short(runId)}`, () => {
      const row = this.tables.stepsOf(runId).get(`${step}[${index}]`);
      return row ? { payload: row.payload!, result: row.result } : null;
    });
  }

  loadItemResults({ runId, step, after, limit }: ItemPage): Promise<ItemResult[]> {
    return this.wire.call(`results of items of ${short(runId)}`, () =>
      this.tables
        .itemsOf(runId, step)
        .flatMap(({ row, index }) => {
          const isOnPage = index > after && row.status === 'completed';
          return isOnPage ? [{ index, result: row.result! }] : [];
        })
        .slice(0, limit),
    );
  }

  saveHeartbeats(told: readonly ToldHeartbeat[]): Promise<void> {
    return this.wire.call('heartbeats', () => this.tables.saveHeartbeats(told));
  }

  loadHeartbeat(runId: string, generation: number, row: StepPlace): Promise<string | null> {
    return this.wire.call(`heartbeat of ${short(runId)}`, () => {
      return this.tables.findHeartbeat({ runId, generation, row })?.details ?? null;
    });
  }

  loadSignal(runId: string, step: string): Promise<TakenSignal | null> {
    return this.wire.call(`signal of ${short(runId)}`, () => {
      return this.tables.signals.find((signal) => signal.runId === runId && signal.step === step) ?? null;
    });
  }

  addSignal(signal: NewSignal): Promise<boolean> {
    return this.wire.call(`signal ${short(signal.runId)}`, () => this.tables.addSignal(signal));
  }

  findEnded(runIds: readonly string[]): Promise<EndedRun[]> {
    return this.wire.call('find ended', () =>
      runIds.flatMap((id) => {
        const run = this.tables.runs.get(id);
        if (!run || run.endedAt === null) return [];
        const output = this.tables.definitions.find((definition) => definition.id === run.definition)?.output ?? null;
        const { workflow, status, cancelReason } = run;
        const row = output === null ? undefined : this.tables.stepsOf(id).get(output);
        const result = row?.status === 'completed' && !row.aborting ? row.result : null;
        return [{ id, workflow, status, cancelReason, failure: failureOf(run), output: result }];
      }),
    );
  }

  registerWorker({ id }: WorkerIdentity, leaseMs: number): Promise<void> {
    return this.wire.call(`register ${short(id)}`, () => this.tables.registerWorker(id, leaseMs));
  }

  removeWorker(workerId: string): Promise<void> {
    return this.wire.call(`remove ${short(workerId)}`, () => this.tables.removeWorker(workerId));
  }

  async beat(request: BeatRequest): Promise<BeatNews> {
    const { worker, leaseMs, reap } = request;
    const alive = await this.wire.call(`renew ${short(worker)}`, () => this.tables.renew(worker, leaseMs));
    if (reap !== 'none') await this.wire.call('bury', () => this.tables.bury(worker, leaseMs, reap === 'all'));
    const lost = await this.wire.call('find lost', () => this.tables.findLost());
    const wokenQueues = await this.wire.call('wake', () => this.tables.wakeDueSteps());
    const look = await this.wire.call('look', () => this.tables.look(request));
    return { alive, lost, wokenQueues, ...look };
  }

  purge(request: PurgeRequest): Promise<number> {
    return this.wire.call('purge', () => this.tables.purge(request));
  }

  deleteRun(runId: string): Promise<boolean> {
    return this.wire.call(`delete ${short(runId)}`, () => this.tables.delete(runId));
  }

  sweepDead(): Promise<void> {
    return this.wire.call('sweep', () => this.tables.sweep());
  }

  registerDefinition(definition: NewDefinition): Promise<number> {
    return this.wire.call('register definition', () => this.tables.registerDefinition(definition));
  }

  loadDefinitions(workflows: readonly string[]): Promise<StoredDefinition[]> {
    return this.wire.call('load definitions', () =>
      this.tables.definitions.filter(({ name }) => workflows.includes(name)),
    );
  }

  onReady(listener: (queue: string) => void): void {
    this.listeners.add(listener);
  }

  /** A notification has come. */
  hear(queue: string): void {
    for (const listener of this.listeners) listener(queue);
  }
}

/** What callers look up, on the simulated tables. */
export class SimulatedArchive implements RunArchive {
  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  find(runId: string): Promise<RunRecordView | null> {
    return this.wire.call(`look up ${short(runId)}`, () => this.toView(this.tables.runs.get(runId) ?? null));
  }

  findByKey(workflow: string, key: string): Promise<RunRecordView | null> {
    return this.wire.call(`look up key ${key}`, () => this.toView(this.tables.findByKey(workflow, key)));
  }

  /** Pages are no part of what is simulated. */
  list(): Promise<never> {
    return Promise.reject(new Error('The simulated archive has no list.'));
  }

  /** Deploys are no part of what is simulated. */
  definitionsInFlight(): Promise<never> {
    return Promise.reject(new Error('The simulated archive knows no deploys.'));
  }

  audit(query: AuditQuery): Promise<AuditEntry[]> {
    return this.wire.call('look up the audit log', () => this.tables.findAudit(query));
  }

  steps(runId: string): Promise<StepRecordView[]> {
    return this.wire.call(`steps of ${short(runId)}`, () =>
      [...this.tables.stepsOf(runId).values()]
        .filter(({ payload }) => payload === null)
        .map((row) => ({
          ...row,
          status: row.status as StepRecordView['status'],
          dueAt: this.date(row.dueAt),
          startedAt: row.startedAt === null ? null : new Date(row.startedAt),
          endedAt: this.date(row.endedAt),
        })),
    );
  }

  /** Pages are no part of what is simulated. */
  items(): Promise<ItemRecordView[]> {
    return Promise.reject(new Error('The simulated archive has no pages of items.'));
  }

  countItems(): Promise<ItemCounts> {
    return Promise.reject(new Error('The simulated archive counts no items.'));
  }

  private toView(run: RunRow | null): RunRecordView | null {
    if (!run) return null;
    const { dueAt, deadlineAt, startedAt, endedAt, createdAt, updatedAt } = run;
    return {
      ...run,
      failure: failureOf(run),
      deadlineAt: this.date(deadlineAt),
      admitAt: this.date(run.admitAt),
      ...{ dueAt: this.date(dueAt), startedAt: this.date(startedAt), endedAt: this.date(endedAt) },
      scheduledAt: run.scheduledAt === null ? null : new Date(run.scheduledAt),
      ...{ createdAt: this.tables.date(createdAt), updatedAt: this.tables.date(updatedAt) },
    };
  }

  private date(ms: number | null): Date | null {
    return ms === null ? null : this.tables.date(ms);
  }
}

function toClaimedStep({ row, run }: { readonly row: StepRow; readonly run: StoredRun }): ClaimedStep {
  const { name: step, attempt, failures, crashes, stage, inDoubt, rounds, startedAt } = row;
  return {
    step,
    tally: { attempt, failures, crashes, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) },
    startedAt: startedAt!,
    run,
  };
}
