import * as pg from 'pg';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { Database } from '../persistence/database.js';
import { qualify } from '../persistence/schema.js';
import type { Timeouts } from '../runtime/step-runner.js';
import * as sql from './clock-statements.js';
import { keepNobodyWaiting } from './idle-connection.js';
import type { Waiting } from './waiting.js';

/** The most rows of one look. */
const MAX_ROWS = 1_000;

/**
 * Options of virtual time.
 *
 * @publicApi
 */
export interface VirtualTimeOptions {
  /** The time at which the test begins. @default the machine's */
  readonly now?: Date;
  /**
   * Called with the new time each time it is set, also at the beginning, before anything becomes due by it. For a mocked
   * `Date` to go along: `onTime: (now) => jest.setSystemTime(now)`.
   */
  readonly onTime?: (now: Date) => void;
}

/** Something that is under way, or could be at once. */
export interface Busy {
  /** Null of a schedule. */
  readonly runId: string | null;
  /** Changes when something becomes of it. */
  readonly key: string;
}

interface Timeout {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * The time that the workflows of one database live in. It stands still until it is set. SQL is told it by `orchestrate_flow.now()`;
 * the timeouts of attempts are kept here. Leases and all else that tells whether a process lives stay with the machine's clock.
 */
export class VirtualTime implements Timeouts {
  private readonly timeouts = new Set<Timeout>();

  private constructor(
    private readonly client: pg.Client,
    private readonly schema: string,
    private readonly onTime: (now: Date) => void,
    private currentMs: number,
  ) {}

  /** Takes hold of the time in a database whose tables are up to date. @internal */
  static async hold(
    database: Database,
    schema: string,
    { now, onTime = () => {} }: VirtualTimeOptions,
  ): Promise<VirtualTime> {
    assertNotProduction();
    const client = new pg.Client({ ...database.connectionConfig, application_name: 'orchestrate-flow test clock' });
    // Without a listener a connection that breaks while idle would end the test's process.
    client.on('error', () => undefined);
    await client.connect();
    try {
      const held = await holdClock(client, schema, now?.getTime() ?? null);
      onTime(held);
      keepNobodyWaiting(client);
      return new VirtualTime(client, schema, onTime, held.getTime());
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  get nowMs(): number {
    return this.currentMs;
  }

  /** Keeps an attempt's timeout. @returns what calls it off */
  after(delayMs: number, callback: () => void): () => void {
    const timeout = { dueMs: this.currentMs + delayMs, callback };
    this.timeouts.add(timeout);
    return () => void this.timeouts.delete(timeout);
  }

  /** When the next time comes that anything waits for, or null. */
  async findNext(): Promise<number | null> {
    const [row] = await this.query<{ due_ms: number | null }>(sql.FIND_NEXT_TIMER);
    const times = [...this.timeouts].map(({ dueMs }) => dueMs).concat(row?.due_ms ?? []);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Sets the time, and ends the attempts whose timeout has come by then. */
  async set(ms: number): Promise<void> {
    await this.query(sql.SET_THE_CLOCK, [ms]);
    this.currentMs = ms;
    this.onTime(new Date(ms));
    const due = [...this.timeouts].filter(({ dueMs }) => dueMs <= ms);
    for (const timeout of due.sort((one, other) => one.dueMs - other.dueMs)) {
      this.timeouts.delete(timeout);
      timeout.callback();
    }
  }

  /** What waits for a time, nearest first. */
  async listWaiting(): Promise<Waiting[]> {
    type Row = Pick<Waiting, 'workflow' | 'step' | 'status'> & { run_id: string; due_at: Date };
    const rows = await this.query<Row>(sql.LIST_TIMERS, [MAX_ROWS]);
    return rows.map(({ run_id, workflow, step, status, due_at }) => ({
      ...{ runId: run_id, workflow, step, status, dueAt: due_at },
      dueInMs: due_at.getTime() - this.currentMs,
    }));
  }

  /** What does not wait for a time. */
  async listBusy(): Promise<Busy[]> {
    const rows = await this.query<{ run_id: string | null; key: string }>(sql.LIST_BUSY, [MAX_ROWS]);
    return rows.map(({ run_id, key }) => ({ runId: run_id, key }));
  }

  /** Called by Nest, before the module closes its database: a database that was given goes on by the machine's time. */
  async onApplicationShutdown(): Promise<void> {
    await this.query(sql.LET_THE_CLOCK_GO).catch(() => undefined);
    await this.client.end().catch(() => undefined);
  }

  private async query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query<Row>(qualify(text, this.schema), values)).rows;
  }
}

async function holdClock(client: pg.Client, schema: string, nowMs: number | null): Promise<Date> {
  const query = async <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
    (await client.query<Row>(qualify(text, schema), values)).rows;
  await query(sql.CREATE_CLOCK);
  const [others] = await query<{ tests: boolean; workers: boolean }>(sql.FIND_OTHERS);
  if (others!.tests || others!.workers) throw taken(schema, others!.tests ? 'another test' : 'workers that run now');
  const [held] = await query<{ now: Date }>(sql.HOLD_THE_CLOCK, [nowMs]);
  await query(sql.STOP_THE_CLOCK);
  return held!.now;
}

function taken(schema: string, whose: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_TEST_SETUP',
    `Cannot set the time in schema "${schema}": it is the time of ${whose} too. Give each test file a database of its own: ` +
      '`createTestDatabase()`, or leave out `url` and TypeORM.',
  );
}

function assertNotProduction(): void {
  if (process.env['NODE_ENV'] !== 'production') return;
  throw new OrchestrateFlowError(
    'OF_TEST_SETUP',
    'Cannot set the time that workflows live in: NODE_ENV is "production". Run tests with NODE_ENV=test.',
  );
}
