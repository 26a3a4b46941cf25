import type { WorkQueue } from '../engine/ports.js';
import type { BullQueues } from './bull-queues.js';

/**
 * Rings by adding a job that carries nothing. While one bell is on its way further ones for the same queue are one: the
 * database is the truth, and a bell that is lost only costs the time until the next beat.
 */
export class Bell implements WorkQueue {
  private readonly ringing = new Map<string, { again: boolean }>();

  constructor(
    private readonly bull: BullQueues,
    private readonly onError: (queue: string, error: unknown) => void,
  ) {}

  ring(queue: string): void {
    const underWay = this.ringing.get(queue);
    if (underWay) {
      underWay.again = true;
      return;
    }
    const state = { again: false };
    this.ringing.set(queue, state);
    this.bull
      .queue(queue)
      .add('bell', {})
      .catch((error: unknown) => this.onError(queue, error))
      .finally(() => {
        this.ringing.delete(queue);
        if (state.again) this.ring(queue);
      });
  }

  /** Resolves when no bell is on its way. */
  async settled(): Promise<void> {
    while (this.ringing.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
