import { describe, expect, it } from '@jest/globals';

import { Bell } from './bell.js';
import type { BullQueues } from './bull-queues.js';

describe('a bell', () => {
  it('that is rung while one is on its way rings once more when that has arrived', async () => {
    const arrivals: (() => void)[] = [];
    const queue = { add: () => new Promise<void>((arrive) => arrivals.push(arrive)) };
    const bull = { queue: () => queue, unlessAway: (answered: Promise<void>) => answered };
    const bell = new Bell(bull as unknown as BullQueues, () => {});
    for (let times = 0; times < 3; times++) bell.ring('q');
    expect(arrivals).toHaveLength(1);
    arrivals[0]!();
    await new Promise((resolve) => setImmediate(resolve));
    expect(arrivals).toHaveLength(2);
    arrivals[1]!();
    await bell.settled();
    expect(arrivals).toHaveLength(2);
  });
});
