import type { Processor, QueueOptions, WorkerOptions } from 'bullmq';

/** Something about a server that a queue cannot live with. */
export interface QueueFault {
  /** What is wrong, as a sentence. */
  readonly fault: string;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

/** What of a queue or worker of BullMQ is used here, whatever it runs on. The classes differ by the type of their backend. */
interface BullObject {
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}

/** A queue of BullMQ. */
export interface BullQueue extends BullObject {
  add(name: string, data: object): Promise<unknown>;
}

/** A worker of BullMQ. */
export type BullWorker = BullObject;

/** What every queue of ours is made with; the connection is the backend's. */
export type QueueSettings = Omit<QueueOptions<unknown>, 'connection'>;
/** What every worker of ours is made with. */
export type WorkerSettings = Omit<WorkerOptions<unknown>, 'connection'>;

/**
 * What BullMQ runs on. It makes queues and workers by the classes themselves and not by way of BullMQ's or Nest's
 * process-wide defaults, which belong to the app.
 */
export interface BullBackend {
  /** Whether it is known to be away: then nobody has to wait for an answer in order to end. */
  readonly isAway: boolean;
  createQueue(name: string, settings: QueueSettings): BullQueue;
  createWorker(name: string, processor: Processor<unknown, unknown>, settings: WorkerSettings): BullWorker;
  /** From now on calls back once for each fault of the server, when it is first seen. */
  watch(onFault: (fault: QueueFault) => void): void;
  /** Lets go of every connection, also of those on which somebody still waits. */
  close(): Promise<void>;
}
