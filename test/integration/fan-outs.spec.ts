import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Allow } from 'class-validator';
import {
  Compensate,
  Ctx,
  Item,
  NonRetryableError,
  Parallel,
  Results,
  Result,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';

import { ADD_ITEMS } from '../../lib/persistence/store-statements.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

class OrderDto {
  @Allow() lines!: number[];
}

/** What happened, in order; what is to go wrong; who waits; and how many items ran at once. */
let log: string[] = [];
let bad = new Set<number>();
let flaky = new Set<number>();
let gate = new Gate();
let now = 0;
let most = 0;

async function double(line: number, { step, attempt, signal }: StepContext): Promise<number> {
  most = Math.max(most, ++now);
  try {
    await Promise.race([
      gate.pass(),
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
    if (bad.has(line)) throw new NonRetryableError(`bad ${line}`);
    if (flaky.has(line) && attempt === 1) throw new Error('flaky');
    log.push(step);
    return 2 * line;
  } finally {
    now--;
  }
}

@Workflow({ name: 'doubles', retry: { attempts: 2, ...FAST } })
class Doubles {
  static readonly input = OrderDto;
  static readonly output = 'sum';
  @Step({ maxItems: 3 }) double(@Item('input.lines') line: number, @Ctx() step: StepContext): Promise<number> {
    return double(line, step);
  }
  @Step() sum(@Results('double') doubles: number[]): number[] {
    return doubles;
  }
  @Compensate('double') undo(@Results('double') doubles: number[]): void {
    log.push(`undo ${doubles.join()}`);
  }
}

@Workflow({ name: 'tolerant', retry: { attempts: 1 } })
class Tolerant {
  static readonly input = OrderDto;
  static readonly output = 'sum';
  @Step() list(): number[] {
    return [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  }
  @Parallel({ tolerate: '20%', onFailure: 'continue' }) double(
    @Item('list') line: number,
    @Ctx() step: StepContext,
  ): Promise<number> {
    return double(line, step);
  }
  @Parallel({ tolerate: '100%' }) all(@Item(({ input }: { input: OrderDto }) => input.lines) line: number): number {
    if (line > 0) throw new Error('never');
    return line;
  }
  @Step() sum(
    @Results('double') doubles: number[],
    @Results('all') all: number[],
    @Result('list') list: number[],
  ): number[] {
    return [list.length, all.length, ...doubles];
  }
}

/** What it selects depends on who asks. */
let select: () => readonly number[] = () => [];

@Workflow({ name: 'fickle', retry: { attempts: 2, backoff: 'fixed', delay: '1h' } })
class Fickle {
  static readonly output = 'all';
  @Step() same(@Item(() => select()) line: number): number {
    log.push(`${line}`);
    return line;
  }
  @Step() all(@Results('same') lines: number[]): number[] {
    return lines;
  }
}

describe('Fan-outs', () => {
  let database: TestDatabase;
  let app: TestApp;

  beforeAll(async () => {
    database = await createDatabase();
    app = await startApp({ database, workflows: [Doubles, Tolerant, Fickle] });
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });
  beforeEach(() => {
    log = [];
    bad = new Set();
    flaky = new Set();
    gate = new Gate();
    most = 0;
  });

  it('runs a step for each item, so many at once, tries each by itself, and gives the results in their order', async () => {
    gate.open();
    flaky = new Set([3, 7]);
    const lines = Array.from({ length: 40 }, (_, index) => index);
    const run = await app.orchestrator.start(Doubles, { lines });
    expect(await run.result({ timeout: '20s' })).toEqual(lines.map((line) => 2 * line));
    expect(most).toBeLessThanOrEqual(3);
    expect(new Set(log).size).toBe(40);
    const [step] = await app.orchestrator.steps(run.id);
    expect(step).toMatchObject({
      name: 'double',
      status: 'completed',
      items: { total: 40, completed: 40, failed: 0, cancelled: 0, running: 0, pending: 0 },
    });
    const page = await app.orchestrator.items(run.id, 'double', { cursor: 3, limit: 2 });
    expect(page.nextCursor).toBe(5);
    expect(page.items).toMatchObject([
      { index: 3, item: 3, result: 6, status: 'completed', attempt: 2, failures: 1 },
      { index: 4, item: 4, result: 8, status: 'completed', attempt: 1 },
    ]);
    expect((await app.orchestrator.items(run.id, 'double', { cursor: 39 })).nextCursor).toBeNull();
  });

  it('shows how far it is, and a cancel ends what runs and what has not begun, and undoes what has completed', async () => {
    const run = await app.orchestrator.start(Doubles, { lines: [0, 1, 2, 3, 4, 5] });
    await waitFor('three items run', () => Promise.resolve(now === 3));
    const [step] = await app.orchestrator.steps(run.id);
    expect(step).toMatchObject({
      status: 'running',
      items: { total: 6, running: 3, pending: 3, completed: 0, failed: 0, cancelled: 0 },
    });
    const { items } = await app.orchestrator.items(run.id, 'double');
    expect(items.map(({ status }) => status)).toEqual([
      'running',
      'running',
      'running',
      'pending',
      'pending',
      'pending',
    ]);
    await run.cancel();
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    const after = await app.orchestrator.items(run.id, 'double');
    expect(after.items.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'cancelled'));
    expect(await app.orchestrator.steps(run.id)).toMatchObject([
      { status: 'cancelled', items: { total: 6, cancelled: 6 } },
      { status: 'cancelled' },
      // What began may have had its effect: its attempts were aborted.
      { status: 'completed' },
    ]);
  });

  it('fails with the first item that fails, by its name, begins no other, and undoes the completed', async () => {
    gate.open();
    bad = new Set([5]);
    const run = await app.orchestrator.start(Doubles, { lines: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] });
    await expect(run.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'OF_RUN_FAILED', step: 'double[5]' });
    expect(log.filter((line) => line.startsWith('undo'))).toHaveLength(1);
    expect(log).not.toContain('double[13]');
    const steps = await app.orchestrator.steps(run.id);
    expect(steps[0]).toMatchObject({ status: 'failed', items: { total: 14, failed: 1 } });
  });

  it('tolerates so many failures, and leaves them out of the results', async () => {
    gate.open();
    bad = new Set([2, 4]);
    const run = await app.orchestrator.start(Tolerant, { lines: [1, 0, 2] });
    expect(await run.result({ timeout: '20s' })).toEqual([10, 1, 2, 6, 10, 12, 14, 16, 18, 20]);
  });

  it('goes on where a fan-out of which too many failed may fail', async () => {
    gate.open();
    bad = new Set([2, 4, 6]);
    const run = await app.orchestrator.start(Tolerant, { lines: [] });
    const result = await run.result({ timeout: '20s' });
    expect(result.slice(0, 2)).toEqual([10, 0]);
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.map(({ status }) => status)).toEqual(['completed', 'failed', 'completed', 'completed']);
    expect(steps[1]!.error).toMatchObject({ message: expect.stringContaining('bad') as unknown });
  });

  it('a list that another attempt gives otherwise is taken as a whole', async () => {
    select = () => {
      throw new Error('not yet');
    };
    const { id } = await app.orchestrator.start(Fickle);
    await waitForStep(app.orchestrator, id, 'same', 'retrying');
    const connection = await connect(database);
    // As if the first attempt had stored its list, and died.
    await store(connection, id, 1, [11, 12, 13, 14, 15]);
    select = () => [21, 22, 23];
    await app.orchestrator.wake(id);
    expect(await app.orchestrator.result(id, { timeout: '20s' })).toEqual([21, 22, 23]);
    const { items } = await app.orchestrator.items(id, 'same');
    expect(items.map(({ item, status }) => `${item as number} ${status}`)).toEqual([
      ...['21 completed', '22 completed', '23 completed'],
    ]);
    expect((await app.orchestrator.steps(id))[0]!.items).toMatchObject({ total: 3, completed: 3, cancelled: 0 });
    await connection.close();
  });

  it('a list that is stored again is not overwritten by a statement that was on its way before', async () => {
    select = () => {
      throw new Error('not yet');
    };
    const { id } = await app.orchestrator.start(Fickle);
    await waitForStep(app.orchestrator, id, 'same', 'retrying');
    const [late, next] = [await connect(database), await connect(database)];
    await store(next, id, 1, [11]);
    await next.query('BEGIN');
    await next.query('SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1 AND item = 1 FOR UPDATE', [id]);
    const stored = store(late, id, 1, [12]);
    await waitFor('the late statement waits', async () => {
      const waiting = 'SELECT 1 FROM pg_stat_activity WHERE wait_event_type = $1 AND query LIKE $2';
      return (await next.query(waiting, ['Lock', '%ON CONFLICT (run_id, generation, name, item, round)%'])).length > 0;
    });
    await store(next, id, 2, [21]);
    await next.query('COMMIT');
    await stored;
    const payloads = 'SELECT payload FROM orchestrate_flow.workflow_step WHERE run_id = $1 AND item > 0';
    expect(await next.query(payloads, [id])).toEqual([{ payload: '21' }]);
    await app.orchestrator.terminate(id);
    await Promise.all([late.close(), next.close()]);
  });

  it('refuses what is no list, and what is asked of no fan-out', async () => {
    const run = await app.orchestrator.start('doubles', { lines: 'many' });
    await expect(run.result({ timeout: '20s' })).rejects.toMatchObject({
      step: 'double',
      cause: { code: 'OF_ITEMS_INVALID' },
    });
    await expect(app.orchestrator.items(run.id, 'sum')).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(app.orchestrator.items(run.id, 'double', { limit: 0 })).rejects.toMatchObject({
      code: 'OF_ARGUMENT_INVALID',
    });
    await expect(app.orchestrator.items(run.id, 'double', { cursor: -1 })).rejects.toMatchObject({
      code: 'OF_ARGUMENT_INVALID',
    });
  });
});

/** The items of a fan-out "same", as an attempt stores them. */
async function store(connection: TestConnection, runId: string, attempt: number, lines: number[]): Promise<void> {
  const payloads = lines.map((line) => JSON.stringify(line));
  await connection.query(ADD_ITEMS, [runId, 0, 'same', attempt, 1, 'orchestrate-flow', 0, payloads]);
}
