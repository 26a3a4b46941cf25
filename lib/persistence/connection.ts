import { clearTimeout, setTimeout } from 'node:timers';
import * as pg from 'pg';

import { sqlStateOf } from './database-failure.js';

/** How to reach the database: what node-postgres takes. */
export type ConnectionConfig = pg.ClientConfig;

/** A statement that the server plans once per connection. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/**
 * Settings of every session of ours. The plans of our statements are made once and must hold while the tables grow from
 * nothing to millions of rows: by index and nested loop, never by reading a table that happens to be small.
 */
export const SESSION_SETTINGS = {
  // The times of claims are kept as text.
  datestyle: 'ISO',
  timezone: 'UTC',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
} as const;

/** Milliseconds to read what has arrived while the event loop stood still. */
const READING_MS = 100;

/** Milliseconds a connection that is closed may take to say goodbye. */
const GOODBYE_MS = 1_000;

export interface ConnectionOptions {
  /** Shows in `pg_stat_activity`. */
  readonly name: string;
  /** Session settings. Sent once after connecting, because a pooler may refuse them as start-up parameters. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Milliseconds after which an unanswered statement's socket is destroyed. */
  readonly answerWithinMs: number;
}

/** One connection of the library's own, opened when needed and again after it broke. Statements go one at a time. */
export class Connection {
  private client: pg.Client | null = null;
  private opening: Promise<pg.Client> | null = null;
  private closed = false;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly config: ConnectionConfig,
    private readonly options: ConnectionOptions,
    private readonly onOpen: (client: pg.Client) => Promise<void> = async () => {},
  ) {}

  /** Runs a statement. A socket that breaks or does not answer in time is thrown away, and the error has no SQLSTATE. */
  async query<Row extends object>(statement: PreparedStatement, values: readonly unknown[]): Promise<Row[]> {
    return this.run(async (client) => (await client.query<Row>({ ...statement, values: [...values] })).rows);
  }

  /** Runs several statements on the connection, with nothing else of this process in between. */
  run<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
    const turn = this.queue.then(() => this.runNow(use));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async runNow<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.open();
    const callOff = this.unlessInTime(() => this.discard(client, unanswered(this.options)));
    try {
      return await use(client);
    } catch (error) {
      // Without a SQLSTATE the socket is broken or the protocol out of step: nothing more may be said over it.
      if (sqlStateOf(error) === null) this.discard(client, error);
      throw error;
    } finally {
      callOff();
    }
  }

  /**
   * Gives up what is not answered in time. An event loop that stood still for so long may have the answer already and not
   * have read it yet.
   */
  private unlessInTime(giveUp: () => void): () => void {
    let timer = setTimeout(() => (timer = setTimeout(giveUp, READING_MS)), this.options.answerWithinMs);
    return () => clearTimeout(timer);
  }

  /** Connects, if it is not connected. */
  open(): Promise<pg.Client> {
    if (this.client) return Promise.resolve(this.client);
    this.opening ??= this.connect().finally(() => (this.opening = null));
    return this.opening;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.opening?.catch(() => undefined);
    const client = this.client;
    this.client = null;
    if (!client) return;
    // A server that answers nothing does not answer a goodbye either.
    const timer = setTimeout(() => destroySocket(client), GOODBYE_MS);
    await client.end().catch(() => undefined);
    clearTimeout(timer);
  }

  private async connect(): Promise<pg.Client> {
    if (this.closed) throw new Error(`The connection "${this.options.name}" has been closed.`);
    const client = new pg.Client({
      connectionTimeoutMillis: this.options.answerWithinMs,
      ...this.config,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      application_name: this.options.name,
    });
    // Without a listener a connection that breaks while idle would end the process.
    client.on('error', () => this.discard(client));
    client.on('end', () => this.discard(client));
    const callOff = this.unlessInTime(() => destroySocket(client));
    try {
      await client.connect();
      const settings = Object.entries(this.options.settings);
      await client.query(settings.map(([name, value]) => `SET ${name} = '${value}'`).join(';'));
      await this.onOpen(client);
    } catch (error) {
      this.discard(client);
      throw error;
    } finally {
      callOff();
    }
    this.client = client;
    return client;
  }

  private discard(client: pg.Client, reason?: unknown): void {
    if (this.client === client) this.client = null;
    destroySocket(client, reason);
  }
}

function destroySocket(client: pg.Client, reason?: unknown): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(error?: Error): void } } }).connection;
  stream.destroy(reason instanceof Error ? reason : undefined);
}

function unanswered({ name, answerWithinMs }: ConnectionOptions): Error {
  return new Error(`The database did not answer the connection "${name}" within ${answerWithinMs} ms.`);
}
