import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { migrate, migrationSql, OrchestrateFlowModule, Result, Step, Workflow, WorkflowRun } from 'orchestrate-flow';
import { Column, DataSource, Entity, PrimaryColumn, type Repository } from 'typeorm';

import { RUN_STATUSES, STEP_STATUSES } from '../../lib/engine/words.js';
import { VERSION } from '../../lib/engine/version.js';
import { MIGRATIONS } from '../../lib/persistence/migrations/index.js';
import { findPending, migrateWorkflowTables, revertMigrations } from '../../lib/persistence/migrator.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, startModules } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

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

  it('make a time of their own that costs nothing: PostgreSQL puts it in the place of each call', async () => {
    await migrate(dataSource);
    const plan = await dataSource.query<{ 'QUERY PLAN': string }[]>('EXPLAIN (VERBOSE) SELECT orchestrate_flow.now()');
    expect(plan.map((line) => line['QUERY PLAN']).join()).toContain('Output: statement_timestamp()');
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

  it('wait for a table that somebody uses, and keep nobody else waiting behind them', async () => {
    const fresh = await createDatabase();
    const source = await open(fresh);
    await migrate(source);
    const holder = source.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT FROM orchestrate_flow.workflow_run');
    let isDone = false;
    const reverted = revertMigrations(source).then(() => (isDone = true));
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await waitFor('the migration waits', async () => (await source.query<unknown[]>(waiting)).length > 0);
    await source.query('SELECT FROM orchestrate_flow.workflow_run');
    expect(isDone).toBe(false);
    await holder.commitTransaction();
    await holder.release();
    await reverted;
    await source.destroy();
    await fresh.drop();
  });

  it('list the words of the engine in their checks', async () => {
    const checks: { text: string }[] = await dataSource.query(
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
       WHERE contype = 'c' AND connamespace = 'orchestrate_flow'::regnamespace`,
    );
    const lists = checks.map(({ text }) => [...text.matchAll(/'(\w+)'/g)].map(([, word]) => word));
    expect(lists).toContainEqual([...RUN_STATUSES]);
    expect(lists).toContainEqual([...STEP_STATUSES]);
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

describe('migrationSql()', () => {
  it('makes the very tables that migrate() makes, and changes nothing where they are', async () => {
    const [plain, scripted] = [await createDatabase(), await createDatabase()];
    const [one, other] = [await open(plain), await open(scripted)];
    await migrate(one);
    const script = await migrationSql();
    for (let times = 0; times < 2; times++) await other.query(script);
    for (const schema of ['orchestrate_flow', 'bullmq'])
      expect(await describeSchema(other, schema)).toEqual(await describeSchema(one, schema));
    expect(await findPending(other)).toEqual([]);
    // BullMQ finds nothing left to do either.
    const app = await startApp({ database: scripted, migrations: 'check', workflows: [Two] });
    await expect(app.orchestrator.execute(Two)).resolves.toBe(2);
    await app.close();
    await migrate(other);
    expect(await describeSchema(other, 'bullmq')).toEqual(await describeSchema(one, 'bullmq'));
    await Promise.all([one.destroy(), other.destroy()]);
    await Promise.all([plain.drop(), scripted.drop()]);
  });

  it('brings older tables up to date, in a schema of any name, and leaves BullMQ out where it is on Redis', async () => {
    const fresh = await createDatabase();
    const source = await open(fresh);
    await migrateWorkflowTables(source, 'team_b');
    const whole = await describeSchema(source, 'team_b');
    await revertMigrations(source, 'team_b', { steps: MIGRATIONS.length - 1 });
    expect(await findPending(source, 'team_b')).toHaveLength(MIGRATIONS.length - 1);
    const script = await migrationSql('team_b', 'redis');
    expect(script).not.toContain('bullmq');
    await source.query(script);
    expect(await describeSchema(source, 'team_b')).toEqual(whole);
    await source.destroy();
    await fresh.drop();
  });
});

describe('a database that a newer version has changed', () => {
  const addNewer = (source: DataSource, servesFrom: string) =>
    source.query(`INSERT INTO orchestrate_flow.workflow_migration (name, serves_from) VALUES ('FromTomorrow', $1)`, [
      servesFrom,
    ]);

  it('is used where the newer version says that this one still can', async () => {
    const fresh = await createDatabase();
    const source = await open(fresh);
    await migrate(source);
    await addNewer(source, VERSION);
    for (const migrations of ['check', 'run'] as const) {
      const app = await startApp({ database: fresh, migrations, workflows: [Two] });
      await expect(app.orchestrator.execute(Two)).resolves.toBe(2);
      await app.close();
    }
    await source.destroy();
    await fresh.drop();
  });

  it('is refused where it needs a newer version, before anything is done to it', async () => {
    const fresh = await createDatabase();
    const source = await open(fresh);
    await migrate(source);
    await addNewer(source, '99.1.0');
    for (const migrations of ['check', 'run'] as const) {
      await expect(startApp({ database: fresh, migrations })).rejects.toMatchObject({
        code: 'OF_SCHEMA_TOO_NEW',
        message: expect.stringMatching(/FromTomorrow, which needs version 99\.1\.0 or later/) as unknown as string,
      });
    }
    await expect(revertMigrations(source)).rejects.toMatchObject({ code: 'OF_SCHEMA_TOO_NEW' });
    expect(await tablesOf('orchestrate_flow')).not.toEqual([]);
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

  it('that drops its schema at each boot finds our tables anew, and may', async () => {
    const fresh = await createDatabase();
    const boot = async (schema: string) => {
      const { host, port, user: username, database } = fresh.connection;
      const imports = [
        TypeOrmModule.forRoot({
          ...{ type: 'postgres', host, port, username, database, autoLoadEntities: true, retryAttempts: 1 },
          ...{ entities: [CustomerOrder], synchronize: true, dropSchema: true },
        }),
        OrchestrateFlowModule.forRoot({ schema }),
      ];
      const app = await startModules({ imports, providers: [Two] });
      await expect(app.orchestrator.execute(Two)).resolves.toBe(2);
      await app.close();
    };
    for (const schema of ['orchestrate_flow', 'orchestrate_flow', 'flows', 'flows']) await boot(schema);
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
