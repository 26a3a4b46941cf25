import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Step, Workflow } from 'orchestrate-flow';
import { randomUUID } from 'node:crypto';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';

let calls = 0;

@Workflow({ name: 'counted' })
class Counted {
  static readonly output = 'count';

  @Step()
  count(): number {
    return ++calls;
  }
}

describe('starts with one id in one moment, and so in one commit', () => {
  let database: TestDatabase;
  let app: TestApp;

  beforeAll(async () => {
    database = await createDatabase();
    app = await startApp({ database, workflows: [Counted] });
  });

  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  it.each(['asleep', 'awake'])('make one run while the processor is %s', async () => {
    calls = 0;
    const id = randomUUID();
    const starts = await Promise.allSettled([1, 2, 3].map(() => app.orchestrator.start(Counted, undefined, { id })));
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const start of starts) {
      if (start.status === 'rejected') expect(start.reason).toMatchObject({ code: 'OF_RUN_EXISTS' });
    }
    expect(await app.orchestrator.result(id, { timeout: '5s' })).toBe(1);
    expect(calls).toBe(1);
  });
});

describe('two processes that start many runs with the same keys, one from each end', () => {
  let database: TestDatabase;
  let apps: TestApp[];

  beforeAll(async () => {
    database = await createDatabase();
    apps = [await startApp({ database, workflows: [Counted] }), await startApp({ database, workflows: [Counted] })];
  });

  afterAll(async () => {
    await Promise.all((apps ?? []).map((app) => app.close()));
    await database?.drop();
  });

  it('start each once, and neither waits for the other for long', async () => {
    calls = 0;
    const ids = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const items = Array.from({ length: 200 }, (_, n) => ({ key: `${round}-${n}` }));
      const lists = await Promise.all(
        apps.map((app, index) => app.orchestrator.startMany(Counted, index === 0 ? items : [...items].reverse())),
      );
      const runs = lists.flat();
      for (const run of runs) ids.add(run.id);
      expect(runs.filter(({ created }) => created)).toHaveLength(200);
      await Promise.all(runs.map((run) => run.result({ timeout: '10s' })));
    }
    expect(ids.size).toBe(2_000);
    expect(calls).toBe(2_000);
  });
});
