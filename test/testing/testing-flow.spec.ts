import 'reflect-metadata';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  Input,
  NonRetryableError,
  Parallel,
  Result,
  Retry,
  RunFailedError,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';
import { createTestingFlow, TestingFlow } from 'orchestrate-flow/testing';

import { connect } from '../support/connect.js';
import { createDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';

const BEGINNING = new Date('2026-01-01T00:00:00Z');
const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const EVEN = { backoff: 'fixed', jitter: 'none' } as const;

class OrderDto {
  id!: string;
}

@Workflow({ name: 'order' })
class OrderWorkflow {
  static readonly input = OrderDto;
  static readonly output = 'ship';

  @Step()
  reserve(@Input() order: OrderDto): string {
    return `stock of ${order.id}`;
  }

  @Parallel({ timeout: '30s' })
  @Retry({ attempts: 3, delay: '1h', ...EVEN })
  async charge(@Input() order: OrderDto, @Ctx() step: StepContext): Promise<{ receipt: string }> {
    return { receipt: `${order.id}-${step.attempt}` };
  }

  @Parallel()
  @Retry({ attempts: 2, delay: '2h', ...EVEN })
  print(@Result('reserve') stock: string): string {
    return `label for ${stock}`;
  }

  @Step()
  ship(@Result('charge') charge: { receipt: string }, @Result('print') label: string): string {
    return `${label}, paid by ${charge.receipt}`;
  }

  helper(): number {
    return 1;
  }
}

describe('a testing flow', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({ workflows: [OrderWorkflow], now: BEGINNING });
  });

  afterEach(() => flow.restoreStubs());

  afterAll(() => flow?.close());

  function start(id: string, options = {}) {
    return flow.orchestrator.start(OrderWorkflow, { id }, options);
  }

  /** Milliseconds since the test's own beginning. */
  function since(from: number, at: Date | null | undefined): number {
    return at!.getTime() - from;
  }

  it('runs what need not wait for any time', async () => {
    const run = await start('plain');
    expect(await flow.drain()).toEqual([]);
    expect(await run.status()).toBe('completed');
    expect(await run.result()).toBe('label for stock of plain, paid by plain-1');
  });

  it('keeps time where the test has set it', async () => {
    expect(flow.now()).toEqual(BEGINNING);
    const run = await start('still');
    await flow.drain();
    const { createdAt, endedAt } = await flow.orchestrator.get(run.id);
    expect([createdAt, endedAt]).toEqual([BEGINNING, BEGINNING]);
  });

  it('tries again when the backoff has passed, and not a moment sooner', async () => {
    const charge = flow.stub(OrderWorkflow, 'charge', (order, step) => {
      if (step.attempt < 3) throw new Error('the provider is away');
      return { receipt: order.id };
    });
    const run = await start('retried');
    const from = flow.now().getTime();

    const [waiting, ...others] = await flow.drain();
    expect(others).toEqual([]);
    expect(waiting).toEqual({
      ...{ runId: run.id, workflow: 'order', step: 'charge', status: 'retrying' },
      ...{ dueAt: new Date(from + HOUR), dueInMs: HOUR },
    });
    await flow.advance(HOUR - 1);
    expect(charge.calls).toHaveLength(1);
    await flow.advance(1);
    expect(charge.calls).toHaveLength(2);
    expect(await flow.advance('1h')).toEqual([]);

    expect(await run.result()).toBe('label for stock of retried, paid by retried');
    const steps = await flow.stepsOf(run.id);
    expect(steps['charge']).toMatchObject({ status: 'completed', attempt: 3, failures: 2 });
    expect(since(from, steps['charge']?.startedAt)).toBe(2 * HOUR);
  });

  it('goes from timer to timer, so that each attempt sees its own time', async () => {
    const seen: [string, number][] = [];
    const from = flow.now().getTime();
    const note = (what: string) => seen.push([what, since(from, flow.now())]);
    flow.stub(OrderWorkflow, 'charge', (_, step) => {
      note(`charge ${step.attempt}`);
      if (step.attempt < 3) throw new Error('away');
      return { receipt: 'late' };
    });
    flow.stub(OrderWorkflow, 'print', () => {
      const isFirst = seen.every(([what]) => !what.startsWith('print'));
      note('print');
      if (isFirst) throw new Error('no paper');
      return 'label';
    });
    const run = await start('ordered');
    const delayed = await start('delayed', { delay: '90m' });
    await flow.advance('3d');

    expect(seen.filter(([, at]) => at === 0)).toHaveLength(2);
    expect(seen.filter(([, at]) => at > 0 && at < 90 * 60 * SECOND)).toEqual([['charge 2', HOUR]]);
    expect(flow.now().getTime()).toBe(from + 3 * DAY);
    expect(since(from, (await flow.orchestrator.get(run.id)).endedAt)).toBe(2 * HOUR);
    const second = await flow.orchestrator.get(delayed.id);
    expect(since(from, second.startedAt)).toBe(90 * 60 * SECOND);
    expect(second.status).toBe('completed');
  });

  it('begins a delayed run when its time has come', async () => {
    const from = flow.now();
    const run = await start('tomorrow', { delay: '1d' });
    expect(await flow.drain()).toMatchObject([{ runId: run.id, step: null, status: 'pending', dueInMs: DAY }]);
    await flow.advance('23h');
    expect(await run.status()).toBe('pending');
    await flow.advance('1h');
    expect(await run.status()).toBe('completed');
    expect((await flow.orchestrator.get(run.id)).createdAt).toEqual(from);
  });

  it('times out a step that never ends, by the time of the test', async () => {
    const signals: AbortSignal[] = [];
    flow.stub(OrderWorkflow, 'charge', (_, step) => {
      signals.push(step.signal);
      return step.attempt === 1 ? new Promise<never>(() => {}) : { receipt: 'second' };
    });
    const run = await start('hung');
    await flow.advance('29s', { patience: '100ms' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await flow.advance('1s', { patience: '100ms' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await flow.advance('1h');
    expect(await run.result()).toContain('paid by second');
    expect((await flow.stepsOf(run.id))['charge']?.error).toMatchObject({ code: 'OF_STEP_TIMEOUT' });
  });

  it('says which steps are under way where it cannot drain', async () => {
    const gate = new Gate();
    flow.stub(OrderWorkflow, 'print', () => gate.pass().then(() => 'label'));
    const run = await start('gated');
    await gate.arrival();
    const refusal = flow.drain({ timeout: '100ms' });
    await expect(refusal).rejects.toMatchObject({ code: 'OF_TEST_NOT_DRAINED' });
    await expect(refusal).rejects.toThrow(
      new RegExp(`run ${run.id} of workflow "order" is running: step "print" is running \\(attempt 1\\)`),
    );
    gate.open();
    expect(await flow.drain()).toEqual([]);
    expect(await run.status()).toBe('completed');
  });

  it('brings a run to its end, through all that it waits for', async () => {
    const from = flow.now().getTime();
    flow.stub(OrderWorkflow, 'charge', (_, { attempt }) => {
      if (attempt < 3) throw new Error('away');
      return { receipt: 'in the end' };
    });
    const run = await start('awaited', { delay: '2d' });
    const output: string = await flow.result(run);
    expect(output).toBe('label for stock of awaited, paid by in the end');
    expect(since(from, flow.now())).toBe(2 * DAY + 2 * HOUR);
  });

  it('gives the failure of a run that fails', async () => {
    flow.stub(OrderWorkflow, 'charge', () => {
      throw new NonRetryableError('declined');
    });
    await expect(flow.result(await start('declined'))).rejects.toBeInstanceOf(RunFailedError);
  });

  it('puts stubbed steps back', async () => {
    const { restore, calls } = flow.stub(OrderWorkflow, 'print', () => 'stubbed');
    flow.stub(OrderWorkflow, 'ship', () => 'twice').restore();
    expect(await flow.result(await start('stubbed'))).toContain('stubbed, paid by');
    expect(calls).toEqual([['stock of stubbed']]);
    restore();
    restore();
    expect(await flow.result(await start('restored'))).toContain('label for stock of restored');
  });

  it('refuses to stub what is no step', () => {
    expect(() => flow.stub(OrderWorkflow, 'helper', () => 2)).toThrow(
      /Cannot stub "helper" of workflow "order": it is no step. Its steps are "reserve"/,
    );
  });

  it('refuses what is no duration', async () => {
    await expect(flow.advance('3 days' as '3d')).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(flow.advance(-1)).rejects.toThrow(/Expected the duration of advance\(\) to be a duration such as/);
  });
});

describe('drain()', () => {
  @Workflow({ name: 'open' })
  class Open {
    @WaitForSignal('go') go(): void {}
  }

  it('waits for a signal that nobody has looked at yet', async () => {
    const database = await createDatabase();
    const flow = await createTestingFlow({ workflows: [Open], url: database.url });
    const db = await connect(database);
    const run = await flow.orchestrator.start(Open);
    await flow.drain();
    // As another process would: this one is not told.
    await db.query("INSERT INTO orchestrate_flow.workflow_signal (run_id, name, payload) VALUES ($1, 'go', 'null')", [
      run.id,
    ]);
    await flow.drain();
    expect(await run.status()).toBe('completed');
    await Promise.all([flow.close(), db.close()]);
    await database.drop();
  });
});
