import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Compensate, Sleep, Step, WaitForSignal, Workflow } from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

let log: string[] = [];

@Workflow({ name: 'due', deadline: '14d' })
class Due {
  static readonly output = 'end';

  @Step() charge(): string {
    return 'c1';
  }
  @WaitForSignal('paid') paid(): void {}
  @Step() end(): string {
    return 'done';
  }
  @Compensate('charge') refund(): void {
    log.push('refund');
  }
}

@Workflow({ name: 'sleepy' })
class Sleepy {
  static readonly output = 'end';

  @Sleep('30d') nap!: void;
  @Step() end(): string {
    return 'done';
  }
}

describe('a deadline', () => {
  let flow: TestingFlow;

  beforeEach(async () => {
    log = [];
    flow = await createTestingFlow({ workflows: [Due, Sleepy] });
  });

  afterEach(() => flow?.close());

  it('fails the run in the first step that has not ended, at its time and not before, and undoes what was done', async () => {
    const run = await flow.orchestrator.start(Due);
    await flow.advance('13d');
    expect(await run.status()).toBe('waiting');
    await flow.advance('1d');
    await expect(run.result()).rejects.toMatchObject({
      ...{ code: 'OF_RUN_FAILED', step: 'paid', cause: { code: 'OF_DEADLINE_PASSED' } },
    });
    expect(log).toEqual(['refund']);
  });

  it('is no matter for a run that has ended before', async () => {
    const run = await flow.orchestrator.start(Due);
    await run.signal('paid');
    expect(await run.result()).toBe('done');
    await flow.advance('15d');
    expect(await run.status()).toBe('completed');
    expect(log).toEqual([]);
  });

  it('can be given with the start, counts from the run’s beginning, and is shown', async () => {
    const patient = await flow.orchestrator.start(Sleepy, undefined, { deadline: '31d', delay: '5d' });
    const hasty = await flow.orchestrator.start(Sleepy, undefined, { deadline: '29d' });
    const { deadlineAt, dueAt } = await flow.orchestrator.get(patient.id);
    expect(deadlineAt!.getTime() - dueAt!.getTime()).toBe(31 * 86_400_000);
    await flow.advance('35d');
    expect(await patient.result()).toBe('done');
    await expect(hasty.result()).rejects.toMatchObject({ step: 'nap', cause: { code: 'OF_DEADLINE_PASSED' } });
    expect((await flow.orchestrator.get(hasty.id)).deadlineAt).toBeNull();
  });

  it('that is none is refused', async () => {
    const start = (deadline: unknown) => flow.orchestrator.start(Sleepy, undefined, { deadline: deadline as '1d' });
    for (const deadline of [0, -1, '11y', '3651d', null])
      await expect(start(deadline)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
  });
});
