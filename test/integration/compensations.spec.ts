import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Compensate,
  Ctx,
  Failure,
  NonRetryableError,
  Parallel,
  Result,
  SignalPayload,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

/** What happened, in order. */
let log: string[] = [];
let gate = new Gate();
let fail = true;
let failingUndo = 0;

@Workflow({ name: 'saga', retry: { attempts: 2, ...FAST } })
class Saga {
  @Step() reserve(): string {
    log.push('reserve');
    return 'r1';
  }
  @Parallel() charge(): string {
    log.push('charge');
    return 'c1';
  }
  @Parallel() print(): string {
    log.push('print');
    return 'p1';
  }
  @Step() async ship(@Ctx() { signal }: StepContext): Promise<void> {
    await Promise.race([gate.pass(), new Promise((_, reject) => signal.addEventListener('abort', reject))]);
    if (fail) throw new NonRetryableError('no carrier');
  }
  @Compensate('reserve') release(
    @Result('reserve', { optional: true }) reserved: string | undefined,
    @Failure() failure: Error | undefined,
  ): void {
    log.push(`release ${reserved} because of ${failure?.message}`);
  }
  @Compensate('charge', { retry: { attempts: 3, ...FAST } }) refund(
    @Result('charge', { optional: true }) charged: string | undefined,
    @Ctx() { outcome }: StepContext,
  ): void {
    if (failingUndo-- > 0) throw new Error('bank closed');
    log.push(`refund ${charged} ${outcome}`);
  }
  @Compensate('print') void(): void {
    log.push('void');
  }
  @Compensate('ship') recall(@Ctx() { outcome }: StepContext): void {
    log.push(`recall ${outcome}`);
  }
}

@Workflow({ name: 'final', retry: { attempts: 1 } })
class Final {
  @Step() charge(): void {}
  @WaitForSignal('arrived', { pointOfNoReturn: true }) arrived(@SignalPayload() how: string): void {
    if (how !== 'well') throw new Error(how);
  }
  @Step() async review(): Promise<void> {
    await gate.pass();
    if (fail) throw new Error('no mail');
  }
  @Compensate('charge') refund(): void {
    log.push('refund');
  }
}

@Workflow({ name: 'timeouts', retry: { attempts: 1 } })
class TimesOut {
  @Step({ timeout: '20ms' }) pay(): Promise<string> {
    return new Promise(() => {});
  }
  @Compensate('pay') refund(
    @Result('pay', { optional: true }) paid: string | undefined,
    @Ctx() { outcome }: StepContext,
  ): void {
    log.push(`refund ${paid} ${outcome}`);
  }
}

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Saga, Final, TimesOut] });
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

beforeEach(() => {
  [log, gate, fail, failingUndo] = [[], new Gate(), true, 0];
});

const statuses = async (id: string) =>
  Object.fromEntries((await app.orchestrator.steps(id)).map(({ name, status }) => [name, status]));

describe('a run that fails', () => {
  it('undoes what it did, newest first, with results and failure at hand, and then has failed', async () => {
    gate.open();
    const run = await app.orchestrator.start(Saga);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED', step: 'ship' });
    expect(log.slice(0, 3).sort()).toEqual(['charge', 'print', 'reserve']);
    // The two that ran side by side are undone side by side.
    expect(log.slice(3, 5).sort()).toEqual(['refund c1 completed', 'void']);
    expect(log.slice(5)).toEqual(['release r1 because of no carrier']);
    expect(await statuses(run.id)).toMatchObject({
      ...{ charge: 'completed', refund: 'completed', release: 'completed', void: 'completed' },
      // It failed of itself: there is nothing to recall.
      ...{ ship: 'failed', recall: 'skipped' },
    });
    expect(app.events.filter(({ type }) => type === 'run.compensating')).toContainEqual(
      expect.objectContaining({ runId: run.id }),
    );
  });

  it('undoes what may have been done: its attempt timed out', async () => {
    const run = await app.orchestrator.start(TimesOut);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    expect(log).toEqual(['refund undefined unknown']);
  });

  it('undoes nothing when it completes', async () => {
    fail = false;
    gate.open();
    const run = await app.orchestrator.start(Saga);
    await run.result();
    expect(log).toHaveLength(3);
    expect(await statuses(run.id)).toMatchObject({ ship: 'completed', refund: 'skipped' });
  });
});

describe('a point of no return', () => {
  it('that a run has passed keeps it from undoing what came before, when it fails and when it is cancelled', async () => {
    const failed = await app.orchestrator.start(Final);
    await failed.signal('arrived', 'well');
    gate.open();
    await expect(failed.result()).rejects.toMatchObject({ step: 'review' });
    gate = new Gate();
    const cancelled = await app.orchestrator.start(Final);
    await cancelled.signal('arrived', 'well');
    await waitForStep(app.orchestrator, cancelled.id, 'review', 'running');
    await cancelled.cancel();
    gate.open();
    await expect(cancelled.result()).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED' });
    expect(log).toEqual([]);
  });

  it('that it has not passed keeps nothing', async () => {
    const run = await app.orchestrator.start(Final);
    await run.signal('arrived', 'broken');
    await expect(run.result()).rejects.toMatchObject({ step: 'arrived' });
    expect(log).toEqual(['refund']);
  });
});

describe('a compensation', () => {
  it('is tried again by its own policy', async () => {
    gate.open();
    failingUndo = 2;
    const run = await app.orchestrator.start(Saga);
    await expect(run.result()).rejects.toMatchObject({ step: 'ship' });
    expect(log).toContain('refund c1 completed');
  });

  it('that fails for good is loud, and keeps nothing else from being undone', async () => {
    gate.open();
    failingUndo = 9;
    const run = await app.orchestrator.start(Saga);
    await expect(run.result()).rejects.toMatchObject({ step: 'ship' });
    expect(log).toContain('release r1 because of no carrier');
    expect(await statuses(run.id)).toMatchObject({ refund: 'failed', release: 'completed' });
    expect(app.events).toContainEqual(
      expect.objectContaining({ type: 'compensation.failed', runId: run.id, step: 'refund' }),
    );
  });
});

describe('a run that is cancelled', () => {
  it('undoes what it did, also what was under way when it was stopped, and is cancelled then', async () => {
    const run = await app.orchestrator.start(Saga);
    await waitForStep(app.orchestrator, run.id, 'ship', 'running');
    await run.cancel({ reason: 'changed my mind' });
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED', reason: 'changed my mind' });
    expect(log.slice(3)[0]).toBe('recall unknown');
    expect(log).toContain('release r1 because of undefined');
  });

  it('has failed where something of it could not be undone', async () => {
    failingUndo = 9;
    const run = await app.orchestrator.start(Saga);
    await waitForStep(app.orchestrator, run.id, 'ship', 'running');
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED', step: 'refund' });
  });
});

describe('a run that is terminated', () => {
  it('has ended at once, with what ran in it aborted and refused, and undoes nothing', async () => {
    const run = await app.orchestrator.start(Saga);
    await waitForStep(app.orchestrator, run.id, 'ship', 'running');
    await app.orchestrator.terminate(run.id, { reason: 'enough' });
    await app.orchestrator.terminate(run.id);
    expect(await run.status()).toBe('terminated');
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_TERMINATED', reason: 'enough' });
    expect(log).toHaveLength(3);
    expect(await statuses(run.id)).toMatchObject({ ship: 'cancelled', refund: 'skipped' });
  });

  it('has its attempts aborted in other processes as well', async () => {
    const worker = await startApp({ database, workflows: [Saga], lease: '3s' });
    try {
      await app.close();
      const run = await worker.orchestrator.start(Saga);
      await waitForStep(worker.orchestrator, run.id, 'ship', 'running');
      app = await startApp({ database, workflows: [Saga, Final, TimesOut] });
      await app.orchestrator.terminate(run.id);
      // The step ends only when its signal is raised.
      await waitForRun(worker.orchestrator, run.id, 'terminated');
      await worker.close();
      const stale = worker.events.filter(({ type }) => type === 'step.stale');
      expect(stale).toContainEqual(expect.objectContaining({ runId: run.id, step: 'ship' }));
    } finally {
      await worker.close();
    }
  });

  it('cannot be terminated once it has ended otherwise', async () => {
    fail = false;
    gate.open();
    const run = await app.orchestrator.start(Saga);
    await run.result();
    await expect(app.orchestrator.terminate(run.id)).rejects.toMatchObject({ code: 'OF_RUN_ENDED' });
  });
});
