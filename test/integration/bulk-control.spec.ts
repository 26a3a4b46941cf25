import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Compensate, NonRetryableError, Sleep, Step, Workflow } from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

let isBroken = false;
let undone = 0;

@Workflow({ name: 'letter' })
class Letter {
  static readonly output = 'send';
  @Step() send(): string {
    if (isBroken) throw new NonRetryableError('no stamps');
    return 'sent';
  }
}

@Workflow({ name: 'order' })
class Order {
  @Step() charge(): string {
    return 'charged';
  }
  @Step() ship(): void {
    throw new NonRetryableError('no lorry');
  }
  @Compensate('charge') refund(): void {
    undone += 1;
  }
}

@Workflow({ name: 'nap' })
class Nap {
  @Sleep('1h') sleep!: void;
}

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Letter, Order, Nap] });
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

beforeEach(() => {
  isBroken = false;
  undone = 0;
});

const settled = (workflow: string, status: 'failed' | 'completed' | 'waiting' | 'cancelled', count: number) =>
  waitFor(`${count} runs of ${workflow} are ${status}`, async () => {
    const { runs } = await app.orchestrator.list({ workflow, status, limit: 1_000 });
    return runs.length === count ? runs : null;
  });

describe('what is asked of many runs', () => {
  it('is done by each that can, over pages, and kept in the audit log of each', async () => {
    isBroken = true;
    await app.orchestrator.startMany(
      Letter,
      Array.from({ length: 520 }, (_, index) => ({ tags: [index < 3 ? 'few' : 'many'] })),
    );
    await settled('letter', 'failed', 520);
    isBroken = false;
    const asked = { by: 'Ann', reason: 'stamps are there' };
    await expect(app.orchestrator.retryAll({ workflow: Letter, tags: ['few'] }, asked)).resolves.toEqual({
      ...{ count: 3, refusedCount: 0, refused: [] },
    });
    await settled('letter', 'completed', 3);
    await expect(app.orchestrator.retryAll({ workflow: 'letter' }, asked)).resolves.toMatchObject({ count: 517 });
    const [run] = await settled('letter', 'completed', 520);
    expect((await app.orchestrator.audit({ run: run!.id })).entries).toMatchObject([{ action: 'retry', ...asked }]);
    await expect(app.orchestrator.retryAll({ workflow: Letter })).resolves.toMatchObject({ count: 0 });
  });

  it('says which could not, and why, and the others do', async () => {
    const order = await app.orchestrator.start(Order);
    await expect(order.result()).rejects.toThrow();
    expect(undone).toBe(1);
    isBroken = true;
    const letter = await app.orchestrator.start(Letter);
    await expect(letter.result()).rejects.toThrow();
    isBroken = false;
    await expect(app.orchestrator.retryAll({})).resolves.toMatchObject({
      ...{ count: 1, refusedCount: 1 },
      refused: [{ runId: order.id, error: { code: 'OF_RUN_UNDONE' } }],
    });
    await expect(letter.result()).resolves.toBe('sent');
  });

  it('holds runs, lets them go on, and cancels those that go on or are held', async () => {
    await app.orchestrator.startMany(Nap, [{}, {}, {}]);
    const [first] = await settled('nap', 'waiting', 3);
    await expect(app.orchestrator.pauseAll({ workflow: Nap }, { by: 'Ann' })).resolves.toMatchObject({ count: 3 });
    await expect(app.orchestrator.pauseAll({ workflow: Nap })).resolves.toMatchObject({ count: 0 });
    await expect(app.orchestrator.resumeAll({ workflow: Nap })).resolves.toMatchObject({ count: 3 });
    await settled('nap', 'waiting', 3);
    await app.orchestrator.pause(first!.id);
    await expect(app.orchestrator.cancelAll({ workflow: Nap })).resolves.toMatchObject({ count: 3 });
    await settled('nap', 'cancelled', 3);
  });

  it('refuses a filter that says nothing, or what it does not know', async () => {
    const code = (name: string) => expect.objectContaining({ code: name });
    await expect(app.orchestrator.retryAll(undefined as never)).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    await expect(app.orchestrator.cancelAll({ status: 'failed' } as never)).rejects.toEqual(
      code('OF_ARGUMENT_INVALID'),
    );
    await expect(app.orchestrator.pauseAll({ tags: [] })).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    await expect(app.orchestrator.resumeAll({}, { by: 7 } as never)).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
  });
});
