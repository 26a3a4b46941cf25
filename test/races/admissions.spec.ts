import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { Committer } from '../../lib/persistence/committer.js';
import { SqlRunStore } from '../../lib/persistence/sql-run-store.js';
import * as drafts from '../support/commit-drafts.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';

const PROCESSES = 4;
const ROUNDS = 60;
const LIMIT = 2;
const OPTIONS = { schema: 'orchestrate_flow', leaseMs: 10_000 };

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
