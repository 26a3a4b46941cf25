import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Ctx, Input, OrchestrateFlowModule, Result, Step, type StepContext, Workflow } from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForRun } from '../support/wait-for-run.js';

/** Which gate the steps of one process wait at; null: none. */
class Threshold {
  constructor(readonly gate: Gate | null) {}
}

@Workflow({ name: 'errand', retry: 1 })
class Errand {
  static readonly output = 'last';
  /** Those of its first steps, by run: a process of an earlier test may still begin one. */
  static readonly aborts = new Map<string, AbortSignal>();

  constructor(private readonly threshold: Threshold) {}

  @Step() async first(@Ctx() step: StepContext): Promise<string> {
    if (step.attempt === 1) Errand.aborts.set(step.runId, step.signal);
    await this.threshold.gate?.pass();
    return `attempt ${step.attempt}`;
  }
  @Step() middle(@Result('first') first: string): string {
    return first;
  }
  @Step() last(@Result('middle') middle: string): string {
    return middle;
  }
}

@Workflow({ name: 'chain', retry: 1 })
class Chain {
  static readonly output = 'e';

  @Step() async a(@Input() n: unknown): Promise<unknown> {
    await new Promise((resolve) => setImmediate(resolve));
    return n;
  }
  @Step() b(@Result('a') n: unknown): unknown {
    return n;
  }
  @Step() c(@Result('b') n: unknown): unknown {
    return n;
  }
  @Step() d(@Result('c') n: unknown): unknown {
    return n;
  }
  @Step() e(@Result('d') n: unknown): unknown {
    return n;
  }
}

let database: TestDatabase;
let db: TestConnection;
let apps: TestApp[];
let gates: Gate[];

beforeAll(async () => {
  database = await createDatabase();
});

beforeEach(async () => {
  db = await connect(database);
  [apps, gates] = [[], []];
});

afterEach(async () => {
  for (const gate of gates) gate.open();
  await Promise.all(apps.map((app) => app.close()));
  const orphans = await db.query('SELECT * FROM orchestrate_flow.orphans');
  await db.close();
  expect(orphans).toEqual([]);
});

afterAll(() => database?.drop());

async function startWorker(gate: Gate | null = null, options: object = {}): Promise<TestApp> {
  if (gate) gates.push(gate);
  const threshold = { provide: Threshold, useValue: new Threshold(gate) };
  const app = await startApp({
    ...{ database, workflows: [Errand, Chain], providers: [threshold], lease: '1s' },
    ...options,
  });
  apps.push(app);
  return app;
}

/** A worker whose process ended without a word: its lease has run out. */
async function buryStranger(): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
     VALUES ($1, 'alive', 'elsewhere', 1, '{orchestrate-flow}', now() - interval '1 minute')`,
    [id],
  );
  return id;
}

describe('the steps of a worker that died', () => {
  it('are run by another: those with a row of their own', async () => {
    const starter = await startWorker(null, { worker: false });
    const run = await starter.orchestrator.start(Errand);
    const dead = await buryStranger();
    await db.query(
      `UPDATE orchestrate_flow.workflow_step SET status = 'running', attempt = 1, worker = $2, started_at = now() WHERE run_id = $1`,
      [run.id, dead],
    );
    await db.query(`UPDATE orchestrate_flow.workflow_worker SET status = 'dead' WHERE id = $1`, [dead]);
    expect(await db.query('SELECT id FROM orchestrate_flow.orphans')).toEqual([{ id: run.id }]);
    await startWorker();
    await expect(run.result()).resolves.toBe('attempt 2');
    const step = await getStep(starter.orchestrator, run.id, 'first');
    expect(step).toMatchObject({ attempt: 2, failures: 0, crashes: 1 });
  });

  it('are run by another: those held in the state of their run', async () => {
    const starter = await startWorker(null, { worker: false });
    const run = await starter.orchestrator.start(Errand);
    const dead = await buryStranger();
    await db.query(`DELETE FROM orchestrate_flow.workflow_step WHERE run_id = $1`, [run.id]);
    await db.query(
      `UPDATE orchestrate_flow.workflow_run SET state = 'h..;first,1,0,0,', worker = $2, revision = revision + 1 WHERE id = $1`,
      [run.id, dead],
    );
    await startWorker();
    await expect(run.result()).resolves.toBe('attempt 2');
    const steps = await starter.orchestrator.steps(run.id);
    expect(steps.map(({ crashes }) => crashes)).toEqual([1, 0, 0]);
  });

  it('go before what came after them', async () => {
    const starter = await startWorker(null, { worker: false });
    const start = () => starter.orchestrator.start(Errand);
    const [first, second, third] = [await start(), await start(), await start()];
    const dead = await buryStranger();
    await db.query(`DELETE FROM orchestrate_flow.workflow_step WHERE run_id = $1`, [first.id]);
    await db.query(`UPDATE orchestrate_flow.workflow_run SET state = 'h..;first,1,0,0,', worker = $2 WHERE id = $1`, [
      first.id,
      dead,
    ]);
    const gate = new Gate();
    const heir = await startWorker(gate, { worker: { concurrency: 1 } });
    await gate.arrival();
    await waitFor('it is freed', async () => {
      const rows = await db.query(
        `SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1 AND status = 'ready'`,
        [first.id],
      );
      return rows.length === 1;
    });
    gate.open();
    for (const { id } of [first, second, third]) await waitForRun(heir.orchestrator, id, 'completed');
    const begun = heir.events.flatMap((event) =>
      event.type === 'step.started' && event.step === 'first' ? [event.runId] : [],
    );
    expect(begun).toEqual([second.id, first.id, third.id]);
  });

  it('end with a run that is being cancelled', async () => {
    const starter = await startWorker(null, { worker: false });
    const run = await starter.orchestrator.start(Errand);
    const dead = await buryStranger();
    await db.query(
      `UPDATE orchestrate_flow.workflow_step SET status = 'running', attempt = 1, worker = $2 WHERE run_id = $1`,
      [run.id, dead],
    );
    await run.cancel();
    await startWorker();
    await waitForRun(starter.orchestrator, run.id, 'cancelled');
  });

  it('are run by another once its heartbeat stops, and what it says later is refused', async () => {
    const gate = new Gate();
    const silent = await startWorker(gate);
    const runs = await Promise.all(Array.from({ length: 5 }, () => silent.orchestrator.start(Errand)));
    await gate.arrival(5);
    await silenceHeart(silent);
    const heir = await startWorker();
    for (const { id } of runs) await expect(heir.orchestrator.result(id)).resolves.toBe('attempt 2');
    gate.open();
    for (const { id } of runs) {
      await waitFor('the late outcome is refused', () =>
        silent.events.some((event) => event.type === 'step.stale' && event.runId === id),
      );
      const step = await getStep(heir.orchestrator, id, 'first');
      expect(step).toMatchObject({ result: 'attempt 2', failures: 0, crashes: 1 });
    }
  });
});

describe('what nobody needs any more', () => {
  it('is swept away: workers long dead, and lanes long unused', async () => {
    await startWorker(null, { worker: false });
    const [dead, unused] = [await buryStranger(), randomUUID()];
    await db.query(
      `UPDATE orchestrate_flow.workflow_worker SET status = 'dead', lease_until = now() - interval '2 hours' WHERE id = $1`,
      [dead],
    );
    await db.query(`INSERT INTO orchestrate_flow.workflow_lane (id, used_at) VALUES ($1, now() - interval '2 days')`, [
      unused,
    ]);
    await startWorker();
    await waitFor('they are gone', async () => {
      const lanes = await db.query('SELECT 1 FROM orchestrate_flow.workflow_lane WHERE id = $1', [unused]);
      const workers = await db.query('SELECT 1 FROM orchestrate_flow.workflow_worker WHERE id = $1', [dead]);
      return lanes.length + workers.length === 0;
    });
  });
});

describe('a worker that was declared dead', () => {
  it('lets go of its steps and goes on under a new id', async () => {
    const gate = new Gate();
    const app = await startWorker(gate);
    const run = await app.orchestrator.start(Errand);
    await gate.arrival();
    const signal = Errand.aborts.get(run.id)!;
    const [was] = await db.query<{ id: string }>(
      `UPDATE orchestrate_flow.workflow_worker SET status = 'dead' WHERE status = 'alive' RETURNING id`,
    );
    const replaced = await waitFor('it goes on', () => app.events.find(({ type }) => type === 'worker.replaced'));
    expect(replaced).toMatchObject({ was: was!.id });
    expect(signal.aborted).toBe(true);
    const alive = await db.query(`SELECT id FROM orchestrate_flow.workflow_worker WHERE status = 'alive'`);
    expect(alive).toEqual([{ id: (replaced as { worker: string }).worker }]);
    gate.open();
    await expect(run.result()).resolves.toBe('attempt 2');
    await expect(app.orchestrator.execute(Errand)).resolves.toBe('attempt 1');
  });
});

describe('a database that ends every connection', () => {
  it('loses no run, counts no failure and troubles no process', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const [one, two] = [await startWorker(null, { lease: '10s' }), await startWorker(null, { lease: '10s' })];
    const runs: Promise<unknown>[] = [];
    for (let round = 0; round < 8; round++) {
      for (let n = 0; n < 40; n++) {
        const { orchestrator } = n % 2 === 0 ? one : two;
        const named = n % 5 === 0 ? { key: `round ${round} run ${n}` } : {};
        runs.push(orchestrator.start('chain', round * 40 + n, named).then((run) => run.result()));
      }
      await Promise.race(runs.slice(-40));
      await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    }
    await expect(Promise.all(runs)).resolves.toEqual(Array.from({ length: 320 }, (_, n) => n));
    const [counts] = await db.query(
      `SELECT count(DISTINCT run_id)::int AS runs, count(*)::int AS steps, sum(failures)::int AS failures,
         sum(crashes)::int AS crashes, count(*) FILTER (WHERE status <> 'completed')::int AS open
       FROM orchestrate_flow.workflow_step
       WHERE run_id IN (SELECT id FROM orchestrate_flow.workflow_run WHERE workflow = 'chain')`,
    );
    expect(counts).toEqual({ runs: 320, steps: 1_600, failures: 0, crashes: 0, open: 0 });
    expect([...one.events, ...two.events].filter(({ type }) => type === 'internal.error')).toEqual([]);
    expect([...one.events, ...two.events].some(({ type }) => type === 'database.lost')).toBe(true);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

/** Stops the heartbeat of an app, as if its process hung: the one thing that the public API cannot do. */
async function silenceHeart({ context }: TestApp): Promise<void> {
  interface Insides {
    readonly opened: {
      readonly runtime: { readonly beat: { stop(): Promise<void> } };
      readonly store: { readonly keeper: { stop(): Promise<void> } };
    };
  }
  const { runtime, store } = context.get<Insides>(OrchestrateFlowModule).opened;
  // Nobody may beat in its place either.
  await store.keeper.stop();
  await runtime.beat.stop();
}
