import type { Fact } from '../engine/facts.js';
import type { BeatNews, RunStore, WorkerIdentity } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { RunDesk } from './run-desk.js';
import type { SlotOffice } from './slot-office.js';
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
  readonly slots: SlotOffice;
  readonly self: WorkerSelf;
  readonly events: EventHub;
  readonly queues: readonly string[];
  readonly leaseMs: number;
}

/**
 * The heartbeat of a worker: renews its lease every third of it, and looks round: who has died, what was stopped, which
 * timers are due, where work waits that no bell has announced. In between it sleeps until the nearest timer.
 */
export class Beat {
  private timer: NodeJS.Timeout | null = null;
  private nextAt = Infinity;
  private lookedAt = -Infinity;
  private renewedAt = -Infinity;
  /** Since when this process has renewed without a gap: after an outage it does not reap before everyone could renew. */
  private steadySince = Infinity;
  /**
   * For how long it must have renewed before it reaps. One lease after an outage, so that everybody can renew first. A
   * process that has just begun has seen none and waits for a third of one: a whole lease would be too long where
   * processes crash more often than that.
   */
  private patienceMs: number;
  private sweptAt = -Infinity;
  private beating: Promise<void> | null = null;
  /** Not before it is started: a process that runs no steps keeps no timers, and is no worker. */
  private stopped = true;
  /** Own claims in the step table that nothing here runs, and since when they have been seen. */
  private strangers = new Map<string, number>();
  /** What runs are being told at this moment: they are not told it again by every beat until they have heard. */
  private readonly telling = new Set<string>();

  constructor(private readonly ports: BeatPorts) {
    this.patienceMs = ports.leaseMs / 3;
  }

  /** Whether this worker's lease still runs, as far as its own clock tells: nobody has taken it for dead. */
  get holdsLease(): boolean {
    return performance.now() - this.renewedAt < this.ports.leaseMs;
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
    this.schedule(this.lookedAt + ASKED_GAP_MS - performance.now());
  }

  /** Ends the beat. The lease is kept until then, so that nobody takes what is being drained. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.beating;
  }

  private async register(worker: WorkerIdentity): Promise<void> {
    const begunAt = performance.now();
    await this.ports.store.registerWorker(worker, this.ports.leaseMs);
    this.renewedAt = begunAt;
    this.steadySince = Math.min(this.steadySince, begunAt);
    this.ports.events.announce({ type: 'worker.started', worker: worker.id, queues: this.ports.queues });
  }

  private schedule(delayMs: number): void {
    const at = performance.now() + Math.max(delayMs, MIN_GAP_MS);
    if (this.stopped || (this.timer && at >= this.nextAt)) return;
    if (this.timer) clearTimeout(this.timer);
    this.nextAt = at;
    this.timer = setTimeout(() => this.beatOnce(), at - performance.now());
  }

  private beatOnce(): void {
    this.timer = null;
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
    const { store, shelf, self, queues, leaseMs } = this.ports;
    const begunAt = performance.now();
    this.lookedAt = begunAt;
    if (begunAt - this.renewedAt > leaseMs / 2) {
      this.steadySince = begunAt;
      this.patienceMs = leaseMs;
    }
    const mayReap = begunAt - this.steadySince >= this.patienceMs;
    const news = await store.beat({ worker: self.id, queues, definitions: shelf.runnableIds, leaseMs, mayReap });
    this.renewedAt = news.alive ? begunAt : -Infinity;
    this.ports.events.announceDatabase(null);
    if (!news.alive) await this.goOnUnderNewId();
    this.act(news);
    if (mayReap) await this.sweep(begunAt);
    const regular = leaseMs / 3;
    return news.nextDueMs === null ? regular : Math.min(regular, Math.max(0, news.nextDueMs));
  }

  private async sweep(now: number): Promise<void> {
    if (now - this.sweptAt < SWEEP_MS) return;
    this.sweptAt = now;
    await this.ports.store.sweepDead();
  }

  private act(news: BeatNews): void {
    const { desk, slots } = this.ports;
    for (const runId of news.stoppedRuns) desk.abort(runId);
    for (const queue of new Set([...news.wokenQueues, ...news.readyQueues])) this.wakePump(queue);
    for (const queue of news.wokenQueues) if (!slots.find(queue)) slots.ring(queue, 1);
    for (const runId of news.dueRuns) this.tell(runId, { type: 'begun' });
    for (const { runId, workers } of news.lost) this.tell(runId, { type: 'workers-lost', workers: new Set(workers) });
    this.releaseStrangers(news);
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
    const { desk, self, leaseMs } = this.ports;
    const strangers = new Map<string, number>();
    const now = performance.now();
    const meet = (name: string, runId: string, fact: Fact) => {
      const since = this.strangers.get(name) ?? now;
      if (now - since > leaseMs / 2) this.tell(runId, fact);
      strangers.set(name, since);
    };
    for (const { runId, claim } of claims) {
      if (desk.isRunning(runId, claim)) continue;
      meet(`${runId}/${claim.step}/${claim.attempt}`, runId, { type: 'step-released', claim });
    }
    for (const runId of heldRuns) {
      // A run that is not open here has no attempt here: whatever it holds in our name is lost.
      if (!desk.isOpen(runId)) meet(runId, runId, { type: 'workers-lost', workers: new Set([self.id]) });
    }
    this.strangers = strangers;
  }

  private tell(runId: string, fact: Fact): void {
    const what = `${fact.type}/${runId}`;
    if (this.telling.has(what)) return;
    this.telling.add(what);
    this.ports.desk
      .tell(runId, fact)
      .catch((error: unknown) => {
        this.ports.events.announce({
          type: 'internal.error',
          doing: `telling run ${runId} that "${fact.type}"`,
          error,
        });
      })
      .finally(() => this.telling.delete(what));
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
