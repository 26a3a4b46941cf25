import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Compensate,
  Ctx,
  defineWorkflow,
  type HandlerArguments,
  Parallel,
  Repeat,
  Result,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { appDatabase, startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

interface Job {
  readonly round: number;
  readonly last: number | null;
}

/** What each call was given. */
let log: string[] = [];
let ask: (job: Job) => boolean = ({ round }) => round === 3;
let act: (step: StepContext) => unknown = () => undefined;
let gate: Gate | null = null;

const RETRY = { attempts: 2, delay: '1s', backoff: 'fixed', jitter: 'none' } as const;

@Workflow({ name: 'print', retry: RETRY })
class Print {
  static readonly output = 'report';

  isWanted(): boolean {
    log.push('isWanted');
    return true;
  }

  @Step({ when: 'isWanted' })
  @Repeat({ until: 'isPrinted', every: '1m', max: 5 })
  async print(@Ctx() step: StepContext, @Result('print', { optional: true }) last: Job | undefined): Promise<Job> {
    log.push(`print ${step.round}#${step.attempt} ${step.idempotencyKey.split(':')[1]}`);
    await act(step);
    return { round: step.round, last: last?.round ?? null };
  }
  isPrinted(@Result('print') job: Job, @Ctx() { round }: StepContext): boolean {
    log.push(`isPrinted ${round}`);
    return ask(job);
  }
  @Step() report(@Result('print') job: Job): Job {
    return job;
  }
  @Compensate('print') discard(@Result('print', { optional: true }) job: Job | undefined): void {
    log.push(`discard ${job?.round}`);
  }
}

/** Its rounds follow each other at once, and in the queue that only another app serves. */
@Workflow({ name: 'far-print', queue: 'far', retry: RETRY })
class FarPrint {
  static readonly output = 'print';

  @Step({ repeat: { until: 'isPrinted', every: 0, max: 4 } })
  async print(@Ctx() step: StepContext): Promise<number> {
    log.push(`print ${step.round}#${step.attempt}`);
    await act(step);
    return step.round;
  }
  isPrinted(@Result('print') round: number): boolean {
    return ask({ round, last: null });
  }
}

@Workflow({ name: 'either' })
class Either {
  static readonly output = 'first';

  @Parallel({ repeat: { until: 'never', every: '1h', max: 100 } }) poll(): void {
    log.push('poll');
  }
  @Parallel() other(): string {
    return 'other';
  }
  @Step({ after: ['poll', 'other'], join: 'any' }) first(@Result('other', { optional: true }) it?: string): unknown {
    return it;
  }
  never(): boolean {
    return false;
  }
}

const Generated = defineWorkflow(
  'generated-loop',
  {
    output: 'count',
    steps: [
      {
        name: 'count',
        repeat: { until: 'isEnough', every: '1s', max: 9 },
        results: [{ step: 'count', optional: true }],
      },
    ],
    conditions: { isEnough: { results: ['count'] } },
  },
  {
    count: ({ results }: HandlerArguments) => ((results['count'] as number | undefined) ?? 0) + 10,
    isEnough: ({ results }: HandlerArguments) => (results['count'] as number) >= 30,
  },
);

const WORKFLOWS = [Print, FarPrint, Either, Generated];

let database: TestDatabase;
let db: TestConnection;
let flow: TestingFlow;
let apps: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  flow = await createTestingFlow({
    ...{ workflows: WORKFLOWS, imports: [appDatabase(database)], now: new Date('2026-01-01') },
    worker: { queues: ['orchestrate-flow'] },
  });
  db = await connect(database);
});

beforeEach(() => {
  [log, apps, gate] = [[], [], null];
  ask = ({ round }) => round === 3;
  act = () => undefined;
});

afterEach(async () => {
  gate?.open();
  await Promise.all(apps.map((app) => app.close()));
  expect(await db.query('SELECT * FROM orchestrate_flow.orphans')).toEqual([]);
});

afterAll(async () => {
  await flow?.close();
  await db?.close();
  await database?.drop();
});

async function startFar(): Promise<TestApp> {
  const app = await startApp({ database, workflows: WORKFLOWS, lease: '1s', worker: { queues: ['far'] } });
  apps.push(app);
  return app;
}

describe('@Repeat', () => {
  it('does a step again until its method says that it is done, and waits in between without a worker', async () => {
    const run = await flow.orchestrator.start(Print);
    await flow.drain();
    expect(await run.status()).toBe('waiting');
    expect(await flow.stepsOf(run.id)).toMatchObject({ print: { status: 'waiting', worker: null, result: undefined } });
    await flow.advance(59_999);
    expect(log).toEqual(['isWanted', 'print 1#1 print', 'isPrinted 1']);
    await flow.advance(1);
    expect(log.slice(3)).toEqual(['print 2#2 print#2', 'isPrinted 2']);
    expect(await flow.result(run)).toEqual({ round: 3, last: 2 });
    expect(log.slice(5)).toEqual(['print 3#3 print#3', 'isPrinted 3']);
  });

  it('counts failures of each round anew, and the round keeps its key', async () => {
    act = ({ attempt }) => {
      if (attempt % 2 === 1) throw new Error(`away ${attempt}`);
    };
    const run = await flow.orchestrator.start(Print);
    expect(await flow.result(run)).toEqual({ round: 3, last: 2 });
    expect(log.filter((line) => line.startsWith('print'))).toEqual([
      ...[
        'print 1#1 print',
        'print 1#2 print',
        'print 2#3 print#2',
        'print 2#4 print#2',
        'print 3#5 print#3',
        'print 3#6 print#3',
      ],
    ]);
    expect(await flow.stepsOf(run.id)).toMatchObject({ print: { status: 'completed', failures: 1, attempt: 6 } });
  });

  it('asks its method again where that throws, and does not do the round again', async () => {
    let times = 0;
    ask = () => {
      if (++times === 1) throw new Error('unsure');
      return true;
    };
    const run = await flow.orchestrator.start(Print);
    expect(await flow.result(run)).toEqual({ round: 1, last: null });
    expect(log).toEqual(['isWanted', 'print 1#1 print', 'isPrinted 1', 'isPrinted 1']);
  });

  it('fails after its last round, undoes what its rounds have done, and begins anew with a retry', async () => {
    ask = () => false;
    const run = await flow.orchestrator.start(Print);
    await expect(flow.result(run)).rejects.toMatchObject({
      ...{ step: 'print', cause: { code: 'OF_REPEAT_EXHAUSTED', message: expect.stringContaining('after 5 rounds') } },
    });
    expect(log.filter((line) => line.startsWith('isPrinted'))).toHaveLength(5);
    expect(log.at(-1)).toBe('discard undefined');
    await expect(flow.orchestrator.retry(run.id)).rejects.toMatchObject({ code: 'OF_RUN_UNDONE' });
  });

  it('ends its pause with wake(), and is cancelled between rounds: then what they have done is undone', async () => {
    const run = await flow.orchestrator.start(Print);
    await flow.drain();
    await flow.orchestrator.wake(run.id);
    await flow.drain();
    expect(log.at(-1)).toBe('isPrinted 2');
    await run.cancel();
    await flow.drain();
    expect(await run.status()).toBe('cancelled');
    expect(log.at(-1)).toBe('discard undefined');
    const before = log.length;
    await flow.advance('1h');
    expect(log).toHaveLength(before);
  });

  it('loses a join between rounds', async () => {
    const run = await flow.orchestrator.start(Either);
    expect(await flow.result(run)).toBe('other');
    await flow.drain();
    expect((await flow.stepsOf(run.id))['poll']!.status).toBe('cancelled');
  });

  it('says what is no boolean', async () => {
    ask = () => 'yes' as unknown as boolean;
    const run = await flow.orchestrator.start(Print);
    await expect(flow.result(run)).rejects.toMatchObject({ cause: { code: 'OF_CONDITION_INVALID' } });
  });

  it('is for graphs that are data', async () => {
    const run = await flow.orchestrator.start(Generated);
    expect(await flow.result(run)).toBe(30);
  });

  it('goes on at once where it does not wait, each round with an attempt of its own', async () => {
    await startFar();
    const run = await flow.orchestrator.start(FarPrint);
    await waitForRun(flow.orchestrator, run.id, 'completed');
    expect(log).toEqual(['print 1#1', 'print 2#2', 'print 3#3']);
    ask = () => false;
    const endless = await flow.orchestrator.start(FarPrint);
    await expect(flow.orchestrator.result(endless.id)).rejects.toMatchObject({
      cause: { code: 'OF_REPEAT_EXHAUSTED' },
    });
    ask = () => true;
    await flow.orchestrator.retry(endless.id);
    expect(await flow.result(endless)).toBe(1);
  });

  it('goes on in another process where its own is gone: with the round that was under way, or with the question', async () => {
    gate = new Gate();
    act = ({ round, attempt }) => (round === 2 && attempt === 2 ? gate!.pass() : undefined);
    const first = await startApp({
      database,
      workflows: WORKFLOWS,
      lease: '1s',
      worker: { queues: ['far'], shutdownTimeout: 0 },
    });
    const run = await flow.orchestrator.start(FarPrint);
    await waitForStep(flow.orchestrator, run.id, 'print', 'running');
    while (!log.includes('print 2#2')) await new Promise((resolve) => setTimeout(resolve, 5));
    await first.close();
    await startFar();
    await waitForRun(flow.orchestrator, run.id, 'completed');
    expect(log).toEqual(['print 1#1', 'print 2#2', 'print 2#3', 'print 3#4']);
  });
});
