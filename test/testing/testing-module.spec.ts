import 'reflect-metadata';

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OrchestrateFlowModule, Orchestrator, Retry, Step, Workflow } from 'orchestrate-flow';
import {
  createTestDatabase,
  createTestingFlow,
  OrchestrateFlowTestingModule,
  type TestDatabase,
  TestingFlow,
  withVirtualTime,
} from 'orchestrate-flow/testing';
import pg from 'pg';

@Injectable()
class Mailer {
  send(): string {
    throw new Error('No mail server in a test.');
  }
}

@Workflow({ name: 'mail' })
class MailWorkflow {
  static readonly output = 'send';

  constructor(private readonly mailer: Mailer) {}

  @Step()
  @Retry({ attempts: 2, delay: '1d', jitter: 'none' })
  send(): string {
    return this.mailer.send();
  }
}

/** Fails the first time. */
class MockMailer {
  private sent = 0;

  send(): string {
    this.sent += 1;
    if (this.sent === 1) throw new Error('greylisted');
    return `sent at the ${this.sent}nd attempt`;
  }
}

/** As README tells. */
const ALL_BUT_DATE = [
  ...(['nextTick', 'setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout', 'setInterval'] as const),
  ...(['clearInterval', 'queueMicrotask', 'performance', 'hrtime'] as const),
];

describe('an app under test', () => {
  let folder: string;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'of-testing-'));
    // Held open throughout, so that the server need not start anew for each test.
    database = await createTestDatabase({ dataDir: folder });
  });

  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  async function query<Row extends object>(sql: string, url = database.url): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  const listDatabases = () =>
    query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE starts_with(datname, 'orchestrate_flow_test_')`,
    );

  it('is built by Nest’s testing module, with providers overridden', async () => {
    const app = await Test.createTestingModule({
      imports: [OrchestrateFlowTestingModule.forRoot({ dataDir: folder })],
      providers: [MailWorkflow, Mailer],
    })
      .overrideProvider(Mailer)
      .useClass(MockMailer)
      .compile();
    await app.init();
    const flow = TestingFlow.of(app);
    const run = await app.get(Orchestrator).start(MailWorkflow);
    await flow.advance('1d');
    expect(await run.result()).toBe('sent at the 2nd attempt');
    expect(await listDatabases()).toHaveLength(2);
    await app.close();
    expect(await listDatabases()).toEqual([{ name: database.database }]);
  });

  it('keeps its own modules, its own DataSource and gets virtual time', async () => {
    const own = await createTestDatabase({ dataDir: folder });
    @Module({
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: own.url, autoLoadEntities: true }),
        OrchestrateFlowModule.forRoot(),
      ],
      providers: [MailWorkflow, Mailer],
    })
    class AppModule {}

    const times: Date[] = [];
    const builder = Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(Mailer)
      .useClass(MockMailer);
    const app = await withVirtualTime(builder, { onTime: (now) => times.push(now) }).compile();
    await app.init();
    const flow = TestingFlow.of(app);
    const began = flow.now();
    await flow.result(await flow.orchestrator.start(MailWorkflow));
    expect(times).toEqual([began, new Date(began.getTime() + 86_400_000)]);
    await flow.close();
    const [left] = await query<{ real: boolean; clock: string | null }>(
      `SELECT orchestrate_flow.now() = statement_timestamp() AS real, to_regclass('orchestrate_flow.test_clock') AS clock`,
      own.url,
    );
    expect(left).toEqual({ real: true, clock: null });
    await own.drop();
  });

  it('has no virtual time where nobody gave it any', async () => {
    const app = await Test.createTestingModule({
      imports: [OrchestrateFlowModule.forRoot({ url: database.url, schema: 'untouched', worker: false })],
    }).compile();
    expect(() => TestingFlow.of(app)).toThrow(/its time is the real one\. Import OrchestrateFlowTestingModule/);
    await app.close();
  });

  it('does not set the time of another test', async () => {
    const setup = { workflows: [MailWorkflow], providers: [Mailer], url: database.url, schema: 'shared' };
    const flow = await createTestingFlow(setup);
    await expect(createTestingFlow(setup)).rejects.toMatchObject({ code: 'OF_TEST_SETUP' });
    await flow.close();
    await (await createTestingFlow(setup)).close();
  });

  it('finds the real time where a test was killed', async () => {
    const flow = await createTestingFlow({
      ...{ workflows: [MailWorkflow], providers: [Mailer], url: database.url, schema: 'killed' },
      now: new Date('2020-01-01'),
    });
    const isReal = 'SELECT killed.now() = statement_timestamp() AS real';
    expect(await query(isReal)).toEqual([{ real: false }]);
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orchestrate-flow test clock'`,
    );
    expect(await query(isReal)).toEqual([{ real: true }]);
    await flow.close();
  });

  it('drops what killed tests have left', async () => {
    await query('CREATE DATABASE orchestrate_flow_test_left');
    const next = await createTestDatabase({ dataDir: folder });
    expect((await listDatabases()).map(({ name }) => name).sort()).toEqual([database.database, next.database].sort());
    await next.drop();
  });
});

describe('a test with a mocked Date', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('gives steps the date of their own time', async () => {
    let isMocked = false;
    const flow = await createTestingFlow({
      ...{ workflows: [MailWorkflow], providers: [Mailer] },
      now: new Date('2026-06-01'),
      onTime: (now) => isMocked && jest.setSystemTime(now),
    });
    jest.useFakeTimers({ now: flow.now(), doNotFake: ALL_BUT_DATE });
    isMocked = true;
    flow.stub(MailWorkflow, 'send', () => {
      const today = new Date().toISOString().slice(0, 10);
      if (today === '2026-06-01') throw new Error('greylisted');
      return today;
    });
    expect(await flow.result(await flow.orchestrator.start(MailWorkflow))).toBe('2026-06-02');
    jest.useRealTimers();
    await flow.close();
  });
});

describe('a test on PGlite', () => {
  it('has virtual time too, where there are no binaries', async () => {
    const flow = await createTestingFlow({ workflows: [MailWorkflow], providers: [Mailer], engine: 'pglite' });
    const send = flow.stub(MailWorkflow, 'send', () => {
      if (send.calls.length === 1) throw new Error('greylisted');
      return 'sent';
    });
    const run = await flow.orchestrator.start(MailWorkflow);
    expect(await flow.drain({ timeout: '30s' })).toMatchObject([{ step: 'send', dueInMs: 86_400_000 }]);
    await flow.advance('1d', { patience: '30s' });
    expect(await run.result()).toBe('sent');
    await flow.close();
  });
});

describe('the time of the library', () => {
  it('costs a statement nothing: PostgreSQL puts its body in the place of the call', async () => {
    const flow = await createTestingFlow({ workflows: [MailWorkflow], providers: [Mailer] });
    await flow.close();
    const database = await createTestDatabase();
    const app = await Test.createTestingModule({
      imports: [OrchestrateFlowModule.forRoot({ url: database.url, worker: false })],
    }).compile();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN VERBOSE SELECT orchestrate_flow.now() FROM orchestrate_flow.workflow_step WHERE due_at <= orchestrate_flow.now()`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('Output: statement_timestamp()');
    expect(plan).toContain('due_at <= statement_timestamp()');
    await client.end();
    await app.close();
    await database.drop();
  });
});
