import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Ctx, Input, Item, type Orchestrator, Step, type StepContext, WaitForSignal, Workflow } from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

let gate = new Gate();
let isAborted = false;

@Workflow({ name: 'keepsake', retry: { attempts: 1 }, tags: ['kept'] })
class Keepsake {
  @Step() async work(@Input() wish: string, @Ctx() { signal }: StepContext): Promise<void> {
    if (wish === 'fail') throw new Error('no');
    if (wish !== 'wait') return;
    signal.addEventListener('abort', () => (isAborted = true));
    await gate.pass();
  }
}

@Workflow({ name: 'fans', retry: { attempts: 1 } })
class Fans {
  @Step() each(@Item('input') _number: number): void {}
}

@Workflow({ name: 'waits' })
class Waits {
  @WaitForSignal('go') go(): void {}
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let orchestrator: Orchestrator;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Keepsake, Fans, Waits], lease: '2s' });
  ({ orchestrator } = app);
  db = await connect(database);
}, 60_000);

afterAll(async () => {
  await app?.close();
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  gate = new Gate();
});

/** As if it had ended so many minutes earlier. */
const age = (id: string, minutes: number) =>
  db.query(`UPDATE orchestrate_flow.workflow_run SET ended_at = ended_at - $2 * interval '1 minute' WHERE id = $1`, [
    id,
    minutes,
  ]);

/** How many rows there are of these runs in each table. */
async function rowsOf(...ids: string[]): Promise<Record<string, number>> {
  const [row] = await db.query<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM orchestrate_flow.workflow_run WHERE id = ANY ($1)) AS runs,
       (SELECT count(*)::int FROM orchestrate_flow.workflow_step WHERE run_id = ANY ($1)) AS steps,
       (SELECT count(*)::int FROM orchestrate_flow.workflow_signal WHERE run_id = ANY ($1)) AS signals,
       (SELECT count(*)::int FROM orchestrate_flow.workflow_event WHERE run_id = ANY ($1)) AS events`,
    [ids],
  );
  return row!;
}

const GONE = { runs: 0, steps: 0, signals: 0, events: 0 };

/** Starts a run and waits until it has ended. */
async function end(wish: string, minutesAgo = 0, tags: readonly string[] = []): Promise<string> {
  const run = await orchestrator.start('keepsake', wish, { tags, ...(wish === 'cancel' && { delay: '1d' }) });
  if (wish === 'cancel') await run.cancel({ by: 'Ann' });
  await run.result().catch(() => {});
  await age(run.id, minutesAgo);
  return run.id;
}

describe('a run that is deleted', () => {
  it('is gone with its steps, items and signals; its key is free, and the audit log says who did it', async () => {
    const fans = await orchestrator.start('fans', [1, 2, 3], { key: 'once' });
    await fans.result();
    const waits = await orchestrator.start(Waits);
    await waits.signal('go');
    await waits.result();
    expect(await rowsOf(fans.id, waits.id)).toEqual({ runs: 2, steps: 5, signals: 1, events: 0 });
    await orchestrator.delete({ workflow: Fans, key: 'once' }, { by: 'Ann', reason: 'asked for it' });
    await orchestrator.delete(waits.id);
    expect(await rowsOf(fans.id, waits.id)).toEqual({ ...GONE, events: 2 });
    const { entries } = await orchestrator.audit({ workflow: Fans });
    expect(entries).toMatchObject([{ runId: fans.id, action: 'delete', by: 'Ann', reason: 'asked for it' }]);
    await expect(orchestrator.delete(fans.id)).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
    const again = await orchestrator.start('fans', [], { key: 'once' });
    expect(again.created).toBe(true);
  });

  it('has ended: what goes on is not deleted', async () => {
    const run = await orchestrator.start(Waits);
    await expect(orchestrator.delete(run.id)).rejects.toMatchObject({
      code: 'OF_RUN_OPEN',
      message: expect.stringContaining('Cannot delete run'),
    });
    await run.cancel();
    await orchestrator.delete(run.id);
    await expect(run.status()).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
  });

  it('is seen to be gone by an attempt that is under way elsewhere, which may report and disturbs nobody', async () => {
    const run = await orchestrator.start('keepsake', 'wait');
    await gate.arrival();
    const other = await startApp({ database, workflows: [Keepsake], worker: false });
    try {
      await other.orchestrator.terminate(run.id);
      await other.orchestrator.delete(run.id);
    } finally {
      await other.close();
    }
    await waitFor('the attempt is aborted', () => isAborted);
    const earlier = app.events.length;
    gate.open();
    await end('work');
    expect(app.events.slice(earlier).filter((event) => 'error' in event)).toEqual([]);
    expect(await rowsOf(run.id)).toEqual({ ...GONE, events: 2 });
  });
});

describe('a purge', () => {
  it('takes the runs that have ended so long ago, and that it was asked for', async () => {
    const [completed, failed, cancelled] = [await end('work', 61), await end('fail', 61), await end('cancel', 61)];
    const [young, tagged] = [await end('work', 59), await end('work', 61, ['vip'])];
    const open = await orchestrator.start(Waits);
    expect(await orchestrator.purge({ olderThan: '1h', status: 'completed', tags: ['kept', 'vip'] })).toBe(1);
    expect(await rowsOf(tagged)).toEqual(GONE);
    expect(await orchestrator.purge({ olderThan: '1h', workflow: 'of-another-app' })).toBe(0);
    expect(await orchestrator.purge({ olderThan: '1h', workflow: Keepsake, status: ['failed', 'cancelled'] })).toBe(2);
    expect(await rowsOf(failed, cancelled)).toEqual(GONE);
    expect(await orchestrator.purge({ olderThan: '1h' })).toBe(1);
    expect(await rowsOf(completed)).toEqual(GONE);
    expect(await rowsOf(young, open.id)).toMatchObject({ runs: 2 });
    await open.cancel();
  });

  it('takes as many as there are', async () => {
    await orchestrator.purge({ olderThan: 0 });
    const many = (count: number) =>
      orchestrator.startMany(
        'fans',
        Array.from({ length: count }, () => ({ input: [] })),
      );
    const runs = [...(await many(1_000)), ...(await many(201))];
    await Promise.all(runs.map((run) => run.result()));
    expect(await orchestrator.purge({ olderThan: 0, status: ['completed', 'completed'] })).toBe(1_201);
    expect(await rowsOf(...runs.map(({ id }) => id))).toEqual(GONE);
  });

  it('finds them by an index of what has ended', async () => {
    await db.query('SET enable_seqscan = off');
    const plan = await db.query(
      `EXPLAIN SELECT id FROM orchestrate_flow.workflow_run e
       WHERE e.status = 'completed' AND e.ended_at <= orchestrate_flow.now() ORDER BY e.ended_at LIMIT 500`,
    );
    expect(JSON.stringify(plan)).toContain('workflow_run_ended');
    await db.query('RESET enable_seqscan');
  });

  it.each([
    [undefined],
    [{}],
    [{ olderThan: 'long ago' }],
    [{ olderThan: 0, status: 'running' }],
    [{ olderThan: 0, status: [] }],
    [{ olderThan: 0, tags: [] }],
    [{ olderThan: 0, oldest: true }],
  ])('is not made of %j', async (options) => {
    const refused = orchestrator.purge(options as Parameters<Orchestrator['purge']>[0]);
    await expect(refused).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
  });
});

describe('retention', () => {
  it('deletes runs when their time is over, by how they have ended, and again and again', async () => {
    const [failed, young] = [await end('fail', 600), await end('work', 59)];
    const [first, cancelled] = [await end('work', 61), await end('cancel', 121)];
    const keeper = await startApp({
      ...{ database, workflows: [Waits], lease: '1s' },
      retention: { completed: '1h', cancelled: '2h' },
    });
    try {
      await waitFor('the old ones are gone', async () => (await rowsOf(first, cancelled)).runs === 0);
      await age(young, 2);
      await waitFor('what has grown old is gone', async () => (await rowsOf(young)).runs === 0, { timeoutMs: 20_000 });
      expect(await rowsOf(first, cancelled, young)).toEqual(GONE);
      expect(await rowsOf(failed)).toMatchObject({ runs: 1, steps: 1 });
    } finally {
      await keeper.close();
    }
  }, 40_000);
});
