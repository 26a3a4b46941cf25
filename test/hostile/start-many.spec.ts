import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Input, Step, Workflow } from 'orchestrate-flow';
import type { EntityManager } from 'typeorm';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

@Workflow({ name: 'echo' })
class Echo {
  static readonly output = 'give';

  @Step() give(@Input() input: unknown): unknown {
    return input;
  }
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows: [Echo], entities: [] });
  other = await startApp({ database, workflows: [Echo] });
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await other?.close();
  await db?.close();
  await database?.drop();
});

/** Runs `meet` while a transaction that started a run with this key is open, then commits it. */
async function whileHeld<T>(key: string, input: unknown, meet: (settled: Gate) => Promise<T>): Promise<T> {
  const held = new Gate();
  let answer!: Promise<T>;
  await app.dataSource.transaction(async (manager: EntityManager) => {
    await app.orchestrator.start('echo', input, { key, manager });
    answer = meet(held);
    answer.catch(() => undefined);
    await waitFor('somebody waits for the key', isAwaited);
  });
  return answer;
}

async function isAwaited(): Promise<boolean> {
  const waiting = await db.query(
    `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return waiting.length > 0;
}

async function inputsOf(prefix: string): Promise<string[]> {
  const sql = `SELECT input FROM orchestrate_flow.workflow_run WHERE input LIKE $1 ORDER BY input`;
  return (await db.query<{ input: string }>(sql, [`"${prefix}%`])).map(({ input }) => JSON.parse(input) as string);
}

describe('startMany, where a name is taken between its look and its commit,', () => {
  it('starts none if it is taken with other input', async () => {
    const items = [{ input: 'none 1' }, { input: 'none 2', key: 'none' }, { input: 'none 3', key: 'none too' }];
    const many = whileHeld('none', 'none, otherwise', () => app.orchestrator.startMany('echo', items));
    await expect(many).rejects.toMatchObject({ code: 'OF_KEY_CONFLICT' });
    expect(await inputsOf('none')).toEqual(['none, otherwise']);
  });

  it('starts the others if it is taken with the same input', async () => {
    const items = [{ input: 'same 1' }, { input: 'same 2', key: 'same' }, { input: 'same 3', key: 'same too' }];
    const runs = await whileHeld('same', 'same 2', () => app.orchestrator.startMany('echo', items));
    expect(runs.map(({ created }) => created)).toEqual([true, false, true]);
    await expect(Promise.all(runs.map((run) => run.result()))).resolves.toEqual(['same 1', 'same 2', 'same 3']);
    expect(await inputsOf('same')).toEqual(['same 1', 'same 2', 'same 3']);
  });

  it('starts whole groups or none of them, whoever else starts groups with the same keys', async () => {
    for (let round = 0; round < 20; round++) {
      const group = (who: string) => {
        const items = Array.from({ length: 10 }, (_, n) => ({ input: `${who}${round};`, key: `race ${round}.${n}` }));
        return [{ input: `${who}${round};` }, ...(who === 'a' ? items : items.reverse())];
      };
      const settled = await Promise.allSettled([
        app.orchestrator.startMany('echo', group('a')),
        other.orchestrator.startMany('echo', group('b')),
        other.orchestrator.startMany('echo', group('c')),
      ]);
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const { reason } of settled.filter((one) => one.status === 'rejected')) {
        expect(reason).toMatchObject({ code: 'OF_KEY_CONFLICT' });
      }
      const counts = await Promise.all(['a', 'b', 'c'].map(async (who) => (await inputsOf(`${who}${round};`)).length));
      expect(counts.sort((one, two) => one - two)).toEqual([0, 0, 11]);
    }
  });
});
