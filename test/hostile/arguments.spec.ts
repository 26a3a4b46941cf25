import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Input,
  Orchestrator,
  Step,
  Workflow,
  type ListOptions,
  type OrchestrateFlowError,
  type StartOptions,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'echo' })
class Echo {
  static readonly output = 'give';

  @Step() give(@Input() input: unknown): unknown {
    return input;
  }
}

@Workflow({ name: 'unprovided' })
class Unprovided {
  @Step() one(): void {}
}

class Undecorated {}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let orchestrator: Orchestrator;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Echo], entities: [] });
  orchestrator = app.orchestrator;
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

/** What a call is refused with; and sees that it started nothing. */
async function refusal(call: () => Promise<unknown>): Promise<OrchestrateFlowError> {
  const before = await countRuns();
  const error = await call().then(
    () => new Error('It was not refused.'),
    (reason: unknown) => reason as Error,
  );
  expect(await countRuns()).toBe(before);
  expect(error.message.length).toBeLessThan(1_000);
  return error as OrchestrateFlowError;
}

async function countRuns(): Promise<number> {
  const [row] = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM orchestrate_flow.workflow_run');
  return row!.count;
}

const hostile = new Proxy({}, { get: () => { throw new Error('trap'); }, ownKeys: () => { throw new Error('trap'); } }); // prettier-ignore
const NOTHING_OF_USE = [null, 0, Number.NaN, 1n, Symbol('s'), [], {}, Object.create(null), () => 1, new Map(), hostile];

describe('a workflow that cannot be started', () => {
  it.each<[string, unknown, RegExp]>([
    [
      'of an unknown name',
      'ecko',
      /"ecko": this app has no workflow of that name\. Did you mean "echo"\? Known workflows: "echo"/,
    ],
    ['of an endless name', 'x'.repeat(50_000_000), /this app has no workflow of that name/],
    ['of an empty name', '', /this app has no workflow of that name/],
    ['of a name with NUL', 'echo\0', /this app has no workflow of that name/],
    [
      'whose class no module provides',
      Unprovided,
      /Unprovided: no module provides it\. Add Unprovided to the `providers`/,
    ],
    [
      'whose class bears no @Workflow',
      Undecorated,
      /Undecorated: the class bears no @Workflow of its own\. Decorate it/,
    ],
    ['whose class is not there yet', undefined, /undefined: .* import each other/],
    ['that is an instance', new Echo(), /Echo {}: it is neither a class nor a name/],
    ...NOTHING_OF_USE.map((value): [string, unknown, RegExp] => ['that is no workflow', value, /Cannot find workflow/]),
  ])('%s is refused with what there is', async (_, workflow, message) => {
    for (const call of [
      () => orchestrator.start(workflow as string, 1),
      () => orchestrator.execute(workflow as string, 1),
      () => orchestrator.startMany(workflow as string, [{ input: 1 }]),
      () => Promise.resolve().then(() => orchestrator.graphOf(workflow as string)),
    ]) {
      expect(await refusal(call)).toMatchObject({
        code: 'OF_WORKFLOW_UNKNOWN',
        message: expect.stringMatching(message),
      });
    }
  });
});

describe('a run that is not there', () => {
  it.each<[string, unknown, string]>([
    ['an id that nobody has', randomUUID(), 'OF_RUN_UNKNOWN'],
    ['text that is no id', 'order-17', 'OF_RUN_UNKNOWN'],
    ['endless text', 'x'.repeat(1_000_000), 'OF_RUN_UNKNOWN'],
    ['a key that nobody used', { workflow: Echo, key: 'unheard of' }, 'OF_RUN_UNKNOWN'],
    ['a workflow that nobody ran', { workflow: 'unheard-of', key: 'a' }, 'OF_RUN_UNKNOWN'],
    ['a workflow of nobody', { workflow: Undecorated, key: 'a' }, 'OF_WORKFLOW_UNKNOWN'],
    ['a name that none can have', { workflow: 'a\0b', key: 'a' }, 'OF_ARGUMENT_INVALID'],
    ['a key that none can have', { workflow: Echo, key: 'a\0b' }, 'OF_ARGUMENT_INVALID'],
    ['a key with a lone surrogate', { workflow: Echo, key: '\ud800' }, 'OF_ARGUMENT_INVALID'],
    ['an endless key', { workflow: Echo, key: 'x'.repeat(1_000_000) }, 'OF_ARGUMENT_INVALID'],
    ['a workflow without a key', { workflow: Echo }, 'OF_ARGUMENT_INVALID'],
    ['nothing', undefined, 'OF_ARGUMENT_INVALID'],
    ...[null, 7, 7n, Symbol('s'), [], {}].map((v): [string, unknown, string] => [
      String(v && typeof v),
      v,
      'OF_ARGUMENT_INVALID',
    ]),
  ])('by %s is refused', async (_, address, code) => {
    for (const call of [
      () => orchestrator.get(address as string),
      () => orchestrator.steps(address as string),
      () => orchestrator.result(address as string),
      () => orchestrator.cancel(address as string),
    ]) {
      expect(await refusal(call)).toMatchObject({ code });
    }
  });

  it('yet, because its transaction is open, is refused with that', async () => {
    await app.dataSource.transaction(async (manager) => {
      const run = await orchestrator.start('echo', 1, { manager, key: 'open' });
      for (const address of [run.id, { workflow: Echo, key: 'open' }]) {
        const error = await orchestrator.result(address).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'OF_RUN_UNKNOWN', message: expect.stringContaining('transaction') });
      }
      const inside = await run.result().catch((reason: unknown) => reason);
      expect(inside).toMatchObject({
        code: 'OF_RESULT_IN_TRANSACTION',
        message: expect.stringContaining('after the transaction'),
      });
    });
  });
});

describe('options of a start', () => {
  it.each<[string, unknown, RegExp]>([
    ['no object', null, /Expected the options of start\(\) to be an object, got null/],
    ['a text', 'key', /to be an object, got 'key'/],
    ['a list', [], /to be an object/],
    ['a misspelt key', { keyy: 'a' }, /start\(\) has no option "keyy"\. Did you mean "key"\?/],
    ['an id that is none', { id: 'seven' }, /Expected id to be a UUID, got 'seven'\. For a name of your own use `key`/],
    ['an id of another type', { id: 7n }, /Expected id to be a UUID, got 7n/],
    ['an empty key', { key: '' }, /Expected key to be text of 1 to 500 characters/],
    ['a key of null', { key: null }, /Expected key .* got null/],
    ['a key of 501 characters', { key: 'x'.repeat(501) }, /Expected key/],
    ['a key with NUL', { key: 'a\0' }, /Expected key .* without NUL/],
    ['a key with a lone surrogate', { key: '\udc00' }, /Expected key .* lone surrogates/],
    ['a key that is an object', { key: hostile }, /Expected key/],
    [
      'a priority below the least',
      { priority: -1 },
      /Expected priority to be a whole number from 0 to 1000000, got -1/,
    ],
    ['a priority above the most', { priority: 1_000_001 }, /Expected priority/],
    ['a priority that is no whole number', { priority: 0.5 }, /Expected priority/],
    ['a priority of text', { priority: '1' }, /Expected priority/],
    ['a delay below zero', { delay: -1 }, /Expected delay to be a duration/],
    ['a delay that is no number', { delay: Number.NaN }, /Expected delay .* got NaN/],
    ['an endless delay', { delay: Infinity }, /Expected delay/],
    ['a delay of 101 years', { delay: '36865d' }, /Expected delay/],
    ['a delay in words', { delay: 'tomorrow' }, /Expected delay/],
    ['a manager of null', { manager: null }, /Expected manager to be the EntityManager/],
  ])('with %s are refused', async (_, options, message) => {
    const error = await refusal(() => orchestrator.start('echo', 1, options as StartOptions));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', message: expect.stringMatching(message) });
  });

  it('with several faults are refused with all of them', async () => {
    const options = { id: 1, key: 2, delay: 'x', priority: 'y', timeout: 'z' } as unknown as StartOptions;
    const error = await refusal(() => orchestrator.execute('echo', 1, options));
    expect(error.message).toMatch(/id .*key .*delay .*timeout .*priority /);
  });

  it('may be at their limits', async () => {
    const options = { key: '😀'.repeat(250), priority: 1_000_000, delay: '36500d' } as const;
    const run = await orchestrator.start('echo', 1, options);
    await expect(orchestrator.get(run.id)).resolves.toMatchObject({ status: 'pending', ...{ key: options.key } });
    await run.cancel();
  });

  it('for ten years hence wait, and the process goes on', async () => {
    const run = await orchestrator.start('echo', 1, { delay: '3650d' });
    const waiting = run.result({ timeout: '3650d' }).catch((reason: unknown) => reason);
    await expect(orchestrator.execute('echo', 2)).resolves.toBe(2);
    await expect(run.status()).resolves.toBe('pending');
    const tenYears = Date.now() + 3_650 * 86_400_000;
    expect((await orchestrator.get(run.id)).dueAt!.getTime() / tenYears).toBeCloseTo(1, 4);
    await run.cancel();
    expect(await waiting).toMatchObject({ code: 'OF_RUN_CANCELLED' });
  });

  it('that answer differently each time are asked once', async () => {
    let asked = 0;
    const options = {
      get key() {
        asked += 1;
        return asked === 1 ? 'asked once' : 'a\0';
      },
    };
    const run = await orchestrator.start('echo', 1, options);
    expect(asked).toBe(1);
    await expect(orchestrator.get({ workflow: Echo, key: 'asked once' })).resolves.toMatchObject({ id: run.id });
  });

  it('whose getter throws are refused with what it threw', async () => {
    const options = { get key(): string { throw new Error('no key today'); } }; // prettier-ignore
    const error = await refusal(() => orchestrator.start('echo', 1, options));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', cause: { message: 'no key today' } });
    expect(error.message).toBe('Cannot read the options of start(): reading it threw "no key today".');
  });

  it('with a manager that is none are refused', async () => {
    for (const manager of [{}, app.dataSource, new Map(), app.dataSource.manager]) {
      const error = await refusal(() => orchestrator.start('echo', 1, { manager } as unknown as StartOptions));
      expect(error).toMatchObject({
        code: 'OF_NOT_IN_TRANSACTION',
        message: expect.stringMatching(/transaction|DataSource/),
      });
    }
  });
});

describe('execute', () => {
  it('in a transaction is refused before anything is started', async () => {
    await app.dataSource.transaction(async (manager) => {
      const error = await refusal(() => orchestrator.execute('echo', 1, { manager } as object));
      expect(error).toMatchObject({
        code: 'OF_RESULT_IN_TRANSACTION',
        message: expect.stringContaining('after the transaction'),
      });
      const open = await manager.query<unknown[]>(
        `SELECT 1 FROM orchestrate_flow.workflow_run WHERE status = 'running'`,
      );
      expect(open).toEqual([]);
    });
  });

  it('with a timeout that is none is refused before anything is started', async () => {
    for (const timeout of ['soon', -1, Number.NaN, null]) {
      const error = await refusal(() => orchestrator.execute('echo', 1, { timeout } as object));
      expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', message: expect.stringContaining('timeout') });
    }
  });
});

describe('startMany', () => {
  it.each<[string, unknown, RegExp]>([
    ['no list', { input: 1 }, /Expected startMany\(\) to be given a list of runs/],
    ['nothing', undefined, /list of runs, got undefined/],
    [
      'more than a thousand',
      Array.from({ length: 1_001 }, () => ({ input: 1 })),
      /at most 1000 runs, got 1001\. Start them in portions/,
    ],
    ['a run that is none', [{ input: 1 }, null], /options of run 1 of startMany\(\) to be an object, got null/],
    ['a hole', new Array(2), /run 0 of startMany\(\) to be an object, got null/],
    [
      'a misspelt option',
      [{ input: 1 }, { inputt: 1 }],
      /run 1 of startMany\(\) has no option "inputt"\. Did you mean "input"\?/,
    ],
    ['a manager', [{ input: 1, manager: {} }], /run 0 of startMany\(\) has no option "manager"/],
    ['a key that is none', [{ input: 1 }, { input: 1, key: 7 }], /Expected key/],
  ])('of %s is refused and starts none', async (_, items, message) => {
    const error = await refusal(() => orchestrator.startMany('echo', items as []));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', message: expect.stringMatching(message) });
  });

  it('with one input that cannot be stored starts none', async () => {
    const error = await refusal(() => orchestrator.startMany('echo', [{ input: 1 }, { input: { a: () => 1 } }]));
    expect(error).toMatchObject({ code: 'OF_VALUE_NOT_STORABLE', path: 'a' });
  });
});

describe('a result', () => {
  it('is not waited for by options that cannot be meant', async () => {
    const run = await orchestrator.start('echo', 1);
    for (const options of [null, 5, { timeuot: 1 }, { timeout: 'soon' }, { timeout: -1 }, { timeout: null }]) {
      await expect(run.result(options as object)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
      await expect(orchestrator.result(run.id, options as object)).rejects.toMatchObject({
        code: 'OF_ARGUMENT_INVALID',
      });
    }
    await expect(run.result({ timeout: '60d' })).resolves.toBe(1);
  });
});

describe('a reason to cancel', () => {
  it.each([7, null, {}, hostile, Symbol('s')])('that is no text is refused: %#', async (reason) => {
    const run = await orchestrator.start('echo', 1, { delay: '1h' });
    await expect(run.cancel({ reason } as object)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(run.cancel({ by: reason } as object)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(orchestrator.wake(run.id, { by: reason } as object)).rejects.toMatchObject({
      code: 'OF_ARGUMENT_INVALID',
    });
    await expect(run.status()).resolves.toBe('pending');
    await run.cancel();
  });

  it('is kept without what cannot be stored, and cut between characters', async () => {
    const run = await orchestrator.start('echo', 1, { delay: '1h' });
    await run.cancel({ by: `a\0b\ud800${'😀'.repeat(1_000_000)}`, reason: `a\0b\ud800${'😀'.repeat(1_000_000)}` });
    const { cancelReason } = await orchestrator.get(run.id);
    expect(cancelReason).toMatch(/^ab\ufffd(😀)+\ufffd?$/u);
    expect(cancelReason!.length).toBeLessThanOrEqual(1_000);
    const [entry] = (await orchestrator.audit({ run: run.id })).entries;
    expect(entry).toMatchObject({ reason: cancelReason, by: expect.stringMatching(/^ab\ufffd(😀)+\ufffd?$/u) });
    expect(entry!.by!.length).toBeLessThanOrEqual(200);
  });
});

describe('an argument that cannot be read', () => {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();

  it.each([
    ['hostile', hostile],
    ['revoked', proxy],
  ])('because it is %s is refused, wherever it is given', async (_, value) => {
    const argument = value as never;
    const run = await orchestrator.start('echo', 1, { delay: '1h' });
    for (const call of [
      () => orchestrator.start('echo', 1, argument),
      () => orchestrator.execute('echo', 1, argument),
      () => orchestrator.startMany('echo', argument),
      () => orchestrator.startMany('echo', [argument]),
      () => orchestrator.get(argument),
      () => orchestrator.steps(argument),
      () => orchestrator.result(argument),
      () => orchestrator.cancel(argument),
      () => orchestrator.list(argument),
      () => orchestrator.list({ status: argument }),
      () => orchestrator.list({ from: argument }),
      () => orchestrator.list({ cursor: argument }),
      () => orchestrator.audit(argument),
      () => orchestrator.audit({ run: argument }),
      () => orchestrator.audit({ by: argument }),
      () => orchestrator.audit({ cursor: argument }),
      () => orchestrator.audit({ limit: argument }),
      () => orchestrator.wake(run.id, argument),
      () => orchestrator.terminate(run.id, argument),
      () => run.result(argument),
      () => run.cancel(argument),
    ]) {
      expect(await refusal(call)).toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    }
    await expect(run.status()).resolves.toBe('pending');
    await run.cancel();
  });
});

describe('a cursor', () => {
  const forged = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');

  it.each([
    ['of the year 0', '0000-01-01 00:00:00+00'],
    ['of a day that is none', '2026-02-30 00:00:00+00'],
    ['of the day 0', '2026-02-00 00:00:00+00'],
    ['of the month 13', '2026-13-01 00:00:00+00'],
    ['of an hour that is none', '2026-01-01 24:00:01+00'],
    ['of a zone that is none', '2026-01-01 00:00:00+99'],
    ['of the end of time', '294277-01-01 00:00:00+00'],
    ['with a statement in it', "2026-01-01 00:00:00+00'; SELECT 1; --"],
  ])('%s is refused', async (_, createdAt) => {
    const error = await refusal(() => orchestrator.list({ cursor: forged(createdAt, randomUUID()) }));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', message: expect.stringContaining('Expected cursor') });
  });

  it('of another filter is a place in time, and a truncated one is refused', async () => {
    for (let n = 0; n < 3; n++) await orchestrator.start('echo', n, { delay: '1h' });
    const { nextCursor } = await orchestrator.list({ status: 'pending', limit: 1 });
    const cursor = nextCursor!;
    await expect(orchestrator.list({ workflow: Echo, cursor })).resolves.toMatchObject({ runs: expect.any(Array) });
    const error = await refusal(() => orchestrator.list({ cursor: cursor.slice(0, -4) }));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
  });
});

describe('a key', () => {
  it('is taken as it is: twins by Unicode normalization are two', async () => {
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
    const one = await orchestrator.start('echo', 1, { key: composed });
    const other = await orchestrator.start('echo', 2, { key: decomposed });
    expect([one.created, other.created]).toEqual([true, true]);
    await expect(orchestrator.get({ workflow: Echo, key: decomposed })).resolves.toMatchObject({ id: other.id });
  });

  it('with quotes, a statement or terminal sequences harms neither the database nor an error', async () => {
    const key = `'); DROP SCHEMA orchestrate_flow CASCADE; -- $1 \u001b[2J\r\n[Nest] all is well`;
    const run = await orchestrator.start('echo', 1, { key });
    await expect(run.result()).resolves.toBe(1);
    const error = await refusal(() => orchestrator.start('echo', 2, { key }));
    expect(error).toMatchObject({
      code: 'OF_KEY_CONFLICT',
      message: expect.stringContaining('\\u{1b}[2J\\u{d}\\u{a}'),
    });
    // eslint-disable-next-line no-control-regex -- it is what must not be there
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });

  it('serves an input of any depth', async () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 999; level += 1) deep = new Map([[level, deep]]);
    const run = await orchestrator.start('echo', deep, { key: 'deep' });
    await expect(orchestrator.start('echo', deep, { key: 'deep' })).resolves.toMatchObject({
      id: run.id,
      created: false,
    });
  });
});

describe('a list', () => {
  it.each<[string, unknown, RegExp]>([
    ['no options', null, /options of list\(\) to be an object/],
    ['a misspelt option', { wrokflow: 'echo' }, /Did you mean "workflow"/],
    ['a name that none can have', { workflow: 'a\0' }, /a workflow's name/],
    ['a status of a number', { status: 3 }, /Expected status to be of pending, running/],
    ['no status', { status: [] }, /an empty list/],
    ['a status of undefined', { status: [undefined] }, /got undefined/],
    ['a cursor of a number', { cursor: 7 }, /Expected cursor/],
    ['an endless cursor', { cursor: 'x'.repeat(1_000_000) }, /Expected cursor/],
    ['a limit of 0', { limit: 0 }, /Expected limit to be a whole number from 1 to 1000/],
    ['a limit of text', { limit: '5' }, /Expected limit/],
    ['a date of text', { from: '2026-01-01' }, /Expected from to be a Date, got '2026-01-01'/],
    ['an invalid date', { to: new Date(Number.NaN) }, /Expected to to be a Date, got Invalid Date/],
  ])('of %s is refused', async (_, options, message) => {
    const error = await refusal(() => orchestrator.list(options as ListOptions));
    expect(error).toMatchObject({ code: 'OF_ARGUMENT_INVALID', message: expect.stringMatching(message) });
  });

  it('may begin and end at the ends of time', async () => {
    const { runs } = await orchestrator.list({ from: new Date(-8.64e15), to: new Date(8.64e15), limit: 5 });
    expect(runs).toHaveLength(5);
    await expect(orchestrator.list({ from: new Date(8.64e15) })).resolves.toMatchObject({ runs: [] });
    await expect(orchestrator.list({ to: new Date(-8.64e15) })).resolves.toMatchObject({ runs: [] });
  });
});

describe('an orchestrator', () => {
  it('that is not connected yet, or no more, says so', async () => {
    const early = await refusal(() => new Orchestrator().start('echo', 1));
    expect(early).toMatchObject({ code: 'OF_STOPPED', message: expect.stringContaining('yet') });
    const lone = await startApp({ database, workflows: [Echo] });
    await lone.close();
    const late = await refusal(() => lone.orchestrator.start('echo', 1));
    expect(late).toMatchObject({ code: 'OF_STOPPED', message: expect.stringContaining('shut down') });
  });
});
