import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { getQueueToken } from '@nestjs/bullmq';
import { Global, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { createPostgresBackend, getDefaultBackendFactory, type Queue, RedisConnection, withBackend } from 'bullmq';
import pg from 'pg';
import {
  Ctx,
  ORCHESTRATE_FLOW_ENTITIES,
  OrchestrateFlowModule,
  type OrchestrateFlowOptions,
  type OrchestrateFlowOptionsFactory,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { appDatabase, startApp, startModules, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForStep } from '../support/wait-for-run.js';

@Workflow({ name: 'plain' })
class Plain {
  static readonly output = 'one';

  @Step() one(): number {
    return 1;
  }
}

@Workflow({ name: 'report' })
class Report {
  static readonly output = 'send';

  @Step() gather(): string {
    return 'gathered';
  }
  @Step({ queue: 'pdf' }) render(): string {
    return 'rendered';
  }
  @Step() send(): string {
    return 'sent';
  }
}

/** A web server for bull-board that serves nothing. */
class BoardServer {
  setStaticPath = () => this;
  setViewsPath = () => this;
  setErrorHandler = () => this;
  setApiRoutes = () => this;
  setEntryRoute = () => this;
  setQueues = () => this;
  setUIConfig = () => this;
}

/** Which gate the steps of one process wait at. */
class Threshold {
  constructor(readonly gate: Gate) {}
}

@Workflow({ name: 'slow', retry: 1 })
class Slow {
  static readonly output = 'wait';
  static readonly aborts: AbortSignal[] = [];

  constructor(private readonly threshold: Threshold) {}

  @Step() async wait(@Ctx() step: StepContext): Promise<number> {
    Slow.aborts.push(step.signal);
    await this.threshold.gate.pass();
    return step.attempt;
  }
  @Step() after(): void {}
}

let database: TestDatabase;
let db: TestConnection;
let apps: TestApp[];
const environment = { ...process.env };

beforeAll(async () => {
  database = await createDatabase();
  db = await connect(database);
});

beforeEach(() => {
  apps = [];
  delete process.env['DATABASE_URL'];
});

afterEach(async () => {
  for (const name of ['NODE_ENV', 'DATABASE_URL']) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
  await Promise.all(apps.map((app) => app.close()));
});

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

async function keep(app: Promise<TestApp>): Promise<TestApp> {
  apps.push(await app);
  return app;
}

const saying = (text: string) => expect.stringContaining(text) as unknown as string;
const start = (imports: ModuleMetadata['imports'], providers: ModuleMetadata['providers'] = [Plain]) =>
  keep(startModules({ imports: imports!, providers }));

/** Which database the runs of an app lie in. */
async function databaseOf(app: TestApp): Promise<boolean> {
  const run = await app.orchestrator.start('plain');
  await expect(run.result()).resolves.toBe(1);
  return (await db.query('SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1', [run.id])).length === 1;
}

@Workflow({ name: 'wrong' })
class Wrong {}

describe('options', () => {
  it('that are misspelt inside others are reported', async () => {
    const options = { worker: { concurency: 3 }, limits: { valeu: 1 } } as OrchestrateFlowOptions;
    await expect(OrchestrateFlowModule.forRoot(options)).rejects.toMatchObject({
      message: expect.stringMatching(/of worker .*concurency[^]*of limits .*valeu/) as unknown as string,
    });
  });

  it.each([
    ['30s', /retention to be .*at least 60 s/],
    ['soon', /retention to be/],
    [null, /retention to be/],
    [{ completed: '30s' }, /retention\.completed to be .*at least 60 s/],
    [{ complete: '1d' }, /each option of retention to be one of completed, failed, cancelled, terminated/],
  ])('say for how long runs are kept that have ended, and not %j', async (retention, message) => {
    const options = { retention } as OrchestrateFlowOptions;
    await expect(OrchestrateFlowModule.forRoot(options)).rejects.toMatchObject({
      ...{ code: 'OF_OPTIONS_INVALID', message: expect.stringMatching(message) as unknown as string },
    });
  });

  it('of any type are refused, and nothing inside them is shown', async () => {
    const cyclic: Record<string, unknown> = { password: 'SECRET' };
    cyclic['self'] = cyclic;
    for (const options of [
      null,
      5,
      { lease: 10n },
      { schema: cyclic },
      { defaults: null },
      { limits: 5 },
      { dataSource: {} },
      { dataSource: '' },
      { dataSource: { password: 'SECRET' } },
      { queue: { backend: 'carrier-pigeon', connection: { password: 'SECRET' } } },
    ]) {
      const refused = OrchestrateFlowModule.forRoot(options as unknown as OrchestrateFlowOptions);
      const error = (await refused.catch((reason: unknown) => reason)) as Error;
      expect(error).toMatchObject({ code: 'OF_OPTIONS_INVALID' });
      expect(error.message).not.toContain('SECRET');
    }
  });

  it('show nothing of a url that is wrong', async () => {
    const wrong = OrchestrateFlowModule.forRoot({ url: 'shop:PASSWORD@127.0.0.1/shop' });
    const { message } = (await wrong.catch((error: unknown) => error)) as Error;
    expect(message).toContain('Expected url to begin with postgres:');
    expect(message).not.toContain('PASSWORD');
  });

  it('that are wrong are reported all together', async () => {
    const options = {
      ...{ url: 'mysql://u:secret@host/db', schema: 'Not A Schema', migrations: 'maybe', lease: '1ms' },
      ...{ queue: { backend: 'kafka' }, worker: { concurrency: 0, queues: [], shutdownTimeout: 'soon' } },
      ...{ limits: { value: 1 }, embedded: 'yes', wroker: true },
    } as unknown as OrchestrateFlowOptions;
    const error = (await OrchestrateFlowModule.forRoot(options).catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({ code: 'OF_OPTIONS_INVALID' });
    const names = ['url', 'schema', 'migrations', 'lease', 'queue', 'limits.value', 'embedded', 'wroker'];
    for (const name of [...names, 'worker.concurrency', 'worker.queues', 'worker.shutdownTimeout']) {
      expect(error.message).toContain(name);
    }
    expect(error.message).not.toContain('secret');
  });

  it('that contradict each other are refused', async () => {
    const both = OrchestrateFlowModule.forRoot({ url: database.url, dataSource: 'one' });
    await expect(both).rejects.toMatchObject({ message: saying('Leave one of them out') });
  });

  it('come from a factory that injects', async () => {
    @Module({ providers: [{ provide: 'url', useFactory: () => database.url }], exports: ['url'] })
    class Config {}
    const options = { useFactory: (url: string) => ({ url }), inject: ['url'], imports: [Config] };
    expect(await databaseOf(await start([OrchestrateFlowModule.forRootAsync(options)]))).toBe(true);
  });

  it('come from a class, made here or elsewhere', async () => {
    @Injectable()
    class Options implements OrchestrateFlowOptionsFactory {
      createOrchestrateFlowOptions(): OrchestrateFlowOptions {
        return { url: database.url };
      }
    }
    @Module({ providers: [Options], exports: [Options] })
    class Config {}
    expect(await databaseOf(await start([OrchestrateFlowModule.forRootAsync({ useClass: Options })]))).toBe(true);
    const elsewhere = OrchestrateFlowModule.forRootAsync({ useExisting: Options, imports: [Config] });
    expect(await databaseOf(await start([elsewhere]))).toBe(true);
  });

  it('of a factory are checked as well', async () => {
    const wrong = OrchestrateFlowModule.forRootAsync({ useFactory: () => ({ url: 'mysql://h/d' }) });
    await expect(start([wrong])).rejects.toMatchObject({ code: 'OF_OPTIONS_INVALID' });
    await expect(start([OrchestrateFlowModule.forRootAsync({})])).rejects.toMatchObject({ code: 'OF_OPTIONS_INVALID' });
  });
});

describe('the database', () => {
  it('is the default DataSource of the app', async () => {
    process.env['DATABASE_URL'] = 'postgres://nobody@127.0.0.1:1/nothing';
    const app = await start([appDatabase(database), OrchestrateFlowModule.forRoot()]);
    expect(await databaseOf(app)).toBe(true);
  });

  it('is the DataSource that is named', async () => {
    const other = await createDatabase();
    const imports = [appDatabase(other), appDatabase(database, [], 'flows')];
    const app = await start([...imports, OrchestrateFlowModule.forRoot({ dataSource: 'flows' })]);
    expect(await databaseOf(app)).toBe(true);
    await apps.pop()!.close();
    await other.drop();
  });

  it('is the DataSource that is given', async () => {
    const { host, port, user: username, database: name } = database.connection;
    const entities = [...ORCHESTRATE_FLOW_ENTITIES];
    const dataSource = new DataSource({ type: 'postgres', host, port, username, database: name, entities });
    const app = await start([OrchestrateFlowModule.forRoot({ dataSource })]);
    expect(await databaseOf(app)).toBe(true);
    await apps.pop()!.close();
    // It is the app's, and the app's to close.
    expect(dataSource.isInitialized).toBe(true);
    await dataSource.destroy();
  });

  it('is that of DATABASE_URL for an app without TypeORM', async () => {
    process.env['DATABASE_URL'] = database.url;
    expect(await databaseOf(await start([OrchestrateFlowModule.forRoot()]))).toBe(true);
  });

  it('is not a DataSource that is no PostgreSQL', async () => {
    const dataSource = Object.assign(Object.create(DataSource.prototype) as object, { options: { type: 'mysql' } });
    @Global()
    @Module({ providers: [{ provide: DataSource, useValue: dataSource }], exports: [DataSource] })
    class Foreign {}
    await expect(start([Foreign, OrchestrateFlowModule.forRoot()])).rejects.toMatchObject({
      ...{ code: 'OF_DATABASE_UNSUITABLE', message: saying('(mysql)') },
    });
  });

  it('is not a DataSource that will be no PostgreSQL, and those that are one are listed', async () => {
    // As @nestjs/typeorm provides it, which tries again for half a minute to make it.
    const unmade = { provide: DataSource, useFactory: () => new Promise<DataSource>(() => {}) };
    const typeorm = { provide: 'TypeOrmModuleOptions', useValue: { type: 'mysql' } };
    @Global()
    @Module({ providers: [typeorm, unmade], exports: [DataSource] })
    class Foreign {}
    const both = [Foreign, appDatabase(database, [], 'flows')];
    await expect(start([...both, OrchestrateFlowModule.forRoot()])).rejects.toMatchObject({
      ...{ code: 'OF_DATABASE_UNSUITABLE', message: saying('"default" (mysql), "flows" (postgres)') },
    });
  });

  it('is not that of `url` where the app has TypeORM', async () => {
    const given = OrchestrateFlowModule.forRoot({ url: database.url });
    for (const name of ['default', 'other']) {
      await expect(start([appDatabase(database, [], name), given])).rejects.toMatchObject({
        ...{ code: 'OF_OPTIONS_INVALID', message: saying('Leave `url` out') },
      });
    }
  });

  it('is not chosen among several of which none is the default', async () => {
    const two = [appDatabase(database, [], 'one'), appDatabase(database, [], 'two')];
    await expect(start([...two, OrchestrateFlowModule.forRoot()])).rejects.toMatchObject({
      ...{ code: 'OF_DATABASE_UNSUITABLE', message: saying('"one" (postgres), "two" (postgres)') },
    });
    const unknown = OrchestrateFlowModule.forRoot({ dataSource: 'three' });
    await expect(start([...two, unknown])).rejects.toMatchObject({ message: saying('"three"') });
  });

  it('is not embedded in production unless asked for', async () => {
    process.env['NODE_ENV'] = 'production';
    await expect(start([OrchestrateFlowModule.forRoot()])).rejects.toMatchObject({
      ...{ code: 'OF_DATABASE_UNSUITABLE', message: saying('embedded: true') },
    });
  });

  it('of a DataSource that does not know the entities is refused with the remedy', async () => {
    const { host, port, user: username, database: name } = database.connection;
    const dataSource = new DataSource({ type: 'postgres', host, port, username, database: name });
    await expect(start([OrchestrateFlowModule.forRoot({ dataSource })])).rejects.toMatchObject({
      message: saying('autoLoadEntities'),
    });
    await dataSource.destroy();
  });

  it('that cannot be reached is said, without the password', async () => {
    const url = 'postgres://user:secret@127.0.0.1:1/nothing';
    const error = (await start([OrchestrateFlowModule.forRoot({ url })]).catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE' });
    expect(error.message).not.toContain('secret');
  });
});

describe('a definition that is wrong', () => {
  it('stops the boot, with every fault of every workflow', async () => {
    @Workflow({ name: 'twice' })
    class One {
      @Step({ priority: -1 }) one(): void {}
    }
    @Workflow({ name: 'twice' })
    class Two {}
    await expect(startApp({ database, workflows: [One, Two] })).rejects.toMatchObject({
      code: 'OF_DEFINITION_INVALID',
      faults: expect.arrayContaining([
        { where: 'One.one', fault: saying('priority') },
        { where: 'Two', fault: saying('no steps') },
        { where: 'Two', fault: saying('"twice"') },
      ]) as unknown,
    });
  });
});

describe('a boot that fails', () => {
  it.each([
    ['by a definition', { workflows: [Wrong] }, 'OF_DEFINITION_INVALID'],
    ['by a queue', { queue: { backend: 'redis' } }, 'OF_QUEUE_UNSUITABLE'],
  ] as const)('leaves no connection behind: %s', async (_, setup, code) => {
    const fresh = await createDatabase();
    const connection = await connect(fresh);
    await expect(startApp({ database: fresh, ...setup })).rejects.toMatchObject({ code });
    // Whoever takes leave of the server is gone a moment later.
    await waitFor('nobody else is connected', async () => {
      const [row] = await connection.query<{ others: number }>(
        `SELECT count(*)::int AS others FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      );
      return row!.others === 0;
    });
    await connection.close();
    await fresh.drop();
  });
});

describe('a worker', () => {
  it('that is switched off starts and reads only', async () => {
    const fresh = await createDatabase();
    const reader = await startApp({ database: fresh, workflows: [Plain], worker: false });
    const run = await reader.orchestrator.start(Plain);
    expect(await getStep(reader.orchestrator, run.id, 'one')).toMatchObject({ status: 'ready' });
    const worker = await startApp({ database: fresh, workflows: [Plain] });
    await expect(run.result()).resolves.toBe(1);
    await worker.close();
    const next = await reader.orchestrator.start(Plain);
    expect(await getStep(reader.orchestrator, next.id, 'one')).toMatchObject({ status: 'ready', attempt: 0 });
    await reader.close();
    await fresh.drop();
  });

  it('takes the steps of all queues that its workflows use', async () => {
    const app = await keep(startApp({ database, workflows: [Report] }));
    await expect(app.orchestrator.execute(Report)).resolves.toBe('sent');
  });

  it('takes the steps of its own queues only', async () => {
    const fresh = await createDatabase();
    const main = await startApp({ database: fresh, workflows: [Report], worker: { queues: ['orchestrate-flow'] } });
    const run = await main.orchestrator.start(Report);
    await waitForStep(main.orchestrator, run.id, 'render', 'ready');
    expect(await getStep(main.orchestrator, run.id, 'gather')).toMatchObject({ status: 'completed' });
    const pdf = await startApp({ database: fresh, workflows: [Report], worker: { queues: ['pdf'] } });
    await expect(run.result()).resolves.toBe('sent');
    const ran = (app: TestApp) => app.events.flatMap((event) => (event.type === 'step.started' ? event.step : []));
    expect([ran(main), ran(pdf)]).toEqual([['gather', 'send'], ['render']]);
    await main.close();
    await pdf.close();
    await fresh.drop();
  });

  it('shows its queues to bull-board, and leaves the process-wide defaults of BullMQ alone', async () => {
    const before = [getDefaultBackendFactory(), RedisConnection.clientFactory];
    const app = await keep(startApp({ database, workflows: [Report] }));
    const queue = app.context.get<Queue>(getQueueToken('pdf'), { strict: false });
    const board = new BullMQAdapter(queue, { readOnlyMode: true });
    createBullBoard({ queues: [board], serverAdapter: new BoardServer() });
    await expect(app.orchestrator.execute(Report)).resolves.toBe('sent');
    expect(board.getName()).toBe('orchestrate-flow-pdf');
    // A bell may still wait whose step was taken without it.
    await waitFor('its bells are taken', async () => (await board.getJobCounts())['waiting'] === 0);
    await expect(board.getJobCounts()).resolves.toMatchObject({ failed: 0, waiting: 0 });
    expect([getDefaultBackendFactory(), RedisConnection.clientFactory]).toEqual(before);
  });

  it("leaves an app's own queue of the same name in the same database alone", async () => {
    const app = await keep(startApp({ database, workflows: [Report] }));
    const connection = new pg.Pool({ ...database.connection, options: '-c search_path=bullmq' });
    const { Queue: OwnQueue, Worker } = withBackend(createPostgresBackend);
    const queue = new OwnQueue('pdf', { connection });
    const seen: unknown[] = [];
    const jobs = Array.from({ length: 20 }, (_, page) => ({ page }));
    const worker = new Worker('pdf', async (job) => void seen.push(job.data), { connection });
    await worker.waitUntilReady();
    // What waits while nobody works at it is not ours to take either.
    await worker.pause();
    await queue.addBulk(jobs.map((data) => ({ name: 'print', data })));
    await expect(Promise.all(jobs.map(() => app.orchestrator.execute(Report)))).resolves.toEqual(
      jobs.map(() => 'sent'),
    );
    await expect(queue.getWaitingCount()).resolves.toBe(20);
    await worker.resume();
    await waitFor('all are printed', () => seen.length === 20);
    expect(seen).toEqual(jobs);
    await worker.close();
    await queue.close();
    await connection.end();
  });

  it('publishes its queues under the tokens of @nestjs/bullmq', async () => {
    const app = await keep(startApp({ database, workflows: [Report] }));
    for (const [name, bullName] of [
      ['orchestrate-flow', 'orchestrate-flow'],
      ['pdf', 'orchestrate-flow-pdf'],
    ] as const) {
      const queue = app.context.get<Queue>(getQueueToken(name), { strict: false });
      expect(queue.name).toBe(bullName);
      await expect(queue.getJobCounts()).resolves.toMatchObject({ failed: 0 });
    }
  });
});

describe('a shutdown', () => {
  async function startSlow(fresh: TestDatabase, gate: Gate, worker = {}): Promise<TestApp> {
    const threshold = { provide: Threshold, useValue: new Threshold(gate) };
    return startApp({ database: fresh, workflows: [Slow], providers: [threshold], worker });
  }

  it('lets a running step end and starts nothing more', async () => {
    const fresh = await createDatabase();
    const gate = new Gate();
    const app = await startSlow(fresh, gate);
    const run = await app.orchestrator.start(Slow);
    await gate.arrival();
    const closing = app.close();
    // From then on no claim is on its way.
    await waitFor('it drains', () => app.events.some(({ type }) => type === 'worker.draining'));
    const late = await app.orchestrator.start(Slow);
    gate.open();
    await closing;
    const reader = await startApp({
      ...{ database: fresh, workflows: [Slow], worker: false },
      providers: [{ provide: Threshold, useValue: null }],
    });
    const { orchestrator } = reader;
    expect(await getStep(orchestrator, run.id, 'wait')).toMatchObject({ status: 'completed', attempt: 1, result: 1 });
    expect(await getStep(orchestrator, run.id, 'after')).toMatchObject({ status: 'ready', attempt: 0 });
    expect(await getStep(orchestrator, late.id, 'wait')).toMatchObject({ status: 'ready', attempt: 0 });
    expect(app.events.at(-1)).toMatchObject({ type: 'worker.drained', handedOver: 0 });
    await reader.close();
    await fresh.drop();
  });

  it('hands over what does not end in time, and another process ends it', async () => {
    const fresh = await createDatabase();
    const never = new Gate();
    const leaving = await startSlow(fresh, never, { shutdownTimeout: '50ms' });
    const runs = [await leaving.orchestrator.start(Slow), await leaving.orchestrator.start(Slow)];
    await never.arrival(2);
    const open = new Gate();
    open.open();
    const staying = await startSlow(fresh, open);
    await leaving.close();
    expect(leaving.events.at(-1)).toMatchObject({ type: 'worker.drained', handedOver: 2 });
    expect(Slow.aborts.filter(({ aborted }) => aborted)).toHaveLength(2);
    for (const { id } of runs) {
      await expect(staying.orchestrator.result(id)).resolves.toBe(2);
      const step = await getStep(staying.orchestrator, id, 'wait');
      expect(step).toMatchObject({ attempt: 2, failures: 0, crashes: 0, errors: [] });
    }
    never.open();
    const rows = await connect(fresh);
    expect(await rows.query('SELECT 1 FROM orchestrate_flow.workflow_worker')).toHaveLength(1);
    await rows.close();
    await staying.close();
    await fresh.drop();
  });

  it('hands over at once where nobody waits: a lease is not needed', async () => {
    const fresh = await createDatabase();
    const never = new Gate();
    const leaving = await startSlow(fresh, never, { shutdownTimeout: 0 });
    const run = await leaving.orchestrator.start(Slow);
    await never.arrival();
    await leaving.close();
    const rows = await connect(fresh);
    expect(
      await rows.query('SELECT status, worker FROM orchestrate_flow.workflow_step WHERE run_id = $1', [run.id]),
    ).toEqual([{ status: 'ready', worker: null }]);
    expect(await rows.query('SELECT 1 FROM orchestrate_flow.workflow_worker')).toEqual([]);
    expect(await rows.query('SELECT 1 FROM orchestrate_flow.workflow_lane')).toEqual([]);
    never.open();
    await rows.close();
    await fresh.drop();
  });
});
