import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Fact, Quarantine, Unclaimed } from '../engine/facts.js';
import type { BeatNews, Clock, RunStore, UnclaimedStep, WorkerIdentity } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { AdmissionDesk } from './admission-desk.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { OccurrenceDesk } from './occurrence-desk.js';
import type { Retention } from './retention.js';
import type { RunDesk } from './run-desk.js';
import type { SlotOffice } from './slot-office.js';
import type { SuspectWard } from './suspect-ward.js';
import type { WorkerSelf } from './worker-self.js';

/** Milliseconds between two looks at the least, however near the next timer is. */
const MIN_GAP_MS = 20;

/** Milliseconds between two looks that only a bell for nothing asks for: a row that somebody locks must not make a busy loop. */
const ASKED_GAP_MS = 500;

/** Milliseconds between two sweeps of what nobody needs any more: workers long dead, lanes long unused. */
const SWEEP_MS = 3_600_000;

export interface BeatPorts {
  readonly store: RunStore;
  readonly desk: RunDesk;
  readonly shelf: DefinitionShelf;
  readonly occurrences: OccurrenceDesk;
  readonly slots: SlotOffice;
  readonly self: WorkerSelf;
  readonly events: EventHub;
  readonly clock: Clock;
  readonly codec: Pick<PayloadCodec, 'encodeError'>;
  readonly ward: SuspectWard;
  readonly retention: Pick<Retention, 'visit'>;
  readonly admissions: Pick<AdmissionDesk, 'visit'>;
  readonly queues: readonly string[];
  readonly leaseMs: number;
  readonly quarantine: Quarantine;
  /** The error of a run whose deadline has passed, encoded. */
  readonly overdue: string;
}

/**
 * The heartbeat of a worker: renews its lease every third of it, and looks round: who has died, what was stopped, which
 * timers are due, where work waits that no bell has announced. In between it sleeps until the nearest timer.
 */
export class Beat {
  /** Calls off the next look, where one is planned. */
  private callOff: (() => void) | null = null;
  private nextAt = Infinity;
  private lookedAt = -Infinity;
  private renewedAt = -Infinity;
  /** Since when this process has renewed without a gap: after an outage it does not reap before everyone could renew. */
  private steadySince = Infinity;
  /**
   * Whether there was an outage. From then on it must have renewed for a lease before it reaps, so that everybody can renew
   * first. A process that has just begun has seen none, reaps at first only where others bear witness, and after a third of
   * a lease all: a whole one would be too long where processes crash more often than that.
   */
  private hasMissedBeats = false;
  private sweptAt = -Infinity;
  private beating: Promise<void> | null = null;
  /** Not before it is started: a process that runs no steps keeps no timers, and is no worker. */
  private stopped = true;
  /** Own claims in the step table that nothing here runs, and since when they have been seen. */
  private strangers = new Map<string, number>();
  /** What is under way at this moment, by name: no later beat begins it again. */
  private readonly doing = new Set<string>();

  constructor(private readonly ports: BeatPorts) {}

  /** Whether this worker's lease still runs, as far as its own clock tells: nobody has taken it for dead. */
  get holdsLease(): boolean {
    return this.ports.clock.now() - this.renewedAt < this.ports.leaseMs;
  }

  private get patienceMs(): number {
    return this.hasMissedBeats ? this.ports.leaseMs : this.ports.leaseMs / 3;
  }

  /** Registers the worker and begins. */
  async start(): Promise<void> {
    await this.register(this.ports.self.describe());
    this.stopped = false;
    this.schedule(0);
  }

  /** A timer of ours is due in so many milliseconds: look by then. */
  expect(delayMs: number): void {
    this.schedule(delayMs);
  }

  /** A bell came and there was nothing to claim: it may have been for a timer that only a look round sees. */
  lookAgain(): void {
    this.schedule(this.lookedAt + ASKED_GAP_MS - this.ports.clock.now());
  }

  /** Ends the beat. The lease is kept until then, so that nobody takes what is being drained. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.callOff?.();
    await this.beating;
  }

  private async register(worker: WorkerIdentity): Promise<void> {
    const begunAt = this.ports.clock.now();
    await this.ports.store.registerWorker(worker, this.ports.leaseMs);
    this.renewedAt = begunAt;
    this.steadySince = Math.min(this.steadySince, begunAt);
    this.ports.events.announce({ type: 'worker.started', worker: worker.id, queues: this.ports.queues });
  }

  private schedule(delayMs: number): void {
    const at = this.ports.clock.now() + Math.max(delayMs, MIN_GAP_MS);
    if (this.stopped || (this.callOff && at >= this.nextAt)) return;
    this.callOff?.();
    this.nextAt = at;
    this.callOff = this.ports.clock.after(at - this.ports.clock.now(), () => this.beatOnce());
  }

  private beatOnce(): void {
    this.callOff = null;
    if (this.beating) return this.schedule(MIN_GAP_MS);
    this.beating = this.look()
      .then((nextMs) => this.schedule(nextMs))
      .catch((error: unknown) => {
        this.ports.events.announceDatabase(error);
        this.schedule(this.ports.leaseMs / 10);
      })
      .finally(() => (this.beating = null));
  }

  /** @returns milliseconds until the next look */
  private async look(): Promise<number> {
    const { store, shelf, occurrences, self, queues, leaseMs, quarantine } = this.ports;
    const maxCrashes = quarantine.crashes;
    const begunAt = this.ports.clock.now();
    this.lookedAt = begunAt;
    if (begunAt - this.renewedAt > leaseMs / 2) {
      this.steadySince = begunAt;
      this.hasMissedBeats = true;
    }
    const isSteady = begunAt - this.steadySince >= this.patienceMs;
    const reap = isSteady ? 'all' : this.hasMissedBeats ? 'none' : 'witnessed';
    const definitions = shelf.runnableIds;
    const { openRuns } = this.ports.desk;
    const news = await store.beat({
      worker: self.id,
      queues,
      definitions,
      leaseMs,
      maxCrashes,
      openRuns,
      reap,
      ...occurrences.known,
    });
    this.renewedAt = news.alive ? begunAt : -Infinity;
    this.ports.events.announceDatabase(null);
    if (!news.alive) await this.goOnUnderNewId();
    this.act(news);
    if (isSteady) await this.sweep(begunAt);
    this.ports.retention.visit();
    this.ports.admissions.visit();
    const regular = reap === 'witnessed' ? leaseMs / 10 : leaseMs / 3;
    return news.nextDueMs === null ? regular : Math.min(regular, Math.max(0, news.nextDueMs));
  }

  private async sweep(now: number): Promise<void> {
    if (now - this.sweptAt < SWEEP_MS) return;
    this.sweptAt = now;
    await this.ports.store.sweepDead();
  }

  private act(news: BeatNews): void {
    const { desk, slots, queues, quarantine, occurrences } = this.ports;
    for (const runId of news.stoppedRuns) desk.abort(runId);
    for (const queue of new Set([...news.wokenQueues, ...news.readyQueues])) this.wakePump(queue);
    for (const queue of news.wokenQueues) if (!slots.find(queue)) slots.ring(queue, 1);
    for (const runId of news.overdueRuns) this.tell(runId, { type: 'deadline-passed', error: this.ports.overdue });
    this.failUnclaimed(news.unclaimed);
    for (const runId of news.signalledRuns) this.tell(runId, { type: 'signalled' });
    for (const runId of news.dueRuns) this.begin(runId);
    for (const { runId, schedule } of news.supersededRuns) this.tell(runId, superseded(schedule));
    // Whoever computes an input takes their time, and the others need not wait for it.
    const { computed } = occurrences.known;
    const [slow, quick] = split(news.dueSchedules, (name) => computed.includes(name));
    if (quick.length > 0) this.doOnce('due schedules', () => this.takeOccurrences(quick));
    for (const name of slow) this.doOnce(`due schedule "${name}"`, () => this.takeOccurrences([name]));
    // What is freed is taken here at once: its bell may wake the very process that stands still.
    const takeFreed = () => queues.forEach((queue) => this.wakePump(queue));
    for (const { runId, workers } of news.lost) {
      this.tell(runId, { type: 'workers-lost', workers: new Set(workers), quarantine }, takeFreed);
    }
    this.ports.ward.visit(news.suspects);
    this.releaseStrangers(news);
  }

  /** All of a run at once: a fan-out may have a thousand of them. */
  private failUnclaimed(all: readonly UnclaimedStep[]): void {
    const byRun = new Map<string, Unclaimed[]>();
    for (const unclaimed of all) {
      const { runId, queue: _queue, ...step } = unclaimed;
      const error = this.ports.codec.encodeError(unclaimedError(unclaimed));
      byRun.set(runId, [...(byRun.get(runId) ?? []), { ...step, error }]);
    }
    for (const [runId, steps] of byRun) this.tell(runId, { type: 'steps-unclaimed', steps });
  }

  private async takeOccurrences(schedules: readonly string[]): Promise<void> {
    const { runs, lookInMs } = await this.ports.occurrences.take(schedules);
    for (const runId of runs) this.begin(runId);
    if (lookInMs !== null) this.schedule(lookInMs);
  }

  /** A run that was born pending can begin. */
  begin(runId: string): void {
    this.tell(runId, { type: 'begun' });
  }

  /** Bell or no bell: where this process has a free slot it takes what is ready. */
  private wakePump(queue: string): void {
    const pump = this.ports.slots.find(queue);
    if (!pump) return;
    if (pump.slots.free > 0) void pump.wake();
    else pump.nudge();
  }

  /**
   * A claim whose answer was lost lies in the store and nobody runs it. It is released once no answer can be on its way
   * any more: an answer that has taken half a lease is not waited for.
   */
  private releaseStrangers({ claims, heldRuns }: BeatNews): void {
    const { desk, leaseMs } = this.ports;
    const strangers = new Map<string, number>();
    const now = this.ports.clock.now();
    const meet = (name: string, release: () => Promise<unknown>) => {
      const since = this.strangers.get(name) ?? now;
      if (now - since > leaseMs / 2) this.doOnce(name, release);
      strangers.set(name, since);
    };
    for (const { runId, claim, isUnwanted } of claims) {
      if (isUnwanted) desk.abortStep(runId, claim);
      if (desk.isRunning(runId, claim)) continue;
      const name = `the claim ${claim.step}/${claim.attempt} of run ${runId} that nobody runs`;
      meet(name, () => desk.tell(runId, { type: 'step-released', claim }));
    }
    for (const runId of heldRuns) {
      // A run that is not open here has no attempt here: whatever it holds in our name is lost.
      if (desk.isOpen(runId)) continue;
      meet(`the holds of run ${runId} that nobody runs`, () => desk.releaseHolds(runId));
    }
    this.strangers = strangers;
  }

  private tell(runId: string, fact: Fact, onTold: () => void = () => {}): void {
    this.doOnce(`"${fact.type}" of run ${runId}`, () => this.ports.desk.tell(runId, fact).then(onTold));
  }

  /** Begins what it is not doing already; the next beat begins anew what fails. */
  private doOnce(what: string, act: () => Promise<unknown>): void {
    if (this.doing.has(what)) return;
    this.doing.add(what);
    act()
      .catch((error: unknown) => this.ports.events.announceFailure(`seeing to ${what}`, error))
      .finally(() => this.doing.delete(what));
  }

  /** This process was declared dead: what it held is others' now. */
  private async goOnUnderNewId(): Promise<void> {
    const next = this.ports.self.describeNext();
    // Registered before anything is claimed under it: a worker that nobody knows is as lost as a dead one.
    await this.register(next);
    const was = this.ports.self.become(next.id);
    this.ports.desk.dropClaims();
    this.ports.events.announce({ type: 'worker.replaced', worker: this.ports.self.id, was });
  }
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

function superseded(schedule: string): Fact {
  const by = `schedule "${schedule}"`;
  return { type: 'cancel-requested', by, reason: `a later occurrence of ${by} has begun` };
}

function unclaimedError({ step, runId, queue }: UnclaimedStep): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SCHEDULE_TO_START_TIMEOUT',
    `Cannot run step "${step}" of run ${runId}: no worker of queue "${queue}" has taken it in the time that its \`scheduleToStart\` gives. ` +
      'Start more workers for that queue, or give the step more time.',
  );
}
