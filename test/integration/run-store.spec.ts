import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { migrate } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import type { BeatNews, BeatRequest } from '../../lib/engine/ports.js';
import { SqlRunStore } from '../../lib/persistence/sql-run-store.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const LEASE_MS = 3_000;

let database: TestDatabase;
let db: TestConnection;
let store: SqlRunStore;
let worker: string;

beforeAll(async () => {
  database = await createDatabase();
  const { host, port, user: username, database: name } = database.connection;
  const dataSource = await new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  db = await connect(database);
});

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  store = openStore();
  worker = randomUUID();
});

afterEach(async () => {
  await store.close();
  await db.query(
    'TRUNCATE orchestrate_flow.workflow_run, orchestrate_flow.workflow_step, orchestrate_flow.workflow_worker',
  );
});

function openStore(): SqlRunStore {
  return new SqlRunStore(database.connection, {
    ...{ schema: 'orchestrate_flow', leaseMs: LEASE_MS, onUnavailable: () => {} },
  });
}

function beat(change: Partial<BeatRequest> = {}): Promise<BeatNews> {
  const request = {
    worker,
    queues: ['q'],
    definitions: [1],
    workflows: [],
    computed: [],
    leaseMs: LEASE_MS,
    maxCrashes: 5,
    openRuns: [],
    reap: 'all' as const,
  };
  return store.beat({ ...request, ...change });
}

function claim(limit = 10) {
  return store.claim({ queue: 'q', worker, definitions: [1], limit });
}

/** A worker whose lease ends in so many milliseconds, and which is not connected. */
async function addWorker(leaseMs: number, status = 'alive'): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
     VALUES ($1, $2, 'here', 1, '{q}', now() + $3 * interval '1 millisecond')`,
    [id, status, leaseMs],
  );
  return id;
}

interface StepChange {
  readonly status?: string;
  readonly worker?: string;
  readonly crashes?: number;
  readonly dueInMinutes?: number;
}

async function addStep(change: StepChange = {}): Promise<string> {
  const { status = 'ready', worker: holder = null, crashes = 0, dueInMinutes = null } = change;
  const id = randomUUID();
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, input)
     VALUES ($1, 'any', 1, 'running', 'q', '')`,
    [id],
  );
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_step (run_id, name, status, attempt, failures, crashes, definition, queue, priority, worker, due_at)
     VALUES ($1, 'a', $2, 1, 0, $4, 1, 'q', 0, $3, now() + $5::int * interval '1 minute')`,
    [id, status, holder, crashes, dueInMinutes],
  );
  return id;
}

async function statusOf(id: string): Promise<string> {
  const rows = await db.query<{ status: string }>('SELECT status FROM orchestrate_flow.workflow_worker WHERE id = $1', [
    id,
  ]);
  return rows[0]!.status;
}

async function leaseOf(id: string): Promise<number> {
  const rows = await db.query<{ ms: number }>(
    `SELECT (extract(epoch FROM lease_until - now()) * 1000)::float8 AS ms FROM orchestrate_flow.workflow_worker WHERE id = $1`,
    [id],
  );
  return rows[0]!.ms;
}

/** No lease runs out before the server has been up for one. */
function untilServerIsOld(): Promise<unknown> {
  return waitFor('the server has been up for a lease', async () => {
    const rows = await db.query<{ old: boolean }>(
      `SELECT now() > pg_postmaster_start_time() + $1 * interval '1 millisecond' AS old`,
      [LEASE_MS],
    );
    return rows[0]!.old;
  });
}

describe('a claim', () => {
  it('passes by a row that somebody holds', async () => {
    const [held, free] = [await addStep(), await addStep()];
    const holder = await connect(database);
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1 FOR UPDATE', [held]);
    try {
      expect((await claim()).map(({ run }) => run.id)).toEqual([free]);
    } finally {
      await holder.close();
    }
  });

  it('raises the attempt, takes what it says and no suspect', async () => {
    const [id] = [await addStep(), await addStep({ crashes: 2 })];
    expect(await claim()).toMatchObject([{ run: { id }, tally: { attempt: 2, failures: 0, crashes: 0 } }]);
    expect(await claim()).toEqual([]);
    const rows = await db.query('SELECT worker FROM orchestrate_flow.workflow_step WHERE run_id = $1', [id]);
    expect(rows).toEqual([{ worker }]);
  });

  it('takes no more than there is room for, and only what its process can run', async () => {
    for (let n = 0; n < 3; n++) await addStep();
    expect(await claim(2)).toHaveLength(2);
    expect(await store.claim({ queue: 'q', worker, definitions: [2], limit: 2 })).toEqual([]);
    expect(await store.claim({ queue: 'other', worker, definitions: [1], limit: 2 })).toEqual([]);
  });
});

describe('a beat', () => {
  it('tells of queues with ready rows, bell or no bell, and of suspects apart', async () => {
    await store.registerWorker({ id: worker, host: 'here', pid: 1, queues: ['q'] }, LEASE_MS);
    expect(await beat()).toMatchObject({ readyQueues: [], suspects: [] });
    await addStep({ crashes: 2 });
    expect(await beat()).toMatchObject({ readyQueues: [], suspects: [{ queue: 'q', isAccused: false }] });
    await addStep();
    expect(await beat()).toMatchObject({ readyQueues: ['q'] });
    expect(await beat({ definitions: [2] })).toMatchObject({ readyQueues: [], suspects: [] });
  });

  it('renews nothing of a worker that was declared dead', async () => {
    worker = await addWorker(-60_000, 'dead');
    expect(await beat()).toMatchObject({ alive: false });
    expect(await statusOf(worker)).toBe('dead');
    expect(await leaseOf(worker)).toBeLessThan(0);
  });

  it('gives leases by the clock of the database, whatever that of the worker says', async () => {
    const real = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(real + 3_600_000);
    try {
      await store.registerWorker({ id: worker, host: 'here', pid: 1, queues: ['q'] }, LEASE_MS);
      expect(await leaseOf(worker)).toBeLessThanOrEqual(LEASE_MS);
      await beat();
      expect(await leaseOf(worker)).toBeLessThanOrEqual(LEASE_MS);
    } finally {
      clock.mockRestore();
    }
  });

  it('buries a worker whose lease ran out, and never itself', async () => {
    await untilServerIsOld();
    const [late, fine] = [await addWorker(-60_000), await addWorker(60_000)];
    worker = await addWorker(-60_000);
    await beat({ leaseMs: 1 });
    expect([await statusOf(late), await statusOf(fine), await statusOf(worker)]).toEqual(['dead', 'alive', 'alive']);
  });

  it('buries nobody before the server has been up for a lease', async () => {
    const late = await addWorker(-60_000);
    await beat({ leaseMs: 1_000_000_000 });
    expect(await statusOf(late)).toBe('alive');
  });

  it('buries nobody where its process may not reap', async () => {
    await untilServerIsOld();
    const late = await addWorker(-60_000);
    await beat({ reap: 'none' });
    expect(await statusOf(late)).toBe('alive');
  });

  it('buries a worker half a lease earlier whose heartbeat is not connected', async () => {
    await untilServerIsOld();
    const other = openStore();
    try {
      const connected = randomUUID();
      await other.registerWorker({ id: connected, host: 'here', pid: 1, queues: ['q'] }, LEASE_MS);
      const gone = await addWorker(0);
      await db.query(
        `UPDATE orchestrate_flow.workflow_worker SET lease_until = now() + $1 * interval '1 millisecond'`,
        [LEASE_MS / 2 - 10],
      );
      await beat();
      expect([await statusOf(gone), await statusOf(connected)]).toEqual(['dead', 'alive']);
    } finally {
      await other.close();
    }
  });

  it('frees what the dead held, whoever buried them, and nothing of a worker that nobody has buried', async () => {
    const [dead, late] = [await addWorker(-60_000, 'dead'), await addWorker(-60_000)];
    const [row, held] = [await addStep({ status: 'running', worker: dead }), await addStep({ status: 'completed' })];
    await addStep({ status: 'running', worker: late });
    const alive = await addStep({ status: 'completed' });
    const hold = 'UPDATE orchestrate_flow.workflow_run SET worker = $2 WHERE id = $1';
    await db.query(hold, [held, dead]);
    await db.query(hold, [alive, late]);
    const { lost } = await beat({ reap: 'none' });
    expect(lost.map(({ runId }) => runId).sort()).toEqual([row, held].sort());
  });

  it('makes due retries ready, and none before its time', async () => {
    const due = await addStep({ status: 'retrying', dueInMinutes: -1 });
    await addStep({ status: 'retrying', dueInMinutes: 1 });
    const news = await beat();
    expect(news.wokenQueues).toEqual(['q']);
    expect(news.nextDueMs).toBeGreaterThan(0);
    expect((await claim()).map(({ run }) => run.id)).toEqual([due]);
  });
});
