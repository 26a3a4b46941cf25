import type { BeatNews, RunStore } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { RunDesk } from './run-desk.js';
import type { SlotOffice } from './slot-office.js';
import type { WorkerSelf } from './worker-self.js';

/** Milliseconds between two looks at the least, however near the next timer is. */
const MIN_GAP_MS = 20;

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
  private renewedAt = -Infinity;
  /** Since when this process has renewed without a gap: after an outage it does not reap before everyone could renew. */
  private steadySince = Infinity;
  private beating: Promise<void> | null = null;
  private stopped = false;
  /** Own claims in the step table that nothing here runs, as seen by the last beat. */
  private strangers = new Set<string>();

  constructor(private readonly ports: BeatPorts) {}

  /** Registers the worker and begins. */
  async start(): Promise<void> {
    await this.register();
    this.schedule(0);
  }

  /** A timer of ours is due in so many milliseconds: look by then. */
  expect(delayMs: number): void {
    this.schedule(delayMs);
  }

  /** Ends the beat. The lease is kept until then, so that nobody takes what is being drained. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.beating;
  }

  private async register(): Promise<void> {
    await this.ports.store.registerWorker(this.ports.self.describe(), this.ports.leaseMs);
    this.renewedAt = performance.now();
    this.steadySince = Math.min(this.steadySince, this.renewedAt);
    this.ports.events.announce({ type: 'worker.started', worker: this.ports.self.id, queues: this.ports.queues });
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
    if (begunAt - this.renewedAt > leaseMs / 2) this.steadySince = begunAt;
    const mayReap = begunAt - this.steadySince >= leaseMs;
    const news = await store.beat({ worker: self.id, queues, definitions: shelf.runnableIds, leaseMs, mayReap });
    this.renewedAt = begunAt;
    this.ports.events.announceDatabase(null);
    if (!news.alive) await this.goOnUnderNewId();
    this.act(news);
    const regular = leaseMs / 3;
    return news.nextDueMs === null ? regular : Math.min(regular, Math.max(0, news.nextDueMs));
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

  /** A claim whose answer was lost lies in the table and nobody runs it. Seen twice in a row, it is released. */
  private releaseStrangers({ claims }: BeatNews): void {
    const strangers = new Set<string>();
    for (const { runId, claim } of claims) {
      if (this.ports.desk.isRunning(runId, claim)) continue;
      const name = `${runId}/${claim.step}/${claim.attempt}`;
      if (this.strangers.has(name)) this.tell(runId, { type: 'step-released', claim });
      strangers.add(name);
    }
    this.strangers = strangers;
  }

  private tell(runId: string, fact: Parameters<RunDesk['tell']>[1]): void {
    this.ports.desk.tell(runId, fact).catch((error: unknown) => {
      this.ports.events.announce({ type: 'internal.error', doing: `telling run ${runId} that "${fact.type}"`, error });
    });
  }

  /** This process was declared dead: what it held is others' now. */
  private async goOnUnderNewId(): Promise<void> {
    const was = this.ports.self.renew();
    this.ports.desk.dropClaims();
    await this.register();
    this.ports.events.announce({ type: 'worker.replaced', worker: this.ports.self.id, was });
  }
}
