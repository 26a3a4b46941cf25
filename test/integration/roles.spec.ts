import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate, type OrchestrateFlowOptions, Step, Workflow } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'plain' })
class Plain {
  static readonly output = 'one';

  @Step() one(): number {
    return 1;
  }
}

let database: TestDatabase;
let owner: TestConnection;
let role: string;
/** The same database, as a role that owns nothing. */
let asRole: TestDatabase;
let app: TestApp | undefined;

beforeAll(async () => {
  database = await createDatabase();
  owner = await connect(database);
  role = `app_${randomUUID().replaceAll('-', '')}`;
  await owner.query(`CREATE ROLE ${role} LOGIN`);
  asRole = { ...database, url: database.url.replace(`${database.connection.user}@`, `${role}@`) };
});

beforeEach(async () => {
  await owner.query(`DROP OWNED BY ${role}`);
  await owner.query('DROP SCHEMA IF EXISTS orchestrate_flow, bullmq CASCADE');
});

afterEach(async () => {
  await app?.close();
  app = undefined;
});

afterAll(async () => {
  await owner?.query(`DROP OWNED BY ${role}`);
  await owner?.query(`DROP ROLE ${role}`);
  await owner?.close();
  await database?.drop();
});

async function migrateAsOwner(): Promise<void> {
  const source = await new DataSource({ type: 'postgres', url: database.url }).initialize();
  await migrate(source);
  await source.destroy();
}

const start = async (migrations: OrchestrateFlowOptions['migrations']) =>
  (app = await startApp({ database: asRole, workflows: [Plain], migrations }));
const refusal = (text: string) => ({
  code: 'OF_DATABASE_UNSUITABLE',
  message: expect.stringContaining(text) as unknown,
});

describe('a role that may create nothing', () => {
  it('is refused where nothing is there yet', async () => {
    await expect(start('run')).rejects.toMatchObject(refusal('Cannot create or update the tables'));
    await expect(start('check')).rejects.toMatchObject({ code: 'OF_SCHEMA_OUTDATED' });
  });

  it('is refused with the grants, and does with them what README says', async () => {
    await migrateAsOwner();
    const { message } = (await start('check').catch((error: unknown) => error)) as Error;
    expect(message).toContain(`role "${role}"`);
    const grants = message.slice(message.indexOf('GRANT'));
    await owner.query(grants);
    for (const migrations of ['check', 'run'] as const) {
      await start(migrations);
      await expect(app!.orchestrator.execute(Plain)).resolves.toBe(1);
      expect(app!.events.filter(({ type }) => type.endsWith('unavailable'))).toEqual([]);
      await app!.close();
    }
    app = undefined;
    const jobs = await owner.query("SELECT 1 FROM pg_sequences WHERE schemaname = 'bullmq' AND sequenceowner = $1", [
      role,
    ]);
    expect(jobs).toHaveLength(1);
  });
});

describe('a role that may not create the tables of BullMQ', () => {
  it('is told so by name, not with a raw error', async () => {
    await owner.query(`CREATE SCHEMA orchestrate_flow AUTHORIZATION ${role}`);
    await owner.query('CREATE SCHEMA bullmq');
    await owner.query(`GRANT USAGE ON SCHEMA bullmq TO ${role}`);
    await expect(start('run')).rejects.toMatchObject(refusal('CREATE'));
  });

  it('is told so by `check`', async () => {
    await migrateAsOwner();
    await owner.query('DROP SCHEMA bullmq CASCADE');
    await owner.query(`GRANT USAGE ON SCHEMA orchestrate_flow TO ${role}`);
    await owner.query(`GRANT ALL ON ALL TABLES IN SCHEMA orchestrate_flow TO ${role}`);
    await owner.query(`GRANT ALL ON ALL SEQUENCES IN SCHEMA orchestrate_flow TO ${role}`);
    await expect(start('check')).rejects.toMatchObject({
      code: 'OF_SCHEMA_OUTDATED',
      message: expect.stringContaining('BullMQ') as unknown,
    });
  });
});
