import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  defineWorkflow,
  Failure,
  Input,
  Item,
  Parallel,
  Results,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';
import { DataSource } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { appDatabase, startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

const HASTE = { code: 'OF_SCHEDULE_TO_START_TIMEOUT' };

let calls: string[] = [];

@Workflow({ name: 'render' })
class Render {
  static readonly output = 'publish';

  @Step() prepare(): void {}
  @Step({ queue: 'gpu', scheduleToStart: '1m', retry: { attempts: 3, delay: '10m', backoff: 'fixed', jitter: 'none' } })
  render(@Ctx() { attempt }: StepContext): string {
    calls.push(`render#${attempt}`);
    if (attempt === 1) throw new Error('out of memory');
    return 'frames';
  }
  @Step() publish(): string {
    return 'published';
  }
}

@Workflow({ name: 'thumbnails' })
class Thumbnails {
  static readonly output = 'report';

  @Parallel({ queue: 'gpu', scheduleToStart: '1m', onFailure: 'continue' }) preview(): string {
    return 'preview';
  }
  @Parallel({ queue: 'gpu', delay: '1h', scheduleToStart: '1m', onFailure: 'continue' }) late(): void {}
  @Parallel({ queue: 'gpu', scheduleToStart: '1m', maxItems: 2, tolerate: '100%' }) shrink(
    @Item('input') item: string,
  ): string {
    return item;
  }
  @Step() report(
    @Failure('preview') preview: Error | undefined,
    @Failure('late') late: Error | undefined,
    @Results('shrink') small: string[],
    @Input() all: string[],
  ): unknown[] {
    return [preview?.message, late?.message, small, all.length];
  }
}

const Generated = defineWorkflow(
  'generated',
  { output: 'one', steps: [{ name: 'one', queue: 'gpu', scheduleToStart: '1m' }] },
  { one: () => 'done' },
);

const WORKFLOWS = [Render, Thumbnails, Generated];

let database: TestDatabase;
let dataSource: DataSource;
let db: TestConnection;
let flow: TestingFlow;
let apps: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  const keepDataSource = { provide: 'kept', inject: [DataSource], useFactory: (its: DataSource) => (dataSource = its) };
  flow = await createTestingFlow({
    ...{ workflows: WORKFLOWS, imports: [appDatabase(database)], providers: [keepDataSource] },
    ...{ now: new Date('2026-01-01'), worker: { queues: ['orchestrate-flow'] } },
  });
  db = await connect(database);
});

beforeEach(() => {
  [calls, apps] = [[], []];
});

afterEach(() => Promise.all(apps.map((app) => app.close())));

afterAll(async () => {
  await flow?.close();
  await db?.close();
  await database?.drop();
});

/** Another process on the same database, and so in the same time: the one that serves the queue. */
async function startGpu(): Promise<TestApp> {
  const app = await startApp({ database, workflows: WORKFLOWS, lease: '1s', worker: { queues: ['gpu'] } });
  apps.push(app);
  return app;
}

const QUICK = { patience: '50ms' } as const;

describe('the option scheduleToStart', () => {
  it('fails a step for good that no worker has taken by then, and not before', async () => {
    const run = await flow.orchestrator.start(Render);
    await waitForStep(flow.orchestrator, run.id, 'render', 'ready');
    await flow.advance(59_999, QUICK);
    expect(await run.status()).toBe('running');
    await flow.advance(1);
    await expect(run.result()).rejects.toMatchObject({ step: 'render', cause: HASTE });
    expect(await flow.stepsOf(run.id)).toMatchObject({
      render: { status: 'failed', attempt: 0, errors: [{ ...HASTE, message: expect.stringContaining('"gpu"') }] },
      publish: { status: 'cancelled' },
    });
    expect(calls).toEqual([]);
  });

  it('counts anew each time that the step waits for a worker, and not while it waits for anything else', async () => {
    const run = await flow.orchestrator.start(Render);
    await waitForStep(flow.orchestrator, run.id, 'render', 'ready');
    await flow.advance(50_000, QUICK);
    const gpu = await startGpu();
    await waitForStep(flow.orchestrator, run.id, 'render', 'retrying');
    await gpu.close();
    // Ten minutes until its next attempt, and then a minute in which nobody takes it.
    await flow.advance('10m', QUICK);
    await waitForStep(flow.orchestrator, run.id, 'render', 'ready');
    await flow.advance(59_000, QUICK);
    expect(await run.status()).toBe('running');
    await flow.advance('1s');
    await expect(run.result()).rejects.toMatchObject({ step: 'render', cause: HASTE });
    expect(await flow.stepsOf(run.id)).toMatchObject({
      render: { status: 'failed', attempt: 1, failures: 1, errors: [{ message: 'out of memory' }, HASTE] },
    });
    expect(calls).toEqual(['render#1']);
  });

  it('begins anew with a retry of the run', async () => {
    const run = await flow.orchestrator.start(Render);
    await waitForStep(flow.orchestrator, run.id, 'render', 'ready');
    await flow.advance('1m');
    await waitForRun(flow.orchestrator, run.id, 'failed');
    await flow.orchestrator.retry(run.id);
    await flow.advance('10m', QUICK);
    await expect(flow.orchestrator.result(run.id)).rejects.toMatchObject({ cause: HASTE });
    await flow.orchestrator.retry(run.id);
    await startGpu();
    await waitForStep(flow.orchestrator, run.id, 'render', 'retrying');
    await flow.advance('10m');
    await waitForRun(flow.orchestrator, run.id, 'completed');
    expect(calls).toEqual(['render#1', 'render#2']);
  });

  it('goes on by onFailure, counts for items one by one, and from the end of a delay on', async () => {
    const run = await flow.orchestrator.start('thumbnails', ['a', 'b', 'c']);
    await waitForStep(flow.orchestrator, run.id, 'shrink', 'ready');
    const gpu = await startGpu();
    await waitForStep(flow.orchestrator, run.id, 'shrink', 'completed');
    await gpu.close();
    await flow.advance('1h', QUICK);
    await waitForStep(flow.orchestrator, run.id, 'late', 'ready');
    await flow.advance('1m');
    expect(await run.result()).toEqual([undefined, expect.stringContaining('"late"'), ['a', 'b', 'c'], 3]);
  });

  it('is for graphs that are data, and for runs that are started in a transaction', async () => {
    const { orchestrator } = flow;
    const one = await orchestrator.start(Generated);
    const two = await dataSource.transaction((manager) => orchestrator.start(Generated, undefined, { manager }));
    await flow.advance('1m', QUICK);
    for (const run of [one, two]) await expect(orchestrator.result(run.id)).rejects.toMatchObject({ cause: HASTE });
  });

  it('is kept by whoever has a beat, also by a process that lacks the code of the run', async () => {
    const other = await createDatabase();
    const stranger = await startApp({ database: other, workflows: [Render], lease: '1s' });
    try {
      const hasty = defineWorkflow(
        'generated',
        { output: 'one', steps: [{ name: 'one', queue: 'gpu', scheduleToStart: '300ms' }] },
        { one: () => 'done' },
      );
      const app = await startApp({ database: other, workflows: [hasty], worker: false });
      const run = await app.orchestrator.start(hasty);
      await expect(app.orchestrator.result(run.id)).rejects.toMatchObject({ cause: HASTE });
      await app.close();
    } finally {
      await stranger.close();
      await other.drop();
    }
  });
});
