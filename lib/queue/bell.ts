import type { WorkQueue } from '../engine/ports.js';
import type { BullQueues } from './bull-queues.js';

/**
 * Rings by adding a job that carries nothing. While one bell is on its way further ones for the same queue are one: the
 * database is the truth, and a bell that is lost only costs the time until the next beat.
 */
export class Bell implements WorkQueue {
  private readonly ringing = new Map<string, Promise<void>>();
  /** Queues whose bell was to ring once more while it rang. */
  private readonly again = new Set<string>();

  constructor(
    private readonly bull: BullQueues,
    private readonly onError: (queue: string, error: unknown) => void,
  ) {}

  ring(queue: string): void {
    if (this.ringing.has(queue)) {
      this.again.add(queue);
      return;
    }
    const rung = this.bull
      .queue(queue)
      .add('bell', {})
      .then(() => undefined)
      .catch((error: unknown) => this.onError(queue, error))
      .finally(() => {
        this.ringing.delete(queue);
        if (this.again.delete(queue)) this.ring(queue);
      });
    this.ringing.set(queue, rung);
  }

  /** Resolves when no bell is on its way, or none can arrive. */
  settled(): Promise<void> {
    return this.bull.unlessAway(this.untilQuiet());
  }

  private async untilQuiet(): Promise<void> {
    while (this.ringing.size > 0) await Promise.all(this.ringing.values());
  }
}
