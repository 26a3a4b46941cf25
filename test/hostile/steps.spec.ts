import { Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  Input,
  NonRetryableError,
  Result,
  RunFailedError,
  Step,
  Workflow,
  type StepContext,
} from 'orchestrate-flow';
import { config } from 'rxjs';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { findDifference } from '../support/find-difference.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForRun } from '../support/wait-for-run.js';

/** What the one step does next, by the name that the run is given as its input. */
const doings = new Map<string, (step: StepContext) => unknown>();

@Workflow({ name: 'doing', retry: { attempts: 1, retryOn: [TypeError], doNotRetryOn: [RangeError] } })
class Doing {
  static readonly output = 'act';

  @Step() act(@Input() name: string, @Ctx() step: StepContext): unknown {
    return doings.get(name)!(step);
  }
}

@Workflow({ name: 'limited', retry: 1 })
class Limited {
  static readonly output = 'act';

  @Step({ timeout: '200ms' }) act(@Input() name: string, @Ctx() step: StepContext): unknown {
    return doings.get(name)!(step);
  }
}

@Workflow({ name: 'asking-again', retry: { attempts: 2, delay: 0 } })
class AskingAgain extends Doing {}

@Workflow({ name: 'careless' })
class Careless {
  static readonly output = 'look';

  @Step() make(@Input() order: { items: string[] }): { total: number } {
    order.items.push('added in place');
    return { total: 1 };
  }
  @Step({ retry: { attempts: 3, delay: 0 } }) change(
    @Input() order: { items: string[] },
    @Result('make') made: { total: number },
    @Ctx() { attempt }: StepContext,
  ): string {
    const found = JSON.stringify([order, made]);
    order.items.length = 0;
    made.total = Number.NaN;
    if (attempt < 3) throw new Error('Once more.');
    return found;
  }
  @Step() look(
    @Input() order: { items: string[] },
    @Result('make') made: { total: number },
    @Result('change') change: string,
  ): unknown {
    return [order, made, change];
  }
}

@Workflow({ name: 'parent' })
class Parent {
  static readonly output = 'ask';

  @Step({ timeout: '300ms', retry: 1 }) ask(@Input() itself: boolean, @Ctx() step: StepContext): Promise<unknown> {
    if (itself) return app.orchestrator.result(step.runId);
    return app.orchestrator.execute('doing', 'answer', { key: step.idempotencyKey });
  }
}

let database: TestDatabase;
let app: TestApp;
const noted: unknown[] = [];
const note = (reason: unknown) => void noted.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  database = await createDatabase();
  doings.set('answer', () => 'answer');
  const workflows = [Doing, Limited, AskingAgain, Careless, Parent];
  app = await startApp({ database, workflows, entities: [], worker: { shutdownTimeout: '100ms' } });
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});

/** Has the step do this; gives what the run ends with, and sees that the process and its other runs go on. */
async function outcome(doing: (step: StepContext) => unknown, workflow = 'doing'): Promise<unknown> {
  const name = `doing ${doings.size}`;
  doings.set(name, doing);
  const run = await app.orchestrator.start(workflow, name);
  const ended = await run.result({ timeout: '10s' }).catch((error: unknown) => error);
  // Whatever it was, it can be looked at.
  await app.orchestrator.get(run.id);
  await app.orchestrator.steps(run.id);
  await expect(app.orchestrator.execute('doing', 'answer')).resolves.toBe('answer');
  expect(noted).toEqual([]);
  return ended;
}

function throwing(what: string): never {
  throw new Error(`Reading ${what} throws.`);
}

function circular(): Error {
  const error: Error & { self?: unknown } = new Error('circular');
  error.self = error;
  error.cause = new Error('back', { cause: error });
  return error;
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

function cyclic(): unknown {
  const set = new Set();
  const map = new Map([['0', set]]);
  return [set.add(map) && map];
}

class Unreadable extends Error {
  override get message(): string {
    return throwing('message');
  }
  override get stack(): string {
    return throwing('stack');
  }
}

const traps: ProxyHandler<object> = {
  get: (_, key) => throwing(String(key)),
  has: () => throwing('has'),
  getPrototypeOf: () => throwing('prototype'),
  ownKeys: () => throwing('keys'),
};

describe('a step that throws', () => {
  it.each<[string, unknown, unknown]>([
    ['null', null, null],
    ['undefined', undefined, undefined],
    ['a string', 'no money', 'no money'],
    ['a number', 402, 402],
    ['a symbol', Symbol('s'), expect.objectContaining({ message: expect.stringContaining('symbol') })],
    ['a function', () => 1, expect.objectContaining({ message: expect.stringContaining('function') })],
    ['a frozen object', Object.freeze({ status: 502 }), { status: 502 }],
    ['an object that cannot be made a string', { toString: null, valueOf: 1 }, { toString: null, valueOf: 1 }],
    ['an object without a prototype', Object.create(null), {}],
    ['an Error with circles in its fields and causes', circular(), expect.objectContaining({ message: 'circular' })],
    [
      'an AggregateError',
      new AggregateError([new Error('one'), 'two'], 'both'),
      expect.objectContaining({ message: 'both', errors: [expect.objectContaining({ message: 'one' }), 'two'] }),
    ],
    ['an Error whose message and stack cannot be read', new Unreadable(), expect.any(Error)],
    ['a Proxy that cannot be read', new Proxy({}, traps), expect.any(Error)],
    ['a Proxy of an Error that cannot be read', new Proxy(new Error('x'), traps), expect.any(Error)],
    ['something whose code cannot be read', { get code() { return throwing('code'); } }, expect.any(Error)], // prettier-ignore
    [
      'what asks for a delay that cannot be read',
      { code: 'OF_RETRY_AFTER', get delayMs() { return throwing('delayMs'); } }, // prettier-ignore
      expect.any(Error),
    ],
  ])('%s fails with it, and nothing else', async (_, thrown, cause) => {
    const raise = () => {
      throw thrown;
    };
    for (const throwIt of [raise, () => Promise.resolve().then(raise)]) {
      const error = await outcome(throwIt);
      expect(error).toBeInstanceOf(RunFailedError);
      expect(error).toMatchObject({ code: 'OF_RUN_FAILED', step: 'act', message: expect.any(String) });
      expect((error as RunFailedError).cause).toEqual(cause);
    }
  });

  it.each([Number.NaN, -1, Infinity, 1e300, '5', null, undefined])(
    'what asks for a delay of %p is tried again by its policy',
    async (delayMs) => {
      const ended = await outcome(({ attempt }) => {
        if (attempt === 1) throw Object.assign(new Error('Later.'), { code: 'OF_RETRY_AFTER', delayMs });
        return attempt;
      }, 'asking-again');
      expect(ended).toBe(2);
    },
  );

  it('an error of the library by another copy of it ends its retries', async () => {
    const foreign = Object.assign(new Error('No.'), { code: new NonRetryableError('No.').code });
    const ended = await outcome(({ attempt }) => { throw Object.assign(foreign, { attempt }); }, 'asking-again'); // prettier-ignore
    expect(ended).toMatchObject({ code: 'OF_RUN_FAILED', cause: { attempt: 1 } });
  });
});

describe('a step that gives', () => {
  it('a lazy thenable, such as a query, has it executed once', async () => {
    for (const workflow of ['doing', 'limited']) {
      let calls = 0;
      const query = { then: (resolve: (rows: unknown) => void) => resolve([(calls += 1)]) };
      await expect(outcome(() => query, workflow)).resolves.toEqual([1]);
      const callable = Object.assign(() => undefined, query);
      await expect(outcome(() => callable, workflow)).resolves.toEqual([2]);
    }
  });

  it('a thenable that calls back twice ends with the first', async () => {
    const twice = {
      then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
        resolve('first');
        reject(new Error('second'));
        resolve('third');
      },
    };
    await expect(outcome(() => twice)).resolves.toBe('first');
    await expect(outcome(() => twice, 'limited')).resolves.toBe('first');
  });

  it('a thenable that throws fails with that, also where it has called back before', async () => {
    const throws = { then: () => throwing('then') };
    for (const workflow of ['doing', 'limited']) {
      const error = await outcome(() => throws, workflow);
      expect(error).toMatchObject({ code: 'OF_RUN_FAILED', cause: { message: 'Reading then throws.' } });
      const late = { then: (resolve: (value: unknown) => void) => (resolve('given'), throwing('then')) };
      await expect(outcome(() => late, workflow)).resolves.toBe('given');
    }
    const unreadable = { get then() { return throwing('the member then'); } }; // prettier-ignore
    expect(await outcome(() => unreadable)).toMatchObject({ cause: { message: 'Reading the member then throws.' } });
  });

  it('a thenable that never calls back ends with its timeout', async () => {
    const error = await outcome(() => ({ then: () => undefined }), 'limited');
    expect(error).toMatchObject({ code: 'OF_RUN_FAILED', cause: { code: 'OF_STEP_TIMEOUT' } });
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a generator', function* () { yield 1; }, /cannot be read/], // prettier-ignore
    ['an async generator', async function* () { yield 1; }, /cannot be read/], // prettier-ignore
    ['a stream', () => Readable.from(['a']), /Cannot store the result of step "act"/],
    ['a function', () => () => 1, /it is a function/],
    ['a list with a Promise in it', () => [Promise.resolve(1)], /at "0": it is a Promise: await it first/],
  ])('%s fails for good, with what to do', async (_, give, message) => {
    const error = await outcome(give);
    expect(error).toMatchObject({ code: 'OF_RUN_FAILED', cause: { code: 'OF_VALUE_NOT_STORABLE' } });
    expect((error as RunFailedError).cause).toMatchObject({ message: expect.stringMatching(message) });
  });

  it('what has a plain member then keeps it', async () => {
    await expect(outcome(() => ({ then: 'afterwards' }))).resolves.toEqual({ then: 'afterwards' });
  });
});

describe('a step that never ends', () => {
  it('ends with its timeout, and its signal is raised', async () => {
    let signal!: AbortSignal;
    const error = await outcome((step) => ((signal = step.signal), new Promise(() => {})), 'limited');
    expect(error).toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT', message: expect.stringContaining('200 ms') } });
    expect(signal.aborted).toBe(true);
  });

  it('without a timeout, cancelled, leaves its run cancelling until the process ends; others go on', async () => {
    const worker = { shutdownTimeout: '100ms', concurrency: 2 } as const;
    const lone = await startApp({ database, workflows: [Stubborn], worker });
    const run = await lone.orchestrator.start(Stubborn, true as never);
    await Stubborn.begun.arrival();
    await run.cancel();
    await expect(run.status()).resolves.toBe('cancelling');
    await expect(lone.orchestrator.execute(Stubborn, false as never)).resolves.toBe('ended');
    await lone.close();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
  });

  it('without a timeout is handed over by a shutdown, and another process runs it', async () => {
    const first = await startApp({ database, workflows: [Lonely], worker: { shutdownTimeout: '100ms' } });
    const run = await first.orchestrator.start(Lonely);
    await Lonely.begun.arrival();
    await first.close();
    const second = await startApp({ database, workflows: [Lonely] });
    await expect(second.orchestrator.result(run.id)).resolves.toBe(2);
    await expect(getStep(second.orchestrator, run.id, 'hang')).resolves.toMatchObject({ failures: 0, crashes: 0 });
    await second.close();
  });
});

@Workflow({ name: 'stubborn', queue: 'stubborn' })
class Stubborn {
  static readonly output = 'hang';
  static readonly begun = new Gate();

  @Step() hang(@Input() forEver: boolean): unknown {
    void Stubborn.begun.pass();
    return forEver ? new Promise(() => {}) : 'ended';
  }
}

@Workflow({ name: 'lonely', queue: 'lonely' })
class Lonely {
  static readonly output = 'hang';
  static readonly begun = new Gate();

  @Step() hang(@Ctx() { attempt }: StepContext): unknown {
    void Lonely.begun.pass();
    return attempt === 1 ? new Promise(() => {}) : attempt;
  }
}

describe('a step that changes what it is given', () => {
  it('changes its own copy only: neither other steps nor its next attempt see it', async () => {
    const expected = { items: ['a'] };
    const run = await app.orchestrator.start(Careless, { items: ['a'] } as never);
    await expect(run.result()).resolves.toEqual([expected, { total: 1 }, JSON.stringify([expected, { total: 1 }])]);
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ input: expected });
  });
});

describe('a step that waits', () => {
  it('for another run gets its result', async () => {
    await expect(app.orchestrator.execute(Parent, false as never)).resolves.toBe('answer');
  });

  it('for its own run waits in vain, and ends with its timeout', async () => {
    const run = await app.orchestrator.start(Parent, true as never);
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
  });
});

describe('a value at its limits', () => {
  const MIB = 1024 * 1024;

  it.each<[string, () => unknown, RegExp]>([
    ['of 50 MB', () => 'x'.repeat(50 * MIB), /more than the 1048576 bytes/],
    ['of a byte too much', () => '😀'.repeat((MIB - 4) / 4) + 'xxx', /more than the 1048576 bytes/],
    ['of a hundred thousand levels', () => nested(100_000), /nested deeper than 1000 levels/],
    ['of four billion holes', () => new Array<unknown>(2 ** 32 - 1), /more than the 1048576 bytes/],
    ['that is a cycle through a Map and a Set', cyclic, /at "0\.0\.1\.0": it is a cycle/],
  ])('%s is refused as input and as result, and nothing of it is left', async (_, make, message) => {
    const refused = await app.orchestrator.start('doing', make()).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'OF_VALUE_NOT_STORABLE', message: expect.stringMatching(message) });
    const error = await outcome(make);
    expect(error).toMatchObject({ cause: { code: 'OF_VALUE_NOT_STORABLE', message: expect.stringMatching(message) } });
  });

  const names = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}') as unknown;
  const foreign = { at: new Date(0), map: new Map([[{ a: 1 }, new Set([-0])]]) };

  it.each<[string, () => unknown, unknown]>([
    ['of exactly a mebibyte', () => '😀'.repeat((MIB - 4) / 4) + 'xx', '😀'.repeat((MIB - 4) / 4) + 'xx'],
    ['of a hundred thousand digits', () => 10n ** 99_999n, 10n ** 99_999n],
    ['with the names of Object.prototype', () => names, names],
    [
      'of another realm',
      () => runInNewContext('({ at: new Date(0), map: new Map([[{ a: 1 }, new Set([-0])]]) })') as unknown,
      foreign,
    ],
  ])('%s arrives', async (_, make, expected) => {
    expect(findDifference(await outcome(make), expected)).toBeNull();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('is kept of an Error of another realm and of a DOMException, each by its name', async () => {
    for (const [thrown, name] of [
      [runInNewContext('new RangeError("far")'), 'RangeError'],
      [new DOMException('gone', 'AbortError'), 'AbortError'],
    ] as const) {
      expect(await outcome(() => { throw thrown; })).toMatchObject({ cause: { name } }); // prettier-ignore
    }
  });
});

describe('a promise of a step', () => {
  it('whose own then is hostile is asked once', async () => {
    for (const workflow of ['doing', 'limited']) {
      let asked = 0;
      const then = (resolve: (value: unknown) => void) => {
        asked += 1;
        if (asked > 1) throwing('then again');
        resolve('given');
      };
      await expect(outcome(() => Object.assign(Promise.resolve('hidden'), { then }), workflow)).resolves.toBe('given');
    }
  });

  it('that is rejected after the timeout is nobody’s unhandled rejection', async () => {
    let reject!: (reason: Error) => void;
    const late = new Promise((_, refuse) => (reject = refuse));
    expect(await outcome(() => late, 'limited')).toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    reject(new Error('Too late.'));
    await expect(outcome(() => 'next')).resolves.toBe('next');
  });
});

describe('a subscriber of events$ that throws', () => {
  it('is told to the process by rxjs, and neither runs nor other subscribers notice', async () => {
    const told: unknown[] = [];
    config.onUnhandledError = (error) => told.push(error);
    const heard: string[] = [];
    let thrown = 0;
    const careless = app.orchestrator.events$.subscribe(() => {
      thrown += 1;
      throwing('an event');
    });
    const careful = app.orchestrator.events$.subscribe(({ type }) => heard.push(type));
    await expect(outcome(() => 'given')).resolves.toBe('given');
    for (const subscription of [careless, careful]) subscription.unsubscribe();
    await waitFor('rxjs has told of all', () => thrown > 0 && told.length === thrown);
    config.onUnhandledError = null;
    expect(heard).toContain('run.completed');
  });
});

describe('a step that takes away', () => {
  it("the app's DataSource ends, and so does its run", async () => {
    const lone = await startApp({ database, workflows: [Closing], entities: [] });
    const run = await lone.orchestrator.start(Closing);
    Closing.close = () => lone.dataSource.destroy();
    Closing.open.open();
    await expect(run.result()).resolves.toBe('gone on');
    await expect(lone.orchestrator.get(run.id)).rejects.toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE' });
    await lone.close();
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ status: 'completed' });
  });

  it('Date, chance, the timers of the global scope and the working directory leaves the library its own', async () => {
    const { Date: date, setTimeout: timeout, setImmediate: immediate, performance: clock } = globalThis;
    const [random, folder] = [Math.random, process.cwd()];
    const restore = () => {
      Object.assign(globalThis, { Date: date, setTimeout: timeout, setImmediate: immediate, performance: clock });
      Math.random = random;
      process.chdir(folder);
    };
    const nothing = () => ({ unref() {}, ref() {} });
    const ended = await outcome(({ attempt }) => {
      if (attempt === 2) return 'tried again';
      Object.assign(globalThis, { Date: class extends date { static override now = () => 0; }, setTimeout: nothing, setImmediate: nothing }); // prettier-ignore
      Object.assign(globalThis, { performance: { now: () => Number.NaN } });
      Math.random = () => throwing('chance');
      process.chdir('/');
      throw new Error('Once more.');
    }, 'asking-again').finally(restore);
    expect(ended).toBe('tried again');
  });
});

@Workflow({ name: 'closing', queue: 'closing' })
class Closing {
  static readonly output = 'goOn';
  static readonly open = new Gate();
  static close: () => Promise<void>;

  @Step() async close(): Promise<void> {
    await Closing.open.pass();
    await Closing.close();
  }
  @Step() goOn(): string {
    return 'gone on';
  }
}
