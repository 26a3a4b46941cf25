import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { LeaseKeeper } from '../../lib/persistence/lease-keeper.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const LEASE_MS = 500;

let database: TestDatabase;
let db: TestConnection;
let keeper: LeaseKeeper | null;
let complaints: unknown[];

beforeAll(async () => {
  database = await createDatabase();
  const { host, port, user: username, database: name } = database.connection;
  const dataSource = await new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  db = await connect(database);
});

beforeEach(() => {
  complaints = [];
});

afterEach(() => keeper?.stop());

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

async function registerWorker(): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
     VALUES ($1, 'alive', 'here', 1, '{q}', now() + $2 * interval '1 millisecond')`,
    [id, LEASE_MS],
  );
  return id;
}

async function open(change: { patienceMs?: number; passwordMs?: number; config?: object } = {}): Promise<LeaseKeeper> {
  const { config, ...rest } = change;
  const onUnavailable = (error: unknown) => complaints.push(error);
  keeper = new LeaseKeeper(
    { ...database.connection, ...config },
    { schema: 'orchestrate_flow', leaseMs: LEASE_MS, onUnavailable, ...rest },
  );
  return keeper;
}

async function leaseOf(id: string): Promise<{ until: number; isOver: boolean }> {
  const [row] = await db.query<{ until: string; is_over: boolean }>(
    `SELECT extract(epoch FROM lease_until) * 1000 AS until, lease_until < now() AS is_over
     FROM orchestrate_flow.workflow_worker WHERE id = $1`,
    [id],
  );
  return { until: Number(row!.until), isOver: row!.is_over };
}

async function threads(): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `SELECT count(*)::int FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'orchestrate-flow lease'`,
  );
  return row!.count;
}

describe('the thread that keeps a lease', () => {
  it('renews it as long as the main thread is late, and gives up when that lasts too long', async () => {
    const id = await registerWorker();
    const { until } = await leaseOf(id);
    await (await open({ patienceMs: 6 * LEASE_MS })).keep(id);
    await waitFor('it was renewed for several leases', async () => (await leaseOf(id)).until > until + 3 * LEASE_MS);
    await waitFor('it has run out', async () => (await leaseOf(id)).isOver);
    expect(complaints).toEqual([]);
  });

  it('leaves a lease alone that the main thread renews, and keeps no connection for it', async () => {
    const id = await registerWorker();
    await (await open()).keep(id);
    await waitFor('it has stepped in', async () => (await threads()) === 1);
    const renewing = setInterval(() => keeper!.renewed(), LEASE_MS / 10);
    try {
      await waitFor('it is not needed', async () => (await threads()) === 0);
      await waitFor('the lease runs out untouched', async () => (await leaseOf(id)).isOver);
    } finally {
      clearInterval(renewing);
    }
  });

  it('does not bring a dead worker to life', async () => {
    const id = await registerWorker();
    await db.query(`UPDATE orchestrate_flow.workflow_worker SET status = 'dead' WHERE id = $1`, [id]);
    const other = await registerWorker();
    const { until } = await leaseOf(id);
    const own = await open();
    await own.keep(id);
    await waitFor('it has looked', async () => (await threads()) === 1);
    // It goes on as soon as there is another id.
    await own.keep(other);
    const { until: first } = await leaseOf(other);
    await waitFor('the other is kept', async () => (await leaseOf(other)).until > first + LEASE_MS);
    expect((await leaseOf(id)).until).toBe(until);
  });

  it('asks for a password once, and says why it cannot be there', async () => {
    const id = await registerWorker();
    const { until } = await leaseOf(id);
    await (await open({ config: { password: () => Promise.resolve('any') } })).keep(id);
    await waitFor('it is kept', async () => (await leaseOf(id)).until > until + LEASE_MS);
    await keeper!.stop();
    await (await open({ config: { stream: () => null } })).keep(id);
    expect(complaints).toEqual([expect.objectContaining({ name: 'DataCloneError' })]);
  });

  it('is given a new password, where passwords are asked for, before the last one is old', async () => {
    let asked = 0;
    const password = () => Promise.resolve(`token ${++asked}`);
    await (await open({ passwordMs: 0, config: { password } })).keep(await registerWorker());
    const before = asked;
    keeper!.renewed();
    await waitFor('it is asked for again', () => asked > before);
  });
});
