import type { EventHub } from '../events/event-hub.js';
import type { RunDesk } from './run-desk.js';

/** So many runs are told at once: each is held in memory until it has looked, and what waits here is only its id. */
const MAX_AT_ONCE = 500;

/** Tells runs that somebody has sent them something, a bounded number at a time. Whom a process that ends had not told the beat tells. */
export class InboxTeller {
  private readonly waiting = new Set<string>();
  private underWay = 0;

  constructor(private readonly ports: { readonly desk: Pick<RunDesk, 'tell'>; readonly events: EventHub }) {}

  tell(runId: string): void {
    this.waiting.add(runId);
    this.goOn();
  }

  private goOn(): void {
    for (const runId of this.waiting) {
      if (this.underWay >= MAX_AT_ONCE) return;
      this.waiting.delete(runId);
      this.underWay += 1;
      void this.tellNow(runId);
    }
  }

  private async tellNow(runId: string): Promise<void> {
    const { desk, events } = this.ports;
    try {
      await desk.tell(runId, { type: 'signalled' });
    } catch (error) {
      events.announceFailure(`telling run ${runId} of a signal`, error);
    } finally {
      this.underWay -= 1;
      this.goOn();
    }
  }
}
