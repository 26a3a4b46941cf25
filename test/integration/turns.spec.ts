import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  Failure,
  Input,
  Parallel,
  Result,
  type RunFailedError,
  Step,
  type StepContext,
  type StepDetails,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForStep } from '../support/wait-for-run.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

/** Gates that steps of a test wait at, by name, and how often each method was called. */
let gates: Record<string, Gate> = {};
let calls: Record<string, number> = {};
/** What a condition or a step of a test does; given by it. */
let act: (step: StepContext) => unknown = () => undefined;

function called(name: string): number {
  return (calls[name] = (calls[name] ?? 0) + 1);
}

class Order {
  total!: number;
}

@Workflow({ name: 'if-else' })
class IfElse {
  static readonly input = Order;
  static readonly output = 'close';

  @Step() price(@Input() order: Order): number {
    return order.total;
  }
  isLarge(@Result('price') price: number): boolean {
    return price > 100;
  }
  async isSmall(@Result('price') price: number): Promise<boolean> {
    return price <= 100;
  }
  @Parallel({ when: 'isLarge' }) byHand(): string {
    return 'by hand';
  }
  @Parallel({ when: 'isSmall' }) byMachine(): string {
    return 'by machine';
  }
  @Step() close(
    @Result('byHand', { optional: true }) byHand: string | undefined,
    @Result('byMachine', { optional: true }) byMachine: string | undefined,
  ): (string | undefined)[] {
    return [byHand, byMachine];
  }
}

class Parcel {
  kind!: string;
}

@Workflow({ name: 'switch' })
class Switch {
  static readonly input = Parcel;
  static readonly output = 'send';

  isLetter(@Input() { kind }: Parcel): boolean {
    return kind === 'letter';
  }
  isBox(@Input() { kind }: Parcel): boolean {
    return kind === 'box';
  }
  @Parallel({ when: 'isLetter' }) letter(): string {
    return 'by post';
  }
  @Parallel({ when: 'isBox' }) box(): string {
    return 'by van';
  }
  @Step({ after: ['letter', 'box'], join: 'any' }) send(
    @Result('letter', { optional: true }) letter: string | undefined,
    @Result('box', { optional: true }) box: string | undefined,
  ): string | undefined {
    return letter ?? box;
  }
  @Step() file(): string {
    return 'filed';
  }
}

@Workflow({ name: 'skips' })
class Skips {
  isGift(): boolean {
    return false;
  }
  @Step({ when: 'isGift' }) wrap(): string {
    return 'wrapped';
  }
  @Step() label(@Result('wrap') wrap: string): string {
    return wrap;
  }
  @Step() seal(@Result('label') label: string): string {
    return label;
  }
  @Step({ after: ['wrap'], beside: true }) ribbon(): void {}
  @Step() ship(): void {}
}

@Workflow({ name: 'asked', retry: { attempts: 3, ...FAST } })
class Asked {
  static readonly output = 'answer';

  isAsked(@Ctx() step: StepContext): boolean | Promise<boolean> {
    called('isAsked');
    return act(step) as boolean;
  }
  @Step({ when: 'isAsked' }) async answer(@Ctx() step: StepContext): Promise<number> {
    if (called('answer') < 3 && !gates['answer']) throw new Error('Not yet.');
    await gates['answer']?.pass();
    return step.attempt;
  }
}

@Workflow({ name: 'asked-elsewhere', queue: 'asking' })
class AskedElsewhere extends Asked {}

@Workflow({ name: 'race', retry: 1 })
class Race {
  static readonly output: 'report' | 'far' = 'report';

  @Parallel() async near(): Promise<string> {
    await gates['near']?.pass();
    return 'near';
  }
  @Parallel({ queue: 'far' }) async far(@Ctx() step: StepContext): Promise<string> {
    act(step);
    await gates['far']?.pass();
    return 'far';
  }
  @Step({ after: ['near', 'far'], join: 'any' }) async first(
    @Result('near', { optional: true }) near: string | undefined,
    @Result('far', { optional: true }) far: string | undefined,
  ): Promise<(string | undefined)[]> {
    await gates['first']?.pass();
    return [near, far];
  }
  @Step({ after: ['first'] }) report(
    @Result('first') first: (string | undefined)[],
    @Result('far', { optional: true }) far: string | undefined,
  ): { first: (string | undefined)[]; far: string | undefined } {
    return { first, far };
  }
}

@Workflow({ name: 'output-of-a-loser', retry: 1 })
class OutputOfALoser extends Race {
  static override readonly output = 'far';
}

@Workflow({ name: 'output-of-a-loser-here', retry: 1 })
class OutputOfALoserHere extends Race {
  static override readonly output = 'far';

  @Parallel() override far(@Ctx() step: StepContext): Promise<string> {
    return super.far(step);
  }
}

@Workflow({ name: 'quorum', retry: 1 })
class Quorum {
  static readonly output = 'decide';

  @Parallel() async one(): Promise<number> {
    await gates['one']!.pass();
    return 1;
  }
  @Parallel() two(): number {
    return 2;
  }
  // Nobody serves its queue: it is ready for as long as it is wanted.
  @Parallel({ queue: 'nobody' }) three(): number {
    return 3;
  }
  @Step({ after: ['one', 'two', 'three'], join: { atLeast: 2 } }) decide(
    @Result('one', { optional: true }) one: number | undefined,
    @Result('two', { optional: true }) two: number | undefined,
    @Result('three', { optional: true }) three: number | undefined,
  ): (number | undefined)[] {
    called('decide');
    return [one, two, three];
  }
}

@Workflow({ name: 'tolerant' })
class Tolerant {
  static readonly output = 'report';

  @Step({ onFailure: 'continue', retry: { attempts: 2, ...FAST } }) notify(@Input() input: unknown): string {
    called('notify');
    if (input === 'fails') throw new TypeError('The mail server is away.', { cause: 'a storm' });
    return 'notified';
  }
  @Step() report(
    @Result('notify', { optional: true }) notified: string | undefined,
    @Failure('notify') failure: Error | undefined,
  ): unknown {
    return { notified, name: failure?.name, message: failure?.message, cause: failure?.cause };
  }
}

const WORKFLOWS = [
  IfElse,
  Switch,
  Skips,
  Asked,
  AskedElsewhere,
  Race,
  OutputOfALoser,
  OutputOfALoserHere,
  Quorum,
  Tolerant,
];

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let others: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: WORKFLOWS, lease: '1s', worker: { queues: ['orchestrate-flow'] } });
  db = await connect(database);
});

beforeEach(() => {
  [gates, calls, others] = [{}, {}, []];
  act = () => true;
});

afterEach(async () => {
  for (const gate of Object.values(gates)) gate.open();
  await Promise.all(others.map((other) => other.close()));
});

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

async function startOther(queues: readonly string[], shutdownTimeout: '0ms' | '20s' = '20s'): Promise<TestApp> {
  const other = await startApp({ database, workflows: WORKFLOWS, lease: '1s', worker: { queues, shutdownTimeout } });
  others.push(other);
  return other;
}

/** `name status` of each step. */
async function statusesOf(id: string): Promise<string[]> {
  return (await app.orchestrator.steps(id)).map(({ name, status }) => `${name} ${status}`);
}

async function failureOf(run: { result(): Promise<unknown> }): Promise<RunFailedError> {
  return run.result().then(
    () => {
      throw new Error('The run has completed.');
    },
    (error: unknown) => error as RunFailedError,
  );
}

describe('a step with a condition', () => {
  it.each([
    [500, ['by hand', undefined], 'byMachine'],
    [50, [undefined, 'by machine'], 'byHand'],
  ])('runs where it is met and is skipped where it is not: of a total of %i', async (total, output, skipped) => {
    const run = await app.orchestrator.start(IfElse, { total });
    await expect(run.result()).resolves.toEqual(output);
    const statuses = await statusesOf(run.id);
    expect(statuses.filter((status) => !status.endsWith('completed'))).toEqual([`${skipped} skipped`]);
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'step.skipped', runId: run.id, step: skipped }));
  });

  it('chooses one of several branches, which a join of any brings together', async () => {
    for (const [kind, way] of [
      ['letter', 'by post'],
      ['box', 'by van'],
    ] as const) {
      const run = await app.orchestrator.start(Switch, { kind });
      await expect(run.result()).resolves.toBe(way);
    }
  });

  it('takes the join with it where no branch is chosen, and the page goes on', async () => {
    const run = await app.orchestrator.start(Switch, { kind: 'piano' });
    await expect(run.result()).resolves.toBeUndefined();
    expect(await statusesOf(run.id)).toEqual(['letter skipped', 'box skipped', 'send skipped', 'file completed']);
  });

  it('takes with it what needs its result, what needs that, and what stands after it by name, but not the page', async () => {
    const run = await app.orchestrator.start(Skips);
    await run.result();
    expect(await statusesOf(run.id)).toEqual([
      ...['wrap skipped', 'label skipped', 'seal skipped', 'ribbon skipped'],
      'ship completed',
    ]);
    const [wrap, label] = await app.orchestrator.steps(run.id);
    expect([wrap, label]).toMatchObject([
      { attempt: 1, endedAt: expect.any(Date), result: undefined },
      { attempt: 0, endedAt: null, result: undefined },
    ]);
    const skips = app.events.filter((event) => event.type === 'step.skipped' && event.runId === run.id);
    expect(skips).toHaveLength(4);
  });

  it('is asked once, however often it is retried', async () => {
    const run = await app.orchestrator.start(Asked);
    await expect(run.result()).resolves.toBe(3);
    expect(calls).toEqual({ isAsked: 1, answer: 3 });
  });

  it('is asked once, also where its worker is declared dead and another takes the step over', async () => {
    gates['answer'] = new Gate();
    const run = await app.orchestrator.start(Asked);
    await gates['answer'].arrival();
    // The worker is declared dead: another takes the step over from where it was.
    await db.query(`UPDATE orchestrate_flow.workflow_worker SET status = 'dead'`);
    await gates['answer'].arrival(2);
    gates['answer'].open();
    await expect(run.result()).resolves.toBe(2);
    expect(calls).toEqual({ isAsked: 1, answer: 2 });
    expect(await getStep(app.orchestrator, run.id, 'answer')).toMatchObject({ attempt: 2, crashes: 1, failures: 0 });
  });

  it('is asked once, also where the process that asked hands the step over', async () => {
    gates['answer'] = new Gate();
    const leaving = await startOther(['asking'], '0ms');
    const run = await leaving.orchestrator.start(AskedElsewhere);
    await gates['answer'].arrival();
    await leaving.close();
    gates['answer'].open();
    await startOther(['asking']);
    await expect(app.orchestrator.result(run.id)).resolves.toBe(2);
    expect(calls).toEqual({ isAsked: 1, answer: 2 });
    expect(await getStep(app.orchestrator, run.id, 'answer')).toMatchObject({ attempt: 2, crashes: 0, failures: 0 });
  });

  it('is retried by the policy of the step where its condition throws', async () => {
    act = ({ attempt }) => {
      if (attempt < 3) throw new Error('The shop is away.');
      return true;
    };
    gates['answer'] = new Gate();
    gates['answer'].open();
    const run = await app.orchestrator.start(Asked);
    await expect(run.result()).resolves.toBe(3);
    expect(calls).toEqual({ isAsked: 3, answer: 1 });
    expect((await getStep(app.orchestrator, run.id, 'answer')).failures).toBe(2);
  });

  it('fails where its condition throws for good, without having run', async () => {
    act = () => {
      throw new Error('The shop is gone.');
    };
    const run = await app.orchestrator.start(Asked);
    expect(await failureOf(run)).toMatchObject({ code: 'OF_RUN_FAILED', cause: { message: 'The shop is gone.' } });
    expect(calls).toEqual({ isAsked: 3 });
  });

  it.each([[undefined], ['yes'], [1], [null], [{}]])(
    'fails at once where its condition returns %p and no boolean',
    async (said) => {
      act = () => said;
      const run = await app.orchestrator.start(Asked);
      const { cause } = await failureOf(run);
      expect(cause).toMatchObject({
        code: 'OF_CONDITION_INVALID',
        message: expect.stringContaining('asked.isAsked()'),
      });
      expect(calls).toEqual({ isAsked: 1 });
    },
  );
});

describe('a join of any', () => {
  it('raises the signal of the loser in another process, does not take what it says, and ends the run after it', async () => {
    const other = await startOther(['far']);
    gates = { near: new Gate(), far: new Gate(), first: new Gate() };
    let signal: AbortSignal | undefined;
    act = (step) => (signal = step.signal);
    const run = await app.orchestrator.start(Race);
    await Promise.all([gates['near']!.arrival(), gates['far']!.arrival()]);
    expect(signal!.aborted).toBe(false);

    gates['near']!.open();
    await waitFor('the signal of the loser is raised', () => signal!.aborted);
    expect(signal!.reason).toMatchObject({ code: 'OF_STEP_ABORTED', message: expect.stringContaining('joins') });
    expect(await getStep(other.orchestrator, run.id, 'far')).toMatchObject({ status: 'running' });

    // It completes all the same, before a step is taken up that would take its result.
    gates['far']!.open();
    await waitForStep(app.orchestrator, run.id, 'far', 'completed');
    gates['first']!.open();
    await expect(run.result()).resolves.toEqual({ first: ['near', undefined], far: undefined });
  });

  it('does not end its run before the loser has settled', async () => {
    await startOther(['far']);
    gates = { near: new Gate(), far: new Gate() };
    const run = await app.orchestrator.start(Race);
    await Promise.all([gates['near']!.arrival(), gates['far']!.arrival()]);
    gates['near']!.open();
    await waitForStep(app.orchestrator, run.id, 'report', 'completed');
    expect(await run.status()).toBe('running');
    gates['far']!.open();
    await expect(run.result()).resolves.toMatchObject({ first: ['near', undefined] });
  });

  it('gives no output where that would be the late result of a loser', async () => {
    await startOther(['far']);
    gates = { near: new Gate(), far: new Gate() };
    const run = await app.orchestrator.start(OutputOfALoser);
    await Promise.all([gates['near']!.arrival(), gates['far']!.arrival()]);
    gates['near']!.open();
    await waitForStep(app.orchestrator, run.id, 'report', 'completed');
    gates['far']!.open();
    await expect(run.result()).resolves.toBeUndefined();
    expect(await getStep(app.orchestrator, run.id, 'far')).toMatchObject({ status: 'completed' });
  });

  it('gives no output where that would be the late result of a loser of this process', async () => {
    gates = { near: new Gate(), far: new Gate() };
    const run = await app.orchestrator.start(OutputOfALoserHere);
    await Promise.all([gates['near']!.arrival(), gates['far']!.arrival()]);
    gates['near']!.open();
    await waitForStep(app.orchestrator, run.id, 'report', 'completed');
    gates['far']!.open();
    await expect(run.result()).resolves.toBeUndefined();
  });

  it('ends the loser as cancelled where that ends by its signal', async () => {
    await startOther(['far']);
    gates = { near: new Gate(), far: new Gate() };
    act = ({ signal }) => {
      const ended = new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
      gates['far']!.pass = () => {
        gates['arrived']!.open();
        return ended;
      };
    };
    gates['arrived'] = new Gate();
    const run = await app.orchestrator.start(Race);
    await gates['arrived'].pass();
    gates['near']!.open();
    await expect(run.result()).resolves.toEqual({ first: ['near', undefined], far: undefined });
    const far = await getStep(app.orchestrator, run.id, 'far');
    expect(far).toMatchObject({ status: 'cancelled', failures: 0, error: { code: 'OF_STEP_ABORTED' } });
  });

  it('cancels a loser that nobody has begun', async () => {
    act = () => called('far');
    const run = await app.orchestrator.start(Race);
    await expect(run.result()).resolves.toEqual({ first: ['near', undefined], far: undefined });
    await startOther(['far']);
    expect(calls).toEqual({});
    expect(await getStep(app.orchestrator, run.id, 'far')).toMatchObject({ status: 'cancelled', attempt: 0 });
  });
});

describe('a join of some', () => {
  it('begins with so many, once, and cancels the rest', async () => {
    gates['one'] = new Gate();
    const run = await app.orchestrator.start(Quorum);
    await waitForStep(app.orchestrator, run.id, 'two', 'completed');
    await gates['one'].arrival();
    const step: StepDetails = await getStep(app.orchestrator, run.id, 'decide');
    expect(step.status).toBe('pending');
    gates['one'].open();
    await expect(run.result()).resolves.toEqual([1, 2, undefined]);
    expect(calls['decide']).toBe(1);
    expect(await getStep(app.orchestrator, run.id, 'three')).toMatchObject({ status: 'cancelled' });
  });
});

describe('a step whose failure is tolerated', () => {
  it('fails for good after its retries, and the run goes on with its error and without its result', async () => {
    const run = await app.orchestrator.start('tolerant', 'fails');
    await expect(run.result()).resolves.toEqual({
      ...{ notified: undefined, name: 'TypeError' },
      ...{ message: 'The mail server is away.', cause: 'a storm' },
    });
    expect(calls['notify']).toBe(2);
    expect(await app.orchestrator.get(run.id)).toMatchObject({ status: 'completed', failure: null });
    expect(await getStep(app.orchestrator, run.id, 'notify')).toMatchObject({ status: 'failed', failures: 2 });
  });

  it('gives its result and no error where it does not fail', async () => {
    const run = await app.orchestrator.start('tolerant', 'works');
    await expect(run.result()).resolves.toMatchObject({ notified: 'notified', message: undefined });
  });
});
