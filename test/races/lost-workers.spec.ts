import { randomUUID } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { act, OF_WORKERS, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const PAIR = { a: [], b: ['a'] };

describe('a late outcome and the next attempt', () => {
  it('record the attempt that runs, and never the one that was given up', async () => {
    const { starter, one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      await track.letDie(one);
      await starter.lookAndReap();
      two.isHolding = false;
      return {
        racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.takeAndFinish()) },
        check: async () => {
          const { status, steps, begun } = await track.endingOf(run);
          expect(status).toBe('completed');
          expect(steps).toEqual(['a completed 2/0/1', 'b completed 1/0/0']);
          expect(begun).toEqual(['a#1', 'a#2', 'b#1']);
        },
      };
    });
  });
});

describe('a reaper and the completion of what it reaps', () => {
  it.each(['in a row of its own', 'in the state of the run'])(
    'leave one outcome, and a crash only where the outcome came too late: %s',
    async (where) => {
      const { starter, one, two } = await track.enter(PAIR, where === 'in the state of the run' ? 'awake' : 'asleep');
      await track.everyOrder(async () => {
        const isHeld = where === 'in the state of the run';
        const run = await (isHeld ? one : starter).start();
        if (!isHeld) await one.take();
        await track.letDie(one);
        return {
          racers: {
            one: act(one, () => one.complete('a')),
            two: { ...act(two, () => two.lookAndReap()), aside: OF_WORKERS },
          },
          check: async () => {
            // Awake and unaware of its death, it may have begun what follows: then that is lost in its turn.
            await two.lookAndReap();
            const { status, steps, begun } = await track.endingOf(run);
            expect(status).toBe('completed');
            expect(['a completed 1/0/0', 'a completed 2/0/1']).toContain(steps[0]);
            expect(begun.includes('a#2')).toBe(steps[0] === 'a completed 2/0/1');
          },
        };
      });
    },
  );
});

describe('two reapers', () => {
  it('count a crash once', async () => {
    const { starter, one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await starter.take();
      const dead = randomUUID();
      await track.db.query('UPDATE orchestrate_flow.workflow_step SET worker = $2 WHERE run_id = $1', [run, dead]);
      starter.desk.dropClaims();
      const [foundByOne, foundByTwo] = [await one.look(), await two.look()];
      return {
        racers: { one: act(one, () => one.reap(foundByOne)), two: act(two, () => two.reap(foundByTwo)) },
        check: async () => {
          const { steps } = await track.endingOf(run);
          expect(steps).toEqual(['a completed 2/0/1', 'b completed 1/0/0']);
        },
      };
    });
  });
});

describe('a sweep and a commit', () => {
  it('over a lane that is swept away lose nothing', async () => {
    const { starter, one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      await track.db.query(`UPDATE orchestrate_flow.workflow_lane SET used_at = now() - interval '2 days'`);
      return {
        racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.store.sweepDead()) },
        check: async () => {
          const { status, begun } = await track.endingOf(run);
          expect([status, begun]).toEqual(['completed', ['a#1', 'b#1']]);
        },
      };
    });
  });

  it('of a worker long dead, under whose name a step begins once more, leave that step to the others', async () => {
    const { starter, one, two } = await track.enter(PAIR, 'awake');
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      await track.db.query(
        `UPDATE orchestrate_flow.workflow_worker SET status = 'dead', lease_until = now() - interval '1 day' WHERE id = $1`,
        [one.worker],
      );
      const sweepAndReap = async () => {
        await two.store.sweepDead();
        await two.lookAndReap();
      };
      return {
        racers: { one: act(one, () => one.completeAndStay('a')), two: act(two, sweepAndReap) },
        check: async () => {
          one.desk.dropClaims();
          await two.lookAndReap();
          expect((await track.endingOf(run)).status).toBe('completed');
          await one.register(track.db);
        },
      };
    });
  });
});
