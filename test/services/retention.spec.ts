import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Input, Step, WaitForSignal, Workflow } from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import type { PostgresServer } from '../support/postgres-server.mjs';
import { startPostgresServer } from '../support/postgres-server.mjs';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

const WAVES = 50;
const RUNS_A_WAVE = 100;
/** Waves that may be there at once: some that run, some that are kept, some that are being deleted. */
const WAVES_AT_ONCE = 12;

class Purchase {
  address!: string;
}

@Workflow({ name: 'order' })
class Order {
  static readonly input = Purchase;

  @Step() reserve(@Input() { address }: Purchase): string {
    return address;
  }
  @WaitForSignal('paid') paid(): void {}
  @Step() ship(): string {
    return 'shipped';
  }
}

let server: PostgresServer;
let app: TestApp;
let db: TestConnection;

beforeEach(async () => {
  // As often as a machine under load would have its tables cleaned, in a test of a minute.
  server = await startPostgresServer({ settings: { autovacuum_naptime: 1, autovacuum_vacuum_cost_delay: 0 } });
  const database = toDatabase(server);
  app = await startApp({ database, workflows: [Order], lease: '2s', retention: { completed: '1m' } });
  db = await connect(database);
  await hurry();
}, 60_000);

afterEach(async () => {
  await app?.close();
  await db?.close();
  await server?.stop();
});

it('keeps the tables as large as what is kept, however many runs have been', async () => {
  const empty = await measure();
  let bytesPerRun = 0;
  let most = 0;
  for (let wave = 1; wave <= WAVES; wave++) {
    await runWave();
    // What is kept for a minute of this clock, and deleted by the next look after that.
    await waitFor('what has ended is deleted', async () => (await countRuns()) < WAVES_AT_ONCE * RUNS_A_WAVE);
    const runs = await countRuns();
    most = Math.max(most, runs);
    // As long as none has been deleted it is known what one takes.
    if (runs === wave * RUNS_A_WAVE) bytesPerRun = (await measure()) / runs;
  }
  const last = await measure();
  process.stdout.write(
    `${JSON.stringify({ runs: WAVES * RUNS_A_WAVE, mostAtOnce: most, bytesPerRun, empty, last })}\n`,
  );
  // Half of what all of them would take, and more than what may be there at once.
  expect(last).toBeLessThan((bytesPerRun * WAVES * RUNS_A_WAVE) / 2);
  await waitFor('all are deleted', async () => (await countRuns()) === 0);
}, 300_000);

/** A hundred runs, from their start to their end, each with a signal and what somebody asked of it. */
async function runWave(): Promise<void> {
  const input = { address: 'a long address '.repeat(30) };
  const orders = Array.from({ length: RUNS_A_WAVE }, () => ({ input }));
  const runs = await app.orchestrator.startMany(Order, orders);
  await Promise.all(runs.map((run) => run.signal('paid', 'by card')));
  await Promise.all(runs.map((run) => run.result()));
}

/** From now on the workflows' clock makes a minute of each second. */
async function hurry(): Promise<void> {
  await db.query(`CREATE OR REPLACE FUNCTION orchestrate_flow.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT statement_timestamp() + 60 * (statement_timestamp() - '${new Date().toISOString()}') $$`);
}

async function countRuns(): Promise<number> {
  const [row] = await db.query<{ runs: number }>('SELECT count(*)::int AS runs FROM orchestrate_flow.workflow_run');
  return row!.runs;
}

/** Bytes of all tables of runs, with their indexes. */
async function measure(): Promise<number> {
  const [row] = await db.query<{ bytes: number }>(
    `SELECT sum(pg_total_relation_size(c.oid))::int AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'orchestrate_flow' AND c.relkind = 'r'`,
  );
  return row!.bytes;
}

function toDatabase({ connection }: PostgresServer) {
  const { host, port, user, database } = connection;
  const url = `postgres://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
  return { connection, url, drop: () => Promise.resolve() };
}
