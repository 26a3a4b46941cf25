import 'reflect-metadata';

import { Ctx, Retry, Step, type StepContext, Workflow } from 'orchestrate-flow';
import { createTestingFlow, stepContext, type TestingFlow } from 'orchestrate-flow/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

const NOON = new Date('2026-06-01T12:00:00Z');

@Workflow({ name: 'reminder' })
class ReminderWorkflow {
  static readonly output = 'remind';

  @Step()
  @Retry({ attempts: 3, delay: '1d', backoff: 'fixed', jitter: 'none' })
  remind(@Ctx() step: StepContext): string {
    return `${step.attempt}: ${new Date().toISOString()}`;
  }
}

describe('a testing flow in Vitest', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({
      workflows: [ReminderWorkflow],
      now: NOON,
      // Only once Date is mocked, below.
      onTime: (now) => vi.isFakeTimers() && vi.setSystemTime(now),
    });
  });

  afterEach(() => {
    flow.restoreStubs();
    vi.useRealTimers();
  });

  afterAll(() => flow?.close());

  it('advances from attempt to attempt, and takes a mocked Date along', async () => {
    vi.useFakeTimers({ now: flow.now(), toFake: ['Date'] });
    const workflow = new ReminderWorkflow();
    const remind = flow.stub(ReminderWorkflow, 'remind', (step) => {
      if (step.attempt < 3) throw new Error('not yet');
      return workflow.remind(step);
    });
    const run = await flow.orchestrator.start(ReminderWorkflow);
    await flow.advance('2d');
    expect(await run.result()).toBe('3: 2026-06-03T12:00:00.000Z');
    expect(remind.calls).toHaveLength(3);
  });

  it('takes a mock of Vitest for a step', async () => {
    const remind = vi.fn<ReminderWorkflow['remind']>().mockReturnValue('mocked');
    flow.stub(ReminderWorkflow, 'remind', remind);
    expect(await flow.result(await flow.orchestrator.start(ReminderWorkflow))).toBe('mocked');
    expect(remind).toHaveBeenCalledOnce();
  });
});

it('a step is a plain method, and its context can be made', () => {
  expect(new ReminderWorkflow().remind(stepContext({ attempt: 7 }))).toMatch(/^7: /);
  const { runId, idempotencyKey } = stepContext({ step: 'charge' });
  expect(idempotencyKey).toBe(`${runId}:charge`);
});
