import { randomUUID } from 'node:crypto';

import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import type { Started } from '../../lib/runtime/run-starter.js';
import type { FlowProcess } from './flow-process.js';
import { act, RaceTrack } from './race-track.js';
import { named } from './turnstile.js';

const track = new RaceTrack();

const PAIR = { a: [], b: ['a'] };

describe('two starts under one key', () => {
  it.each([
    ['with the same input give one run', 1],
    ['with other input give one run and one refusal', 2],
  ] as const)('%s', async (_, other) => {
    const { one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const key = randomUUID();
      const started: Promise<Started>[] = [];
      const start = (process: FlowProcess, input: number) =>
        act(process, () => {
          const answer = process.starter.start('race', input, { key });
          started.push(answer);
          return answer.catch(() => {});
        });
      return {
        racers: { one: start(one, 1), two: start(two, other) },
        check: async () => {
          const answers = await Promise.allSettled(started);
          const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
          expect(given.filter(({ created }) => created)).toHaveLength(1);
          expect(new Set(given.map(({ id }) => id)).size).toBe(1);
          const refusals = answers.flatMap((answer) =>
            answer.status === 'rejected' ? [answer.reason as unknown] : [],
          );
          expect(refusals).toMatchObject(other === 1 ? [] : [{ code: 'OF_KEY_CONFLICT' }]);
          expect((await track.endingOf(given[0]!.id)).begun).toEqual(['a#1', 'b#1']);
        },
      };
    });
  });
});

describe("a user's long transaction and the committer", () => {
  let user: pg.Client;

  afterEach(() => user.end());

  it.each(['COMMIT', 'ROLLBACK'])('under one key give one run, and hold up nobody else: %s', async (end) => {
    const { starter, one, two } = await track.enter(PAIR);
    user = new pg.Client(named(track.database.connection, 'user'));
    await user.connect();
    await track.db.query('CREATE TABLE IF NOT EXISTS orders (run uuid)');
    await track.everyOrder(async () => {
      const key = randomUUID();
      const run = await starter.start();
      await two.take();
      let own: Started;
      let given: Started;
      const transact = async () => {
        await user.query('BEGIN');
        own = await one.startIn(user, key);
        await user.query('INSERT INTO orders VALUES ($1)', [own.id]);
        await user.query(end);
      };
      return {
        racers: {
          user: { process: 'user', act: transact },
          named: act(one, async () => (given = await one.starter.start('race', 1, { key }))),
          other: act(two, () => two.completeAndStay('a')),
        },
        unhindered: ['other'],
        check: async () => {
          const stored = await track.db.query<{ id: string }>(
            'SELECT id FROM orchestrate_flow.workflow_run WHERE key = $1',
            [key],
          );
          expect(stored).toEqual([{ id: given.id }]);
          if (end === 'COMMIT') expect(own.id).toBe(given.id);
          await two.complete('b');
          await track.endingOf(given.id);
          await track.endingOf(run);
        },
      };
    });
  });
});
