import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Diagnosis } from '../../lib/cli/doctor/check.js';
import { makeAppFolder, type TestAppFolder } from '../support/app-folder.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { runCli } from '../support/run-cli.js';
import { startPgBouncer } from '../support/start-pgbouncer.js';

let app: TestAppFolder;
let database: TestDatabase;

beforeAll(async () => {
  app = makeAppFolder();
  database = await createDatabase();
});

afterAll(async () => {
  await database?.drop();
  app?.delete();
});

/** What the doctor finds behind a pooler, of what a pooler may take away. */
async function examineBehind(mode: 'transaction' | 'session', size: number): Promise<Record<string, Diagnosis>> {
  const { connection } = database;
  const pooler = await startPgBouncer(connection, { mode, role: connection.user, size });
  try {
    const url = `postgres://${connection.user}@${pooler.address.host}:${pooler.address.port}/${connection.database}`;
    const { printed } = await runCli(['doctor', '--json', '--url', url], { cwd: app.dir });
    const { diagnoses } = JSON.parse(printed) as { diagnoses: Diagnosis[] };
    return Object.fromEntries(diagnoses.map((diagnosis) => [diagnosis.check, diagnosis]));
  } finally {
    await pooler.stop();
  }
}

const OF_SESSIONS = ['notifications', 'session settings', 'prepared statements'];

describe('orchestrate-flow doctor, behind PgBouncer', () => {
  it.each([10, 1])('in transaction mode with %i connections names what is lost, and directUrl', async (size) => {
    const found = await examineBehind('transaction', size);
    for (const check of OF_SESSIONS)
      expect(found[check]).toMatchObject({
        state: 'fail',
        remedy: expect.stringContaining('directUrl') as unknown as string,
      });
    expect(found['PostgreSQL']!.state).toBe('ok');
  });

  it('in session mode misses nothing', async () => {
    const found = await examineBehind('session', 20);
    for (const check of OF_SESSIONS) expect(found[check]!.state).toBe('ok');
  });
});
