import type { StepPump } from '../runtime/step-pump.js';
import type { BullWorker } from './bull-backend.js';
import type { BullQueues } from './bull-queues.js';

/**
 * The Bull processor of one queue: a bell wakes the pump, and the job lasts as long as there are steps to take. Our own
 * Worker, because `@Processor` cannot be given a backend.
 */
export class StepProcessor {
  private readonly worker: BullWorker;

  constructor(
    private readonly bull: BullQueues,
    pump: StepPump,
  ) {
    this.worker = bull.work(pump.queue, () => pump.wake());
  }

  /** Takes no more bells. Bells under way end with the pump's stop. */
  async stop(): Promise<void> {
    await this.bull.unlessAway(this.worker.close());
  }
}
