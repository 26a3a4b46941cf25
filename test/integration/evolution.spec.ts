import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Compensate,
  Ctx,
  Result,
  SignalPayload,
  Sleep,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
  type WorkflowClass,
} from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

@Workflow({ name: 'order' })
class Before {
  static readonly output = 'ship';

  @Step() charge(): string {
    return 'charged';
  }
  @WaitForSignal('go') go(@SignalPayload() sent: string): string {
    return sent;
  }
  @Sleep('1ms') pause!: void;
  @Step() ship(@Result('charge') charge: string, @Result('go') sent: string): string {
    return `${charge}, ${sent}: shipped before`;
  }
  @Step() tell(): void {}
  @Compensate('charge') refund(): string {
    return 'refunded before';
  }
}

/** Steps and a compensation renamed, in another order; a step added, the pause removed. */
@Workflow({ name: 'order' })
class After {
  static readonly output = 'deliver';

  @Step() greet(): string {
    return 'hello';
  }
  @Step({ renamedFrom: 'tell' }) announce(): void {}
  @Step({ renamedFrom: ['pay', 'charge'] }) collect(): string {
    return 'collected';
  }
  @WaitForSignal('go', { renamedFrom: 'leave' }) go(@SignalPayload() sent: string): string {
    return sent;
  }
  @Step({ renamedFrom: 'ship' })
  deliver(
    @Result('collect') paid: string,
    @Result('go') sent: string,
    @Ctx() { step, idempotencyKey, runId }: StepContext,
  ): string {
    if (sent === 'fail') throw new TypeError('lost');
    return `${paid}, ${sent}: ${step} delivered, ${idempotencyKey === `${runId}:ship`}`;
  }
  @Compensate('collect', { renamedFrom: 'refund' })
  giveBack(@Result('collect', { optional: true }) paid: string | undefined): string {
    return `${paid} given back`;
  }
}

/** `ship` is gone. */
@Workflow({ name: 'order' })
class Without {
  @Step() charge(): void {}
  @WaitForSignal('go') go(): void {}
  @Step() tell(): void {}
}

let database: TestDatabase;
let app: TestApp | undefined;

beforeAll(async () => {
  database = await createDatabase();
});

afterEach(() => app?.close());

afterAll(async () => {
  await database?.drop();
});

async function deploy(...workflows: WorkflowClass[]): Promise<TestApp> {
  await app?.close();
  return (app = await startApp({ database, workflows, defaults: { retry: 1 } }));
}

async function startBefore(): Promise<string> {
  const { orchestrator } = await deploy(Before);
  const { id } = await orchestrator.start('order');
  await waitForStep(orchestrator, id, 'go', 'waiting');
  return id;
}

describe('a run that was started by an earlier build', () => {
  it('goes on with renamed steps on its own graph, under their old names', async () => {
    const id = await startBefore();
    const { orchestrator } = await deploy(After);
    await orchestrator.signal(id, 'go', 'sent');
    await orchestrator.result(id);
    const steps = await orchestrator.steps(id);
    expect(steps.map(({ name }) => name)).toEqual(['charge', 'go', 'pause', 'ship', 'tell', 'refund']);
    expect(steps[3]!.result).toBe('charged, sent: ship delivered, true');
  });

  it('is undone by renamed compensations', async () => {
    const id = await startBefore();
    const { orchestrator } = await deploy(After);
    await orchestrator.signal(id, 'go', 'fail');
    await expect(orchestrator.result(id)).rejects.toMatchObject({ step: 'ship' });
    const refund = (await orchestrator.steps(id)).at(-1);
    expect(refund).toMatchObject({ name: 'refund', result: 'charged given back' });
  });

  it('waits where a step has no method any more, and goes on when the code is back', async () => {
    const id = await startBefore();
    const without = await deploy(Without);
    await without.orchestrator.signal(id, 'go', 'sent');
    // What this build can run goes on beside it.
    const own = await without.orchestrator.start('order');
    await own.signal('go');
    await own.result();
    expect((await without.orchestrator.get(id)).endedAt).toBeNull();
    const { orchestrator } = await deploy(Before);
    await waitForRun(orchestrator, id, 'completed');
    expect(await orchestrator.result(id)).toBe('charged, sent: shipped before');
  });
});
