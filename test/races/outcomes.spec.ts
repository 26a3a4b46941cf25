import { describe, it, expect } from '@jest/globals';

import { act, OF_WORKERS, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const PAIR = { a: [], b: ['a'] };
const SIBLINGS = { a: [], b: [] };
const FORK = { a: [], b: [], join: ['a', 'b'] };
const TRIDENT = { a: [], b: [], c: [], join: ['a', 'b', 'c'] };

describe('two branches that end in two processes', () => {
  const joined = {
    status: 'completed',
    steps: ['a completed 1/0/0', 'b completed 1/0/0', 'join completed 1/0/0'],
    begun: ['a#1', 'b#1', 'join#1'],
  };

  it.each(['asleep', 'awake'] as const)('start their join once, while the processes are %s', async (state) => {
    const { starter, one, two } = await track.enter(FORK, state);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      await two.take();
      return {
        racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.complete('b')) },
        check: async () => expect(await track.endingOf(run)).toEqual(joined),
      };
    });
  });

  it('start their join once where one of them is held in the state of the run', async () => {
    const { one, two } = await track.enter(FORK, 'awake');
    await track.everyOrder(async () => {
      const run = await one.startHere();
      await two.take();
      return {
        racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.complete('b')) },
        check: async () => expect(await track.endingOf(run)).toEqual(joined),
      };
    });
  });

  it.each(['asleep', 'awake'] as const)(
    'start their join once where both have to look under the lock, while the processes are %s',
    async (state) => {
      const { starter, one, two } = await track.enter(TRIDENT, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        await one.take();
        await two.take();
        // What the two know of the run is no longer true.
        await starter.take();
        await starter.complete('c');
        return {
          racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.complete('b')) },
          check: async () =>
            expect(await track.endingOf(run)).toMatchObject({ begun: ['a#1', 'b#1', 'c#1', 'join#1'] }),
        };
      });
    },
  );
});

describe('a completion and a cancel', () => {
  it.each(['asleep', 'awake'] as const)(
    'end a run once, and nothing begins in a cancelled one, while %s',
    async (state) => {
      const { starter, one, two } = await track.enter(PAIR, state);
      await track.everyOrder(async () => {
        const run = await starter.start();
        await one.take();
        let begunAtCancel = 0;
        const cancel = async () => {
          await two.cancel(run);
          begunAtCancel = one.begunOf(run).length;
        };
        return {
          racers: { one: act(one, () => one.complete('a')), two: act(two, cancel) },
          check: async () => {
            const { status, steps, begun } = await track.endingOf(run);
            expect(steps[0]).toBe('a completed 1/0/0');
            if (status === 'cancelled') expect(begun).toHaveLength(begunAtCancel);
            else expect(begun).toEqual(['a#1', 'b#1']);
          },
        };
      });
    },
  );

  it('end a run whose step is held in its state', async () => {
    const { one, two } = await track.enter(PAIR, 'awake');
    await track.everyOrder(async () => {
      const run = await one.start();
      return {
        racers: { one: act(one, () => one.complete('a')), two: act(two, () => two.cancel(run)) },
        check: async () => expect((await track.endingOf(run)).steps[0]).toBe('a completed 1/0/0'),
      };
    });
  });
});

describe('a claim and a cancel', () => {
  it('leave nothing ready and nothing running', async () => {
    const { starter, one, two } = await track.enter(SIBLINGS);
    await track.everyOrder(async () => {
      const run = await starter.start();
      one.isHolding = false;
      return {
        racers: { one: act(one, () => one.takeAndFinish()), two: act(two, () => two.cancel(run)) },
        check: async () => {
          const { status, steps, begun } = await track.endingOf(run);
          expect(status).toBe('cancelled');
          // What was claimed before the cancel may still report, and the other never begins.
          expect(steps).toEqual([begun.length === 0 ? 'a cancelled 0/0/0' : 'a completed 1/0/0', 'b cancelled 0/0/0']);
        },
      };
    });
  });
});

describe('a claim and the failure of a sibling', () => {
  it('end the run as failed, with what was claimed in time and without what was not', async () => {
    const { starter, one, two } = await track.enter(SIBLINGS);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      two.isHolding = false;
      return {
        racers: {
          one: act(one, () => one.fail('a', { retryable: false })),
          two: act(two, () => two.takeAndFinish()),
        },
        check: async () => {
          const { status, steps, begun } = await track.endingOf(run);
          expect(status).toBe('failed');
          expect(steps).toEqual(['a failed 1/1/0', begun.length === 1 ? 'b cancelled 0/0/0' : 'b completed 1/0/0']);
        },
      };
    });
  });
});

describe('the next attempt of a step and a cancel', () => {
  it('end the run, and nothing begins in a cancelled one', async () => {
    const { starter, one, two } = await track.enter(PAIR);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await one.take();
      await one.fail('a', { retryable: true });
      let begunAtCancel = 0;
      const cancel = async () => {
        await two.cancel(run);
        begunAtCancel = one.begunOf(run).length;
      };
      const wakeAndTake = async () => {
        await one.look();
        await one.take();
      };
      return {
        racers: {
          // Of the beat only the timers count here.
          one: { ...act(one, wakeAndTake), aside: [...OF_WORKERS, 'of_find_lost'] },
          two: act(two, cancel),
        },
        check: async () => {
          const isTriedAgain = one.begunOf(run).length === 2;
          if (isTriedAgain) await one.complete('a');
          const { status, steps } = await track.endingOf(run);
          expect(status).toBe('cancelled');
          expect(steps).toEqual([isTriedAgain ? 'a completed 2/1/0' : 'a cancelled 1/1/0']);
          expect(begunAtCancel).toBe(one.begunOf(run).length);
        },
      };
    });
  });
});
