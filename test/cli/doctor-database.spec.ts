import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Step, Workflow } from 'orchestrate-flow';

import { type Check, type Diagnosis, examine } from '../../lib/cli/doctor/check.js';
import { DatabaseSession } from '../../lib/cli/doctor/database-session.js';
import { transactionsOver } from '../../lib/cli/doctor/runs.js';
import { CONNECTIONS, judgeClock, PRIMARY, SERVER_VERSION } from '../../lib/cli/doctor/server.js';
import { makeAppFolder, type TestAppFolder } from '../support/app-folder.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { runCli } from '../support/run-cli.js';
import { startApp, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'report' })
class Report {
  @Step() print(): void {}
}

let app: TestAppFolder;
let database: TestDatabase;
let db: TestConnection;
let role: string;
let flows: TestApp | undefined;

beforeAll(() => {
  app = makeAppFolder();
});

afterAll(() => app.delete());

beforeEach(async () => {
  database = await createDatabase();
  db = await connect(database);
  role = `app_${database.connection.database}`;
  await db.query(`CREATE ROLE ${role} LOGIN`);
});

afterEach(async () => {
  await flows?.close();
  flows = undefined;
  await db.close();
  await database.drop();
  const server = await connect({ connection: { ...database.connection, database: 'postgres' } });
  await server.query(`DROP ROLE ${role}`);
  await server.close();
});

const urlAs = (user: string) => database.url.replace(/\/\/[^@]*@/, `//${user}@`);

async function examineAs(user: string): Promise<{ code: number; diagnoses: readonly Diagnosis[] }> {
  const { code, printed } = await runCli(['doctor', '--json', '--url', urlAs(user)], { cwd: app.dir });
  return { code, ...(JSON.parse(printed) as { diagnoses: Diagnosis[] }) };
}

/** What a check finds, as the role that made the tables. */
async function look(check: string, user = 'postgres'): Promise<Diagnosis> {
  const { diagnoses } = await examineAs(user);
  const found = diagnoses.filter((diagnosis) => diagnosis.check === check);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const migrate = (...args: string[]) => runCli(['migrate', ...args, '--url', database.url]);
const saying = (text: string) => expect.stringContaining(text) as unknown as string;

describe('orchestrate-flow doctor, given a database', () => {
  it('finds nothing wrong where an app has worked', async () => {
    flows = await startApp({ database, workflows: [Report] });
    await flows.orchestrator.execute(Report);
    const { code, diagnoses } = await examineAs('postgres');
    // The server of the tests may lose its data.
    const wrong = diagnoses.filter(({ state, check }) => state !== 'ok' && check !== 'durability');
    expect({ code, wrong }).toEqual({ code: 0, wrong: [] });
    expect(diagnoses).toContainEqual({ check: 'workers', state: 'ok', says: '1 alive.' });
    expect(diagnoses).toContainEqual({
      check: 'durability',
      state: 'warn',
      says: saying('fsync'),
      remedy: saying('fsync'),
    });
  });

  it('says which database it cannot reach', async () => {
    const { code, printed } = await runCli(['doctor', '--url', 'postgres://ada@127.0.0.1:1/shop'], { cwd: app.dir });
    expect(code).toBe(1);
    expect(printed).toMatch(/^fail {2}database: Cannot connect to database "shop" on 127\.0\.0\.1:1 .*ECONNREFUSED/m);
  });

  it('misses the tables, then those that an older version left out, and refuses those of a newer one', async () => {
    await expect(look('tables')).resolves.toMatchObject({ state: 'fail', remedy: saying('migrate up') });
    await expect(look("BullMQ's tables")).resolves.toMatchObject({ state: 'fail', remedy: saying('migrate up') });
    await migrate('up');
    await migrate('down');
    await expect(look('tables')).resolves.toMatchObject({ state: 'fail', says: saying('pending') });
    await migrate('up');
    const add = (name: string, servesFrom: string) =>
      db.query('INSERT INTO orchestrate_flow.workflow_migration (name, serves_from) VALUES ($1, $2)', [
        name,
        servesFrom,
      ]);
    await add('Kind', '0.1.0');
    await expect(look('tables')).resolves.toMatchObject({ state: 'ok', says: saying('newer version') });
    await add('Strict', '99.0.0');
    await expect(look('tables')).resolves.toMatchObject({ state: 'fail', says: saying('Strict needs version 99.0.0') });
    await db.query('UPDATE bullmq.migration SET min_client_version = 99');
    await expect(look("BullMQ's tables")).resolves.toMatchObject({ state: 'fail', says: saying('BullMQ 99') });
  });

  it('misses a table that was dropped, though all migrations were applied', async () => {
    await runCli(['migrate', 'up', '--url', database.url]);
    await db.query('DROP TABLE orchestrate_flow.workflow_step CASCADE');
    await expect(look('tables')).resolves.toMatchObject({
      state: 'fail',
      says: expect.stringContaining('workflow_step, orphans gone') as unknown,
    });
    await db.query('DROP SCHEMA orchestrate_flow CASCADE');
    await runCli(['migrate', 'up', '--url', database.url]);
  });

  it('names the rights that a role lacks', async () => {
    await migrate('up');
    const bare = await examineAs(role);
    expect(bare.code).toBe(1);
    expect(bare.diagnoses.filter(({ check }) => check === 'rights')).toEqual([
      { check: 'rights', state: 'fail', says: saying(`role "${role}" lacks`), remedy: saying('GRANT USAGE ON SCHEMA') },
    ]);
    for (const schema of ['orchestrate_flow', 'bullmq'])
      await db.query(
        `GRANT USAGE ON SCHEMA ${schema} TO ${role}; GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
      );
    await expect(look('rights', role)).resolves.toMatchObject({
      state: 'fail',
      says: saying('CREATE on schema bullmq'),
    });
    await db.query(`GRANT CREATE ON SCHEMA bullmq TO ${role}`);
    await expect(look('rights', role)).resolves.toMatchObject({ state: 'warn', says: saying('not migrate') });
    expect((await examineAs(role)).code).toBe(0);
    await db.query(`REVOKE INSERT ON orchestrate_flow.workflow_run FROM ${role}`);
    await expect(look('rights', role)).resolves.toMatchObject({
      state: 'fail',
      says: `role "${role}" lacks INSERT on orchestrate_flow.workflow_run.`,
    });
  });

  it('warns of settings that hurt', async () => {
    await db.query(`ALTER ROLE ${role} SET statement_timeout = '2s'; ALTER ROLE ${role} SET synchronous_commit = off`);
    await db.query(
      `ALTER ROLE ${role} SET idle_session_timeout = '1h'; ALTER ROLE ${role} SET default_transaction_read_only = on`,
    );
    const { diagnoses } = await examineAs(role);
    const warnings = diagnoses.filter(({ state }) => state === 'warn').map(({ says }) => says);
    expect(warnings).toContainEqual(saying('statement_timeout is 2000 ms'));
    expect(warnings).toContainEqual(saying('idle_session_timeout is 3600000 ms'));
    expect(warnings).toContainEqual(saying('synchronous_commit is off'));
    expect(diagnoses).toContainEqual({
      check: 'primary',
      state: 'fail',
      says: saying('read-only'),
      remedy: saying('off'),
    });
  });

  it('finds what lies in the tables and goes nowhere', async () => {
    flows = await startApp({ database, workflows: [Report] });
    await flows.orchestrator.execute(Report);
    await flows.close();
    flows = undefined;
    const insertRun = (worker: string | null) =>
      db.query(
        `INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, input, worker)
         SELECT $1, 'report', id, 'running', 'q', 'null', $2 FROM orchestrate_flow.workflow_definition`,
        [randomUUID(), worker],
      );
    const insertStep = (status: string, queue: string) =>
      db.query(
        `INSERT INTO orchestrate_flow.workflow_step
           (run_id, name, status, attempt, failures, crashes, definition, queue, priority, created_at)
         SELECT $1, 'print', $2, 0, 0, 0, id, $3, 0, now() - interval '2 minutes' FROM orchestrate_flow.workflow_definition`,
        [randomUUID(), status, queue],
      );
    const insertWorker = (status: string, lease: string) =>
      db.query(
        `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
         VALUES ($1, $2, 'there', 1, '{pdf}', now() + $3::interval)`,
        [randomUUID(), status, lease],
      );
    await insertRun(null);
    await insertStep('ready', 'mail');
    await insertStep('quarantined', 'mail');
    await insertWorker('alive', '-5 minutes');
    const { code, diagnoses } = await examineAs('postgres');
    expect(code).toBe(1);
    const found = (check: string) => diagnoses.find((diagnosis) => diagnosis.check === check);
    expect(found('orphans')).toMatchObject({ state: 'fail', says: saying('1 open run has nobody') });
    expect(found('waiting steps')).toMatchObject({
      state: 'warn',
      says: saying('"mail", which no living worker serves'),
    });
    expect(found('quarantine')).toMatchObject({ state: 'warn', says: saying('report.print (1)') });
    expect(found('workers')).toMatchObject({ state: 'warn', says: saying('1 dead, long ago') });
    // A worker of the queue that does not have the workflow.
    await db.query('UPDATE orchestrate_flow.workflow_step SET queue = $1', ['pdf']);
    await insertWorker('alive', '1 hour');
    await db.query('DELETE FROM orchestrate_flow.workflow_run WHERE ended_at IS NULL');
    await expect(look('waiting steps')).resolves.toMatchObject({
      state: 'warn',
      says: saying('no living process runs any of it'),
    });
  });

  it('names whoever keeps a transaction open', async () => {
    await db.query('BEGIN');
    await db.query('SELECT 1');
    const session = await DatabaseSession.open(database.connection, 'orchestrate_flow');
    const [found] = await examine([transactionsOver(0)], session);
    expect(found).toMatchObject({ state: 'warn', remedy: saying('pg_terminate_backend') });
    await db.query('ROLLBACK');
    expect(await examine([transactionsOver(0)], session)).toMatchObject([{ state: 'ok' }]);
    await session.close();
  });
});

/** What the server of the tests cannot be made to answer. */
async function answering(check: Check<DatabaseSession>, answer: object): Promise<Diagnosis> {
  const server = { ask: () => Promise.resolve(answer) } as Partial<DatabaseSession> as DatabaseSession;
  return (await examine([check], server))[0]!;
}

describe('a server', () => {
  it('that is old, a replica, or full is told apart from one that is none of these', async () => {
    await expect(answering(SERVER_VERSION, { version: '12.9', number: 120_009 })).resolves.toMatchObject({
      state: 'fail',
    });
    await expect(answering(PRIMARY, { replica: true, readonly: true })).resolves.toMatchObject({
      ...{ state: 'fail', remedy: 'Name the primary.' },
    });
    await expect(answering(CONNECTIONS, { used: 90, all: 97 })).resolves.toMatchObject({ state: 'warn' });
    await expect(answering(CONNECTIONS, { used: 9, all: 97 })).resolves.toMatchObject({ state: 'ok' });
  });

  it('with another clock is worth a word', () => {
    expect(judgeClock(29_000).state).toBe('ok');
    expect(judgeClock(-60_000)).toMatchObject({ state: 'warn', says: saying('60 s behind') });
    expect(judgeClock(60_000)).toMatchObject({ state: 'warn', says: saying('60 s ahead') });
  });
});
