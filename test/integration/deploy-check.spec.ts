import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Result,
  Schedule,
  Step,
  WaitForSignal,
  Workflow,
  type Orchestrator,
  type WorkflowClass,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type AppSetup, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'order', version: '1' })
class Order {
  @WaitForSignal('go') go(): void {}
  @Step() pack(): void {}
  @Step() ship(): void {}
}

/** One step more. */
@Workflow({ name: 'order', version: '2' })
class Longer {
  @WaitForSignal('go') go(): void {}
  @Step() pack(): void {}
  @Step() weigh(): void {}
  @Step() ship(): void {}
}

/** Sorted by a formatter, and a step renamed. */
@Workflow({ name: 'order' })
class Sorted {
  @WaitForSignal('go') go(): void {}
  @Step({ renamedFrom: 'ship' }) deliver(): void {}
  @Step() pack(): void {}
}

/** A step is gone. */
@Workflow({ name: 'order' })
class Shorter {
  @WaitForSignal('go') go(): number {
    return 1;
  }
  @Step() pack(@Result('go') _: number): void {}
}

/** A step is gone, and there is a schedule. */
@Workflow({ name: 'order' })
@Schedule('0 3 * * *', { name: 'nightly' })
class Scheduled {
  @WaitForSignal('go') go(): void {}
}

@Workflow({ name: 'other' })
class Other {
  @Step() a(): void {}
}

let database: TestDatabase;
let db: TestConnection;
let apps: TestApp[] = [];

beforeAll(async () => {
  database = await createDatabase();
  db = await connect(database);
});

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
  for (const table of ['run', 'step', 'definition']) await db.query(`DELETE FROM orchestrate_flow.workflow_${table}`);
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

async function boot(workflow: WorkflowClass, options: Partial<AppSetup> = {}): Promise<Orchestrator> {
  const app = await startApp({ database, workflows: [workflow], ...options });
  apps.push(app);
  return app.orchestrator;
}

/** Runs of the first build: two that wait for what may never come, and one that has ended. */
async function startOrders(): Promise<string[]> {
  const orchestrator = await boot(Order);
  const [first, second, ended] = [
    await orchestrator.start('order'),
    await orchestrator.start('order'),
    await orchestrator.start('order'),
  ];
  await ended.signal('go');
  await ended.result();
  return [first.id, second.id];
}

describe('checkDeploy()', () => {
  it('finds nothing where nothing runs', async () => {
    expect(await (await boot(Order)).checkDeploy()).toEqual({ isSafe: true, runs: [] });
  });

  it.each([
    ['its own runs', 'safe', Order, 'safe', null],
    ['runs with fewer steps', 'finishing', Longer, 'finishes-on-old-graph', null],
    [
      'runs in another order',
      'told',
      Sorted,
      'order-changed',
      'step "pack" comes before "ship" there, and after it here',
    ],
    ['runs that need a step it lacks', 'blocked', Shorter, 'blocked', /^step "ship" has no method/],
    ['runs of a workflow it lacks', 'blocked', Other, 'blocked', 'this build has no workflow of that name'],
  ])('finds %s %s', async (_, __, build, verdict, reason) => {
    const runIds = await startOrders();
    const { isSafe, runs } = await (await boot(build, { worker: false })).checkDeploy();
    expect(isSafe).toBe(verdict !== 'blocked');
    const said = reason instanceof RegExp ? expect.stringMatching(reason) : reason;
    expect(runs).toEqual([{ workflow: 'order', version: '1', verdict, reason: said, count: 2, runIds }]);
  });

  it('tells definitions of one workflow apart', async () => {
    await startOrders();
    const orchestrator = await boot(Longer);
    await orchestrator.start('order');
    const { runs } = await orchestrator.checkDeploy();
    expect(runs.map(({ version, verdict, count }) => [version, verdict, count])).toEqual([
      ['1', 'finishes-on-old-graph', 2],
      ['2', 'safe', 1],
    ]);
  });
});

describe('a boot with blockedRuns: refuse', () => {
  it('is refused where runs cannot go on, and names them', async () => {
    const [first, second] = await startOrders();
    await expect(boot(Shorter, { blockedRuns: 'refuse' })).rejects.toMatchObject({
      code: 'OF_RUNS_BLOCKED',
      message: expect.stringContaining(
        `2 of "order": step "ship" has no method, and none says that it was renamed from it (${first}, ${second})`,
      ),
    });
  });

  it('writes down nothing of a build that it refuses', async () => {
    await startOrders();
    await expect(boot(Scheduled, { blockedRuns: 'refuse' })).rejects.toMatchObject({ code: 'OF_RUNS_BLOCKED' });
    const found = await db.query('SELECT name FROM orchestrate_flow.workflow_schedule');
    const definitions = await db.query('SELECT version FROM orchestrate_flow.workflow_definition');
    expect({ found, definitions }).toEqual({ found: [], definitions: [{ version: '1' }] });
  });

  it('goes on where they can', async () => {
    await startOrders();
    const orchestrator = await boot(Sorted, { blockedRuns: 'refuse' });
    expect((await orchestrator.checkDeploy()).isSafe).toBe(true);
  });

  it('is a word of two', async () => {
    await expect(boot(Order, { blockedRuns: 'never' as never })).rejects.toThrow(
      "Expected blockedRuns to be 'keep' or 'refuse'",
    );
  });
});
