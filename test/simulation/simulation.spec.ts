import { describe, expect, it } from '@jest/globals';

import { simulate } from './simulation.js';

const SEEDS = 100;

/** Seeds that once found a mistake in the library. */
const REGRESSIONS = [
  // The outcome of one step that the database refused made another, told in the same commit, fail with it.
  17,
  // A suspect was never tried again in a process in which the code of an earlier attempt hung: the slot it was to have was
  // taken by the pump that had just been woken.
  77,
];

describe('the simulation', () => {
  it.each(REGRESSIONS)('ends as it must with seed %i', async (seed) => {
    const { faults } = await simulate(seed);
    expect(faults).toEqual([]);
  });

  it(`ends as it must with the first ${SEEDS} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { faults } = await simulate(seed);
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    }
  });

  it('plays a seed exactly as it played it before', async () => {
    for (const seed of [1, 2, 3, 4, 5, 77]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect(second.hash).toBe(first.hash);
      expect(first.trace.length).toBeGreaterThan(10);
    }
  });
});
