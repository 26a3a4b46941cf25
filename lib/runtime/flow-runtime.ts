import type { EntityManager } from 'typeorm';

import type { WorkflowRegistry } from '../definition/registry.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { placeOf } from '../engine/indexed-graph.js';
import type { LimitStore } from '../engine/limits.js';
import type {
  ClaimedStep,
  Clock,
  PurgeRule,
  RunArchive,
  RunDoor,
  RunStore,
  ScheduleStore,
  StepTransactions,
  TakenSignal,
  TransactionalStarts,
  WorkQueue,
} from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import { AdmissionDesk } from './admission-desk.js';
import type { Attempt } from './attempt.js';
import { Beat } from './beat.js';
import { DeclaredSchedules } from './declared-schedules.js';
import { DefinitionShelf } from './definition-shelf.js';
import { InputDesk } from './input-desk.js';
import { OccurrenceDesk } from './occurrence-desk.js';
import type { OpenRun } from './open-run.js';
import type { OrchestratorPorts } from './orchestrator.js';
import { HeartbeatDesk } from './heartbeat-desk.js';
import { ItemDesk } from './item-desk.js';
import { ItemPages } from './item-pages.js';
import { ResultDesk } from './result-desk.js';
import { Retention } from './retention.js';
import { captureContext, type RunContext } from './run-context.js';
import { RunDesk } from './run-desk.js';
import { RunStarter } from './run-starter.js';
import { SignalSender } from './signal-sender.js';
import { SlotOffice } from './slot-office.js';
import { StepPump } from './step-pump.js';
import { StepRunner, type Timeouts } from './step-runner.js';
import { SuspectWard } from './suspect-ward.js';
import { within } from './within.js';
import { WorkerSelf } from './worker-self.js';

/** Milliseconds between two tries to read what a step needs while the database is away. */
const READ_AGAIN_MS = 250;

/** Leases between two looks for runs whose time is over: a minute where a lease is 10 s. */
const RETENTION_LEASES = 6;

export interface FlowRuntimePorts {
  readonly registry: WorkflowRegistry;
  readonly door: RunDoor;
  readonly store: RunStore;
  readonly schedules: ScheduleStore;
  readonly limits: LimitStore;
  readonly archive: RunArchive;
  readonly transactions: TransactionalStarts<EntityManager>;
  readonly stepTransactions: StepTransactions<unknown>;
  readonly codec: PayloadCodec;
  readonly events: EventHub;
  readonly bell: WorkQueue;
  readonly clock: Clock;
  /** @default the clock */
  readonly timeouts?: Timeouts;
  /** What runs carry from where they are started. @default nothing */
  readonly context?: RunContext | null;
}

export interface FlowRuntimeOptions {
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly leaseMs: number;
  /** The number of crashes after which a step that ran alone is quarantined. */
  readonly maxCrashes: number;
  /** How long runs that have ended are kept. */
  readonly retention: readonly PurgeRule[];
}

/** What happens in one process, wired together: desk, pumps, beat and results. Knows neither SQL nor BullMQ. */
export class FlowRuntime {
  private readonly self: WorkerSelf;
  private readonly slots: SlotOffice;
  private readonly shelf: DefinitionShelf;
  private readonly desk: RunDesk;
  private readonly results: ResultDesk;
  private readonly inputs: InputDesk;
  private readonly occurrences: OccurrenceDesk;
  private readonly heartbeats: HeartbeatDesk;
  private readonly beat: Beat;
  private readonly retention: Retention;
  private readonly admissions: AdmissionDesk;
  private isWorking = false;

  constructor(
    private readonly ports: FlowRuntimePorts,
    private readonly options: FlowRuntimeOptions,
  ) {
    const { registry, store, codec, events, bell, door, clock, timeouts = clock, context = null } = ports;
    this.self = new WorkerSelf(options.queues, clock);
    this.slots = new SlotOffice(
      (queue) => bell.ring(queue),
      () => this.beat.holdsLease,
    );
    this.shelf = new DefinitionShelf(registry, store);
    this.results = new ResultDesk({
      ...{ store, codec, clock },
      isHere: (runId) => this.desk.isOpen(runId),
      onError: (error) => events.announceDatabase(error),
    });
    const items = new ItemDesk({
      ...{ store, codec },
      untilRead: (signal, read) => this.untilRead(signal, read),
      loadResults: (attempt, steps) => this.loadResults(attempt, steps),
    });
    this.heartbeats = new HeartbeatDesk({ store, codec, clock, events });
    const runner = new StepRunner({
      items,
      heartbeats: this.heartbeats,
      loadHeartbeat: ({ run, node, signal }) =>
        this.untilRead(signal, () => store.loadHeartbeat(run.id, run.generation, placeOf(node))),
      ...{ codec, clock, timeouts, context, transactions: ports.stepTransactions },
      loadResults: (attempt, steps) => this.loadResults(attempt, steps),
      loadFailures: ({ run, signal }, steps) =>
        this.untilRead(signal, () => store.loadFailures(run.id, run.generation, steps)),
      loadSignal: (attempt) => this.loadSignal(attempt),
      loadRound: ({ run, node: { name }, signal }) =>
        this.untilRead(signal, async () => (await store.loadResults(run.id, run.generation, [name])).get(name)!),
      onLate: (attempt) => this.desk.announceLate(attempt),
      onBackoffFailed: ({ run, claim: { step, attempt } }, error) =>
        events.announce({ type: 'backoff.failed', runId: run.id, workflow: run.workflow, step, attempt, error }),
    });
    this.desk = new RunDesk({
      ...{ door, store, codec, events, runner },
      ...{ shelf: this.shelf, slots: this.slots, self: this.self },
      onEnded: (run) => this.ended(run),
      onWaits: (workflow) => this.admissions.visitFor(workflow),
      onTimer: (delayMs, queue) => this.expect(delayMs, queue),
    });
    this.inputs = new InputDesk(codec);
    const { inputs } = this;
    this.occurrences = new OccurrenceDesk({
      store: ports.schedules,
      registry,
      shelf: this.shelf,
      inputs,
      events,
      clock,
    });
    this.admissions = new AdmissionDesk({
      ...{ store: ports.limits, registry, clock, events },
      begin: (runId) => this.beat.begin(runId),
      expect: (delayMs) => this.beat.expect(delayMs),
    });
    const { desk, shelf, slots, self, occurrences, admissions } = this;
    const { queues, leaseMs, maxCrashes } = options;
    const ward = new SuspectWard({
      store,
      desk,
      runner,
      slots,
      shelf,
      self,
      events,
      clock,
      maxCrashes,
      patienceMs: leaseMs,
    });
    const quarantine = { crashes: maxCrashes, error: codec.encodeError(poison(maxCrashes)) };
    const overdue = codec.encodeError(overdueError());
    const everyMs = RETENTION_LEASES * leaseMs;
    this.retention = new Retention({ store, clock, events, rules: options.retention, everyMs });
    this.beat = new Beat({
      store,
      desk,
      shelf,
      occurrences,
      slots,
      self,
      events,
      clock,
      codec,
      ward,
      retention: this.retention,
      admissions,
      queues,
      leaseMs,
      quarantine,
      overdue,
    });
  }

  /** Stores the definitions of this build, and the schedules that they declare. @returns what the orchestrator works with */
  async open(): Promise<OrchestratorPorts> {
    await this.shelf.fill();
    const { registry, store, archive, transactions, codec, events, clock, schedules, context = null } = this.ports;
    const { shelf, desk, results, inputs, occurrences } = this;
    await this.admissions.open();
    await new DeclaredSchedules({ registry, store: schedules, inputs, events }).write();
    const starter = new RunStarter({ registry, shelf, desk, store, transactions, codec, inputs, clock, context });
    const schedulesPorts = {
      ...{ store: schedules, registry, inputs, occurrences, codec },
      capture: () => captureContext(context, codec),
      begin: (runId: string) => this.beat.begin(runId),
      expect: (delayMs: number) => this.beat.expect(delayMs),
    };
    const signals = new SignalSender({ registry, desk, store, transactions, codec, events });
    const items = new ItemPages({ archive, shelf, codec });
    return {
      schedules: schedulesPorts,
      items,
      signals,
      registry,
      archive,
      transactions,
      codec,
      events,
      shelf,
      desk,
      results,
      starter,
      store,
    };
  }

  /** Begins to run steps. @returns the pumps, one per queue, for bells to wake */
  async work(): Promise<StepPump[]> {
    for (const queue of this.options.queues) this.slots.add(this.createPump(queue));
    this.ports.store.onReady((queue) => this.slots.ringLocally(queue));
    await this.beat.start();
    this.isWorking = true;
    return this.slots.all();
  }

  /** Looks round as soon as may be: a test has set the time that workflows live in. */
  lookRound(): void {
    this.beat.expect(0);
  }

  /** Whether no attempt runs here and no fact waits. */
  get isQuiet(): boolean {
    return this.desk.isQuiet && this.admissions.isQuiet;
  }

  /** From now on nothing is claimed here; what runs goes on. Starts still work. */
  stopClaiming(): void {
    this.slots.close();
  }

  /** Waits for running steps, hands over what is left after so many milliseconds, and says goodbye to the others. */
  async drain(timeoutMs: number): Promise<void> {
    if (!this.isWorking) return;
    this.isWorking = false;
    await Promise.all(this.slots.all().map((pump) => pump.ended()));
    const running = this.desk.attempts.length;
    if (running > 0) this.ports.events.announce({ type: 'worker.draining', worker: this.self.id, running, timeoutMs });
    await this.untilQuiet(timeoutMs);
    // Who takes up what is handed over is to know how far it is.
    await within(this.ports.clock, this.options.leaseMs / 2, this.heartbeats.save());
    const handedOver = this.desk.handOver();
    await this.untilSettled(this.options.leaseMs);
    await Promise.all([this.beat.stop(), this.retention.stop(), this.admissions.stop()]);
    await this.ports.store
      .removeWorker(this.self.id)
      .catch((error: unknown) => this.ports.events.announceDatabase(error));
    this.ports.events.announce({ type: 'worker.drained', worker: this.self.id, handedOver });
  }

  private ended(run: OpenRun): void {
    this.results.ended(run);
    this.admissions.visitFor(run.workflow);
    if (this.occurrences.isAnyQueued) this.beat.expect(0);
  }

  private createPump(queue: string): StepPump {
    return new StepPump({
      queue,
      concurrency: this.options.concurrency,
      claim: (limit) => this.claim(queue, limit),
      passOn: () => this.ports.bell.ring(queue),
      onError: (error) => this.ports.events.announceDatabase(error),
      clock: this.ports.clock,
    });
  }

  /** A timer is nearer than other processes may look: this one looks by then, or, where it has no beat, wakes one that has. */
  private expect(delayMs: number, queue: string): void {
    if (this.isWorking) this.beat.expect(delayMs);
    else if (delayMs < this.options.leaseMs / 2) this.ports.bell.ring(queue);
  }

  private async claim(queue: string, limit: number): Promise<number> {
    // The beat that renews the lease comes back for the rows, and whoever runs a suspect alone when it has ended.
    if (!this.slots.mayTake) return 0;
    const [definitions, worker] = [this.shelf.runnableIds, this.self.id];
    const claimed = await this.ports.store.claim({ queue, limit, definitions, worker });
    if (claimed.length === 0) this.beat.lookAgain();
    let admitted = 0;
    for (const step of claimed) {
      // A run that cannot be read keeps none of the others that were claimed with it from running.
      if (await this.admit(step, worker)) admitted += 1;
    }
    return admitted;
  }

  private async admit(step: ClaimedStep, worker: string): Promise<boolean> {
    try {
      await this.desk.admit(step, worker);
      return true;
    } catch (error) {
      this.ports.events.announceFailure(`taking up step "${step.step}" of run ${step.run.id}`, error);
      return false;
    }
  }

  /** From memory where this process has them; else from the store, as often as it takes: it is not the step's fault. */
  private async loadResults({ run, signal }: Attempt, steps: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const missing = steps.filter((step) => !run.results.has(step));
    if (missing.length === 0) return run.results;
    const loaded = await this.untilRead(signal, () => this.ports.store.loadResults(run.id, run.generation, missing));
    for (const [step, result] of loaded) run.results.set(step, result);
    return run.results;
  }

  private async loadSignal({ run, node, signal }: Attempt): Promise<TakenSignal> {
    const taken = await this.untilRead(signal, () => this.ports.store.loadSignal(run.id, node.name));
    if (taken) return taken;
    throw new OrchestrateFlowError(
      'OF_STATE_CORRUPT',
      `Cannot run step "${node.name}" of run ${run.id}: the signal that it has taken is not in the store.`,
    );
  }

  private async untilRead<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (signal.aborted) throw error;
        this.ports.events.announceDatabase(error);
        await new Promise<void>((resolve) => this.ports.clock.after(READ_AGAIN_MS, resolve));
      }
    }
  }

  private async untilQuiet(timeoutMs: number): Promise<void> {
    if (this.desk.isQuiet) return;
    await within(this.ports.clock, timeoutMs, new Promise<void>((resolve) => this.desk.onQuiet(resolve)));
  }

  private async untilSettled(timeoutMs: number): Promise<void> {
    await within(this.ports.clock, timeoutMs, this.desk.settled());
  }
}

/** The error of a run that has taken too long. */
function overdueError(): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DEADLINE_PASSED',
    'Cannot go on with the run: its deadline has passed. Give it more time by `deadline`, or find what it waits for.',
  );
}

/** The error of a step that is quarantined. */
function poison(maxCrashes: number): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_STEP_QUARANTINED',
    `Cannot try this step again: its process died ${maxCrashes} times or more while it ran, the last time while nothing else ran there. ` +
      'Find what it does to the process (memory, process.exit(), a native crash).',
  );
}
