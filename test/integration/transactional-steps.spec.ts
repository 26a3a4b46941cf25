import { isDeepStrictEqual } from 'node:util';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Compensate,
  Ctx,
  Input,
  Item,
  Manager,
  NonRetryableError,
  Orchestrator,
  Results,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import type { EntityManager } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';
import { waitFor } from '../support/wait-for.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;
const INSERT = 'INSERT INTO booking (name) VALUES ($1)';

let gate = new Gate();
let failures = 0;
/** What a step that has timed out does afterwards. */
let afterwards: Promise<unknown> | null = null;

/** Its rejection is looked at later. */
function noteAfterwards(query: Promise<unknown>): void {
  afterwards = query;
  query.catch(() => {});
}

/** Whether the first attempt of a run is over, the one that goes wrong. */
let hasTried = false;

async function pidOf(manager: EntityManager): Promise<number> {
  const [{ pid }] = await manager.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
  return pid;
}

/** What goes wrong with the connection of a transaction, by the input of the run. */
const TROUBLE: Readonly<Record<string, (manager: EntityManager) => Promise<unknown>>> = {
  'breaks at its outcome': async (manager) => db.query('SELECT pg_terminate_backend($1)', [await pidOf(manager)]),
  'breaks in a statement': (manager) =>
    manager.query('SELECT pg_terminate_backend(pg_backend_pid())').catch((cause: unknown) => {
      throw new NonRetryableError('Cannot book.', { cause });
    }),
  'is idle': async (manager) => {
    const pid = await pidOf(manager);
    await waitFor('the server ends the transaction', async () => {
      const left = await db.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid]);
      return left.length === 0;
    });
  },
};

@Workflow({ name: 'other' })
class Other {
  @Step() rest(): void {}
}

@Workflow({ name: 'booking', retry: { attempts: 3, ...FAST } })
class Book {
  static readonly output = 'book';
  constructor(private readonly orchestrator: Orchestrator) {}

  @Step({ timeout: '5s' })
  async book(@Input() name: string, @Manager() manager: EntityManager): Promise<string> {
    await manager.query(INSERT, [name]);
    if (name === 'nested') await this.orchestrator.start(Other, undefined, { key: 'of a step', manager });
    if (name === 'gated') await gate.pass();
    if (failures-- > 0) throw new Error('not yet');
    if (name === 'careless') setImmediate(() => noteAfterwards(manager.query(INSERT, ['late'])));
    if (name === 'ends') await manager.query('COMMIT');
    const isFirst = !hasTried;
    hasTried = true;
    if (isFirst) await TROUBLE[name]?.(manager);
    if (name === 'undone') return name;
    return `booked ${name}`;
  }
  @Step() next(@Input() name: string): void {
    if (name === 'undone') throw new NonRetryableError('no');
  }
  @Compensate('book') async cancel(@Input() name: string, @Manager() manager: EntityManager, @Ctx() step: StepContext) {
    await manager.query('UPDATE booking SET name = $2 WHERE name = $1', [name, `${name} ${step.outcome}`]);
  }
}

@Workflow({ name: 'slow', retry: { attempts: 1 } })
class Slow {
  @Step({ timeout: '100ms' })
  async book(@Input() name: string, @Manager() manager: EntityManager): Promise<void> {
    await manager.query(INSERT, [name]);
    await gate.pass();
    afterwards = manager.query(INSERT, ['late']);
    await afterwards;
  }
  @Compensate('book') cancel(): void {
    failures = -1;
  }
}

@Workflow({ name: 'bookings', retry: { attempts: 2, ...FAST } })
class BookAll {
  static readonly output = 'count';
  @Step({ maxItems: 3, tolerate: 1 })
  async book(
    @Item('input') name: string,
    @Manager() manager: EntityManager,
    @Ctx() step: StepContext,
  ): Promise<string> {
    await manager.query(INSERT, [name]);
    if (name === 'bad') throw new NonRetryableError('bad');
    if (name === 'flaky' && step.attempt === 1) throw new Error('not yet');
    return `booked ${name}`;
  }
  @Step() count(@Input() names: string[], @Results('book') results: string[]): string[] {
    if (names.length === 1) throw new NonRetryableError('too few');
    return results;
  }
  @Compensate('book') async cancel(@Results('book') results: string[], @Manager() manager: EntityManager) {
    await manager.query(INSERT, [`${results.join()} and taken back`]);
  }
}

@Workflow({ name: 'crowd' })
class Crowd {
  @Step() async book(@Input() name: string, @Manager() manager: EntityManager): Promise<void> {
    await manager.query(INSERT, [name]);
    await gate.pass();
  }
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({
    database,
    workflows: [Book, BookAll, Slow, Crowd, Other],
    entities: [],
    lease: '2s',
    worker: { concurrency: 60 },
  });
  db = await connect(database);
  await db.query('CREATE TABLE booking (name text)');
}, 60_000);

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

beforeEach(async () => {
  gate = new Gate();
  failures = 0;
  hasTried = false;
  afterwards = null;
  await db.query('TRUNCATE booking');
});

const booked = async () =>
  (await db.query<{ name: string }>('SELECT name FROM booking ORDER BY name')).map(({ name }) => name);

describe('a transactional step', () => {
  it('commits what it writes with its outcome', async () => {
    const run = await app.orchestrator.start('booking', 'one');
    expect(await run.result()).toBe('booked one');
    expect(await booked()).toEqual(['one']);
  });

  it('has written nothing in the attempts that fail', async () => {
    failures = 2;
    const run = await app.orchestrator.start('booking', 'twice');
    expect(await run.result()).toBe('booked twice');
    expect(await booked()).toEqual(['twice']);
    expect(await app.orchestrator.steps(run.id)).toMatchObject([
      { name: 'book', attempt: 3, failures: 2 },
      { name: 'next' },
      { name: 'cancel', status: 'skipped' },
    ]);
  });

  it('starts a run that exists if and only if it commits', async () => {
    failures = 1;
    await app.orchestrator.execute('booking', 'nested');
    const nested = await app.orchestrator.get({ workflow: Other, key: 'of a step' });
    await waitForRun(app.orchestrator, nested.id, 'completed');
    expect(await booked()).toEqual(['nested']);
  });

  it('is rolled back where its run has been cancelled meanwhile, and leaves nothing to undo', async () => {
    const run = await app.orchestrator.start('booking', 'gated');
    await gate.arrival();
    await run.cancel();
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    expect(await booked()).toEqual([]);
    expect(await app.orchestrator.steps(run.id)).toMatchObject([
      { name: 'book', status: 'cancelled' },
      { name: 'next' },
      { name: 'cancel', status: 'skipped' },
    ]);
  });

  it('is rolled back where its step was given to another worker meanwhile', async () => {
    const run = await app.orchestrator.start('booking', 'gated');
    await gate.arrival();
    await db.query('UPDATE orchestrate_flow.workflow_step SET attempt = 7 WHERE run_id = $1', [run.id]);
    gate.open();
    await waitForRun(app.orchestrator, run.id, 'completed');
    expect(await booked()).toEqual(['gated']);
  });

  it('is rolled back at its timeout, and its manager writes nothing afterwards', async () => {
    const run = await app.orchestrator.start('slow', 'slow');
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    gate.open();
    await waitFor('the step goes on', () => afterwards !== null);
    await expect(afterwards).rejects.toThrow();
    expect(await booked()).toEqual([]);
    // Nothing was done, and so nothing is undone.
    expect(failures).toBe(0);
  });

  it('writes nothing that it did not await', async () => {
    await app.orchestrator.execute('booking', 'careless');
    await expect(afterwards).rejects.toMatchObject({ code: 'OF_TRANSACTION_ENDED' });
    expect(await booked()).toEqual(['careless']);
  });

  it('fails where its code ends the transaction itself', async () => {
    const run = await app.orchestrator.start('booking', 'ends');
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_TRANSACTION_ENDED' } });
  });

  it.each(['breaks in a statement', 'breaks at its outcome'])(
    'runs again, and no failure is counted, where its connection %s',
    async (name) => {
      const run = await app.orchestrator.start('booking', name);
      expect(await run.result()).toBe(`booked ${name}`);
      expect(await booked()).toEqual([name]);
      expect(await app.orchestrator.steps(run.id)).toMatchObject([
        { name: 'book', attempt: 2, failures: 0 },
        { name: 'next' },
        { name: 'cancel', status: 'skipped' },
      ]);
    },
  );

  it('has failed where it was idle for longer than the lease', async () => {
    const run = await app.orchestrator.start('booking', 'is idle');
    expect(await run.result()).toBe('booked is idle');
    expect(await booked()).toEqual(['is idle']);
    expect(await app.orchestrator.steps(run.id)).toMatchObject([
      { name: 'book', attempt: 2, failures: 1, errors: [{ code: 'OF_TRANSACTION_IDLE' }] },
      { name: 'next' },
      { name: 'cancel', status: 'skipped' },
    ]);
  });

  it('is undone in a transaction', async () => {
    const run = await app.orchestrator.start('booking', 'undone');
    await expect(run.result()).rejects.toThrow();
    expect(await booked()).toEqual(['undone completed']);
  });

  it('starves nothing where fifty run at once on a pool of ten', async () => {
    const runs = await app.orchestrator.startMany(
      'crowd',
      Array.from({ length: 50 }, (_, number) => ({ input: `of ${number}` })),
    );
    await gate.arrival(5);
    // Half of the pool is taken for as long as these like, and nothing that goes on beside them waits for it.
    await app.dataSource.query('SELECT 1');
    await app.orchestrator.execute(Other, undefined);
    const leases = () => db.query('SELECT lease_until FROM orchestrate_flow.workflow_worker');
    const before = await leases();
    await waitFor('the lease is renewed', async () => !isDeepStrictEqual(await leases(), before));
    expect(gate.arrived).toBe(5);
    gate.open();
    await Promise.all(runs.map((run) => run.result()));
    expect(await booked()).toHaveLength(50);
  });
});

describe('a transactional step that fans out', () => {
  it('commits what each of its items writes with the outcome of that item', async () => {
    const names = ['one', 'bad', 'flaky', 'two'];
    const run = await app.orchestrator.start('bookings', names);
    expect(await run.result()).toEqual(['booked one', 'booked flaky', 'booked two']);
    expect(await booked()).toEqual(['flaky', 'one', 'two']);
  });

  it('is undone in a transaction', async () => {
    const run = await app.orchestrator.start('bookings', ['one']);
    await expect(run.result()).rejects.toThrow('too few');
    expect(await booked()).toEqual(['booked one and taken back', 'one']);
  });
});

describe('a transactional step whose outcome has not been told', () => {
  /** Its own transaction has come in, and its process has died. */
  const leave = async (name: string): Promise<string> => {
    const run = await app.orchestrator.start('booking', 'gated');
    await gate.arrival();
    await db.query(
      `UPDATE orchestrate_flow.workflow_step SET stage = 'committed', result = '"${name}"', worker = gen_random_uuid() WHERE run_id = $1`,
      [run.id],
    );
    return run.id;
  };

  it('has completed, and does not run again', async () => {
    const id = await leave('left');
    await waitForRun(app.orchestrator, id, 'completed');
    gate.open();
    expect(await waitForStep(app.orchestrator, id, 'book', 'completed')).toMatchObject({
      status: 'completed',
      attempt: 1,
      crashes: 0,
    });
    expect(await app.orchestrator.result(id)).toBe('left');
    expect(await booked()).toEqual([]);
  });
});
