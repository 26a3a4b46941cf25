import type { Clock, PurgeRequest, PurgeRule, RunStore } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';

/** Runs deleted at a time: the locks are held for some milliseconds. */
const BATCH = 500;

/** Deletes all runs that are meant, batch by batch. @returns how many */
export async function purgeAll(
  store: Pick<RunStore, 'purge'>,
  request: Omit<PurgeRequest, 'limit'>,
  mayGoOn: () => boolean = () => true,
): Promise<number> {
  for (let deleted = 0; ;) {
    const count = await store.purge({ ...request, limit: BATCH });
    deleted += count;
    if (count < BATCH || !mayGoOn()) return deleted;
  }
}

export interface RetentionPorts {
  readonly store: Pick<RunStore, 'purge'>;
  readonly clock: Clock;
  readonly events: EventHub;
  /** What is kept for how long; of what no rule speaks is kept for ever. */
  readonly rules: readonly PurgeRule[];
  /** Milliseconds between two looks. */
  readonly everyMs: number;
}

/** Deletes runs that have ended when their time is over. Every worker does, and none waits for another. */
export class Retention {
  private visitedAt = -Infinity;
  private stopped = false;
  private underWay: Promise<unknown> | null = null;

  constructor(private readonly ports: RetentionPorts) {}

  /** Looks for runs whose time is over, unless it has just done so. */
  visit(): void {
    const { rules, clock, everyMs, store, events } = this.ports;
    if (rules.length === 0 || this.stopped || this.underWay || clock.now() - this.visitedAt < everyMs) return;
    this.visitedAt = clock.now();
    this.underWay = purgeAll(store, { rules, workflow: null, tags: null }, () => !this.stopped)
      .catch((error: unknown) => events.announceDatabase(error))
      .finally(() => (this.underWay = null));
  }

  /** Resolves once nothing more is deleted. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.underWay;
  }
}
