import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  migrate,
  OrchestrateFlowModule,
  Parallel,
  Result,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { Database } from '../../lib/persistence/database.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { untilThreadStepsIn } from '../support/lease-thread.js';
import { type PgBouncer, startPgBouncer } from '../support/start-pgbouncer.js';
import { appDatabase, startApp, startModules, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'order', retry: { attempts: 2, delay: '10ms' } })
class Order {
  static readonly output = 'ship';

  @Step() reserve(): number {
    return 1;
  }
  @Parallel() charge(@Result('reserve') reserved: number, @Ctx() { attempt }: StepContext): number {
    if (attempt === 1) throw new Error('The first time always fails.');
    return reserved;
  }
  @Parallel() label(@Result('reserve') reserved: number): number {
    return reserved;
  }
  @Step() ship(@Result('charge') charge: number, @Result('label') label: number): number {
    return charge + label;
  }
}

const IN_TRANSACTIONS = 40;
const SIZE = 3;

let database: TestDatabase;
let db: TestConnection;
/** The same database, by way of the pooler in transaction mode. */
let pooled: TestDatabase;
let poolers: PgBouncer[];
let role: string;
const apps: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  db = await connect(database);
  role = `pooled_${randomUUID().replaceAll('-', '')}`;
  await db.query(`CREATE ROLE ${role} LOGIN`);
  await db.query(`GRANT CREATE ON DATABASE ${database.connection.database} TO ${role}`);
  const options = { role, size: SIZE };
  poolers = [await startPgBouncer(database.connection, { ...options, mode: 'transaction' })];
  poolers.push(await startPgBouncer(database.connection, { ...options, mode: 'session', size: 20 }));
  pooled = through(database, poolers[0]!);
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

afterAll(async () => {
  await Promise.all((poolers ?? []).map((pooler) => pooler.stop()));
  await db?.query(`DROP OWNED BY ${role}`);
  await db?.query(`DROP ROLE ${role}`);
  await db?.close();
  await database?.drop();
});

/** A database, as a client behind a pooler names it. */
function through({ connection, drop }: TestDatabase, { address }: PgBouncer): TestDatabase {
  const { user, database: name } = connection;
  const url = `postgres://${user}@${address.host}:${address.port}/${name}`;
  return { connection: { ...connection, ...address }, url, drop };
}

async function keep(app: Promise<TestApp>): Promise<TestApp> {
  apps.push(await app);
  return apps.at(-1)!;
}

/** Who is connected as that role: the names of the connections. */
async function connectionsOf(name: string): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    'SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND usename = $1',
    [name],
  );
  return rows.map((row) => row.name);
}

const failure = (app: Promise<TestApp>) =>
  app.then(
    () => new Error('It booted.'),
    (error: unknown) => error,
  );

describe('a pooler in transaction mode', () => {
  it('alone is refused at boot, before anything is done, and `directUrl` is named', async () => {
    const needed = { code: 'OF_SESSION_NEEDED', message: expect.stringContaining('`directUrl`') as unknown };
    expect(await failure(startApp({ database: pooled, workflows: [Order] }))).toMatchObject(needed);
    expect(await failure(startApp({ database: pooled, workflows: [Order], worker: false }))).toMatchObject(needed);
    const imports = [appDatabase(pooled), OrchestrateFlowModule.forRoot()];
    expect(await failure(startModules({ imports, providers: [Order] }))).toMatchObject(needed);
    expect(await db.query(`SELECT 1 FROM pg_namespace WHERE nspname IN ('orchestrate_flow', 'bullmq')`)).toEqual([]);
  });

  it('alone is refused while others use it, too', async () => {
    const others = await Promise.all(Array.from({ length: SIZE }, () => connect(pooled)));
    let isOver = false;
    const using = others.map(async (other) => {
      while (!isOver) await other.query('SELECT 1');
    });
    for (let times = 0; times < 20; times++)
      expect(await failure(startApp({ database: pooled }))).toMatchObject({ code: 'OF_SESSION_NEEDED' });
    isOver = true;
    await Promise.all(using);
    await Promise.all(others.map((other) => other.close()));
  });

  it('with a directUrl to elsewhere is refused', async () => {
    const other = await createDatabase();
    const booted = startApp({ database: pooled, directUrl: other.url });
    expect(await failure(booted)).toMatchObject({
      code: 'OF_DATABASE_UNSUITABLE',
      message: expect.stringContaining('leads to another database') as unknown,
    });
    await other.drop();
  });

  it('whose role may not use the tables is refused with the grants', async () => {
    const booted = startApp({ database: pooled, directUrl: database.url });
    const refusal = { code: 'OF_DATABASE_UNSUITABLE', message: expect.stringContaining(`TO "${role}"`) as unknown };
    expect(await failure(booted)).toMatchObject(refusal);
    await db.query(`GRANT USAGE ON SCHEMA orchestrate_flow, bullmq TO ${role}`);
    await db.query(`GRANT ALL ON ALL TABLES IN SCHEMA orchestrate_flow, bullmq TO ${role}`);
    await db.query(`GRANT ALL ON ALL SEQUENCES IN SCHEMA orchestrate_flow, bullmq TO ${role}`);
  });

  it("serves the app's transactions and reads, and the library goes past it", async () => {
    const options = { migrations: 'check', directUrl: database.url } as const;
    const imports = [appDatabase(pooled), OrchestrateFlowModule.forRoot(options)];
    const app = await keep(startModules({ imports, providers: [Order] }));
    const { orchestrator } = app;
    const runs = await Promise.all(
      Array.from({ length: IN_TRANSACTIONS }, (_, key) =>
        app.dataSource.transaction((manager) => orchestrator.start(Order, undefined, { manager, key: `order ${key}` })),
      ),
    );
    const results = await Promise.all(runs.map((run) => run.result()));
    expect(results).toEqual(Array(IN_TRANSACTIONS).fill(2));
    const again = await app.dataSource.transaction((manager) =>
      orchestrator.start(Order, undefined, { manager, key: 'order 0' }),
    );
    expect(again).toMatchObject({ created: false, id: runs[0]!.id });
    const lost = app.dataSource.transaction(async (manager) => {
      await orchestrator.start(Order, undefined, { manager, key: 'rolled back' });
      throw new Error('Rolled back.');
    });
    await expect(lost).rejects.toThrow('Rolled back.');
    await expect(orchestrator.get({ workflow: Order, key: 'rolled back' })).rejects.toMatchObject({
      code: 'OF_RUN_UNKNOWN',
    });
    const { id } = await orchestrator.start(Order, undefined, { delay: '1h' });
    await orchestrator.cancel(id);
    expect(await orchestrator.get(id)).toMatchObject({ status: 'cancelled' });
    expect((await orchestrator.list({ status: ['completed'], limit: 100 })).runs).toHaveLength(IN_TRANSACTIONS);
    expect(await orchestrator.steps(runs[0]!.id)).toHaveLength(4);

    expect(await connectionsOf(database.connection.user)).toEqual(
      expect.arrayContaining(['orchestrate-flow commits', 'orchestrate-flow heartbeat', 'orchestrate-flow queue']),
    );
    const behind = await connectionsOf(role);
    expect(behind.length).toBeGreaterThan(0);
    // A name stays with its session until the next client's takes its place: the first look at boot has been everywhere.
    const own = behind.filter((name) => name.startsWith('orchestrate-flow') && name !== 'orchestrate-flow check');
    expect(own).toEqual([]);
  });

  it('finds its sessions as they were', async () => {
    const clients = await Promise.all(Array.from({ length: SIZE }, () => connect(pooled)));
    await Promise.all(clients.map((client) => client.query('BEGIN')));
    const left = await Promise.all(
      clients.map((client) =>
        client.query(
          `SELECT current_setting('search_path') AS path, current_setting('enable_seqscan') AS scan,
             (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
             (SELECT count(*)::int FROM pg_prepared_statements) AS statements`,
        ),
      ),
    );
    await Promise.all(clients.map((client) => client.close()));
    const untouched = { path: '"$user", public', scan: 'on', channels: 0, statements: 0 };
    expect(left.flat()).toEqual(clients.map(() => untouched));
  });

  it('stands beside a url that goes past it, for an app without TypeORM', async () => {
    const app = await keep(startApp({ database: pooled, directUrl: database.url, workflows: [Order] }));
    await expect(app.orchestrator.execute(Order)).resolves.toBe(2);
    const mine = new DataSource({ type: 'postgres', url: pooled.url });
    await mine.initialize();
    const run = await mine.transaction((manager) => app.orchestrator.start(Order, undefined, { manager }));
    await expect(run.result()).resolves.toBe(2);
    await mine.destroy();
  });

  it('is passed by the thread that keeps a lease', async () => {
    const from = (url: string) => ({ text: url, source: 'the test' });
    const own = await Database.ofUrl(from(pooled.url), 'orchestrate_flow', from(database.url));
    await untilThreadStepsIn(own.connectionConfig, db, async () =>
      (await connectionsOf(database.connection.user)).includes('orchestrate-flow lease'),
    );
    await own.close();
  });

  it('lets migrations through, which are transactions', async () => {
    const fresh = await createDatabase();
    const { database: name } = fresh.connection;
    await db.query(`GRANT CREATE ON DATABASE ${name} TO ${role}`);
    const source = await new DataSource({ type: 'postgres', url: through(fresh, poolers[0]!).url }).initialize();
    await migrate(source);
    await source.destroy();
    const rows = await connect(fresh);
    expect(await rows.query('SELECT 1 FROM orchestrate_flow.workflow_run')).toEqual([]);
    await rows.close();
    await fresh.drop();
  });
});

describe('a pooler in session mode', () => {
  it('serves everything', async () => {
    const fresh = await createDatabase();
    await db.query(`GRANT CREATE ON DATABASE ${fresh.connection.database} TO ${role}`);
    const session = through(fresh, poolers[1]!);
    const app = await startApp({ database: session, workflows: [Order] });
    await expect(app.orchestrator.execute(Order)).resolves.toBe(2);
    await app.close();
    await fresh.drop();
  });
});
