import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate, ORCHESTRATE_FLOW_ENTITIES } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { buildLibrary, type LibraryBuild } from '../support/build-library.mjs';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

/** What a transaction of the step sends, in this order. */
const STATEMENTS = ['its beginning', 'its limits', 'one effect', 'the other', 'its outcome', 'COMMIT', 'its end'];
const PATIENCE = { timeoutMs: 60_000 };

let build: LibraryBuild;
let database: TestDatabase;
let db: TestConnection;
const children: ChildProcess[] = [];

beforeAll(async () => {
  build = buildLibrary();
  database = await createDatabase();
  const entities = [...ORCHESTRATE_FLOW_ENTITIES];
  const dataSource = await new DataSource({ type: 'postgres', url: database.url, entities }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  db = await connect(database);
  await db.query('CREATE TABLE entry (account text, workflow text)');
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await db?.close();
  await database?.drop();
  build?.remove();
});

interface Order {
  readonly workflows: readonly string[];
  /** Whether it starts a run of the first of them. */
  readonly start: boolean;
  readonly before?: number;
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

function startProcess(order: Order): ChildProcess {
  const given = JSON.stringify({ library: build.library, url: database.url, ...order });
  const child = fork(join(import.meta.dirname, 'transactional-process.mjs'), [given]);
  children.push(child);
  return child;
}

interface Ended {
  readonly workflow: string;
  readonly attempt: number;
  readonly entries: number;
}

/** Runs that have completed, with the attempt that did it and what is there of its effects. */
function findCompleted(): Promise<Ended[]> {
  return db.query<Ended>(`
    SELECT r.workflow, s.attempt, (SELECT count(*)::int FROM entry e WHERE e.workflow = r.workflow) AS entries
    FROM orchestrate_flow.workflow_run r JOIN orchestrate_flow.workflow_step s ON s.run_id = r.id
    WHERE r.status = 'completed' ORDER BY r.workflow`);
}

describe('a transactional step', () => {
  it('has its effect once, wherever in its transaction its process was killed or stopped', async () => {
    const killed = STATEMENTS.map((_, before) => `killed-${before}`);
    const victims = killed.map((name, before) =>
      startProcess({ workflows: [name], start: true, before, signal: 'SIGKILL' }),
    );
    const commit = STATEMENTS.indexOf('COMMIT');
    const zombie = startProcess({ workflows: ['stopped'], start: true, before: commit, signal: 'SIGSTOP' });
    const refused = once(zombie, 'message').then(() => once(zombie, 'message'));
    const exits = await Promise.all(victims.map((victim) => once(victim, 'exit')));
    expect(exits.map(([, signal]) => signal as string)).toEqual(killed.map(() => 'SIGKILL'));

    startProcess({ workflows: [...killed, 'stopped'], start: false });
    const all = await waitFor(
      'all have completed',
      async () => {
        const completed = await findCompleted();
        return completed.length === killed.length + 1 && completed;
      },
      PATIENCE,
    );
    // Whose transaction had come in was not run again.
    const attemptOf = (before: number) => (before > commit ? 1 : 2);
    const expected = killed.map((workflow, before) => ({ workflow, attempt: attemptOf(before), entries: 2 }));
    expect(all).toEqual([...expected, { workflow: 'stopped', attempt: 2, entries: 2 }]);

    zombie.kill('SIGCONT');
    expect(await refused).toMatchObject([{ refused: expect.any(String) }]);
    expect(await findCompleted()).toEqual(all);
  }, 120_000);
});
