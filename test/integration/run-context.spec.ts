import { AsyncLocalStorage } from 'node:async_hooks';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Compensate,
  Item,
  NonRetryableError,
  type OrchestrateFlowError,
  type Orchestrator,
  type RunContext,
  Step,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

interface User {
  readonly tenant: string;
  readonly seen?: string[];
}

class GoDto {}

const users = new AsyncLocalStorage<User>();
let log: string[] = [];
let isFailing = false;

function note(what: string): void {
  log.push(`${what} for ${users.getStore()?.tenant ?? 'nobody'}`);
}

@Workflow({ name: 'carrying', retry: { attempts: 1 } })
class Carrying {
  static readonly output = 'list';
  static readonly signals = { go: GoDto };
  @Step({ when: 'isWanted' }) async list(): Promise<number[]> {
    await Promise.resolve();
    note('list');
    users.getStore()?.seen?.push('changed');
    return [1, 2];
  }
  isWanted(): boolean {
    note('isWanted');
    return true;
  }
  @WaitForSignal('go') wait(): void {
    note('wait');
  }
  @Step() each(@Item('list') item: number): void {
    note(`each ${item} ${users.getStore()?.seen?.join()}`);
  }
  @Step() end(): void {
    if (isFailing) throw new NonRetryableError('enough');
  }
  @Compensate('list') undo(): void {
    note('undo');
  }
}

@Workflow({ name: 'plain', retry: { attempts: 1 } })
class Plain {
  static readonly output = 'plain';
  @Step() async plain(): Promise<string> {
    await Promise.resolve();
    note('plain');
    return 'done';
  }
}

const carrier: RunContext<User> = {
  capture: () => users.getStore(),
  restore: (user, step) => users.run(user, step),
};

describe('the context of a run', () => {
  let database: TestDatabase;
  let app: TestApp;
  let orchestrator: Orchestrator;

  beforeAll(async () => {
    database = await createDatabase();
  });

  beforeEach(() => {
    log = [];
    isFailing = false;
  });

  afterEach(() => app.close());

  afterAll(() => database.drop());

  async function start(context: RunContext): Promise<void> {
    app = await startApp({ database, workflows: [Carrying, Plain], context, entities: [] });
    ({ orchestrator } = app);
  }

  it('is that of whoever started it, in each method that it calls, and each gets it as it was', async () => {
    await start(carrier);
    const run = await users.run({ tenant: 'acme', seen: [] }, () => orchestrator.start(Carrying));
    await users.run({ tenant: 'another' }, () => run.signal('go', {}));
    expect(await run.result()).toEqual([1, 2]);
    expect(log.slice(0, 3)).toEqual(['isWanted for acme', 'list for acme', 'wait for acme']);
    expect(log.slice(3).sort()).toEqual(['each 1  for acme', 'each 2  for acme']);
  });

  it('is that of whoever triggers a schedule, and nobody’s where its time has come', async () => {
    await start(carrier);
    const { schedules } = orchestrator;
    await schedules.upsert('rare', { workflow: Plain, every: '52w' });
    const run = await users.run({ tenant: 'acme' }, () => schedules.trigger('rare'));
    expect(await run.result()).toBe('done');
    expect(log).toEqual(['plain for acme']);
    await users.run({ tenant: 'acme' }, () => schedules.upsert('often', { workflow: Plain, every: '1s' }));
    await waitFor('an occurrence has its run', () => log.includes('plain for nobody'));
    await schedules.remove('often');
    expect(log.filter((line) => line === 'plain for acme')).toHaveLength(1);
  });

  it('is that of whoever started it where it is undone', async () => {
    isFailing = true;
    await start(carrier);
    const run = await users.run({ tenant: 'acme' }, () => orchestrator.start(Carrying));
    await run.signal('go', {});
    await expect(run.result()).rejects.toThrow('enough');
    expect(log).toContain('undo for acme');
  });

  it('is nobody’s where nothing was captured, also where the step begins within the request that starts it', async () => {
    await start({ ...carrier, capture: () => undefined });
    // The first wakes the worker, and the others go on where they are started.
    for (let runs = 0; runs < 5; runs++)
      await users.run({ tenant: 'acme' }, async () => (await orchestrator.start(Plain)).result());
    expect(new Set(log)).toEqual(new Set(['plain for nobody']));
  });

  it('is nobody’s where there was nothing to capture', async () => {
    await start(carrier);
    await orchestrator.execute(Plain);
    expect(log).toEqual(['plain for nobody']);
  });

  it('goes with each run of startMany() and with one that a transaction starts, and outlives the process', async () => {
    await start({ ...carrier });
    const ids = await users.run({ tenant: 'acme' }, async () => {
      const many = await orchestrator.startMany(Plain, [
        { input: undefined, delay: '1s' },
        { input: undefined, delay: '1s' },
      ]);
      const one = await app.dataSource.transaction((manager) =>
        orchestrator.start(Plain, undefined, { manager, delay: '1s' }),
      );
      return [...many, one].map(({ id }) => id);
    });
    await app.close();
    await start(carrier);
    for (const id of ids) await orchestrator.result(id);
    expect(log).toEqual(Array.from({ length: 3 }, () => 'plain for acme'));
  });

  it('may be restored later, and a step has ended when its method has', async () => {
    await start({
      ...carrier,
      // Returns nothing: what the step returns counts.
      restore: async (user: User, step: () => unknown) => {
        await Promise.resolve();
        void users.run(user, step);
      },
    });
    expect(await users.run({ tenant: 'acme' }, () => orchestrator.execute(Plain))).toBe('done');
    expect(log).toEqual(['plain for acme']);
  });

  it('that does not call the step fails it', async () => {
    await start({ ...carrier, restore: () => 'nothing' });
    const run = await users.run({ tenant: 'acme' }, () => orchestrator.start(Plain));
    const failure = await run.result().catch((error: Error) => error.cause as OrchestrateFlowError);
    expect(failure).toMatchObject({ code: 'OF_CONTEXT_INVALID' });
    expect(log).toEqual([]);
  });

  it('that cannot be stored starts nothing, and that cannot be captured neither', async () => {
    await start({ ...carrier, capture: () => ({ user: () => 'a function' }) });
    await expect(orchestrator.start(Plain)).rejects.toMatchObject({ code: 'OF_VALUE_NOT_STORABLE' });
    await app.close();
    await start({
      ...carrier,
      capture: () => {
        throw new Error('no context');
      },
    });
    await expect(orchestrator.start(Plain)).rejects.toThrow('no context');
    expect((await orchestrator.list({ workflow: Plain, status: ['running', 'pending'] })).runs).toEqual([]);
  });
});
