import { describe, expect, it } from '@jest/globals';

import { act, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const PAIR = { a: [], b: ['a'] };
const SIBLINGS = { a: [], b: [] };

describe('two retries of a failed run', () => {
  it.each(['asleep', 'awake'] as const)(
    'begin one new generation, in which each step runs once, while %s',
    async (state) => {
      const { starter, one, two } = await track.enter(SIBLINGS, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        await starter.take();
        await one.take();
        await one.complete('b');
        await starter.fail('a', { retryable: false });
        for (const process of [one, two]) process.isHolding = false;
        const retry = (process: typeof one) => async () => {
          await process.retry(run);
          await process.desk.settled();
        };
        return {
          racers: { one: act(one, retry(one)), two: act(two, retry(two)) },
          check: async () =>
            expect(await track.endingOf(run)).toEqual({
              status: 'completed',
              steps: ['a completed 1/0/0', 'b completed 1/0/0'],
              begun: ['a#1', 'a#1/1', 'b#1'],
            }),
        };
      });
    },
  );
});

describe('a retry and the outcome of an attempt whose worker was believed dead', () => {
  it.each(['asleep', 'awake'] as const)(
    'leave the new attempt to itself, although it has the same number, while %s',
    async (state) => {
      const { starter, one, two } = await track.enter(PAIR, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        await one.take();
        await track.letDie(one);
        await two.lookAndReap();
        await starter.take();
        await starter.fail('a', { retryable: false });
        const retry = async () => {
          await two.retry(run);
          await two.completeHeld();
        };
        return {
          racers: { one: act(one, () => one.complete('a')), two: act(two, retry) },
          check: async () => {
            const { status, steps, begun } = await track.endingOf(run);
            expect({ status, steps }).toEqual({
              status: 'completed',
              steps: ['a completed 1/0/0', 'b completed 1/0/0'],
            });
            expect(begun).toEqual(['a#1', 'a#1/1', 'a#2', 'b#1/1']);
          },
        };
      });
    },
  );
});
