import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate, ORCHESTRATE_FLOW_ENTITIES } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { buildLibrary, type LibraryBuild } from '../support/build-library.mjs';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const ROWS = 800;
const PATIENCE = { timeoutMs: 60_000 };

interface Told {
  readonly attempt?: number;
  readonly from?: number;
  readonly row?: number;
  readonly result?: { readonly attempt: number; readonly from: number };
}

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
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await db?.close();
  await database?.drop();
  build?.remove();
});

function startProcess(): { readonly child: ChildProcess; readonly told: Told[] } {
  const given = JSON.stringify({ library: build.library, url: database.url, rows: ROWS });
  const child = fork(join(import.meta.dirname, 'heartbeat-process.mjs'), [given]);
  children.push(child);
  const told: Told[] = [];
  child.on('message', (message) => told.push(message as Told));
  return { child, told };
}

const last = (told: readonly Told[]) => told.findLast(({ row }) => row !== undefined)?.row ?? -1;

describe('a long step whose processes are killed', () => {
  it('goes on inside each time, from what it has told last and was stored', async () => {
    const first = startProcess();
    await waitFor('it is well on its way', async () => last(first.told) > 150, PATIENCE);
    first.child.kill('SIGKILL');
    const second = startProcess();
    await waitFor('another goes on', async () => last(second.told) > 400, PATIENCE);
    const [stored] = await db.query<{ details: string }>('SELECT details FROM orchestrate_flow.workflow_heartbeat');
    second.child.kill('SIGKILL');
    const third = startProcess();
    await waitFor('the run has completed', async () => third.told.some(({ result }) => result !== undefined), PATIENCE);

    const { from: beganSecond } = second.told.find(({ attempt }) => attempt === 2)!;
    const { from: beganThird, attempt } = third.told.find(({ result }) => result !== undefined)!.result!;
    expect(attempt).toBe(3);
    // Not from the beginning, and nothing is passed over: at most what was told in the last second is done again.
    expect(beganSecond).toBeGreaterThan(0);
    expect(beganSecond).toBeLessThanOrEqual(last(first.told) + 2);
    expect(beganThird).toBeGreaterThanOrEqual(Number(stored!.details));
    expect(beganThird).toBeLessThanOrEqual(last(second.told) + 2);
  }, 120_000);
});
