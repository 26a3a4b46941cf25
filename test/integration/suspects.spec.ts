import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Input, Step, Workflow } from 'orchestrate-flow';
import { z } from 'zod';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { waitForRun } from '../support/wait-for-run.js';

/** Who runs beside whom, and who may go on. */
class Stage {
  readonly running = new Set<string>();
  readonly gates = new Map<string, Gate>();
  /** For each that ran, who ran when it began. */
  readonly company = new Map<string, string[]>();

  gate(name: string): Gate {
    const gate = this.gates.get(name) ?? new Gate();
    this.gates.set(name, gate);
    return gate;
  }

  async play(name: string): Promise<void> {
    this.company.set(name, [...this.running]);
    this.running.add(name);
    await this.gate(name).pass();
    this.running.delete(name);
  }
}

@Workflow({ name: 'play', retry: 1 })
class Play {
  static readonly input = z.string();

  constructor(private readonly stage: Stage) {}

  @Step() async act(@Input() name: string): Promise<void> {
    await this.stage.play(name);
  }
}

let database: TestDatabase;
let db: TestConnection;
let stage: Stage;
let apps: TestApp[];
let starter: TestApp;

beforeAll(async () => {
  database = await createDatabase();
});

beforeEach(async () => {
  db = await connect(database);
  [stage, apps] = [new Stage(), []];
  starter = await startWorker({ worker: false, entities: [] });
});

afterEach(async () => {
  for (const gate of stage.gates.values()) gate.open();
  await Promise.all(apps.map((app) => app.close()));
  await db.close();
});

afterAll(() => database?.drop());

async function startWorker(options: object = {}): Promise<TestApp> {
  const providers = [{ provide: Stage, useValue: stage }];
  const app = await startApp({ database, workflows: [Play], providers, lease: '1s', ...options });
  apps.push(app);
  return app;
}

/** A run whose step has died with its workers so many times. */
async function startWith(name: string, crashes: number): Promise<string> {
  // In one transaction: a worker that is there already claims what it sees.
  return starter.dataSource.transaction(async (manager) => {
    const { id } = await starter.orchestrator.start(Play, name, { manager });
    await manager.query('UPDATE orchestrate_flow.workflow_step SET crashes = $2 WHERE run_id = $1', [id, crashes]);
    return id;
  });
}

function aloneOf(id: string): Promise<boolean> {
  return db
    .query<{ alone: boolean }>('SELECT alone FROM orchestrate_flow.workflow_step WHERE run_id = $1', [id])
    .then(([row]) => row!.alone);
}

describe('steps under which workers died', () => {
  it('run one at a time, beside others that are not suspected', async () => {
    const ids = [await startWith('one', 2), await startWith('two', 2), await startWith('free', 1)];
    const { orchestrator } = await startWorker();
    await stage.gate('free').arrival();
    const first = await waitFor('a suspect runs', () => ['one', 'two'].find((name) => stage.running.has(name)));
    const second = first === 'one' ? 'two' : 'one';
    // The beats of a whole lease pass, and the other is still waiting.
    const [seen] = await db.query<{ lease_until: string }>(LEASE);
    await waitFor('the lease was renewed again', async () => {
      const [now] = await db.query<{ lease_until: string }>(LEASE);
      return Number(now!.lease_until) > Number(seen!.lease_until) + 1;
    });
    expect(stage.running).toEqual(new Set(['free', first]));
    stage.gate(first).open();
    await stage.gate(second).arrival();
    expect(stage.company.get(second)).toEqual(['free']);
    for (const gate of stage.gates.values()) gate.open();
    await Promise.all(ids.map((id) => waitForRun(orchestrator, id, 'completed')));
  });

  it('run with nothing beside them where one more crash would be the last', async () => {
    const { orchestrator } = await startWorker({ lease: '5s' });
    const before = await orchestrator.start(Play, 'before');
    await stage.gate('before').arrival();
    const accused = await startWith('accused', 4);
    // Whatever is started here now has to wait, and the accused for what runs.
    const after = await waitFor(
      'nothing new starts here',
      async () => {
        const name = `probe ${stage.gates.size}`;
        stage.gate(name).open();
        const { id } = await orchestrator.start(Play, name);
        const [step] = await orchestrator.steps(id);
        return step!.status === 'ready' ? { id } : null;
      },
      { timeoutMs: 40_000 },
    );
    expect(stage.company.has('accused')).toBe(false);
    stage.gate('before').open();
    await stage.gate('accused').arrival();
    expect([stage.company.get('accused'), stage.running]).toEqual([[], new Set(['accused'])]);
    expect(await aloneOf(accused)).toBe(true);
    stage.gate('accused').open();
    for (const id of [before.id, accused, after.id]) await waitForRun(orchestrator, id, 'completed');
  });

  it('run beside what does not end, and are then not to blame', async () => {
    const { orchestrator } = await startWorker();
    await orchestrator.start(Play, 'endless');
    await stage.gate('endless').arrival();
    const accused = await startWith('accused', 4);
    await stage.gate('accused').arrival();
    expect(stage.company.get('accused')).toEqual(['endless']);
    expect(await aloneOf(accused)).toBe(false);
    // Others start again meanwhile.
    await orchestrator.start(Play, 'neighbour');
    await stage.gate('neighbour').arrival();
  });
});

const LEASE = 'SELECT extract(epoch FROM max(lease_until)) AS lease_until FROM orchestrate_flow.workflow_worker';
