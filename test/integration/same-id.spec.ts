import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Step, Workflow } from 'orchestrate-flow';
import { v7 as uuidv7 } from 'uuid';

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
    const id = uuidv7();
    const starts = await Promise.allSettled([1, 2, 3].map(() => app.orchestrator.start(Counted, undefined, { id })));
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const start of starts) {
      if (start.status === 'rejected') expect(start.reason).toMatchObject({ code: 'OF_RUN_EXISTS' });
    }
    expect(await app.orchestrator.result(id, { timeout: '5s' })).toBe(1);
    expect(calls).toBe(1);
  });
});
