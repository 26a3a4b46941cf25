import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  Result,
  type RunFailedError,
  SignalPayload,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

class Proof {
  signedBy!: string;
}

let gate = new Gate();

@Workflow({ name: 'delivery' })
class Delivery {
  static readonly output = 'close';
  static readonly signals = { delivered: Proof, returned: Proof };

  @Step() async ship(): Promise<string> {
    await gate.pass();
    return 'shipped';
  }
  @WaitForSignal(['delivered', 'returned'])
  arrival(@SignalPayload() proof: Proof, @Ctx() { signalName }: StepContext): string {
    return `${signalName} to ${proof.signedBy}`;
  }
  @Step() close(@Result('arrival') arrival: string): string {
    return arrival;
  }
}

@Workflow({ name: 'two-waits' })
class TwoWaits {
  static readonly output = 'second';

  @WaitForSignal('news') first(@SignalPayload() news: number): number {
    return news;
  }
  @WaitForSignal('news') second(@SignalPayload() news: number, @Result('first') first: number): number[] {
    return [first, news];
  }
}

@Workflow({ name: 'impatient' })
class Impatient {
  static readonly output = 'close';

  @WaitForSignal('a', { timeout: '1ms', onTimeout: { value: 'nothing' } }) valued(@SignalPayload() a: string): string {
    return a;
  }
  @WaitForSignal('b', { timeout: '1ms', onTimeout: 'skip' }) skipped(@SignalPayload() b: string): string {
    return b;
  }
  @Step() close(
    @Result('valued') valued: string,
    @Result('skipped', { optional: true }) skipped: string | undefined,
  ): unknown[] {
    return [valued, skipped];
  }
}

@Workflow({ name: 'failing-wait' })
class FailingWait {
  @WaitForSignal('never', { timeout: '1ms' }) wait(): void {}
}

@Workflow({ name: 'flaky-handler', retry: { attempts: 3, backoff: 'fixed', delay: '1ms', jitter: 'none' } })
class FlakyHandler {
  static readonly output = 'wait';
  static attempts: number[] = [];

  @WaitForSignal('go') wait(@SignalPayload() word: string, @Ctx() { attempt }: StepContext): string {
    FlakyHandler.attempts.push(attempt);
    if (FlakyHandler.attempts.length < 3) throw new Error('not yet');
    return word;
  }
}

const WORKFLOWS = [Delivery, TwoWaits, Impatient, FailingWait, FlakyHandler];

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: WORKFLOWS, entities: [] });
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  gate = new Gate();
  FlakyHandler.attempts = [];
});

afterEach(() => gate.open());

async function startArrived(key: string) {
  const run = await app.orchestrator.start(Delivery, undefined, { key });
  gate.open();
  await waitForStep(app.orchestrator, run.id, 'arrival', 'waiting');
  return run;
}

describe('a step that waits for a signal', () => {
  it('waits without a worker, and its run with it, until the signal comes; its method is given the payload and the name', async () => {
    const run = await startArrived('waits');
    expect(await run.status()).toBe('waiting');
    await run.signal('delivered', { signedBy: 'Ann' });
    expect(await run.result()).toBe('delivered to Ann');
  });

  it('takes a signal that came before it was its turn, whatever came of other names', async () => {
    const run = await app.orchestrator.start(Delivery);
    await app.orchestrator.signal(run.id, 'returned', { signedBy: 'Bob' });
    gate.open();
    expect(await run.result()).toBe('returned to Bob');
  });

  it('is found by the business key of its run', async () => {
    const run = await startArrived('order-7');
    const address = { workflow: Delivery, key: 'order-7' } as const;
    await app.orchestrator.signal(address, 'delivered', { signedBy: 'Eve' });
    expect(await run.result()).toBe('delivered to Eve');
  });

  it('takes signals of one name in the order in which they came, each once', async () => {
    // It begins only when all of them are there: the run would end with the second, and refuse the third.
    const run = await app.orchestrator.start(TwoWaits, undefined, { delay: '1h' });
    await Promise.all([run.signal('news', 1, { key: 'one' }), run.signal('news', 1, { key: 'one' })]);
    await run.signal('news', 2, { key: 'two' });
    await run.signal('news', 3);
    await app.orchestrator.wake(run.id);
    expect(await run.result()).toEqual([1, 2]);
    const rows = await db.query(
      'SELECT payload, step FROM orchestrate_flow.workflow_signal WHERE run_id = $1 ORDER BY id',
      [run.id],
    );
    expect(rows.map(({ step }) => step)).toEqual(['first', 'second', null]);
  });

  it('takes them in that order also where their numbers have grown by a digit', async () => {
    const numbers = `pg_get_serial_sequence('orchestrate_flow.workflow_signal', 'id')`;
    await db.query(`SELECT setval(${numbers}, 99998)`);
    const run = await app.orchestrator.start(TwoWaits, undefined, { delay: '1h' });
    for (const news of [1, 2]) await run.signal('news', news);
    await app.orchestrator.wake(run.id);
    expect(await run.result()).toEqual([1, 2]);
  });

  it('ends as it says when its time is over', async () => {
    expect(await app.orchestrator.execute(Impatient)).toEqual(['nothing', undefined]);
    const failing = await app.orchestrator.start(FailingWait);
    const error = (await failing.result().catch((thrown: unknown) => thrown)) as RunFailedError;
    expect(error).toMatchObject({ code: 'OF_RUN_FAILED', step: 'wait', cause: { code: 'OF_SIGNAL_TIMEOUT' } });
    expect((await app.orchestrator.steps(failing.id))[0]).toMatchObject({ status: 'failed', failures: 1 });
  });

  it('keeps its signal through failures of its method', async () => {
    const run = await app.orchestrator.start(FlakyHandler);
    await run.signal('go', 'word');
    expect(await run.result()).toBe('word');
    expect(FlakyHandler.attempts).toEqual([1, 2, 3]);
  });

  it('goes on in a process that heard nothing of the signal, and without a bell', async () => {
    const run = await startArrived('unheard');
    await db.query(
      `INSERT INTO orchestrate_flow.workflow_signal (run_id, name, payload) VALUES ($1, 'delivered', $2)`,
      [run.id, '{"signedBy":"SQL"}'],
    );
    expect(await run.result({ timeout: '20s' })).toBe('delivered to SQL');
  });
});

describe('a signal in the caller’s transaction', () => {
  it('exists if and only if that transaction commits', async () => {
    const run = await startArrived('transaction');
    const { dataSource, orchestrator } = app;
    const rolledBack = dataSource.transaction(async (manager) => {
      await orchestrator.signal(run.id, 'delivered', { signedBy: 'nobody' }, { manager });
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    await dataSource.transaction((manager) => run.signal('returned', { signedBy: 'Zoe' }, { manager }));
    expect(await run.result()).toBe('returned to Zoe');
  });

  it('holds up nobody but the same signal, however long that transaction takes', async () => {
    const run = await startArrived('long-transaction');
    const { dataSource, orchestrator } = app;
    let twin: Promise<void> = Promise.resolve();
    await dataSource.transaction(async (manager) => {
      await run.signal('delivered', { signedBy: 'Long' }, { key: 'k', manager });
      twin = run.signal('delivered', { signedBy: 'Twin' }, { key: 'k' });
      const others = await orchestrator.startMany(TwoWaits, [{}, {}, {}]);
      for (const other of others) for (const news of [1, 2]) await other.signal('news', news, { key: `k${news}` });
      await Promise.all(others.map((other) => other.result({ timeout: '10s' })));
    });
    await twin;
    expect(await run.result()).toBe('delivered to Long');
    // Sent again after the end it is still the same signal; another one is none any more.
    await run.signal('delivered', { signedBy: 'Again' }, { key: 'k' });
    await expect(run.signal('delivered', { signedBy: 'Other' }, { key: 'l' })).rejects.toMatchObject({
      code: 'OF_RUN_ENDED',
    });
  });

  it('is refused outside of one', async () => {
    const run = await startArrived('no-transaction');
    const { manager } = app.dataSource;
    await expect(run.signal('delivered', { signedBy: 'x' }, { manager })).rejects.toMatchObject({
      code: 'OF_NOT_IN_TRANSACTION',
    });
    await run.cancel();
  });
});

describe('a signal that may be the first that is heard of its run', () => {
  it('starts the run where there is none, and is sent to it where there is', async () => {
    const { orchestrator } = app;
    const send = (news: number) =>
      orchestrator.signalOrStart(TwoWaits, undefined, { name: 'news', payload: news }, { key: 'cart-1' });
    const first = await send(1);
    const second = await send(2);
    expect([first.created, second.created, second.id]).toEqual([true, false, first.id]);
    expect(await first.result()).toEqual([1, 2]);
    await expect(send(3)).rejects.toMatchObject({ code: 'OF_RUN_ENDED' });
  });

  it('belongs to the caller’s transaction, with the run', async () => {
    const { dataSource, orchestrator } = app;
    const send = (commits: boolean) =>
      dataSource.transaction(async (manager) => {
        const signal = { name: 'news', payload: 1 } as const;
        const run = await orchestrator.signalOrStart(TwoWaits, undefined, signal, { key: 'cart-2', manager });
        if (!commits) throw new Error('no');
        return run;
      });
    await expect(send(false)).rejects.toThrow('no');
    const run = await send(true);
    expect(run.created).toBe(true);
    await run.signal('news', 2);
    expect(await run.result()).toEqual([1, 2]);
  });

  it('needs a key and a name', async () => {
    const { orchestrator } = app;
    const none = undefined as unknown as string;
    const keyless = orchestrator.signalOrStart('two-waits', undefined, { name: 'news' }, { key: none });
    await expect(keyless).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    const nameless = orchestrator.signalOrStart('two-waits', undefined, { name: none }, { key: 'cart-3' });
    await expect(nameless).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(orchestrator.get({ workflow: 'two-waits', key: 'cart-3' })).rejects.toMatchObject({
      code: 'OF_RUN_UNKNOWN',
    });
  });
});

describe('a signal that nobody can take', () => {
  it.each([
    ['of an unknown name', 'deliverd', { signedBy: 'x' }, 'OF_SIGNAL_UNKNOWN'],
    ['with a name that is none', '', { signedBy: 'x' }, 'OF_ARGUMENT_INVALID'],
    ['with a payload that cannot be stored', 'delivered', { signedBy: () => 1 }, 'OF_VALUE_NOT_STORABLE'],
  ])('%s is refused', async (_, name, payload, code) => {
    const run = await app.orchestrator.start(Delivery);
    await expect(app.orchestrator.signal(run.id, name, payload)).rejects.toMatchObject({ code });
    await run.cancel();
  });

  it('to a run that has ended, or to none, is refused', async () => {
    const run = await app.orchestrator.start(Delivery);
    await run.cancel();
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    await expect(run.signal('delivered', { signedBy: 'x' })).rejects.toMatchObject({ code: 'OF_RUN_ENDED' });
    const nobody = app.orchestrator.signal({ workflow: Delivery, key: 'nobody' }, 'delivered', { signedBy: 'x' });
    await expect(nobody).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
  });
});

it('a hundred runs that wait are signalled all at once from two processes, and each goes on once', async () => {
  const other = await startApp({ database, workflows: WORKFLOWS });
  try {
    gate.open();
    const runs = await app.orchestrator.startMany(
      Delivery,
      Array.from({ length: 100 }, () => ({})),
    );
    const send = (from: TestApp) =>
      runs.map(({ id }) => from.orchestrator.signal(id, 'delivered', { signedBy: id }, { key: 'once' }));
    await Promise.all([...send(app), ...send(other)]);
    const results = await Promise.all(runs.map((run) => run.result()));
    expect(results).toEqual(runs.map(({ id }) => `delivered to ${id}`));
  } finally {
    await other.close();
  }
});
