import { describe, expect, it } from '@jest/globals';

import { act, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const FAN = { fan: [], join: ['fan'] };

/** A run of whose fan-out two items run, in two processes: which of them where is nobody's promise. */
async function startTwo(items: number, state: 'asleep' | 'awake' = 'asleep') {
  const { starter, one, two } = await track.enter(FAN, state);
  const prepare = async () => {
    const run = await starter.start();
    await starter.take();
    await starter.expand('fan', items);
    await one.take();
    await two.take();
    return run;
  };
  return { one, two, prepare };
}

describe('two items of a fan-out that end in two processes', () => {
  it.each(['asleep', 'awake'] as const)('end it once, while the processes are %s', async (state) => {
    const { one, two, prepare } = await startTwo(2, state);
    await track.everyOrder(async () => {
      const run = await prepare();
      return {
        racers: { one: act(one, () => one.complete(one.latest)), two: act(two, () => two.complete(two.latest)) },
        check: async () =>
          expect(await track.endingOf(run)).toEqual({
            status: 'completed',
            steps: [
              ...['fan completed 1/0/0', 'fan[0] completed 1/0/0', 'fan[1] completed 1/0/0'],
              'join completed 1/0/0',
            ],
            begun: ['fan#1', 'fan[0]#1', 'fan[1]#1', 'join#1'],
          }),
      };
    });
  });

  it('begin the next ones once', async () => {
    const { one, two, prepare } = await startTwo(4);
    await track.everyOrder(async () => {
      const run = await prepare();
      return {
        racers: {
          one: act(one, () => one.completeAndStay(one.latest)),
          two: act(two, () => two.completeAndStay(two.latest)),
        },
        check: async () => {
          for (const process of [one, two]) await process.completeHeld();
          const { status, begun } = await track.endingOf(run);
          expect(status).toBe('completed');
          expect(begun).toEqual(['fan#1', ...[0, 1, 2, 3].map((index) => `fan[${index}]#1`), 'join#1']);
        },
      };
    });
  });
});

describe('an item that completes', () => {
  it('and a cancel end the run once, and no other item begins in a cancelled one', async () => {
    const { starter, one, two } = await track.enter(FAN);
    await track.everyOrder(async () => {
      const run = await starter.start();
      await starter.take();
      await starter.expand('fan', 4);
      await one.take();
      await starter.take();
      return {
        racers: { one: act(one, () => one.completeAndStay(one.latest)), two: act(two, () => two.cancel(run)) },
        check: async () => {
          await starter.complete(starter.latest);
          await one.completeHeld();
          const { status, steps, begun } = await track.endingOf(run);
          expect(status).toBe('cancelled');
          expect(steps.slice(0, 3)).toEqual([
            'fan cancelled 1/0/0',
            'fan[0] completed 1/0/0',
            'fan[1] completed 1/0/0',
          ]);
          expect(begun).not.toContain('fan[3]#1');
          expect(begun).not.toContain('join#1');
        },
      };
    });
  });

  it('and another that fails for good fail the run once, and both are recorded', async () => {
    const { one, two, prepare } = await startTwo(4);
    await track.everyOrder(async () => {
      const run = await prepare();
      const [completes, fails] = [one.latest, two.latest];
      return {
        racers: {
          one: act(one, () => one.completeAndStay(completes)),
          two: act(two, () => two.fail(fails, { retryable: false })),
        },
        check: async () => {
          await one.completeHeld();
          const { status, steps, begun } = await track.endingOf(run);
          expect(status).toBe('failed');
          const ended = ['fan failed 1/0/0', `${completes} completed 1/0/0`, `${fails} failed 1/1/0`];
          expect(steps.slice(0, 3)).toEqual(ended.toSorted());
          expect(begun).not.toContain('join#1');
          expect(begun).not.toContain('fan[3]#1');
        },
      };
    });
  });
});
