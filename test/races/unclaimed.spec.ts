import { describe, expect, it } from '@jest/globals';

import { act, RaceTrack } from './race-track.js';

const track = new RaceTrack();

describe('a claim of a step and who finds that no worker has taken it in time', () => {
  it.each(['asleep', 'awake'] as const)(
    'agree: it runs and completes, or fails and has never begun, while %s',
    async (state) => {
      const { starter, one, two } = await track.enter({ hurried: [], next: ['hurried'] }, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        return {
          racers: {
            one: act(one, () => one.takeAndFinish()),
            // Of the beat only its look counts here.
            two: {
              ...act(two, () => two.lookAndGiveUp(run)),
              aside: ['of_renew', 'of_bury', 'of_find_lost', 'of_wake'],
            },
          },
          check: async () => {
            const { status, steps, begun } = await track.endingOf(run);
            const ran = ['hurried completed 1/0/0', 'next completed 1/0/0'];
            expect(steps).toEqual(status === 'completed' ? ran : ['hurried failed 0/0/0']);
            expect(begun).toEqual(status === 'completed' ? ['hurried#1', 'next#1'] : []);
          },
        };
      });
    },
  );
});
