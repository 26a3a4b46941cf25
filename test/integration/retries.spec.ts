import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type BackoffFunction,
  Ctx,
  Input,
  NonRetryableError,
  Retry,
  RetryAfterError,
  type RunFailedError,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForStep } from '../support/wait-for-run.js';

class Refused extends Error {}
class RefusedForGood extends Refused {}

/** What the steps do, given by each test. */
let act: (step: StepContext) => unknown = () => undefined;

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

class Acting {
  static readonly output = 'act';

  @Step() act(@Ctx() step: StepContext): unknown {
    return act(step);
  }
}

@Workflow({ name: 'fast', retry: { attempts: 4, ...FAST } })
class Fast extends Acting {}

@Workflow({ name: 'fixed', retry: { attempts: 3, backoff: 'fixed', delay: '2h', jitter: 'none' } })
class Fixed extends Acting {}

@Workflow({ name: 'capped', retry: { attempts: 5, delay: '1h', factor: 3, maxDelay: '4h', jitter: 'none' } })
class Capped extends Acting {}

@Workflow({ name: 'jittered', retry: { attempts: 2, delay: '10h' } })
class Jittered extends Acting {}

/** What the policy's own function does, given by each test. */
let backOff: BackoffFunction = () => 0;

@Workflow({ name: 'own' })
class Own extends Acting {
  @Step()
  @Retry({
    ...{ attempts: 3, delay: '5h', maxDelay: '8h', jitter: 'none' },
    backoff: (failures, error) => backOff(failures, error),
  })
  override act(@Ctx() step: StepContext): unknown {
    return act(step);
  }
}

@Workflow({ name: 'choosy', retry: { attempts: 3, ...FAST, retryOn: [Refused], doNotRetryOn: [RefusedForGood] } })
class Choosy extends Acting {}

@Workflow({ name: 'limited' })
class Limited {
  static readonly output = 'act';

  @Step({ timeout: '50ms', retry: { attempts: 2, ...FAST } }) act(@Ctx() step: StepContext): unknown {
    return act(step);
  }
}

@Workflow({ name: 'lonely', queue: 'lonely', retry: { attempts: 2, backoff: 'fixed', delay: '1h', jitter: 'none' } })
class Lonely {
  @Step() act(@Input() input: unknown): unknown {
    if (input === 'fails') throw new Error('Later.');
    return input;
  }
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const workflows = [Fast, Fixed, Capped, Jittered, Own, Choosy, Limited, Lonely];
  app = await startApp({ database, workflows, worker: { concurrency: 1 } });
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  act = () => undefined;
});

const failWith = (thrown: unknown) => () => {
  throw thrown;
};

/** Milliseconds from the failure of the step's latest attempt to its next, by the database's clock. */
async function delayOf(runId: string): Promise<number> {
  const [row] = await db.query<{ ms: number }>(
    `SELECT extract(epoch FROM s.due_at - r.updated_at)::float8 * 1000 AS ms
     FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_run r ON r.id = s.run_id
     WHERE s.run_id = $1 AND s.status = 'retrying'`,
    [runId],
  );
  return row!.ms;
}

/** Makes the next attempt due now. */
async function skipDelay(runId: string): Promise<void> {
  await db.query(
    `UPDATE orchestrate_flow.workflow_step SET due_at = statement_timestamp() WHERE run_id = $1 AND status = 'retrying'`,
    [runId],
  );
}

async function untilFailures(runId: string, failures: number): Promise<void> {
  await waitFor(`${failures} failures`, async () => {
    const step = await getStep(app.orchestrator, runId, 'act');
    return step.status === 'retrying' && step.failures === failures;
  });
}

async function failureOf(workflow: typeof Acting): Promise<{ error: RunFailedError; runId: string }> {
  const run = await app.orchestrator.start(workflow);
  const error = await run.result().catch((reason: unknown) => reason as RunFailedError);
  return { error: error as RunFailedError, runId: run.id };
}

describe('the policy', () => {
  it('of a fixed backoff waits the same time after each failure', async () => {
    act = failWith(new Error('no'));
    const run = await app.orchestrator.start(Fixed);
    for (const failures of [1, 2]) {
      await untilFailures(run.id, failures);
      expect(await delayOf(run.id)).toBe(2 * 3_600_000);
      await skipDelay(run.id);
    }
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
  });

  it('of an exponential backoff waits longer each time, up to the longest', async () => {
    act = failWith(new Error('no'));
    const run = await app.orchestrator.start(Capped);
    const hours: number[] = [];
    for (const failures of [1, 2, 3, 4]) {
      await untilFailures(run.id, failures);
      hours.push((await delayOf(run.id)) / 3_600_000);
      await skipDelay(run.id);
    }
    expect(hours).toEqual([1, 3, 4, 4]);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
  });

  it('draws the wait between nothing and the computed one', async () => {
    act = failWith(new Error('no'));
    const delays = new Set<number>();
    for (let count = 0; count < 4; count++) {
      const run = await app.orchestrator.start(Jittered);
      await waitForStep(app.orchestrator, run.id, 'act', 'retrying');
      const delay = await delayOf(run.id);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(36_000_000);
      delays.add(delay);
      await run.cancel();
    }
    expect(delays.size).toBeGreaterThan(1);
  });

  it('of its own waits as its function says, which is asked once per failure that another attempt may follow', async () => {
    const asked: unknown[] = [];
    backOff = (failures, error) => {
      asked.push([failures, (error as Error).message]);
      return failures === 1 ? '30h' : 90 * 60_000; // longer than maxDelay, which is not for it
    };
    act = failWith(new Error('no'));
    const run = await app.orchestrator.start(Own);
    const hours: number[] = [];
    for (const failures of [1, 2]) {
      await untilFailures(run.id, failures);
      hours.push((await delayOf(run.id)) / 3_600_000);
      await skipDelay(run.id);
    }
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    expect(hours).toEqual([30, 1.5]);
    expect(asked).toEqual([
      [1, 'no'],
      [2, 'no'],
    ]);
    expect(app.events.filter(({ type }) => type === 'backoff.failed')).toEqual([]);
  });

  it('of its own is not asked where the error says how long to wait, or that nothing more is to be tried', async () => {
    let asked = 0;
    backOff = () => ++asked;
    act = (step) => {
      throw step.attempt === 1 ? new RetryAfterError('3h') : new NonRetryableError('Never.');
    };
    const run = await app.orchestrator.start(Own);
    await untilFailures(run.id, 1);
    expect(await delayOf(run.id)).toBe(3 * 3_600_000);
    await skipDelay(run.id);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    expect(asked).toBe(0);
  });

  it('of its own whose function is of no use is an exponential one, and it is said why', async () => {
    const cause = new Error('What now?');
    backOff = (failures) => {
      if (failures === 1) throw cause;
      return Promise.reject(cause) as never;
    };
    act = failWith(new Error('no'));
    const run = await app.orchestrator.start(Own);
    const hours: number[] = [];
    for (const failures of [1, 2]) {
      await untilFailures(run.id, failures);
      hours.push((await delayOf(run.id)) / 3_600_000);
      await skipDelay(run.id);
    }
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    expect(hours).toEqual([5, 8]);
    const of = { type: 'backoff.failed', runId: run.id, workflow: 'own', step: 'act' };
    const code = 'OF_BACKOFF_INVALID';
    expect(app.events.filter((event) => event.type === 'backoff.failed')).toMatchObject([
      { ...of, attempt: 1, error: { code, cause, message: expect.stringMatching(/step "act".*What now\?/s) } },
      {
        ...of,
        attempt: 2,
        error: { code, message: expect.stringMatching(/expected it to return a duration.*Promise/) },
      },
    ]);
  });

  it('ends a step whose failures are as many as its attempts, and keeps every error with stack and cause', async () => {
    let count = 0;
    act = () => {
      throw new Error(`Failure ${++count}.`, { cause: new Error(`Cause ${count}.`) });
    };
    const { error, runId } = await failureOf(Fast);
    expect(error.cause).toMatchObject({ message: 'Failure 4.' });
    const step = await getStep(app.orchestrator, runId, 'act');
    expect(step).toMatchObject({ status: 'failed', attempt: 4, failures: 4, crashes: 0 });
    const errors = step.errors as Error[];
    expect(errors.map(({ message }) => message)).toEqual([1, 2, 3, 4].map((n) => `Failure ${n}.`));
    expect(errors.map(({ cause }) => (cause as Error).message)).toEqual([1, 2, 3, 4].map((n) => `Cause ${n}.`));
    for (const { stack } of errors) expect(stack).toContain('retries.spec');
    expect(step.error).toEqual(errors[3]);
  });

  it('lets a step that recovers go on, and tells it which attempt it is', async () => {
    const contexts: StepContext[] = [];
    act = (step) => {
      contexts.push(step);
      if (step.attempt < 3) throw new Error('not yet');
      return step.attempt;
    };
    const run = await app.orchestrator.start(Fast);
    await expect(run.result()).resolves.toBe(3);
    expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(contexts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    const step = await getStep(app.orchestrator, run.id, 'act');
    expect(step).toMatchObject({ status: 'completed', attempt: 3, failures: 2 });
    expect(step.errors).toHaveLength(2);
  });
});

describe('an error', () => {
  it('that says so ends the retries', async () => {
    act = failWith(new NonRetryableError('Never.', { cause: new Error('Closed.') }));
    const { error, runId } = await failureOf(Fast);
    expect(error.cause).toMatchObject({ message: 'Never.', code: 'OF_NON_RETRYABLE', cause: { message: 'Closed.' } });
    await expect(getStep(app.orchestrator, runId, 'act')).resolves.toMatchObject({ attempt: 1, failures: 1 });
  });

  it('that names a wait is tried again after that', async () => {
    act = (step) => {
      if (step.attempt === 1) throw new RetryAfterError('3h');
      return 'well';
    };
    const run = await app.orchestrator.start(Fast);
    await untilFailures(run.id, 1);
    expect(await delayOf(run.id)).toBe(3 * 3_600_000);
    await skipDelay(run.id);
    await expect(run.result()).resolves.toBe('well');
  });

  it('is tried again only where the policy names its class, and never where the policy excludes it', async () => {
    const attemptsOf = async (thrown: unknown) => {
      act = failWith(thrown);
      const { runId } = await failureOf(Choosy);
      return (await getStep(app.orchestrator, runId, 'act')).attempt;
    };
    expect(await attemptsOf(new Refused('again'))).toBe(3);
    expect(await attemptsOf(new RefusedForGood('never'))).toBe(1);
    expect(await attemptsOf(new TypeError('a mistake'))).toBe(1);
    expect(await attemptsOf('text')).toBe(1);
  });

  const circular = Object.assign(new Error('Round.'), { status: 502, self: {} });
  circular.self = { again: circular };

  it.each<[string, unknown, (cause: unknown) => void]>([
    ['null', null, (cause) => expect(cause).toBeNull()],
    ['undefined', undefined, (cause) => expect(cause).toBeUndefined()],
    ['a string', 'broken', (cause) => expect(cause).toBe('broken')],
    ['a frozen object', Object.freeze({ reason: 'frozen' }), (cause) => expect(cause).toEqual({ reason: 'frozen' })],
    [
      'an Error with circular fields',
      circular,
      (cause) => expect(cause).toMatchObject({ message: 'Round.', status: 502 }),
    ],
  ])('may be %s', async (_, thrown, check) => {
    act = failWith(thrown);
    const { error, runId } = await failureOf(Fast);
    expect(error).toMatchObject({ code: 'OF_RUN_FAILED', step: 'act' });
    check(error.cause);
    await expect(getStep(app.orchestrator, runId, 'act')).resolves.toMatchObject({ status: 'failed', failures: 4 });
  });

  it('may be a promise that rejects late', async () => {
    act = () => new Promise((_, reject) => setImmediate(() => reject(new Error('Late.'))));
    const { error } = await failureOf(Fast);
    expect(error.cause).toMatchObject({ message: 'Late.' });
  });
});

describe('a timeout', () => {
  it('aborts the signal, counts as a failure, and refuses what the attempt says afterwards', async () => {
    const late = new Gate();
    const signals: AbortSignal[] = [];
    act = async (step) => {
      signals.push(step.signal);
      if (step.attempt === 1) await late.pass();
      return step.attempt;
    };
    const run = await app.orchestrator.start(Limited);
    await expect(run.result()).resolves.toBe(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(signals[0]!.reason).toMatchObject({ code: 'OF_STEP_TIMEOUT' });
    const step = await getStep(app.orchestrator, run.id, 'act');
    expect(step).toMatchObject({ status: 'completed', attempt: 2, failures: 1, result: 2 });
    expect(step.errors).toMatchObject([{ code: 'OF_STEP_TIMEOUT' }]);
    late.open();
    const stale = await waitFor('the late outcome is told', () =>
      app.events.find((event) => event.type === 'step.stale' && event.runId === run.id),
    );
    expect(stale).toMatchObject({ step: 'act', attempt: 1 });
    await expect(getStep(app.orchestrator, run.id, 'act')).resolves.toMatchObject({ result: 2, attempt: 2 });
  });

  it('of every attempt fails the run', async () => {
    const never = new Gate();
    act = () => never.pass();
    const run = await app.orchestrator.start(Limited);
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    never.open();
  });
});

describe('a step that waits for its next attempt', () => {
  it('holds no slot', async () => {
    const waiting = await app.orchestrator.start('lonely', 'fails');
    await waitForStep(app.orchestrator, waiting.id, 'act', 'retrying');
    for (let count = 0; count < 3; count++) {
      const run = await app.orchestrator.start('lonely', 'works');
      await run.result();
    }
    await expect(getStep(app.orchestrator, waiting.id, 'act')).resolves.toMatchObject({ status: 'retrying' });
    await waiting.cancel();
  });
});
