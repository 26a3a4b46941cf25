import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ctx, Result, Step, Workflow, type StepContext } from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

let gate = new Gate();
let attempts: string[] = [];
let overtaken = false;

@Workflow({ name: 'two-tokens' })
class TwoTokens {
  static readonly output = 'last';

  /** Only the first attempt waits, so that the second overtakes it. */
  @Step()
  async first(@Ctx() step: StepContext): Promise<string> {
    attempts.push(`first#${step.attempt}`);
    if (step.attempt === 1) {
      await gate.pass();
      overtaken = true;
    }
    return `first#${step.attempt}`;
  }

  @Step()
  last(@Ctx() step: StepContext, @Result('first') first: string): string {
    attempts.push(`last#${step.attempt}`);
    return first;
  }
}

@Workflow({ name: 'brief' })
class Brief {
  static readonly output = 'only';

  @Step()
  only(): string {
    return 'done';
  }
}

describe('a worker that others declare dead while it works', () => {
  let database: TestDatabase;
  let connection: TestConnection;
  let app: TestApp;

  beforeAll(async () => {
    database = await createDatabase();
    connection = await connect(database);
    app = await startApp({ database, workflows: [TwoTokens, Brief], lease: '1s' });
  });

  afterAll(async () => {
    await app?.close();
    await connection?.close();
    await database?.drop();
  });

  it('goes on under a new id, runs again what it lost, and refuses the outcome that comes too late', async () => {
    gate = new Gate();
    attempts = [];
    await app.orchestrator.execute(Brief);
    const run = await app.orchestrator.start(TwoTokens);
    await gate.arrival();
    await connection.query("UPDATE orchestrate_flow.workflow_worker SET status = 'dead'");
    expect(await run.result({ timeout: '10s' })).toBe('first#2');
    gate.open();
    await waitFor('the first attempt has ended after all', () => overtaken);
    // Whatever it reports goes before what is started after it.
    await app.orchestrator.execute(Brief);
    expect(attempts).toEqual(['first#1', 'first#2', 'last#1']);
    await waitFor('it says so', () => app.events.some(({ type }) => type === 'worker.replaced'));
    expect(slotsInUse(app)).toEqual([0]);
    expect(await connection.query('SELECT * FROM orchestrate_flow.orphans')).toEqual([]);
  });

  it('is no reason for a run to get stuck when a claim of its came in and the answer did not', async () => {
    const [worker] = await waitFor('it has its new id', async () => {
      const sql = "SELECT id FROM orchestrate_flow.workflow_worker WHERE status = 'alive'";
      const alive = await connection.query<{ id: string }>(sql);
      return alive.length > 0 ? alive : null;
    });
    gate = new Gate();
    gate.open();
    attempts = [];
    // As if this worker had claimed it and never read the answer.
    const run = await app.orchestrator.start(TwoTokens, undefined, { delay: 60_000 });
    await connection.query(
      `INSERT INTO orchestrate_flow.workflow_step (run_id, name, status, attempt, failures, crashes, definition, queue, priority, worker, started_at)
       SELECT id, 'first', 'running', 1, 0, 0, definition, 'orchestrate-flow', 0, $2, now() FROM orchestrate_flow.workflow_run WHERE id = $1`,
      [run.id, worker!.id],
    );
    await connection.query(
      "UPDATE orchestrate_flow.workflow_run SET status = 'running', state = 'q.', due_at = NULL, revision = revision + 1 WHERE id = $1",
      [run.id],
    );
    expect(await run.result({ timeout: '10s' })).toBe('first#2');
    expect(attempts).toEqual(['first#2', 'last#1']);
  });

  it('begins a thousand runs that are due in one moment, each once', async () => {
    const seen = app.events.length;
    const items = Array.from({ length: 1_000 }, () => ({ delay: 500 }));
    const runs = await app.orchestrator.startMany(Brief, items);
    expect(await Promise.all(runs.map((run) => run.result({ timeout: '25s' })))).toEqual(runs.map(() => 'done'));
    const started = app.events.slice(seen).filter(({ type }) => type === 'step.started');
    expect(started).toHaveLength(1_000);
    await waitFor('every slot is free', () => slotsInUse(app).every((used) => used === 0));
  });

  it('is not this process while its own code blocks it for three leases: nobody was there to take anything', async () => {
    gate = new Gate();
    attempts = [];
    const runs = await Promise.all(Array.from({ length: 60 }, () => app.orchestrator.start(TwoTokens)));
    await gate.arrival(50);
    gate.open();
    const end = performance.now() + 3_000;
    while (performance.now() < end);
    await Promise.all(runs.map((run) => run.result({ timeout: '15s' })));
    // So no attempt was made twice.
    expect(attempts).toHaveLength(120);
    await waitFor('every slot is free', () => slotsInUse(app).every((used) => used === 0));
    expect(await connection.query('SELECT * FROM orchestrate_flow.orphans')).toEqual([]);
  });

  it('loses a cancel against a completion or wins it, and then for good', async () => {
    const runs = await Promise.all(Array.from({ length: 100 }, () => app.orchestrator.start(Brief)));
    const cancels = await Promise.allSettled(runs.map((run) => run.cancel()));
    const ends = await Promise.allSettled(runs.map((run) => run.result({ timeout: '10s' })));
    for (const [index, cancel] of cancels.entries()) {
      // Acknowledged means cancelled, refused means completed.
      expect(ends[index]!.status).toBe(cancel.status === 'fulfilled' ? 'rejected' : 'fulfilled');
    }
    await waitFor('every slot is free', () => slotsInUse(app).every((used) => used === 0));
    expect(
      await connection.query("SELECT * FROM orchestrate_flow.workflow_step WHERE status IN ('ready', 'running')"),
    ).toEqual([]);
  });
});

/** Looked up inside: after everything has ended all slots must be free again, no more and no fewer. */
function slotsInUse({ orchestrator }: TestApp): number[] {
  type Pump = { readonly slots: { readonly capacity: number; readonly free: number } };
  const { ports } = orchestrator as unknown as { ports: { desk: { ports: { slots: { all(): Pump[] } } } } };
  return ports.desk.ports.slots.all().map(({ slots }) => slots.capacity - slots.free);
}
