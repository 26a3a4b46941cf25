import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Child,
  child,
  type ChildFailedError,
  Compensate,
  defineWorkflow,
  Input,
  Item,
  NonRetryableError,
  Result,
  Results,
  type RunAddress,
  type RunDetails,
  type RunFailedError,
  SignalPayload,
  Step,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';
import { IsString } from 'class-validator';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

class Country {
  @IsString() country!: string;
}

class Countries {
  countries!: string[];
}

let gate = new Gate();
let mended = false;
const done: string[] = [];

@Workflow({ name: 'report', tags: ['report'] })
class Report {
  static readonly input = Country;
  static readonly output = 'write';

  @Step() async write(@Input() { country }: Country): Promise<string> {
    done.push(`write ${country}`);
    if (country === 'xx') throw new NonRetryableError('no such country');
    if (country === 'slow') await gate.pass();
    return `report of ${country}`;
  }
  @Compensate('write') burn(@Input() { country }: Country): void {
    done.push(`burn ${country}`);
  }
  @Step() file(@Input() { country }: Country): void {
    if (country === 'unfiled') throw new NonRetryableError('no room');
  }
}

@Workflow({ name: 'parent' })
class Parent {
  static readonly input = Country;
  static readonly output = 'close';

  @Child() report(@Input() { country }: Country) {
    return child(Report, { country }, { tags: ['by-hand'] });
  }
  @Compensate('report') shred(@Result('report', { optional: true }) report: string | undefined): void {
    done.push(`shred ${report}`);
  }
  @Step() close(@Result('report') report: string): string {
    if (report === 'report of unclosed') throw new NonRetryableError('closed already');
    return `closed with ${report}`;
  }
}

@Workflow({ name: 'all' })
class All {
  static readonly input = Countries;
  static readonly output = 'sum';

  @Child({ maxItems: 2, tolerate: 1 }) each(@Item('input.countries') country: string) {
    return child(Report, { country });
  }
  @Step() sum(@Results('each') reports: string[]): string[] {
    return reports;
  }
}

@Workflow({ name: 'invalid' })
class Invalid {
  @Child({ retry: 3 }) ask() {
    return child(Report, { country: 7 } as unknown as Country);
  }
}

@Workflow({ name: 'detaching' })
class Detaching {
  static readonly output = 'fire';

  @Child() fire() {
    return child(Report, { country: 'slow' }, { detached: true });
  }
}

@Workflow({ name: 'abandoning' })
class Abandoning {
  @Child({ onParentEnd: 'abandon' }) report() {
    return child(Report, { country: 'slow' });
  }
}

@Workflow({ name: 'first' })
class First {
  static readonly output = 'close';

  @Child({ after: [] }) report() {
    return child(Report, { country: 'slow' });
  }
  @WaitForSignal('other', { after: [] }) other(@SignalPayload() word: string): string {
    return word;
  }
  @Step({ after: ['report', 'other'], join: 'any' }) close(
    @Result('other', { optional: true }) word: string | undefined,
  ): string {
    return word ?? 'nothing';
  }
}

@Workflow({ name: 'twice' })
class Twice {
  static readonly output = 'both';

  @Child() first() {
    return child(Report, { country: 'at' });
  }
  @Child() second() {
    return child(Report, { country: mended ? 'mended' : 'xx' });
  }
  @Step() both(@Result('first') first: string, @Result('second') second: string): string[] {
    return [first, second];
  }
}

@Workflow({ name: 'lasting' })
class Lasting {
  static readonly output = 'report';

  @Child() report() {
    return child(Report, { country: 'at' });
  }
  @WaitForSignal('last') last(): void {}
}

@Workflow({ name: 'elsewhere', queue: 'elsewhere' })
class Elsewhere {
  static readonly output = 'write';

  @Step() async write(@Input() country: string): Promise<string> {
    if (country === 'slow') await gate.pass();
    return `report of ${country} by hand`;
  }
}

@Workflow({ name: 'remote' })
class Remote {
  static readonly output = 'report';

  @Child() report(@Input() country: string) {
    return child('elsewhere', country);
  }
}

const Count = defineWorkflow(
  'count',
  {
    output: 'tell',
    steps: [
      { name: 'next', child: true, when: 'isMore' },
      { name: 'tell', results: [{ step: 'next', optional: true }] },
    ],
  },
  {
    isMore: ({ input }: { input: number }) => input > 0,
    next: ({ input }: { input: number }) => child('count', input - 1),
    tell: ({ input, results }: { input: number; results: Readonly<Record<string, unknown>> }) =>
      results['next'] === undefined ? `${input}` : `${input} ${results['next'] as string}`,
  },
);

const Wrong = defineWorkflow(
  'wrong',
  { steps: [{ name: 'ask', child: true }] },
  {
    ask: ({ input }: { input: string }): unknown => {
      const asks: Record<string, unknown> = {
        unknown: child('nowhere'),
        option: child('count', 0, { key: 'k' } as object),
        detached: child('count', 0, { detached: 'yes' } as object),
      };
      return asks[input];
    },
  },
);

const WORKFLOWS = [
  ...[Report, Parent, All, Invalid, Detaching, Abandoning, First, Twice, Lasting],
  ...[Elsewhere, Remote, Count, Wrong],
];

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const queues = ['orchestrate-flow'];
  app = await startApp({ database, workflows: WORKFLOWS, entities: [], worker: { queues } });
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

beforeEach(() => {
  gate = new Gate();
  mended = false;
  done.length = 0;
});

afterEach(() => gate.open());

async function childrenOf(parent: RunAddress): Promise<readonly RunDetails[]> {
  return (await app.orchestrator.list({ parent })).runs;
}

describe('a child', () => {
  it('is run by a step, whose result is its output, and names its parent as the parent names it', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'at' }, { priority: 7, tenant: 'acme' });
    expect(await run.result({ timeout: '20s' })).toBe('closed with report of at');
    const [step] = await app.orchestrator.steps(run.id);
    const [child] = await childrenOf(run.id);
    expect(child).toMatchObject({
      workflow: 'report',
      status: 'completed',
      parent: { runId: run.id, step: 'report' },
      input: { country: 'at' },
      tags: ['report', 'by-hand'],
      priority: 7,
      tenant: 'acme',
    });
    expect(step!.childRunId).toBe(child!.id);
    expect((await app.orchestrator.get(run.id)).parent).toBeNull();
    expect(await childrenOf({ workflow: Parent, key: 'k' }).catch((error: Error) => error)).toMatchObject({
      code: 'OF_RUN_UNKNOWN',
    });
    expect(await childrenOf(child!.id)).toEqual([]);
  });

  it('that fails fails its step with what it failed with, without a retry, and has undone what it did', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'unfiled' });
    const error = (await run.result({ timeout: '20s' }).catch((thrown: unknown) => thrown)) as RunFailedError;
    expect(error).toMatchObject({ code: 'OF_RUN_FAILED', step: 'report' });
    const cause = error.cause as ChildFailedError;
    expect(cause).toMatchObject({ code: 'OF_CHILD_FAILED', message: expect.stringContaining('no room') });
    expect(cause.cause).toMatchObject({ message: 'no room' });
    expect(done).toEqual(['write unfiled', 'burn unfiled']);
    const [step] = await app.orchestrator.steps(run.id);
    expect(step).toMatchObject({ status: 'failed', failures: 1, attempt: 2 });
  });

  it('is undone by the compensation of its step, which is given its output', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'unclosed' });
    await run.result({ timeout: '20s' }).catch(() => undefined);
    expect(done).toEqual(['write unclosed', 'shred report of unclosed']);
  });

  it('is given no input that is not its own: the step fails with every path, and nothing has begun', async () => {
    const run = await app.orchestrator.start(Invalid, undefined);
    const error = (await run.result({ timeout: '20s' }).catch((thrown: unknown) => thrown)) as RunFailedError;
    expect(error.cause).toMatchObject({ code: 'OF_INPUT_INVALID', message: expect.stringContaining('country') });
    expect((await app.orchestrator.steps(run.id))[0]).toMatchObject({ status: 'failed', attempt: 1 });
    expect(await childrenOf(run.id)).toEqual([]);
  });

  it.each([
    ['nothing', /Expected wrong\.ask\(\) to return child\(…\), got undefined/, 'OF_CHILD_INVALID'],
    ['unknown', /no workflow of that name/, 'OF_WORKFLOW_UNKNOWN'],
    ['option', /key/, 'OF_ARGUMENT_INVALID'],
    ['detached', /Expected detached to be true or false, got /, 'OF_ARGUMENT_INVALID'],
  ])('that is asked for wrongly (%s) fails its step at once, which says why', async (how, message, code) => {
    const run = await app.orchestrator.start('wrong', how);
    const error = (await run.result({ timeout: '20s' }).catch((thrown: unknown) => thrown)) as RunFailedError;
    expect(error.cause).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await app.orchestrator.steps(run.id))[0]).toMatchObject({ attempt: 1 });
  });

  it('is cancelled with its parent, which waits for its end', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'slow' });
    await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
    expect(await run.status()).toBe('waiting');
    const [begun] = await childrenOf(run.id);
    await waitForStep(app.orchestrator, begun!.id, 'write', 'running');
    await run.cancel({ by: 'me' });
    expect(await run.status()).toBe('cancelling');
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    const [child] = await childrenOf(run.id);
    expect(child).toMatchObject({ status: 'cancelled' });
    expect(child!.endedAt!.getTime()).toBeLessThanOrEqual((await app.orchestrator.get(run.id)).endedAt!.getTime());
    expect(done).toEqual(['write slow', 'burn slow']);
    const { entries } = await app.orchestrator.audit({ run: child!.id });
    expect(entries).toMatchObject([{ action: 'cancel', by: 'its parent' }]);
  });

  it('is terminated with its parent, which does not wait', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'slow' });
    await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
    await app.orchestrator.terminate(run.id);
    const [child] = await childrenOf(run.id);
    await waitForRun(app.orchestrator, child!.id, 'terminated');
    expect(done).toEqual(['write slow']);
  });

  it('that was cancelled, or terminated, by somebody fails its step; only what was terminated is undone by its parent', async () => {
    const causeOf = async (stop: (id: string) => Promise<void>) => {
      const run = await app.orchestrator.start(Parent, { country: 'slow' });
      await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
      const [child] = await childrenOf(run.id);
      await waitForStep(app.orchestrator, child!.id, 'write', 'running');
      await stop(child!.id);
      gate.open();
      const error = (await run.result({ timeout: '20s' }).catch((thrown: unknown) => thrown)) as RunFailedError;
      gate = new Gate();
      return error.cause;
    };
    expect(await causeOf((id) => app.orchestrator.cancel(id, { reason: 'enough' }))).toMatchObject({
      code: 'OF_CHILD_CANCELLED',
      message: expect.stringMatching(/was cancelled: enough/),
    });
    expect(done).toEqual(['write slow', 'burn slow']);
    done.length = 0;
    expect(await causeOf((id) => app.orchestrator.terminate(id))).toMatchObject({
      code: 'OF_CHILD_CANCELLED',
      message: expect.stringMatching(/was terminated/),
    });
    expect(done).toEqual(['write slow', 'shred undefined']);
  });

  it('that nobody waits for goes on when its parent has ended, whose step has its id', async () => {
    const run = await app.orchestrator.start(Detaching, undefined);
    const { runId } = await run.result({ timeout: '20s' });
    expect(await childrenOf(run.id)).toMatchObject([{ id: runId, parent: { runId: run.id, step: 'fire' } }]);
    await app.orchestrator.delete(run.id);
    gate.open();
    expect(await app.orchestrator.result(runId, { timeout: '20s' })).toBe('report of slow');
    expect(await childrenOf(run.id)).toHaveLength(1);
  });

  it('may go on when nobody waits for it any more', async () => {
    const run = await app.orchestrator.start(Abandoning, undefined);
    await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
    await run.cancel();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    gate.open();
    const [child] = await childrenOf(run.id);
    await waitForRun(app.orchestrator, child!.id, 'completed');
  });

  it('is cancelled where its step has lost a join', async () => {
    const run = await app.orchestrator.start(First, undefined);
    await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
    await run.signal('other', 'won');
    const [child] = await childrenOf(run.id);
    await waitForRun(app.orchestrator, child!.id, 'cancelling');
    expect(await run.status()).toBe('running');
    gate.open();
    expect(await run.result({ timeout: '20s' })).toBe('won');
    expect(await childrenOf(run.id)).toMatchObject([{ status: 'cancelled' }]);
  });

  it('has no more time than its parent', async () => {
    const run = await app.orchestrator.start(Parent, { country: 'slow' }, { deadline: '1h' });
    await waitForStep(app.orchestrator, run.id, 'report', 'waiting');
    const [child] = await childrenOf(run.id);
    expect(child!.deadlineAt).toEqual((await app.orchestrator.get(run.id)).deadlineAt);
    await run.cancel();
  });

  it('begins anew where its parent is retried, and what it has told is kept where it has completed', async () => {
    const run = await app.orchestrator.start(Twice, undefined);
    await waitForRun(app.orchestrator, run.id, 'failed');
    expect(await childrenOf(run.id)).toHaveLength(2);
    const [failed] = (await childrenOf(run.id)).filter(({ status }) => status === 'failed');
    await expect(app.orchestrator.delete(run.id)).resolves.toBeUndefined();
    expect(failed).toMatchObject({ parent: { step: 'second' } });

    const again = await app.orchestrator.start(Twice, undefined);
    await waitForRun(app.orchestrator, again.id, 'failed');
    mended = true;
    await again.retry();
    expect(await again.result({ timeout: '20s' })).toEqual(['report of at', 'report of mended']);
    const children = await childrenOf(again.id);
    expect(children.map(({ parent, status }) => `${parent!.step} ${status}`).sort()).toEqual([
      'first completed',
      'second completed',
      'second failed',
    ]);
  });

  it('that has ended is kept as long as its parent goes on', async () => {
    const run = await app.orchestrator.start(Lasting, undefined);
    await waitForStep(app.orchestrator, run.id, 'last', 'waiting');
    const [child] = await childrenOf(run.id);
    await expect(app.orchestrator.delete(child!.id)).rejects.toThrow(/its parent, run .* goes on/);
    expect(
      await app.orchestrator.purge({ olderThan: 0, workflow: Report, status: 'completed' }),
    ).toBeGreaterThanOrEqual(0);
    expect(await childrenOf(run.id)).toHaveLength(1);
    await run.signal('last');
    expect(await run.result({ timeout: '20s' })).toBe('report of at');
    await app.orchestrator.delete(child!.id);
  });

  it('may be of its own workflow', async () => {
    expect(await app.orchestrator.execute('count', 3, { timeout: '20s' })).toBe('3 2 1 0');
  });
});

describe('children of the items of a list', () => {
  it('give their outputs in its order, as far as they have completed, and as many run at once as may', async () => {
    const run = await app.orchestrator.start(All, { countries: ['at', 'xx', 'de', 'ch'] });
    expect(await run.result({ timeout: '20s' })).toEqual(['report of at', 'report of de', 'report of ch']);
    const { items } = await app.orchestrator.items(run.id, 'each');
    expect(items.map(({ status }) => status)).toEqual(['completed', 'failed', 'completed', 'completed']);
    const children = await childrenOf(run.id);
    const byStep = new Map(children.map(({ parent, id }) => [parent!.step, id]));
    expect(items.map(({ childRunId }) => childRunId)).toEqual([0, 1, 2, 3].map((n) => byStep.get(`each[${n}]`)));
  });

  it('are cancelled together, and waited for', async () => {
    const run = await app.orchestrator.start(All, { countries: ['slow', 'slow', 'slow'] });
    await waitFor('two children are there', async () => (await childrenOf(run.id)).length === 2);
    const { items } = await app.orchestrator.items(run.id, 'each');
    expect(items.map(({ status }) => status)).toEqual(['waiting', 'waiting', 'pending']);
    await run.cancel();
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    expect((await childrenOf(run.id)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  });

  it('that fail more often than may be fail the run once the others have ended', async () => {
    const run = await app.orchestrator.start(All, { countries: ['xx', 'xx', 'slow'] });
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'failed');
    expect((await childrenOf(run.id)).every(({ endedAt }) => endedAt !== null)).toBe(true);
  });
});

describe('between processes', () => {
  it('a child that ends in another tells its parent, and one that is to end is told', async () => {
    const other = await startApp({ database, workflows: WORKFLOWS, worker: { queues: ['elsewhere'] } });
    try {
      const run = await app.orchestrator.start('remote', 'at');
      expect(await run.result({ timeout: '20s' })).toBe('report of at by hand');
      const slow = await app.orchestrator.start('remote', 'slow');
      await waitForStep(app.orchestrator, slow.id, 'report', 'waiting');
      const [child] = await childrenOf(slow.id);
      await waitForStep(app.orchestrator, child!.id, 'write', 'running');
      await slow.cancel();
      gate.open();
      await waitForRun(app.orchestrator, slow.id, 'cancelled');
    } finally {
      await other.close();
    }
  });
});
