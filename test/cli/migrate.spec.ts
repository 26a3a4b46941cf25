import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Result, Step, Workflow } from 'orchestrate-flow';

import { MIGRATIONS } from '../../lib/persistence/migrations/index.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { runCli } from '../support/run-cli.js';
import { startApp } from '../support/start-app.js';

@Workflow({ name: 'two' })
class Two {
  static readonly output = 'second';

  @Step() first(): number {
    return 1;
  }
  @Step() second(@Result('first') first: number): number {
    return first + 1;
  }
}

const NAMES = MIGRATIONS.map(({ migration }) => migration.name);
const NEWEST = NAMES.at(-1)!;

let database: TestDatabase;
let db: TestConnection;

beforeEach(async () => {
  database = await createDatabase();
  db = await connect(database);
});

afterEach(async () => {
  await db.close();
  await database.drop();
});

const migrate = (...args: string[]) => runCli(['migrate', ...args], { env: { DATABASE_URL: database.url } });

describe('orchestrate-flow migrate', () => {
  it('up makes what an app that only checks asks for, and the second time there is nothing to do', async () => {
    const first = await migrate('up');
    expect(first).toMatchObject({ code: 0, noted: '' });
    for (const name of NAMES) expect(first.printed).toContain(`Applied ${name}.`);
    const second = await migrate('up');
    expect(second.printed).toBe(first.printed.split('\n').slice(NAMES.length).join('\n'));
    const app = await startApp({ database, migrations: 'check', workflows: [Two] });
    await expect(app.orchestrator.execute(Two)).resolves.toBe(2);
    await app.close();
  });

  it('status says what is pending, and ends with 1 as long as something is', async () => {
    const empty = await migrate('status');
    expect(empty).toMatchObject({ code: 1, noted: '' });
    expect(empty.printed).toMatch(new RegExp(`${NEWEST} +pending`));
    expect(empty.printed).toMatch(/BullMQ, 0 of \d+ +missing/);
    await migrate('up', '--queue', 'redis');
    expect(await migrate('status', '--queue', 'redis')).toMatchObject({ code: 0 });
    expect((await migrate('status')).printed).toMatch(/BullMQ's tables are missing: run/);
    await migrate('up');
    expect(await migrate('status')).toMatchObject({
      code: 0,
      printed: expect.stringContaining('up to date') as unknown as string,
    });
    await migrate('down');
    const behind = await migrate('status', '--json');
    expect(behind.code).toBe(1);
    expect(JSON.parse(behind.printed)).toMatchObject({
      schema: 'orchestrate_flow',
      migrations: [
        ...NAMES.slice(0, -1).map((name) => ({ name, state: 'applied' })),
        { name: NEWEST, state: 'pending' },
      ],
      bullmq: { state: 'current' },
      faults: [expect.stringContaining('1 pending')],
    });
  });

  it('says of tables of a newer version whether they still serve this one', async () => {
    await migrate('up');
    const add = (name: string, servesFrom: string) =>
      db.query('INSERT INTO orchestrate_flow.workflow_migration (name, serves_from) VALUES ($1, $2)', [
        name,
        servesFrom,
      ]);
    await add('Kind', '0.1.0');
    const served = await migrate('status');
    expect(served.code).toBe(0);
    expect(served.printed).toMatch(/Kind +unknown +0\.1\.0/);
    expect((await migrate('up')).code).toBe(0);
    await add('Strict', '99.0.0');
    expect(await migrate('status')).toMatchObject({ code: 1 });
    for (const command of ['up', 'down']) {
      const refused = await migrate(command);
      expect(refused).toMatchObject({ code: 1, printed: '' });
      expect(refused.noted).toMatch(/^OF_SCHEMA_TOO_NEW: .*Strict/);
    }
  });

  it('down takes back one, or as many as asked for, but no runs unless told to', async () => {
    const app = await startApp({ database, workflows: [Two] });
    await app.orchestrator.execute(Two);
    await app.orchestrator.start(Two, undefined, { delay: '1h' });
    await app.close();
    expect(await migrate('down')).toEqual({ code: 0, printed: `Took back ${NEWEST}.`, noted: '' });
    const refused = await migrate('down', '--steps', '100');
    expect(refused).toMatchObject({ code: 1, printed: '' });
    expect(refused.noted).toMatch(/^OF_RUNS_AT_STAKE: .*2 runs, 1 of them not ended.*--yes/);
    expect(await db.query('SELECT 1 FROM orchestrate_flow.workflow_run')).toHaveLength(2);
    const told = await migrate('down', '--steps', '100', '--yes', '--json');
    expect(told.code).toBe(0);
    expect(JSON.parse(told.printed)).toEqual({ schema: 'orchestrate_flow', reverted: NAMES.slice(0, -1).reverse() });
    expect((await migrate('down')).printed).toContain('nothing to take back');
    expect((await migrate('up')).code).toBe(0);
    // Tables without runs may go.
    expect((await migrate('down', '--steps', '100')).code).toBe(0);
  });

  it('sql prints a script that does what up does, and asks no database', async () => {
    const script = await runCli(['migrate', 'sql', '--schema', 'team_b']);
    expect(script).toMatchObject({ code: 0, noted: '' });
    for (let times = 0; times < 2; times++) await db.query(script.printed);
    expect((await migrate('status', '--schema', 'team_b')).code).toBe(0);
    expect((await migrate('status')).code).toBe(1);
    const { printed } = await migrate('up', '--schema', 'team_b', '--json');
    expect(JSON.parse(printed)).toMatchObject({ applied: [] });
  });

  it('takes --url before DATABASE_URL', async () => {
    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' };
    expect((await runCli(['migrate', 'up', '--url', database.url], { env })).code).toBe(0);
    const refused = await runCli(['migrate', 'up', '--json'], { env });
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.printed)).toMatchObject({
      error: { code: 'OF_DATABASE_UNAVAILABLE', message: expect.stringContaining('DATABASE_URL') as unknown as string },
    });
  });

  it('says which role may not migrate, and what to grant', async () => {
    const role = `reader_${database.connection.database}`;
    await db.query(`CREATE ROLE ${role} LOGIN`);
    const url = database.url.replace(/\/\/[^@]*@/, `//${role}@`);
    const refused = await runCli(['migrate', 'up', '--url', url]);
    expect(refused).toMatchObject({ code: 1, printed: '' });
    expect(refused.noted).toMatch(/^OF_DATABASE_UNSUITABLE: .*lacks the right/);
    await db.query(`DROP ROLE ${role}`);
  });
});
