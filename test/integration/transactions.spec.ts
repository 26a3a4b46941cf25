import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Input, type Run, Step, Workflow } from 'orchestrate-flow';
import { Column, DataSource, Entity, type EntityManager, PrimaryColumn } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

@Entity('purchase')
class Purchase {
  @PrimaryColumn({ type: 'integer' }) id!: number;
  @Column({ type: 'text' }) name!: string;
}

@Workflow({ name: 'fulfil' })
class Fulfil {
  static readonly output = 'end';
  static readonly begun: unknown[] = [];

  @Step() begin(@Input() input: unknown): void {
    Fulfil.begun.push(input);
  }
  @Step() end(@Input() input: unknown): unknown {
    return input;
  }
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Fulfil], entities: [Purchase] });
  other = await startApp({ database, workflows: [Fulfil] });
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await other?.close();
  await db?.close();
  await database?.drop();
});

const start = (input: unknown, options: object = {}): Promise<Run> => app.orchestrator.start('fulfil', input, options);
const code = (name: string) => expect.objectContaining({ code: name });
const rollback = new Error('Rolled back.');

/** A user's transaction that stays open until the test ends it. */
async function openTransaction(): Promise<{
  manager: EntityManager;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}> {
  const runner = app.dataSource.createQueryRunner();
  await runner.startTransaction();
  return {
    manager: runner.manager,
    commit: () => runner.commitTransaction().then(() => runner.release()),
    rollback: () => runner.rollbackTransaction().then(() => runner.release()),
  };
}

describe('a start in a transaction', () => {
  it('exists and runs once that commits, together with what else it wrote', async () => {
    const run = await app.dataSource.transaction(async (manager) => {
      await manager.save(Purchase, { id: 1, name: 'tea' });
      const started = await start('committed', { manager });
      await expect(app.orchestrator.get(started.id)).rejects.toEqual(code('OF_RUN_UNKNOWN'));
      return started;
    });
    expect(run.created).toBe(true);
    await expect(run.result()).resolves.toBe('committed');
    await expect(app.dataSource.getRepository(Purchase).countBy({ id: 1 })).resolves.toBe(1);
  });

  it('leaves no row where that rolls back', async () => {
    let id = '';
    const transaction = app.dataSource.transaction(async (manager) => {
      id = (await start('rolled back', { manager, key: 'rolled back' })).id;
      throw rollback;
    });
    await expect(transaction).rejects.toBe(rollback);
    expect(await db.query('SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1', [id])).toEqual([]);
    expect(await db.query('SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1', [id])).toEqual([]);
    const again = await start('another', { key: 'rolled back' });
    expect(again.created).toBe(true);
  });

  it('of a thousand of which every second rolls back, lets exactly the others run', async () => {
    const attempts = Array.from({ length: 1_000 }, (_, n) => n);
    const place = (n: number) =>
      app.dataSource.transaction(async (manager) => {
        await start({ thousand: n }, { manager, ...(n % 4 < 2 ? { key: `thousand ${n}` } : {}) });
        if (n % 2 === 1) throw rollback;
      });
    const settled = await Promise.allSettled(attempts.map(place));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(500);
    await waitFor(
      'all are completed',
      async () => {
        const rows = await db.query(
          `SELECT 1 FROM orchestrate_flow.workflow_run WHERE input LIKE '%thousand%' AND status = 'completed'`,
        );
        return rows.length === 500;
      },
      { timeoutMs: 25_000 },
    );
    const begun = Fulfil.begun.flatMap((input) => (input as { thousand?: number }).thousand ?? []);
    expect(begun.sort((a, b) => a - b)).toEqual(attempts.filter((n) => n % 2 === 0));
    const all = await db.query(`SELECT 1 FROM orchestrate_flow.workflow_run WHERE input LIKE '%thousand%'`);
    expect(all).toHaveLength(500);
  });

  it('knows a key of its own transaction and of earlier ones', async () => {
    const earlier = await start('earlier', { key: 'earlier' });
    await app.dataSource.transaction(async (manager) => {
      const first = await start('own', { manager, key: 'own' });
      const second = await start('own', { manager, key: 'own' });
      const third = await start('earlier', { manager, key: 'earlier' });
      expect([first.created, second.created, third.created]).toEqual([true, false, false]);
      expect(second.id).toBe(first.id);
      expect(third.id).toBe(earlier.id);
      await expect(start('other', { manager, key: 'own' })).rejects.toEqual(code('OF_KEY_CONFLICT'));
      await expect(start('own', { manager, id: first.id })).rejects.toEqual(code('OF_RUN_EXISTS'));
    });
  });

  it('may be delayed', async () => {
    const run = await app.dataSource.transaction((manager) => start('later', { manager, delay: '100ms' }));
    await expect(run.result()).resolves.toBe('later');
    const rows = await db.query(
      `SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1 AND started_at >= created_at + interval '100 milliseconds'`,
      [run.id],
    );
    expect(rows).toHaveLength(1);
  });

  it('is refused with a manager that is in no transaction', async () => {
    const { manager } = app.dataSource;
    await expect(start('outside', { manager })).rejects.toMatchObject({
      code: 'OF_NOT_IN_TRANSACTION',
      message: expect.stringContaining('dataSource.transaction(') as unknown as string,
    });
    const ended = await openTransaction();
    await ended.commit();
    await expect(start('outside', { manager: ended.manager })).rejects.toEqual(code('OF_NOT_IN_TRANSACTION'));
  });

  it('is refused with a manager of another DataSource', async () => {
    const stranger = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    try {
      await stranger.transaction(async (manager) => {
        await expect(start('elsewhere', { manager })).rejects.toMatchObject({
          code: 'OF_NOT_IN_TRANSACTION',
          message: expect.stringContaining('another DataSource') as unknown as string,
        });
      });
    } finally {
      await stranger.destroy();
    }
  });

  it('refuses to wait for its result inside, and gives it afterwards', async () => {
    const run = await app.dataSource.transaction(async (manager) => {
      const inside = await start('inside', { manager });
      await expect(inside.result()).rejects.toEqual(code('OF_RESULT_IN_TRANSACTION'));
      return inside;
    });
    await expect(run.result()).resolves.toBe('inside');
  });

  it('wakes other processes too', async () => {
    const runs = await Promise.all(
      Array.from({ length: 5 }, () => app.dataSource.transaction((manager) => start('woken', { manager }))),
    );
    await Promise.all(runs.map(({ id }) => other.orchestrator.result(id)));
  });
});

describe('a transaction that stays open after a start with a key', () => {
  it('delays no other run, and its key resolves to its run once it commits', async () => {
    const holder = await openTransaction();
    const held = await start('held', { manager: holder.manager, key: 'held' });
    const waiting = [start('held', { key: 'held' }), other.orchestrator.start('fulfil', 'held', { key: 'held' })];
    let answered = 0;
    for (const pending of waiting) void pending.then(() => (answered += 1));

    const free = await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => start('free', { key: `free ${n}` })),
      ...Array.from({ length: 20 }, () => start('free')),
      other.orchestrator.start('fulfil', 'free', { key: 'free elsewhere' }),
    ]);
    await Promise.all(free.map((run) => run.result()));
    const cancelled = await start('free', { delay: '1h' });
    await cancelled.cancel();
    // All this while the key is held: whoever waits for it still does.
    expect(answered).toBe(0);

    await holder.commit();
    const found = await Promise.all(waiting);
    expect(found.map(({ id, created }) => [id, created])).toEqual([
      [held.id, false],
      [held.id, false],
    ]);
    await expect(held.result()).resolves.toBe('held');
  });

  it('leaves its key to one of those who wait where it rolls back', async () => {
    const holder = await openTransaction();
    const held = await start('given up', { manager: holder.manager, key: 'given up' });
    const waiting = [app, other, app].map(({ orchestrator }) =>
      orchestrator.start('fulfil', 'given up', { key: 'given up' }),
    );
    await (await start('free again', { key: 'free again' })).result();
    await holder.rollback();
    const found = await Promise.all(waiting);
    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(found.filter(({ created }) => created)).toHaveLength(1);
    expect(found[0]!.id).not.toBe(held.id);
    await expect(found[0]!.result()).resolves.toBe('given up');
  });

  it('delays nobody either where many wait for many held keys', async () => {
    const holder = await openTransaction();
    const keys = Array.from({ length: 30 }, (_, n) => `crowd ${n}`);
    for (const key of keys) await start('crowd', { manager: holder.manager, key });
    const waiting = keys.map((key) => start('crowd', { key }));
    let answered = 0;
    for (const pending of waiting) void pending.then(() => (answered += 1));
    const free = await Promise.all(Array.from({ length: 10 }, (_, n) => start('free', { key: `aside ${n}` })));
    await Promise.all(free.map((run) => run.result()));
    const cancelled = await start('free', { delay: '1h' });
    await cancelled.cancel();
    expect(answered).toBe(0);
    await holder.commit();
    const found = await Promise.all(waiting);
    expect(found.every(({ created }) => !created)).toBe(true);
  });
});
