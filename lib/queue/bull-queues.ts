import { DEFAULT_QUEUE } from '../engine/graph.js';
import type { BullBackend, BullQueue, BullWorker, QueueFault } from './bull-backend.js';

/** Milliseconds between two looks whether the queue has gone away. */
const AWAY_CHECK_MS = 20;

/** What BullMQ calls a queue of ours. Apart from the app's own: a worker of the one must not take the other's jobs. */
function bullNameOf(queue: string): string {
  return queue === DEFAULT_QUEUE ? DEFAULT_QUEUE : `${DEFAULT_QUEUE}-${queue}`;
}

/** The queues of this process and their workers, whatever BullMQ runs on. */
export class BullQueues {
  private readonly queues = new Map<string, BullQueue>();
  private readonly workers: BullWorker[] = [];

  constructor(
    private readonly backend: BullBackend,
    private readonly onError: (queue: string, error: unknown) => void,
  ) {}

  /** Waits for what an answer of the queue ends, as long as the queue is not known to be away: else it may never end. */
  async unlessAway(answered: Promise<unknown>): Promise<void> {
    let isWaiting = true;
    const done = answered.catch(() => undefined).finally(() => (isWaiting = false));
    while (isWaiting && !this.backend.isAway) {
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, AWAY_CHECK_MS))]);
    }
  }

  /** BullMQ's queue, as `getQueueToken(name)` gives it. */
  queue(name: string): BullQueue {
    const existing = this.queues.get(name);
    if (existing) return existing;
    const queue = this.backend.createQueue(bullNameOf(name), {
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    queue.on('error', (error) => this.onError(name, error));
    this.queues.set(name, queue);
    return queue;
  }

  /** Starts a worker whose jobs are bells: each calls `onBell` and ends with it. */
  work(name: string, onBell: () => Promise<void>): BullWorker {
    const worker = this.backend.createWorker(bullNameOf(name), onBell, {
      // Two: while one bell is being answered another can bring its news.
      concurrency: 2,
      lockDuration: 30_000,
      // At its default of 15 s a job that ended while the backend was down is run twice.
      runRetryDelay: 500,
    });
    worker.on('error', (error) => this.onError(name, error));
    this.workers.push(worker);
    return worker;
  }

  /** From now on calls back once for each fault of the server, when it is first seen. */
  watch(onFault: (fault: QueueFault) => void): void {
    this.backend.watch(onFault);
  }

  /** Ends in order what can be ended in order, and then lets go of the connections. */
  async close(): Promise<void> {
    const all = [...this.workers, ...this.queues.values()];
    await this.unlessAway(Promise.all(all.map((one) => one.close().catch(() => undefined))));
    await this.backend.close();
  }
}
