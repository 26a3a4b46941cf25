import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Ctx,
  defineWorkflow,
  type HandlerArguments,
  Input,
  Item,
  Results,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { appDatabase, startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

/** What each attempt found told, by step and attempt. */
let found: Record<string, unknown> = {};
let play: (step: StepContext) => unknown = () => 'done';

const HEARTBEAT = { heartbeat: '30s', retry: { attempts: 3, delay: '1s', backoff: 'fixed', jitter: 'none' } } as const;

function act(step: StepContext): unknown {
  found[`${step.step}#${step.attempt}`] = step.lastHeartbeat;
  return play(step);
}

@Workflow({ name: 'import' })
class Import {
  static readonly output = 'load';

  @Step(HEARTBEAT) load(@Ctx() step: StepContext): unknown {
    return act(step);
  }
}

@Workflow({ name: 'imports' })
class Imports {
  static readonly output = 'all';

  @Step({ ...HEARTBEAT, maxItems: 3 }) load(@Item('input') _: string, @Ctx() step: StepContext): unknown {
    return act(step);
  }
  @Step() all(@Results('load') all: unknown[], @Input() _: string[]): unknown[] {
    return all;
  }
}

@Workflow({ name: 'plain' })
class Plain {
  static readonly output = 'run';

  @Step({ retry: 1 }) run(@Ctx() step: StepContext): unknown {
    step.heartbeat();
    return 'done';
  }
}

const Generated = defineWorkflow(
  'generated-import',
  { output: 'one', steps: [{ name: 'one', heartbeat: '30s', retry: 2 }] },
  { one: ({ ctx }: HandlerArguments) => act(ctx) },
);

const WORKFLOWS = [Import, Imports, Plain, Generated];

let database: TestDatabase;
let db: TestConnection;
let flow: TestingFlow;
let apps: TestApp[] = [];
let gate: Gate | null = null;

beforeAll(async () => {
  database = await createDatabase();
  flow = await createTestingFlow({
    workflows: WORKFLOWS,
    imports: [appDatabase(database)],
    now: new Date('2026-01-01'),
  });
  db = await connect(database);
});

beforeEach(() => {
  [found, apps, gate] = [{}, [], null];
  play = () => 'done';
});

afterEach(async () => {
  gate?.open();
  await Promise.all(apps.map((app) => app.close()));
});

afterAll(async () => {
  await flow?.close();
  await db?.close();
  await database?.drop();
});

const told = async (runId: string) =>
  (
    await db.query<{ details: string }>('SELECT details FROM orchestrate_flow.workflow_heartbeat WHERE run_id = $1', [
      runId,
    ])
  ).map(({ details }) => JSON.parse(details) as unknown);

/** Never ends, unless its signal is raised. */
const until = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

describe('the option heartbeat', () => {
  it('gives an attempt up that is silent for so long, and hands on what it has told last', async () => {
    play = ({ attempt, heartbeat, signal }) => {
      if (attempt === 3) return 'done';
      heartbeat(`page ${attempt}0`);
      heartbeat({ page: attempt * 10 });
      heartbeat();
      return until(signal);
    };
    const run = await flow.orchestrator.start(Import);
    await waitForStep(flow.orchestrator, run.id, 'load', 'running');
    await flow.advance(29_999, { patience: '50ms' });
    expect(await flow.stepsOf(run.id)).toMatchObject({ load: { status: 'running', attempt: 1 } });
    await flow.advance(1);
    await flow.advance('1s', { patience: '50ms' });
    await waitForStep(flow.orchestrator, run.id, 'load', 'running');
    await flow.advance('30s');
    await flow.advance('1s');
    expect(await flow.result(run)).toBe('done');
    expect(found).toEqual({ 'load#1': undefined, 'load#2': { page: 10 }, 'load#3': { page: 20 } });
    expect(await flow.stepsOf(run.id)).toMatchObject({
      load: {
        failures: 2,
        errors: [{ code: 'OF_HEARTBEAT_TIMEOUT', message: expect.stringContaining('30000 ms') }, {}],
      },
    });
  });

  it('counts from the last sign of life', async () => {
    let beat: () => void = () => {};
    gate = new Gate();
    const { pass } = gate;
    play = ({ heartbeat }) => {
      beat = heartbeat;
      return pass.call(gate).then(() => 'done');
    };
    const run = await flow.orchestrator.start(Import);
    await waitForStep(flow.orchestrator, run.id, 'load', 'running');
    for (let count = 0; count < 4; count++) {
      await flow.advance('20s', { patience: '50ms' });
      beat();
    }
    gate.open();
    expect(await run.result()).toBe('done');
    expect(await flow.stepsOf(run.id)).toMatchObject({ load: { attempt: 1 } });
  });

  it('hands on what was told by an attempt that throws, and by each item for itself', async () => {
    play = ({ step, attempt, heartbeat }) => {
      if (attempt > 1) return `${step} done`;
      heartbeat(step);
      if (step === 'load[1]') throw new Error('Once.');
      return `${step} done`;
    };
    const run = await flow.orchestrator.start('imports', ['a', 'b']);
    expect(await flow.result(run)).toEqual(['load[0] done', 'load[1] done']);
    expect(found).toEqual({ 'load[0]#1': undefined, 'load[1]#1': undefined, 'load[1]#2': 'load[1]' });
    // What nobody will ask for is not stored.
    expect(await told(run.id)).toEqual(['load[1]']);
  });

  it('is for graphs that are data, and begins anew with a retry of the run', async () => {
    play = ({ heartbeat }) => {
      heartbeat(1);
      throw new Error('Always.');
    };
    const run = await flow.orchestrator.start(Generated);
    await expect(flow.result(run)).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    await flow.orchestrator.retry(run.id);
    await expect(flow.result(run)).rejects.toMatchObject({ code: 'OF_RUN_FAILED' });
    expect(found).toEqual({ 'one#1': undefined, 'one#2': 1 });
    await flow.orchestrator.delete(run.id);
    expect(await told(run.id)).toEqual([]);
  });

  it('refuses what cannot be stored, and a heartbeat of a step without it', async () => {
    play = ({ heartbeat }) => heartbeat(() => 1);
    const run = await flow.orchestrator.start(Import);
    await expect(run.result()).rejects.toMatchObject({
      cause: { code: 'OF_VALUE_NOT_STORABLE', message: expect.stringContaining('the heartbeat of step "load"') },
    });
    const plain = await flow.orchestrator.start(Plain);
    await expect(plain.result()).rejects.toMatchObject({
      cause: { code: 'OF_ARGUMENT_INVALID', message: expect.stringContaining('no option `heartbeat`') },
    });
  });

  it('hears nothing of an attempt that was given up', async () => {
    let late: StepContext | undefined;
    play = (step) => {
      if (step.attempt === 2) return 'done';
      late = step;
      step.heartbeat('in time');
      return until(step.signal);
    };
    const run = await flow.orchestrator.start(Import);
    await waitForStep(flow.orchestrator, run.id, 'load', 'running');
    await flow.advance('30s');
    late!.heartbeat('late');
    expect(await flow.result(run)).toBe('done');
    expect(found['load#2']).toBe('in time');
    late!.heartbeat('later');
    expect(await told(run.id)).toEqual(['in time']);
  });
});

describe('what an attempt tells', () => {
  it('is stored once in a second, and handed over with its step when its process leaves', async () => {
    const own = await createDatabase();
    const client = await connect(own);
    play = ({ attempt, heartbeat, signal }) => {
      if (attempt > 1) return 'done';
      let count = 0;
      const timer = setInterval(() => heartbeat(++count), 5);
      signal.addEventListener('abort', () => clearInterval(timer));
      return until(signal);
    };
    const options = { database: own, workflows: [Import], lease: '2s' } as const;
    const first = await startApp({ ...options, worker: { shutdownTimeout: '10ms' } });
    try {
      const run = await first.orchestrator.start(Import);
      type Row = { details: string; told_at: Date };
      const rows: Row[] = [];
      await waitFor('three states are stored', async () => {
        const [row] = await client.query<Row>('SELECT details, told_at FROM orchestrate_flow.workflow_heartbeat');
        if (row && row.details !== rows.at(-1)?.details) rows.push(row);
        return rows.length === 3;
      });
      for (const index of [0, 1])
        expect(rows[index + 1]!.told_at.getTime() - rows[index]!.told_at.getTime()).toBeGreaterThan(900);
      await first.close();
      apps.push(await startApp(options));
      await waitForRun(apps[0]!.orchestrator, run.id, 'completed');
      expect(found['load#2']).toBeGreaterThan(JSON.parse(rows[2]!.details) as number);
      expect(await apps[0]!.orchestrator.steps(run.id)).toMatchObject([{ attempt: 2, failures: 0, crashes: 0 }]);
    } finally {
      await client.close();
      for (const app of apps.splice(0)) await app.close();
      await own.drop();
    }
  });
});
