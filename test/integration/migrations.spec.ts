import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getRepositoryToken } from '@nestjs/typeorm';
import { migrate, Result, Step, Workflow, WorkflowRun } from 'orchestrate-flow';
import { Column, DataSource, Entity, PrimaryColumn, type Repository } from 'typeorm';

import { RUN_STATUSES, STEP_STATUSES } from '../../lib/engine/words.js';
import { MIGRATIONS } from '../../lib/persistence/migrations/index.js';
import { findPending, revertMigrations } from '../../lib/persistence/migrator.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp } from '../support/start-app.js';

@Entity('customer_order')
class CustomerOrder {
  @PrimaryColumn({ type: 'text' }) id!: string;
  @Column({ name: 'run_id', type: 'uuid' }) runId!: string;
}

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

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createDatabase();
  dataSource = await open(database);
});

afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

function open({ connection }: TestDatabase): Promise<DataSource> {
  const { host, port, user: username, database: name } = connection;
  return new DataSource({ type: 'postgres', host, port, username, database: name }).initialize();
}

async function tablesOf(schema: string): Promise<string[]> {
  const rows: { name: string }[] = await dataSource.query(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

/** Columns, constraints and indexes, as the database describes them. */
async function describeSchema(source: DataSource, schema: string): Promise<unknown> {
  return source.query(
    `SELECT table_name, column_name, data_type, is_nullable, column_default, NULL AS text FROM information_schema.columns WHERE table_schema = $1
     UNION ALL SELECT tablename, indexname, NULL, NULL, NULL, indexdef FROM pg_indexes WHERE schemaname = $1
     UNION ALL SELECT conrelid::regclass::text, conname, NULL, NULL, NULL, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = $1::regnamespace
     ORDER BY 1, 2, 3`,
    [schema],
  );
}

describe('the migrations', () => {
  it('go up, down and up again, to the same tables', async () => {
    await migrate(dataSource);
    const first = await describeSchema(dataSource, 'orchestrate_flow');
    expect(await findPending(dataSource)).toEqual([]);
    await revertMigrations(dataSource);
    expect(await tablesOf('orchestrate_flow')).toEqual(['workflow_migration']);
    expect(await findPending(dataSource)).toEqual(MIGRATIONS.map(({ migration }) => migration.name));
    await migrate(dataSource);
    expect(await describeSchema(dataSource, 'orchestrate_flow')).toEqual(first);
    await migrate(dataSource);
  });

  it('may be run by eight at once', async () => {
    const fresh = await createDatabase();
    const sources = await Promise.all(Array.from({ length: 8 }, () => open(fresh)));
    await Promise.all(sources.map((source) => migrate(source)));
    const ledger: unknown[] = await sources[0]!.query('SELECT name FROM orchestrate_flow.workflow_migration');
    expect(ledger).toHaveLength(MIGRATIONS.length);
    await Promise.all(sources.map((source) => source.destroy()));
    await fresh.drop();
  });

  it('list the words of the engine in their checks', async () => {
    const checks: { text: string }[] = await dataSource.query(
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
       WHERE contype = 'c' AND connamespace = 'orchestrate_flow'::regnamespace`,
    );
    const lists = checks.map(({ text }) => [...text.matchAll(/'(\w+)'/g)].map(([, word]) => word));
    expect(lists).toContainEqual([...RUN_STATUSES]);
    expect(lists).toContainEqual(STEP_STATUSES.filter((status) => status !== 'pending'));
  });
});

describe('an app that only checks', () => {
  it('refuses to start where migrations are pending, and names them', async () => {
    const fresh = await createDatabase();
    await expect(startApp({ database: fresh, migrations: 'check' })).rejects.toMatchObject({
      code: 'OF_SCHEMA_OUTDATED',
      message: expect.stringContaining(MIGRATIONS[0]!.migration.name) as unknown as string,
    });
    const source = await open(fresh);
    await migrate(source);
    const app = await startApp({ database: fresh, migrations: 'check', workflows: [Two] });
    await expect(app.orchestrator.execute(Two)).resolves.toBe(2);
    await app.close();
    await source.destroy();
    await fresh.drop();
  });
});

describe('another schema', () => {
  it('serves from end to end, beside the default one', async () => {
    const apps = [
      await startApp({ database, schema: 'flows_of_team_b', workflows: [Two], entities: [] }),
      await startApp({ database, workflows: [Two], entities: [] }),
    ];
    for (const app of apps) {
      const run = await app.dataSource.transaction((manager) =>
        app.orchestrator.start(Two, undefined, { manager, key: 'same key' }),
      );
      expect(run.created).toBe(true);
      await expect(run.result()).resolves.toBe(2);
      await expect(app.orchestrator.execute(Two, undefined, { delay: '50ms' })).resolves.toBe(2);
      expect((await app.orchestrator.list()).runs).toHaveLength(2);
      expect(await app.orchestrator.steps(run.id)).toMatchObject([{ status: 'completed' }, { status: 'completed' }]);
    }
    await Promise.all(apps.map((app) => app.close()));
    expect(await tablesOf('flows_of_team_b')).toEqual(await tablesOf('orchestrate_flow'));
  });
});

describe('an app with entities of its own', () => {
  it('that synchronizes them leaves our tables alone', async () => {
    const fresh = await createDatabase();
    const source = await open(fresh);
    await migrate(source);
    const before = await describeSchema(source, 'orchestrate_flow');
    const app = await startApp({ database: fresh, workflows: [Two], entities: [CustomerOrder] });
    await app.dataSource.synchronize();
    expect(await describeSchema(source, 'orchestrate_flow')).toEqual(before);
    const { upQueries } = await app.dataSource.driver.createSchemaBuilder().log();
    expect(upQueries).toEqual([]);
    await app.close();
    await source.destroy();
    await fresh.drop();
  });

  it('injects our repositories and joins our tables with its own', async () => {
    const fresh = await createDatabase();
    const app = await startApp({ database: fresh, workflows: [Two], entities: [CustomerOrder] });
    const run = await app.orchestrator.start(Two);
    await run.result();
    await app.dataSource.getRepository(CustomerOrder).save({ id: 'o-1', runId: run.id });
    const runs = app.context.get<Repository<WorkflowRun>>(getRepositoryToken(WorkflowRun), { strict: false });
    await expect(runs.findOneBy({ id: run.id })).resolves.toMatchObject({ workflow: 'two', status: 'completed' });
    const found = await runs
      .createQueryBuilder('run')
      .innerJoin(CustomerOrder, 'o', 'o.runId = run.id')
      .where('o.id = :id', { id: 'o-1' })
      .getMany();
    expect(found.map(({ id }) => id)).toEqual([run.id]);
    await app.close();
    await fresh.drop();
  });
});
