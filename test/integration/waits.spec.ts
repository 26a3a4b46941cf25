import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  type FlowEvent,
  Input,
  Result,
  Sleep,
  SleepUntil,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';
import { DataSource } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { appDatabase, startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

const BEGINNING = new Date('2026-01-01T00:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How often each method was called. */
let calls: Record<string, number> = {};
let gate: Gate | null = null;

function called(name: string): number {
  return (calls[name] = (calls[name] ?? 0) + 1);
}

@Workflow({ name: 'trial' })
class Trial {
  static readonly output = 'remind';

  @Step() open(): string {
    called('open');
    return 'opened';
  }
  @Sleep('7d') week!: void;
  @Step() remind(@Result('open') opened: string): string {
    called('remind');
    return `${opened}, reminded`;
  }
}

/** Its steps are run by another app than that which keeps the time. */
@Workflow({ name: 'far-trial', queue: 'far' })
class FarTrial extends Trial {}

class Appointment {
  at!: Date;
}

@Workflow({ name: 'appointment', retry: { attempts: 2, backoff: 'fixed', delay: '1h', jitter: 'none' } })
class Meeting {
  static readonly input = Appointment;
  static readonly output = 'meet';

  @SleepUntil() async time(@Input() { at }: Appointment): Promise<Date> {
    called('time');
    return at;
  }
  @Step() meet(@Result('time') at: Date): Date {
    return at;
  }
}

@Workflow({ name: 'nap' })
class Nap {
  static readonly output = 'rise';

  @Sleep('1h') nap!: void;
  @Step() rise(): string {
    return 'up';
  }
}

@Workflow({ name: 'later' })
class Later {
  static readonly output = 'act';

  isWanted(): boolean {
    called('isWanted');
    return true;
  }
  @Step({ delay: '30m' }) first(): void {}
  @Step({ delay: '2h', when: 'isWanted' }) act(@Ctx() { attempt }: StepContext): number {
    called('act');
    return attempt;
  }
}

@Workflow({ name: 'stubborn', retry: { attempts: 2, backoff: 'fixed', delay: '10h', jitter: 'none' } })
class Stubborn {
  static readonly output = 'act';

  @Step() async act(): Promise<number> {
    const times = called('act');
    if (times === 1) throw new Error('Not yet.');
    await gate?.pass();
    return times;
  }
}

const WORKFLOWS = [Trial, FarTrial, Meeting, Nap, Later, Stubborn];

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
    ...{ now: BEGINNING, worker: { queues: ['orchestrate-flow'] } },
  });
  db = await connect(database);
});

beforeEach(() => {
  [calls, gate, apps] = [{}, null, []];
});

afterEach(async () => {
  gate?.open();
  flow.restoreStubs();
  await Promise.all(apps.map((app) => app.close()));
  const orphans = await db.query('SELECT * FROM orchestrate_flow.orphans');
  expect(orphans).toEqual([]);
});

afterAll(async () => {
  await flow?.close();
  await db?.close();
  await database?.drop();
});

/** Another process on the same database, and so in the same time. */
async function startFar(): Promise<TestApp> {
  const app = await startApp({ database, workflows: WORKFLOWS, lease: '1s', worker: { queues: ['far'] } });
  apps.push(app);
  return app;
}

const inMs = (ms: number) => new Date(flow.now().getTime() + ms);

describe('@Sleep', () => {
  it('lets the run wait for so long, with no worker, and then go on', async () => {
    const run = await flow.orchestrator.start(Trial);
    const due = inMs(7 * DAY);
    expect(await flow.drain()).toMatchObject([{ runId: run.id, step: 'week', status: 'waiting', dueAt: due }]);
    expect(await flow.orchestrator.get(run.id)).toMatchObject({
      status: 'waiting',
      startedAt: flow.now(),
      dueAt: null,
    });
    expect(await flow.stepsOf(run.id)).toMatchObject({
      open: { status: 'completed' },
      week: { status: 'waiting', dueAt: due, worker: null, attempt: 0, result: undefined },
      remind: { status: 'pending' },
    });
    const { runs } = await flow.orchestrator.list({ status: 'waiting' });
    expect(runs.map(({ id }) => id)).toEqual([run.id]);

    await flow.advance(7 * DAY - 1);
    expect(await run.status()).toBe('waiting');
    await flow.advance(1);
    expect(await run.status()).toBe('completed');
    expect(await run.result()).toBe('opened, reminded');
    expect(await flow.stepsOf(run.id)).toMatchObject({ week: { status: 'completed', result: undefined, dueAt: null } });
    expect(calls).toEqual({ open: 1, remind: 1 });
  });

  it('is announced when it begins, also where the run begins with it', async () => {
    const events: FlowEvent[] = [];
    const subscription = flow.orchestrator.events$.subscribe((event) => events.push(event));
    const runs = [await flow.orchestrator.start(Nap), await flow.orchestrator.start(Trial)];
    await flow.drain();
    subscription.unsubscribe();
    const waits = events.flatMap((event) => (event.type === 'step.waiting' ? [[event.runId, event.step]] : []));
    expect(waits).toEqual([
      [runs[0]!.id, 'nap'],
      [runs[1]!.id, 'week'],
    ]);
    for (const { id } of runs) await flow.orchestrator.cancel(id);
  });

  it('loses nothing where the process that fell asleep is gone when the time comes', async () => {
    const first = await startFar();
    const run = await first.orchestrator.start(FarTrial);
    await waitForStep(first.orchestrator, run.id, 'week', 'waiting');
    await first.close();
    await flow.advance('7d', { patience: '10ms' });
    // Its time has come, and nobody serves its queue.
    await waitForStep(flow.orchestrator, run.id, 'week', 'ready');
    expect(calls).toEqual({ open: 1 });
    const second = await startFar();
    await waitForRun(second.orchestrator, run.id, 'completed');
    expect(calls).toEqual({ open: 1, remind: 1 });
  });

  it('is ended by another where the worker dies that was about to end it', async () => {
    const first = await startFar();
    const run = await first.orchestrator.start(FarTrial);
    await waitForStep(first.orchestrator, run.id, 'week', 'waiting');
    await first.close();
    // Whoever took it up when its time had come is dead.
    const dead = randomUUID();
    await db.query(
      `UPDATE orchestrate_flow.workflow_step SET status = 'running', attempt = 1, worker = $2, due_at = NULL, started_at = now()
       WHERE run_id = $1 AND name = 'week'`,
      [run.id, dead],
    );
    const second = await startFar();
    await waitForRun(second.orchestrator, run.id, 'completed');
    expect(await flow.stepsOf(run.id)).toMatchObject({ week: { attempt: 2, crashes: 1, failures: 0 } });
    expect(calls).toEqual({ open: 1, remind: 1 });
  });

  it('of 1,000 runs that are due in one moment holds none of them back', async () => {
    const runs = await flow.orchestrator.startMany(Nap, Array<object>(1_000).fill({}));
    expect(await flow.drain({ timeout: '20s' })).toHaveLength(1_000);
    await flow.advance('1h', { patience: '20s' });
    expect(await flow.drain({ timeout: '20s' })).toEqual([]);
    const [counts] = await db.query<{ completed: number; up: number }>(
      `SELECT (SELECT count(*) FROM orchestrate_flow.workflow_run WHERE id = ANY ($1) AND status = 'completed')::int AS completed,
         (SELECT count(*) FROM orchestrate_flow.workflow_step
          WHERE run_id = ANY ($1) AND name = 'rise' AND status = 'completed' AND attempt = 1)::int AS up`,
      [runs.map(({ id }) => id)],
    );
    expect(counts).toEqual({ completed: 1_000, up: 1_000 });
  });
});

describe('@SleepUntil', () => {
  it('lets the run wait until the time that its method says, which is its result', async () => {
    const at = inMs(3 * DAY);
    const run = await flow.orchestrator.start(Meeting, { at });
    expect(await flow.drain()).toMatchObject([{ step: 'time', status: 'waiting', dueAt: at }]);
    expect(await run.status()).toBe('waiting');
    expect(await flow.stepsOf(run.id)).toMatchObject({ time: { status: 'waiting', dueAt: at, result: undefined } });
    await flow.advance(3 * DAY - 1);
    expect(await run.status()).toBe('waiting');
    await flow.advance(1);
    expect(await run.result()).toEqual(at);
    expect(await flow.stepsOf(run.id)).toMatchObject({ time: { status: 'completed', result: at } });
    expect(calls).toEqual({ time: 1 });
  });

  it('is no wait where the time has passed', async () => {
    const at = inMs(-DAY);
    const run = await flow.orchestrator.start(Meeting, { at });
    expect(await flow.drain()).toEqual([]);
    expect(await run.result()).toEqual(at);
  });

  it('is retried where its method throws, and then waits', async () => {
    const at = inMs(DAY);
    const time = flow.stub(Meeting, 'time', (appointment) => {
      if (time.calls.length === 1) throw new Error('No calendar.');
      return appointment.at;
    });
    const run = await flow.orchestrator.start(Meeting, { at });
    expect(await flow.drain()).toMatchObject([{ step: 'time', status: 'retrying', dueInMs: HOUR }]);
    await flow.advance('1h');
    expect(await run.status()).toBe('waiting');
    expect(await flow.result(run)).toEqual(at);
    expect(time.calls).toHaveLength(2);
  });

  it.each([
    undefined,
    'tomorrow',
    1_800_000_000_000,
    new Date(NaN),
    new Date('+010000-01-01T00:00:00Z'),
    { [Symbol.toStringTag]: 'Date' },
  ])('fails at once where its method returns %p', async (said) => {
    const time = flow.stub(Meeting, 'time', () => said as unknown as Date);
    const run = await flow.orchestrator.start(Meeting, { at: flow.now() });
    expect(await flow.drain()).toEqual([]);
    await expect(run.result()).rejects.toMatchObject({
      cause: { code: 'OF_TIME_INVALID', message: expect.stringContaining('appointment.time()') },
    });
    expect(time.calls).toHaveLength(1);
  });
});

describe('the option delay of a step', () => {
  it('lets it wait after its condition, which is asked before and once', async () => {
    const run = await flow.orchestrator.start(Later);
    expect(await flow.drain()).toMatchObject([{ step: 'first', dueInMs: HOUR / 2 }]);
    expect(calls).toEqual({});
    expect(await flow.advance('30m')).toMatchObject([{ step: 'act', status: 'waiting', dueInMs: 2 * HOUR }]);
    expect(calls).toEqual({ isWanted: 1 });
    await flow.advance('2h');
    expect(await run.status()).toBe('completed');
    expect(calls).toEqual({ isWanted: 1, act: 1 });
  });
});

describe('the option startAt', () => {
  it('lets the run begin at that time', async () => {
    const startAt = inMs(5 * HOUR);
    const run = await flow.orchestrator.start(Stubborn, undefined, { startAt });
    expect(await flow.drain()).toMatchObject([{ runId: run.id, step: null, status: 'pending', dueAt: startAt }]);
    expect(await flow.orchestrator.get(run.id)).toMatchObject({ status: 'pending', dueAt: startAt, startedAt: null });
    await flow.advance(5 * HOUR - 1);
    expect(calls).toEqual({});
    await flow.advance(1);
    expect(calls).toEqual({ act: 1 });
    expect((await flow.orchestrator.get(run.id)).startedAt).toEqual(startAt);
    await run.cancel();
  });

  it('begins at once where that time has passed, also of several and by execute()', async () => {
    const startAt = inMs(-1);
    const run = await flow.orchestrator.start(Meeting, { at: startAt }, { startAt });
    expect(await flow.drain()).toEqual([]);
    expect(await run.result()).toEqual(startAt);
    const [one, two] = await flow.orchestrator.startMany(Meeting, [
      { input: { at: startAt }, startAt },
      { input: { at: startAt }, startAt: inMs(HOUR) },
    ]);
    expect(await flow.drain()).toMatchObject([{ runId: two!.id }]);
    expect([await one!.status(), await two!.status()]).toEqual(['completed', 'pending']);
    await flow.advance('1h');
    expect(await two!.status()).toBe('completed');
    await expect(flow.orchestrator.execute(Meeting, { at: startAt }, { startAt })).resolves.toEqual(startAt);
  });

  it.each([
    ['2026-01-01', 'startAt'],
    [new Date(NaN), 'startAt'],
    [new Date('+010000-01-01T00:00:00Z'), 'startAt'],
    [{ [Symbol.toStringTag]: 'Date' }, 'startAt'],
    [null, 'startAt'],
  ])('is refused where it is %p', async (startAt, said) => {
    const options = { startAt: startAt as unknown as Date };
    const refusal = { code: 'OF_ARGUMENT_INVALID', message: expect.stringContaining(said) };
    await expect(flow.orchestrator.start(Nap, undefined, options)).rejects.toMatchObject(refusal);
  });

  it('is refused beside delay', async () => {
    const both = flow.orchestrator.start(Nap, undefined, { startAt: inMs(1), delay: '1h' });
    await expect(both).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
  });
});

describe('wake()', () => {
  it('ends a sleep at once, and its result is that of one that has lasted', async () => {
    const at = inMs(DAY);
    const runs = [await flow.orchestrator.start(Nap, undefined), await flow.orchestrator.start(Meeting, { at })];
    expect(await flow.drain()).toHaveLength(2);
    for (const { id } of runs) await flow.orchestrator.wake(id);
    expect(await flow.drain()).toEqual([]);
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['up', at]);
  });

  it('ends the delay of a step, of a start and of a next attempt', async () => {
    const [later, delayed, stubborn] = [
      await flow.orchestrator.start(Later),
      await flow.orchestrator.start(Nap, undefined, { delay: '3h', key: 'delayed' }),
      await flow.orchestrator.start(Stubborn),
    ];
    expect((await flow.drain()).map(({ status }) => status).sort()).toEqual(['pending', 'retrying', 'waiting']);
    await flow.orchestrator.wake(later.id);
    await flow.orchestrator.wake({ workflow: Nap, key: 'delayed' });
    await flow.orchestrator.wake(stubborn.id);
    expect(await flow.drain()).toMatchObject([
      { runId: delayed.id, step: 'nap', dueInMs: HOUR },
      { runId: later.id, step: 'act', dueInMs: 2 * HOUR },
    ]);
    expect(await stubborn.result()).toBe(2);
    expect(await flow.orchestrator.get(delayed.id)).toMatchObject({
      status: 'waiting',
      startedAt: flow.now(),
      dueAt: null,
    });
    await flow.orchestrator.wake(later.id);
    await flow.orchestrator.wake(delayed.id);
    expect(await flow.drain()).toEqual([]);
    expect([await later.result(), await delayed.result()]).toEqual([2, 'up']);
    expect(calls).toMatchObject({ isWanted: 1, act: 3 });
  });

  it('changes nothing in a run that waits for no time', async () => {
    gate = new Gate();
    calls['act'] = 1;
    const run = await flow.orchestrator.start(Stubborn);
    await gate.arrival();
    await flow.orchestrator.wake(run.id);
    expect(await flow.stepsOf(run.id)).toMatchObject({ act: { status: 'running', attempt: 1 } });
    gate.open();
    await expect(run.result()).resolves.toBe(2);
  });

  it('of a run that has ended or is being cancelled is refused, and so is that of one that there is not', async () => {
    const ended = { code: 'OF_RUN_ENDED', message: expect.stringContaining('Cannot wake run') };
    const run = await flow.orchestrator.start(Meeting, { at: inMs(-1) });
    await flow.drain();
    await expect(flow.orchestrator.wake(run.id)).rejects.toMatchObject(ended);

    gate = new Gate();
    calls['act'] = 1;
    const cancelling = await flow.orchestrator.start(Stubborn);
    await gate.arrival();
    await cancelling.cancel();
    await expect(flow.orchestrator.wake(cancelling.id)).rejects.toMatchObject(ended);
    gate.open();
    await flow.drain();
    await expect(flow.orchestrator.wake(randomUUID())).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
    const unknown = flow.orchestrator.wake({ workflow: Nap, key: 'nobody' });
    await expect(unknown).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
  });

  it('works from a process that runs no steps and from one without the code of the run', async () => {
    const far = await startFar();
    const run = await far.orchestrator.start(FarTrial);
    await waitForStep(far.orchestrator, run.id, 'week', 'waiting');
    const stranger = await startApp({ database, workflows: [], worker: false });
    apps.push(stranger);
    await stranger.orchestrator.wake(run.id);
    await waitForRun(far.orchestrator, run.id, 'completed');
    expect(calls).toEqual({ open: 1, remind: 1 });
  });
});

describe('cancel()', () => {
  it('ends a run that sleeps at once, and nothing of it is due any more', async () => {
    const run = await flow.orchestrator.start(Trial);
    expect(await flow.drain()).toHaveLength(1);
    await run.cancel({ reason: 'enough' });
    expect(await flow.drain()).toEqual([]);
    expect(await flow.orchestrator.get(run.id)).toMatchObject({ status: 'cancelled', cancelReason: 'enough' });
    expect(await flow.stepsOf(run.id)).toMatchObject({
      week: { status: 'cancelled', dueAt: null, endedAt: flow.now() },
      remind: { status: 'cancelled' },
    });
    await flow.advance('7d');
    expect(calls).toEqual({ open: 1 });
  });
});

describe('a run that is started in a transaction', () => {
  it.each([
    [Nap, 'nap', HOUR],
    [Later, 'first', HOUR / 2],
  ])('may begin with a wait: %p', async (workflow, step, dueInMs) => {
    const run = await dataSource.transaction(async (manager) => {
      const started = await flow.orchestrator.start(workflow, undefined, { manager });
      expect(await flow.drain()).toEqual([]);
      return started;
    });
    expect(await flow.drain()).toMatchObject([{ runId: run.id, step, status: 'waiting', dueInMs }]);
    expect(await flow.orchestrator.get(run.id)).toMatchObject({ status: 'waiting', startedAt: flow.now() });
    await flow.advance(dueInMs);
    expect((await flow.stepsOf(run.id))[step]).toMatchObject({ status: 'completed', attempt: 1 });
    await flow.result(run);
  });

  it('may begin with a start time, and is not there where the transaction is rolled back', async () => {
    const startAt = inMs(HOUR);
    const run = await dataSource.transaction((manager) =>
      flow.orchestrator.start(Nap, undefined, { manager, startAt }),
    );
    expect(await flow.drain()).toMatchObject([{ runId: run.id, step: null, dueAt: startAt }]);
    await flow.orchestrator.cancel(run.id);
    const rolledBack = dataSource.transaction(async (manager) => {
      await flow.orchestrator.start(Nap, undefined, { manager });
      throw new Error('On second thoughts.');
    });
    await expect(rolledBack).rejects.toThrow('On second thoughts.');
    expect(await flow.drain()).toEqual([]);
  });
});
