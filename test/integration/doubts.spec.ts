import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Allow } from 'class-validator';
import {
  Compensate,
  Ctx,
  defineWorkflow,
  Input,
  Item,
  Result,
  Results,
  Step,
  type StepContext,
  type Verdict,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

class Amount {
  @Allow() amount!: number;
}

/** What happened, in order; how the next attempts end; and what is said of them. */
let log: string[] = [];
let course: ('hangs' | 'throws')[] = [];
let verdict: Verdict<string> = { done: false };
let gate = new Gate();

async function pay(what: string): Promise<string> {
  log.push(`pay ${what}`);
  const end = course.shift();
  if (end === 'throws') throw new Error('refused');
  if (end === 'hangs') await gate.pass();
  return `paid ${what}`;
}

const RETRY = { attempts: 3, backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

@Workflow({ name: 'external', retry: RETRY })
class External {
  static readonly input = Amount;
  static readonly output = 'tell';
  @Step({ effect: 'external', timeout: '50ms' })
  pay(@Input() { amount }: Amount): Promise<string> {
    return pay(`${amount}`);
  }
  @Step() tell(@Result('pay') paid: string): string {
    return paid;
  }
  @Compensate('pay') refund(@Ctx() { outcome }: StepContext): void {
    log.push(`refund ${outcome}`);
  }
}

@Workflow({ name: 'asking', retry: RETRY })
class Asking {
  static readonly output = 'pay';
  @Step({ effect: 'external', timeout: '50ms', verify: 'wasPaid' }) pay(): Promise<string> {
    return pay('it');
  }
  wasPaid(): Verdict<string> {
    log.push('look');
    return verdict;
  }
}

@Workflow({ name: 'external-items', retry: RETRY })
class ExternalItems {
  static readonly output = 'all';
  @Step() list(): string[] {
    return ['ann', 'bob'];
  }
  @Step({ effect: 'external', timeout: '50ms', maxItems: 1 }) pay(@Item('list') name: string): Promise<string> {
    return pay(name);
  }
  @Step() all(@Results('pay') paid: string[]): string[] {
    return paid;
  }
}

const Drawn = defineWorkflow(
  'drawn-external',
  {
    output: 'pay',
    retry: RETRY,
    steps: [{ name: 'pay', effect: 'external', timeout: '50ms', verify: 'wasPaid' }],
    conditions: { wasPaid: {} },
  },
  {
    pay: () => pay('drawn'),
    wasPaid: () => verdict,
  },
);

let database: TestDatabase;
let db: TestConnection;
const apps: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  db = await connect(database);
});

beforeEach(() => {
  log = [];
  course = [];
  verdict = { done: false };
  gate = new Gate();
});

afterEach(async () => {
  gate.open();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

async function start(options: object = {}): Promise<TestApp> {
  const app = await startApp({ database, workflows: [External, Asking, ExternalItems, Drawn], ...options });
  apps.push(app);
  return app;
}

/** A run whose first attempt has timed out, and that waits for a person. */
async function startInDoubt({ orchestrator }: TestApp) {
  course = ['hangs'];
  const run = await orchestrator.start(External, { amount: 5 });
  await waitForStep(orchestrator, run.id, 'pay', 'waiting');
  return run;
}

describe('an external step of which nobody knows whether it was done', () => {
  it('waits for a person, shows why, and completes with what that says', async () => {
    const app = await start();
    const run = await startInDoubt(app);
    const details = await app.orchestrator.get(run.id);
    expect(details).toMatchObject({ status: 'waiting', blocked: { step: 'pay' } });
    expect(details.blocked!.reason).toContain('nobody knows whether it has been done');
    expect((await app.orchestrator.steps(run.id))[0]).toMatchObject({ error: { code: 'OF_STEP_IN_DOUBT' } });
    const { runs } = await app.orchestrator.list({ blocked: true, workflow: External });
    expect(runs.map(({ id, blocked }) => [id, blocked?.step])).toEqual([[run.id, 'pay']]);
    await run.resolve('pay', { done: true, result: 'paid by hand' }, { by: 'Ann', reason: 'seen at the bank' });
    await expect(run.result({ timeout: '10s' })).resolves.toBe('paid by hand');
    expect(log).toEqual(['pay 5']);
    const { entries } = await app.orchestrator.audit({ run: run.id });
    expect(entries).toMatchObject([{ action: 'resolve', by: 'Ann', reason: 'step "pay" is done: seen at the bank' }]);
    expect(await app.orchestrator.get(run.id)).toMatchObject({ blocked: null });
    expect((await app.orchestrator.list({ blocked: true })).runs).toEqual([]);
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'step.blocked', runId: run.id, step: 'pay' }));
  });

  it('is run where a person says that it was not done, and asked about again where it ends in doubt again', async () => {
    const app = await start();
    const run = await startInDoubt(app);
    course = ['hangs'];
    await app.orchestrator.resolve(run.id, 'pay', { done: false }, { by: 'Ann' });
    await waitFor('it is in doubt again', async () => {
      const [step] = await app.orchestrator.steps(run.id);
      return step!.attempt === 4 && step!.status === 'waiting';
    });
    // Its attempts 2 and 4 have only found that nobody knows.
    expect(log).toEqual(['pay 5', 'pay 5']);
    await run.resolve('pay', { done: true });
    await expect(run.result({ timeout: '10s' })).resolves.toBeUndefined();
  });

  it('is tried again where its method threw: that leaves no doubt', async () => {
    const { orchestrator } = await start();
    course = ['throws', 'throws'];
    await expect(orchestrator.execute(External, { amount: 5 })).resolves.toBe('paid 5');
    expect(log).toEqual(['pay 5', 'pay 5', 'pay 5']);
  });

  it('waits where a process that ran it hands it over, and not where it had only claimed it', async () => {
    course = ['hangs'];
    const first = await start({ worker: { shutdownTimeout: '1ms' } });
    const run = await first.orchestrator.start(ExternalItems);
    await gate.arrival();
    await first.close();
    const app = await start();
    await waitFor('the item waits', async () => (await app.orchestrator.get(run.id)).blocked?.step === 'pay[0]');
    await app.orchestrator.resolve(run.id, 'pay[0]', { done: true, result: 'by hand' });
    await expect(app.orchestrator.result(run.id, { timeout: '10s' })).resolves.toEqual(['by hand', 'paid bob']);
    expect(log).toEqual(['pay ann', 'pay bob']);
  });

  it('takes one answer where two people give two at once', async () => {
    const [one, two] = [await start(), await start()];
    const run = await startInDoubt(one);
    const answers = await Promise.allSettled([
      one.orchestrator.resolve(run.id, 'pay', { done: true, result: 'by one' }),
      two.orchestrator.resolve(run.id, 'pay', { done: true, result: 'by two' }),
    ]);
    const taken = answers.findIndex(({ status }) => status === 'fulfilled');
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(answers[1 - taken]).toMatchObject({ reason: { code: 'OF_STEP_NOT_IN_DOUBT' } });
    await expect(run.result({ timeout: '10s' })).resolves.toBe(`by ${['one', 'two'][taken]}`);
  });

  it('is cancelled and undone with its run, and not woken', async () => {
    const { orchestrator } = await start();
    const run = await startInDoubt({ orchestrator } as TestApp);
    await orchestrator.wake(run.id);
    expect(await run.status()).toBe('waiting');
    await run.cancel();
    await waitForRun(orchestrator, run.id, 'cancelled');
    expect(log).toEqual(['pay 5', 'refund unknown']);
    await expect(run.resolve('pay', { done: false })).rejects.toMatchObject({ code: 'OF_STEP_NOT_IN_DOUBT' });
  });

  it('is not asked about where its last attempt has ended in doubt: its run fails, and it is undone', async () => {
    const { orchestrator } = await start();
    course = ['throws', 'throws', 'hangs'];
    const run = await orchestrator.start(External, { amount: 5 });
    await expect(run.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    // Its compensation undid what may have been done.
    await expect(run.retry()).rejects.toMatchObject({ code: 'OF_RUN_UNDONE' });
  });

  it.each([
    ['pay', 'yes'],
    ['pay', { done: false, result: 1 }],
    ['nobody', { done: false }],
    ['pay[3]', { done: false }],
    [7, { done: false }],
  ])('refuses to resolve %p by %p', async (step, resolution) => {
    const app = await start();
    const run = await startInDoubt(app);
    await expect(app.orchestrator.resolve(run.id, step as string, resolution as never)).rejects.toMatchObject({
      code: 'OF_ARGUMENT_INVALID',
    });
    await expect(run.resolve('tell', { done: false })).rejects.toMatchObject({ code: 'OF_STEP_NOT_IN_DOUBT' });
    await expect(run.resolve('pay', { done: true, result: () => 1 })).rejects.toMatchObject({
      code: 'OF_VALUE_NOT_STORABLE',
    });
    await run.cancel();
  });
});

describe('an external step with verify', () => {
  it.each([
    ['Asking', Asking, 'it'],
    ['of a graph that is data', Drawn, 'drawn'],
  ])('goes by what that says, and waits where it asks: %s', async (_, workflow, what) => {
    const app = await start();
    const { orchestrator } = app;
    course = ['hangs'];
    verdict = { done: true, result: 'found' };
    await expect(orchestrator.execute(workflow)).resolves.toBe('found');
    course = ['hangs'];
    verdict = { done: false };
    await expect(orchestrator.execute(workflow)).resolves.toBe(`paid ${what}`);
    course = ['hangs'];
    verdict = { ask: 'the bank shows two of them' };
    const run = await orchestrator.start(workflow);
    const blocked = await waitFor('it asks', async () => (await orchestrator.get(run.id)).blocked);
    expect(blocked.reason).toContain('the bank shows two of them');
    await run.resolve('pay', { done: true, result: 'the first' });
    await expect(run.result({ timeout: '10s' })).resolves.toBe('the first');
  });
});

@Workflow({ name: 'retried-external', retry: 1 })
class RetriedExternal {
  static readonly output = 'pay';
  @Step({ effect: 'external', timeout: '50ms' }) pay(): Promise<string> {
    return pay('it');
  }
}

describe('an external step of a run that is retried', () => {
  it('is run where it had failed of itself, and asked about once where its last attempt was in doubt', async () => {
    const { orchestrator } = await start({ workflows: [RetriedExternal] });
    course = ['throws', 'hangs', 'throws'];
    const run = await orchestrator.start(RetriedExternal);
    await expect(run.result({ timeout: '10s' })).rejects.toThrow();
    await run.retry();
    await expect(run.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    expect(log).toHaveLength(2);
    await run.retry();
    await waitFor('it is blocked', async () => (await orchestrator.get(run.id)).blocked);
    expect(log).toHaveLength(2);
    await run.resolve('pay', { done: false });
    await expect(run.result({ timeout: '10s' })).rejects.toThrow();
    await run.retry();
    await expect(run.result({ timeout: '10s' })).resolves.toBe('paid it');
    expect(log).toHaveLength(4);
  });
});

@Workflow({ name: 'external-faults' })
class Faults {
  @Step({ effect: 'outside' as 'external' }) pay(): void {}
}

describe('the option effect', () => {
  it('is refused at boot where it is none', async () => {
    await expect(startApp({ database, workflows: [Faults] })).rejects.toThrow(
      /Faults\.pay.*Expected effect to be one of/,
    );
  });
});
