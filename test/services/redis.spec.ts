import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BullModule, getQueueToken, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { migrate, migrationSql, Step, Workflow, type OrchestrateFlowOptions } from 'orchestrate-flow';

import { connect } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { findFreePort } from '../support/free-port.js';
import { startRedisServer, type RedisServer } from '../support/redis-server.mjs';
import { startApp, type AppSetup, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

/** What G14 grants beside the time that a run takes anyhow. */
const ADDED_DELAY_MS = 12_000;

@Workflow({ name: 'errand' })
class Errand {
  static readonly output = 'two';

  @Step() one(): void {}
  @Step({ queue: 'other' }) two(): number {
    return 2;
  }
}

let database: TestDatabase;
let redis: RedisServer;
let apps: TestApp[] = [];
const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  [database, redis] = await Promise.all([createDatabase(), startRedisServer()]);
});

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
  expect(unhandled).toEqual([]);
});

afterAll(async () => {
  process.off('unhandledRejection', note);
  await redis?.stop();
  await database?.drop();
});

type Connection = Extract<OrchestrateFlowOptions['queue'], { backend: 'redis' }>['connection'];

async function start(connection: Connection, setup: Partial<AppSetup> = {}): Promise<TestApp> {
  const queue = { backend: 'redis', connection: connection! } as const;
  const app = await startApp({ database, workflows: [Errand], queue, ...setup });
  apps.push(app);
  return app;
}

const here = () => ({ host: redis.host, port: redis.port });

/** A process that only starts and one that only works: nothing goes on without a bell or a beat. */
async function startPair(connection: Connection = here()): Promise<[poster: TestApp, worker: TestApp]> {
  return [await start(connection, { worker: false }), await start(connection)];
}

async function untilDone(app: TestApp, count: number): Promise<void> {
  const runs = await app.orchestrator.startMany(
    Errand,
    Array.from({ length: count }, () => ({ input: undefined })),
  );
  const results = await Promise.all(runs.map((run) => app.orchestrator.result(run.id, { timeout: ADDED_DELAY_MS })));
  expect(results).toEqual(runs.map(() => 2));
}

describe('with Redis as the queue', () => {
  it('runs are rung for over Redis, and the database holds nothing of BullMQ', async () => {
    const [poster] = await startPair();
    await untilDone(poster, 5);
    const keys = (await redis.command('KEYS', 'bull:orchestrate-flow*')) as string[];
    expect(keys).toContain('bull:orchestrate-flow:id');
    expect(keys).toContain('bull:orchestrate-flow-other:id');
    const rows = await connect(database);
    expect(await rows.query("SELECT 1 FROM pg_namespace WHERE nspname = 'bullmq'")).toEqual([]);
    await rows.close();
  });

  it('neither migrate() nor its script makes tables for BullMQ, and `check` wants none', async () => {
    const fresh = await createDatabase();
    const first = await start(here(), { database: fresh, entities: [] });
    await migrate(first.dataSource, 'orchestrate_flow', 'redis');
    expect(await migrationSql('orchestrate_flow', 'redis')).not.toContain('bullmq');
    const second = await start(here(), { database: fresh, migrations: 'check' });
    await untilDone(second, 1);
    expect(await first.dataSource.query("SELECT 1 FROM pg_namespace WHERE nspname = 'bullmq'")).toEqual([]);
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await fresh.drop();
  });

  it('takes a url, and a client of the app of which it makes a copy', async () => {
    await untilDone(await start({ url: `redis://${redis.host}:${redis.port}/1` }), 1);
    const client = new Redis({ ...here(), db: 2 });
    await untilDone(await start(client), 1);
    await Promise.all(apps.splice(0).map((app) => app.close()));
    expect(client.status).toBe('ready');
    expect(await client.get('bull:orchestrate-flow:id')).not.toBeNull();
    client.disconnect();
    expect(Number((await redis.command('INFO', 'keyspace')) !== null)).toBe(1);
  });

  it('loses no run to FLUSHALL', async () => {
    const [poster] = await startPair();
    const flushing = setInterval(() => void redis.command('FLUSHALL').catch(() => {}), 50);
    await untilDone(poster, 50);
    clearInterval(flushing);
    await redis.command('FLUSHALL');
    await untilDone(poster, 5);
  });

  it('loses no run to a Redis that hangs, dies, and comes back empty', async () => {
    const [poster, worker] = await startPair();
    await untilDone(poster, 1);
    const asleep = redis.command('DEBUG', 'SLEEP', '5').catch(() => {});
    await untilDone(poster, 5);
    await asleep;
    await redis.halt();
    await untilDone(poster, 5);
    await redis.start();
    await untilDone(poster, 5);
    expect(worker.events).toContainEqual(expect.objectContaining({ type: 'queue.failed' }));
    // Once it is back bells are heard again.
    await waitFor('a bell is counted by the empty Redis', () => redis.command('GET', 'bull:orchestrate-flow:id'), {
      timeoutMs: ADDED_DELAY_MS,
    });
  });

  it('loses no run to eviction, and says once what to set', async () => {
    const [poster, worker] = await startPair();
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
    const said = () => worker.events.filter(({ type }) => type === 'queue.unsuitable');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
    await waitFor('the fault is announced', () => said().length > 0);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await untilDone(poster, 20);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    expect(said()).toEqual([
      {
        type: 'queue.unsuitable',
        fault: expect.stringContaining('maxmemory-policy allkeys-random'),
        remedy: expect.stringContaining('noeviction'),
      },
    ]);
  });

  it('an app whose Redis is down boots, is driven by the beat, and shuts down', async () => {
    const app = await start({ host: '127.0.0.1', port: await findFreePort() });
    await untilDone(app, 3);
    const begun = Date.now();
    await app.close();
    // Nothing runs here: none of the bounds of an orderly shutdown has to be waited for.
    expect(Date.now() - begun).toBeLessThan(10_000);
    apps = [];
  });

  it('a Redis that hangs keeps no app from shutting down', async () => {
    const [poster, worker] = await startPair();
    await untilDone(poster, 1);
    const asleep = redis.command('DEBUG', 'SLEEP', '20').catch(() => {});
    await poster.orchestrator.start(Errand);
    const begun = Date.now();
    await Promise.all([poster.close(), worker.close()]);
    expect(Date.now() - begun).toBeLessThan(19_000);
    apps = [];
    await redis.halt();
    await asleep;
    await redis.start();
  });

  it('runs on a Redis Cluster, whose prefix needs a hash tag', async () => {
    const cluster = await startRedisServer({
      settings: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    });
    await cluster.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await waitFor('the cluster is up', async () =>
      String(await cluster.command('CLUSTER', 'INFO')).includes('state:ok'),
    );
    const client = new Redis.Cluster([{ host: cluster.host, port: cluster.port }]);
    const queue = { backend: 'redis', connection: client } as const;
    await expect(startApp({ database, queue: { ...queue, prefix: 'flow' } })).rejects.toMatchObject({
      code: 'OF_QUEUE_UNSUITABLE',
      message: expect.stringContaining('"{flow}"'),
    });
    await untilDone(await start(client), 2);
    expect(await client.get('{bull}:orchestrate-flow:id')).not.toBeNull();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    client.disconnect();
    await cluster.stop();
  });
});

@Injectable()
@Processor('letters')
class Letters extends WorkerHost {
  readonly sent: unknown[] = [];

  constructor(@InjectQueue('letters') readonly queue: Queue) {
    super();
  }

  async process(job: { data: unknown }): Promise<void> {
    this.sent.push(job.data);
  }
}

describe("beside the app's own BullMQ on Redis", () => {
  const own = () => [
    BullModule.forRoot({ connection: here(), prefix: 'app' }),
    BullModule.registerQueue({ name: 'letters', defaultJobOptions: { attempts: 7 } }),
  ];

  it('takes the connection and prefix of BullModule.forRoot(), and leaves its queues alone', async () => {
    const app = await start(undefined, { imports: own(), providers: [Letters], queue: { backend: 'redis' } });
    const letters = app.context.get(Letters);
    const job = await letters.queue.add('letter', { to: 'Ada' });
    await untilDone(app, 1);
    await waitFor('the letter is sent', () => letters.sent.length === 1);
    expect(letters.sent).toEqual([{ to: 'Ada' }]);
    expect(job.opts.attempts).toBe(7);
    expect(letters.queue.opts.prefix).toBe('app');
    expect(app.context.get<Queue>(getQueueToken('orchestrate-flow'), { strict: false })).toBeInstanceOf(Queue);
    const keys = (await redis.command('KEYS', 'app:*')) as string[];
    expect(keys).toContain('app:orchestrate-flow:id');
  });

  it('keeps to the queue in PostgreSQL where Redis is not asked for', async () => {
    await redis.command('FLUSHALL');
    const queue = { backend: 'postgres' } as const;
    const app = await start(undefined, { imports: own(), providers: [Letters], queue });
    const letters = app.context.get(Letters);
    await letters.queue.add('letter', {});
    await untilDone(app, 1);
    await waitFor('the letter is sent', () => letters.sent.length === 1);
    expect(await redis.command('KEYS', '*orchestrate-flow*')).toEqual([]);
  });

  it('says what is missing where neither names a Redis, and shows no secret', async () => {
    const queue = { backend: 'redis' } as const;
    await expect(startApp({ database, queue })).rejects.toMatchObject({
      code: 'OF_QUEUE_UNSUITABLE',
      message: expect.stringContaining('no BullModule.forRoot()'),
    });
    const bad = { backend: 'redis', connection: { url: 'http://me:secret@host', port: 1 }, prefix: '' } as const;
    const fault = await startApp({ database, queue: bad, lease: 1 }).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'OF_OPTIONS_INVALID' });
    expect(String(fault)).toMatch(/queue\.connection[^]*queue\.prefix[^]*lease/);
    expect(String(fault)).not.toContain('secret');
  });
});
