import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { Committer } from '../../lib/persistence/committer.js';
import { SqlRunStore } from '../../lib/persistence/sql-run-store.js';
import * as drafts from '../support/commit-drafts.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const PROCESSES = 4;
const ROUNDS = 60;
const LIMIT = 2;
const OPTIONS = { schema: 'orchestrate_flow', leaseMs: 10_000 };

/** Number of the lock that holds up whoever is in `slow`, each time the time is asked for: that is after the snapshot was taken. */
const HOLD = 77;
const HELD_UP = `
CREATE TABLE orchestrate_flow.slow (pid integer);
CREATE OR REPLACE FUNCTION orchestrate_flow.now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $now$
BEGIN
  IF EXISTS (SELECT 1 FROM orchestrate_flow.slow s WHERE s.pid = pg_backend_pid()) THEN
    PERFORM pg_advisory_lock_shared(${HOLD});
    PERFORM pg_advisory_unlock_shared(${HOLD});
  END IF;
  RETURN statement_timestamp();
END $now$`;

/** Each admission is one statement: what races is what happens inside the server, which no turnstile can order. */
describe('processes that let runs have their turn at the same moment', () => {
  let database: TestDatabase;
  let db: TestConnection;
  let door: Committer;
  let stores: SqlRunStore[];

  beforeAll(async () => {
    database = await createDatabase();
    db = await connect(database);
    const { host, port, user: username, database: name } = database.connection;
    const dataSource = await new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
    await migrate(dataSource);
    await dataSource.destroy();
    door = new Committer(database.connection, { ...OPTIONS, onHealth: () => {} });
    stores = Array.from(
      { length: PROCESSES },
      () => new SqlRunStore(database.connection, { ...OPTIONS, onUnavailable: () => {} }),
    );
    // The first is the first that connects.
    await stores[0]!.findRun(randomUUID());
  }, 60_000);

  afterAll(async () => {
    await Promise.all([door?.close(), db?.close(), ...(stores ?? []).map((store) => store.close())]);
    await database?.drop();
  });

  it('never let more of them begin than there is room for, and as many as there is', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const workflow = randomUUID();
      await stores[0]!.limits.put([{ workflow, total: LIMIT, perTenant: null }], []);
      const born = { workflow, definition: 1, status: 'pending', state: '.', isGated: true } as const;
      const runs = Array.from({ length: 6 }, () => drafts.newRun(born));
      await door.start(() => runs, false);
      let left = 6;
      while (left > 0) {
        // Each asks again and again, as it does where another was at it.
        const admitted = await Promise.all(stores.map((store) => admitAll(store, workflow)));
        const ids = admitted.flat();
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids).toHaveLength(Math.min(LIMIT, left));
        left -= ids.length;
        await end(ids);
      }
    }
  }, 120_000);

  it('do nothing where somebody has given turns since they have counted', async () => {
    const [slow, quick] = [stores[0]!, stores[1]!];
    await db.query(HELD_UP);
    const workflow = randomUUID();
    await slow.limits.put([{ workflow, total: 1, perTenant: null }], []);
    const born = { workflow, definition: 1, status: 'pending', state: '.', isGated: true } as const;
    await door.start(() => [drafts.newRun({ ...born, priority: 1 })], false);
    // Planned and connected before anything is held up.
    await slow.limits.admit([randomUUID()], 1);
    await db.query(`SELECT pg_advisory_lock(${HOLD})`);
    await db.query(
      `INSERT INTO orchestrate_flow.slow SELECT pid FROM pg_stat_activity
       WHERE application_name = 'orchestrate-flow claims' AND datname = current_database() ORDER BY backend_start LIMIT 1`,
    );
    const late = slow.limits.admit([workflow], 1);
    await waitFor('one has its snapshot', async () => {
      const waiting = await db.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
      return waiting.length > 0;
    });
    const urgent = drafts.newRun(born);
    await door.start(() => [urgent], false);
    const early = await quick.limits.admit([workflow], 1);
    await db.query(`SELECT pg_advisory_unlock(${HOLD})`);
    expect(early.admitted).toEqual([urgent.id]);
    expect(await late).toMatchObject({ admitted: [], isBusy: true });
  });

  async function admitAll({ limits }: SqlRunStore, workflow: string): Promise<string[]> {
    const admitted: string[] = [];
    for (let tries = 0; tries < 5; tries++) admitted.push(...(await limits.admit([workflow], 100)).admitted);
    return admitted;
  }

  async function end(ids: readonly string[]): Promise<void> {
    const change = { definition: 1, revision: 0, status: 'completed', state: 'c', ended: true } as const;
    const answers = await Promise.all(ids.map((id) => door.submit(() => drafts.runWrite({ id, ...change }))));
    expect(answers.every(({ kind }) => kind === 'applied')).toBe(true);
  }
});
