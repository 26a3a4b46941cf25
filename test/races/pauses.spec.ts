import { describe, expect, it } from '@jest/globals';

import { act, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const PAIR = { a: [], b: ['a'] };
const SIBLINGS = { a: [], b: [] };

describe('a pause and the outcome of a step', () => {
  it.each(['asleep', 'awake'] as const)(
    'leave the next step to the resume, or to whoever began it before, and it runs once, while %s',
    async (state) => {
      const { one, two } = await track.enter(PAIR, state);
      await track.everyOrder(async () => {
        const run = await one.start();
        await one.take();
        return {
          racers: {
            one: act(one, () => one.completeAndStay('a')),
            two: act(two, () => two.pause(run)),
          },
          check: async () => {
            expect(await two.take()).toBe(0);
            await one.completeHeld();
            await two.resume(run);
            await two.completeHeld();
            expect(await track.endingOf(run)).toEqual({
              status: 'completed',
              steps: ['a completed 1/0/0', 'b completed 1/0/0'],
              begun: ['a#1', 'b#1'],
            });
          },
        };
      });
    },
  );
});

describe('a pause and a claim', () => {
  it.each(['asleep', 'awake'] as const)(
    'leave a step to the one or the other: from then on none is claimed, while %s',
    async (state) => {
      const { starter, one, two } = await track.enter(SIBLINGS, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        return {
          racers: { one: act(one, () => one.take()), two: act(two, () => two.pause(run)) },
          check: async () => {
            expect(await two.take(9)).toBe(0);
            await one.completeHeld();
            expect(await starter.take(9)).toBe(0);
            await two.resume(run);
            await two.completeHeld();
            const { status, steps, begun } = await track.endingOf(run);
            expect({ status, steps, begun }).toEqual({
              status: 'completed',
              steps: ['a completed 1/0/0', 'b completed 1/0/0'],
              begun: ['a#1', 'b#1'],
            });
          },
        };
      });
    },
  );
});

describe('two who pause and resume a run at once', () => {
  it('leave it paused, or going on, and each of its steps runs once', async () => {
    const { starter, one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await starter.pause(run);
      const again = async () => {
        await two.resume(run);
        await two.pause(run);
      };
      return {
        racers: { one: act(one, () => one.resume(run)), two: act(two, again) },
        check: async () => {
          await starter.resume(run);
          expect(await track.endingOf(run)).toMatchObject({ status: 'completed', begun: ['a#1', 'b#1'] });
        },
      };
    });
  });
});
