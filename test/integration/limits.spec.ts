import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Input,
  type Run,
  type RunDetails,
  Sleep,
  Step,
  WaitForSignal,
  Workflow,
  type WorkflowClass,
} from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

/** How many attempts run at this moment, and how many ran at once at the most: of all processes, which are one here. */
const gauge = { now: 0, peak: 0 };

async function measured(ms = 5): Promise<void> {
  gauge.peak = Math.max(gauge.peak, ++gauge.now);
  await new Promise((resolve) => setTimeout(resolve, ms));
  gauge.now -= 1;
}

@Workflow({ name: 'narrow', maxRuns: 2 })
class Narrow {
  @Step() one(): Promise<void> {
    return measured();
  }

  @Step() two(): Promise<void> {
    return measured();
  }
}

@Workflow({ name: 'gate', maxRuns: 1 })
class Gate {
  @WaitForSignal('go') go(): void {}
}

@Workflow({ name: 'gate' })
class WideGate {
  @WaitForSignal('go') go(): void {}
}

@Workflow({ name: 'shared', maxRuns: { total: 4 } })
class Shared {
  @Step() quick(): void {}
}

@Workflow({ name: 'nap', maxRuns: { perTenant: 1 } })
class Nap {
  @Sleep('1h') sleep!: void;
}

@Workflow({ name: 'shaky', maxRuns: 1, retry: { attempts: 1 } })
class Shaky {
  static isBroken = true;

  @Step() first(): void {}

  @Step() second(@Input() input: unknown): void {
    if (Shaky.isBroken && input === 'breaks') throw new Error('broken');
  }

  @WaitForSignal('go') go(): void {}
}

describe('runs of a workflow with limits', () => {
  let database: TestDatabase;
  let db: TestConnection;
  let app: TestApp;
  let other: TestApp;

  beforeAll(async () => {
    database = await createDatabase();
    db = await connect(database);
    const workflows = [Narrow, Gate, Shared, Shaky];
    app = await startApp({ database, workflows, entities: [] });
    other = await startApp({ database, workflows, entities: [] });
  }, 60_000);

  const detailsOf = ({ id }: Run): Promise<RunDetails> => app.orchestrator.get(id);

  afterAll(async () => {
    await Promise.all([app?.close(), other?.close()]);
    await db?.close();
    await database?.drop();
  });

  afterEach(async () => {
    const { runs } = await app.orchestrator.list({ status: ['pending', 'running', 'waiting'], limit: 1_000 });
    for (const { id } of runs) await app.orchestrator.terminate(id);
    Object.assign(gauge, { now: 0, peak: 0 });
  });

  it('are never more at once than these say, whoever starts and runs them, and all come to their end', async () => {
    const items = Array.from({ length: 15 }, () => ({}));
    const runs = await Promise.all([app, other].map(({ orchestrator }) => orchestrator.startMany(Narrow, items)));
    await Promise.all(runs.flat().map((run) => run.result({ timeout: '30s' })));
    expect(gauge.peak).toBe(2);
  });

  it('begin at once where there is room, and say that they wait where there is none', async () => {
    const first = await app.orchestrator.start(Gate);
    const second = await other.orchestrator.start(Gate);
    await untilWaiting(first);
    expect(await detailsOf(second)).toMatchObject({ status: 'pending', waitsFor: 'limit', dueAt: expect.any(Date) });
    expect(await detailsOf(first)).toMatchObject({ waitsFor: null });
    const since = Date.now();
    await app.orchestrator.signal(first.id, 'go');
    await untilWaiting(second);
    // By what has ended, and not by a beat.
    expect(Date.now() - since).toBeLessThan(2_500);
  });

  it('that are cancelled or terminated while they wait end at once, and those after them have their turn', async () => {
    const [holder, cancelled, terminated, last] = await app.orchestrator.startMany(Gate, [{}, {}, {}, {}]);
    await untilWaiting(holder!);
    await other.orchestrator.cancel(cancelled!.id);
    await app.orchestrator.terminate(terminated!.id);
    expect(await detailsOf(cancelled!)).toMatchObject({ status: 'cancelled', startedAt: null, waitsFor: null });
    await app.orchestrator.terminate(holder!.id);
    await untilWaiting(last!);
  });

  it('that are started in a transaction wait for their turn when it has committed', async () => {
    const holder = await app.orchestrator.start(Gate);
    await untilWaiting(holder);
    const [kept, taken] = await app.dataSource.transaction(async (manager) => [
      await app.orchestrator.start(Gate, undefined, { manager }),
      await app.orchestrator.start(Gate, undefined, { manager, delay: '1d' }),
    ]);
    expect(await detailsOf(kept)).toMatchObject({ waitsFor: 'limit' });
    await app.orchestrator.terminate(holder.id);
    await untilWaiting(kept);
    expect(await detailsOf(taken)).toMatchObject({ status: 'pending' });
    await app.orchestrator.wake(taken.id);
    await app.orchestrator.terminate(kept.id);
    await untilWaiting(taken);
  });

  it('that have failed and are retried wait for their turn again, and keep what has completed', async () => {
    const failing = await app.orchestrator.start('shaky', 'breaks');
    await expect(failing.result({ timeout: '10s' })).rejects.toThrow('broken');
    const holder = await app.orchestrator.start('shaky', 'fine');
    await untilWaiting(holder);
    Shaky.isBroken = false;
    await app.orchestrator.retry(failing.id);
    expect(await detailsOf(failing)).toMatchObject({ status: 'pending', waitsFor: 'limit', failure: null });
    await app.orchestrator.terminate(holder.id);
    await untilWaiting(failing);
    const steps = await app.orchestrator.steps(failing.id);
    expect(steps.map(({ attempt, status }) => `${status} ${attempt}`)).toEqual([
      'completed 1',
      'completed 1',
      'waiting 0',
    ]);
  });

  it('of a tenant with few are not kept waiting by the ten thousand of another', async () => {
    for (let portion = 0; portion < 10; portion++) {
      const items = Array.from({ length: 1_000 }, () => ({ tenant: 'acme' }));
      await app.orchestrator.startMany(Shared, items);
    }
    const few = await app.orchestrator.startMany(
      Shared,
      Array.from({ length: 10 }, () => ({ tenant: 'globex' })),
    );
    const before = await count(db, 'acme');
    await Promise.all(few.map((run) => run.result({ timeout: '30s' })));
    const after = await count(db, 'acme');
    // Two of four places are theirs until they are through.
    expect(after - before).toBeLessThan(200);
    expect(after).toBeLessThan(10_000);
    await db.query(`DELETE FROM orchestrate_flow.workflow_run WHERE workflow = 'shared'`);
  }, 60_000);
});

/** Until it waits in its own step: it has had its turn. */
async function untilWaiting(run: Run): Promise<void> {
  await waitFor(`run ${run.id} has had its turn`, async () => (await run.status()) === 'waiting');
}

async function count(db: TestConnection, tenant: string): Promise<number> {
  const text = `SELECT count(*)::int AS runs FROM orchestrate_flow.workflow_run WHERE tenant = $1 AND status = 'completed'`;
  const [row] = await db.query<{ runs: number }>(text, [tenant]);
  return row!.runs;
}

describe('limits', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(() => database?.drop());

  async function bootWith(workflow: WorkflowClass, use: (app: TestApp) => Promise<void>): Promise<void> {
    const app = await startApp({ database, workflows: [workflow] });
    await use(app).finally(() => app.close());
  }

  it('are those of the build that boots last: without any, all that wait have their turn', async () => {
    await bootWith(Gate, async ({ orchestrator }) => {
      const runs = await orchestrator.startMany(Gate, [{}, {}, {}]);
      await untilWaiting(runs[0]!);
    });
    await bootWith(WideGate, async ({ orchestrator }) => {
      const open = () => orchestrator.list({ status: 'waiting' });
      await waitFor('all have had their turn', async () => (await open()).runs.length === 3);
    });
  });
});

describe('limits in virtual time', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({ workflows: [Nap] });
  }, 60_000);

  const detailsOf = ({ id }: Run): Promise<RunDetails> => flow.orchestrator.get(id);

  afterAll(() => flow?.close());

  it('let a run begin as another ends, at that very time, and at its own start time where there is room', async () => {
    const start = (options: object) => flow.orchestrator.start(Nap, undefined, { tenant: 'acme', ...options });
    const [first, second] = [await start({}), await start({})];
    const later = await flow.orchestrator.start(Nap, undefined, { tenant: 'globex', delay: '90m' });
    expect(await flow.drain()).toMatchObject([
      { runId: first.id, step: 'sleep', dueInMs: 3_600_000 },
      { runId: later.id, step: null, status: 'pending', dueInMs: 5_400_000 },
    ]);
    expect(await detailsOf(second)).toMatchObject({ status: 'pending', waitsFor: 'limit' });
    await flow.advance('1h');
    expect(await detailsOf(first)).toMatchObject({ status: 'completed' });
    expect(await detailsOf(second)).toMatchObject({ status: 'waiting' });
    await flow.advance('1h');
    expect(await detailsOf(second)).toMatchObject({ status: 'completed' });
    const { startedAt, createdAt } = await detailsOf(later);
    expect(startedAt!.getTime() - createdAt.getTime()).toBe(5_400_000);
  });
});
