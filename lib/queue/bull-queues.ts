import { createPostgresBackend, runMigrations, withBackend } from 'bullmq';
import pg from 'pg';

import { DEFAULT_QUEUE } from '../engine/graph.js';

/** The schema of BullMQ's tables: it reads no other from a pool that it is given. */
const BULL_SCHEMA = 'bullmq';

const Backend = withBackend(createPostgresBackend);

/** A queue of BullMQ on PostgreSQL. */
export type BullQueue = InstanceType<typeof Backend.Queue>;
/** A worker of BullMQ on PostgreSQL. */
export type BullWorker = InstanceType<typeof Backend.Worker>;

/** What BullMQ calls a queue of ours. Apart from the app's own: a worker of the one must not take the other's jobs. */
function bullNameOf(queue: string): string {
  return queue === DEFAULT_QUEUE ? DEFAULT_QUEUE : `${DEFAULT_QUEUE}-${queue}`;
}

/**
 * BullMQ's queues and workers over one pool of connections to PostgreSQL. Constructed by the classes themselves and not by
 * way of BullMQ's or Nest's process-wide defaults, which belong to the app.
 */
export class BullQueues {
  private readonly pool: pg.Pool;
  private readonly queues = new Map<string, BullQueue>();
  private readonly workers: BullWorker[] = [];

  constructor(
    config: pg.ClientConfig,
    private readonly onError: (queue: string, error: unknown) => void,
  ) {
    const { options = '', ...rest } = config;
    this.pool = new pg.Pool({
      ...rest,
      application_name: 'orchestrate-flow queue',
      options: `${options} -c search_path=${BULL_SCHEMA}`.trim(),
      keepAlive: true,
      // Each worker keeps one connection for LISTEN; what is left serves statements. Opened as needed.
      max: 10,
      allowExitOnIdle: true,
    });
    this.pool.on('error', (error) => onError('*', error));
    // The pool listens to idle connections only, and BullMQ a moment after it was given one: a connection that ends in that
    // moment would end the process. What the error means its next statement says.
    this.pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** Creates or updates BullMQ's tables. */
  async migrate(): Promise<void> {
    const client = await this.pool.connect();
    try {
      await runMigrations(client, BULL_SCHEMA);
    } finally {
      client.release();
    }
  }

  /** BullMQ's queue, as `getQueueToken(name)` gives it. */
  queue(name: string): BullQueue {
    const existing = this.queues.get(name);
    if (existing) return existing;
    const queue = new Backend.Queue(bullNameOf(name), {
      connection: this.pool,
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    queue.on('error', (error) => this.onError(name, error));
    this.queues.set(name, queue);
    return queue;
  }

  /** Starts a worker whose jobs are bells: each calls `onBell` and ends with it. */
  work(name: string, onBell: () => Promise<void>): BullWorker {
    const worker = new Backend.Worker<unknown, unknown>(bullNameOf(name), onBell, {
      connection: this.pool,
      // Two: while one bell is being answered another can bring its news.
      concurrency: 2,
      // An idle worker asks once a minute; LISTEN wakes it in between.
      drainDelay: 60,
      lockDuration: 30_000,
      // At its default of 15 s a job that ended while the database was down is run twice.
      runRetryDelay: 500,
    });
    worker.on('error', (error) => this.onError(name, error));
    this.workers.push(worker);
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close().catch(() => undefined)));
    await Promise.all([...this.queues.values()].map((queue) => queue.close().catch(() => undefined)));
    await this.pool.end().catch(() => undefined);
  }
}
