import { createPostgresBackend, withBackend, type Processor } from 'bullmq';
import * as pg from 'pg';

import type { BullBackend, BullQueue, BullWorker, QueueSettings, WorkerSettings } from './bull-backend.js';

/** The schema of BullMQ's tables: it reads no other from a pool that it is given. */
export const BULL_SCHEMA = 'bullmq';

const { Queue, Worker } = withBackend(createPostgresBackend);

/** BullMQ over one pool of connections to PostgreSQL. */
export class PostgresBackend implements BullBackend {
  /** A pool connects anew for each statement that finds no connection: there is nothing to be told beforehand. */
  readonly isAway = false;
  private readonly pool: pg.Pool;

  constructor(config: pg.ClientConfig, onError: (error: unknown) => void) {
    this.pool = new pg.Pool({
      ...config,
      application_name: 'orchestrate-flow queue',
      verify: findTables,
      keepAlive: true,
      // Each worker keeps one connection for LISTEN; what is left serves statements. Opened as needed.
      max: 10,
      allowExitOnIdle: true,
    });
    this.pool.on('error', onError);
    // The pool listens to idle connections only, and BullMQ a moment after it was given one: a connection that ends in that
    // moment would end the process. What the error means its next statement says.
    this.pool.on('connect', (client) => client.on('error', () => {}));
  }

  createQueue(name: string, settings: QueueSettings): BullQueue {
    return new Queue(name, { ...settings, connection: this.pool });
  }

  createWorker(name: string, processor: Processor<unknown, unknown>, settings: WorkerSettings): BullWorker {
    return new Worker<unknown, unknown>(name, processor, {
      ...settings,
      connection: this.pool,
      // An idle worker asks once a minute; LISTEN wakes it in between.
      drainDelay: 60,
    });
  }

  /** What its server needs is checked when the database is opened. */
  watch(): void {}

  async close(): Promise<void> {
    await this.pool.end().catch(() => undefined);
  }
}

/** Before a new connection is given out. Not as a start-up parameter, which a pooler in session mode refuses. */
function findTables(client: pg.Client, done: (error?: Error) => void): void {
  client.query(`SET search_path = ${BULL_SCHEMA}`).then(() => done(), done);
}
