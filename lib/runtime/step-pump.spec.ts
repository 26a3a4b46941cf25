import { describe, expect, it } from '@jest/globals';

import { StepPump, type StepPumpOptions } from './step-pump.js';
import { SlotOffice } from './slot-office.js';
import { SYSTEM_CLOCK } from './system-clock.js';

/** A pump whose claims answer with these numbers, in turn, and on which nobody waits for a time. */
function open(counts: number[], change: Partial<StepPumpOptions> = {}) {
  const limits: number[] = [];
  const passedOn: string[] = [];
  const errors: unknown[] = [];
  const pump = new StepPump({
    ...{ queue: 'q', concurrency: 3, clock: { ...SYSTEM_CLOCK, after: () => () => {} } },
    claim: (limit) => (limits.push(limit), Promise.resolve(counts.shift() ?? 0)),
    passOn: () => void passedOn.push('q'),
    onError: (error) => errors.push(error),
    ...change,
  });
  return { pump, limits, passedOn, errors };
}

const settle = async () => {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
};

describe('a pump', () => {
  it('claims for its free slots only, and gives back those that it found nothing for', async () => {
    const { pump, limits } = open([1]);
    pump.slots.take(1);
    void pump.wake();
    await settle();
    expect([limits, pump.slots.free]).toEqual([[2], 1]);
    pump.stop();
  });

  it('claims again as soon as a slot is free where it was full, and tells others meanwhile', async () => {
    const { pump, limits, passedOn } = open([3, 1]);
    void pump.wake();
    await settle();
    expect([limits, passedOn, pump.slots.free, pump.openSlots]).toEqual([[3], ['q'], 0, 0]);
    pump.slots.release(1);
    await settle();
    expect(limits).toEqual([3, 1, ...limits.slice(2)]);
    pump.stop();
  });

  it('takes up the news of a bell that rings while a claim is on its way', async () => {
    let answer = (_: number) => {};
    const limits: number[] = [];
    const claim = (limit: number) => {
      limits.push(limit);
      return limits.length === 1 ? new Promise<number>((resolve) => (answer = resolve)) : Promise.resolve(0);
    };
    const { pump } = open([], { claim });
    void pump.wake();
    await settle();
    void pump.wake();
    answer(0);
    await settle();
    expect(limits).toEqual([3, 3]);
    pump.stop();
  });

  it('keeps no slot of a claim that failed', async () => {
    const { pump, errors } = open([], { claim: () => Promise.reject(new Error('away')) });
    await pump.wake();
    expect([pump.slots.free, pump.isAwake, errors.length]).toEqual([3, false, 1]);
  });

  it('holds a second bell as long as it is full', async () => {
    const { pump } = open([3]);
    void pump.wake();
    await settle();
    let isAnswered = false;
    void pump.wake().then(() => (isAnswered = true));
    await settle();
    expect(isAnswered).toBe(false);
    pump.slots.release(1);
    await settle();
    expect(isAnswered).toBe(true);
    pump.stop();
  });

  it('offers no slot while it sleeps, once it is stopped, or with ready rows known to wait', async () => {
    const { pump } = open([0, 3]);
    expect(pump.openSlots).toBe(0);
    void pump.wake();
    await settle();
    expect(pump.openSlots).toBe(3);
    pump.nudge();
    expect(pump.openSlots).toBe(0);
    await settle();
    pump.stop();
    expect(pump.openSlots).toBe(0);
  });
});

describe('the office of slots', () => {
  async function openOffice(state = { holdsLease: true }) {
    const { pump } = open([0]);
    const bells: string[] = [];
    const office = new SlotOffice(
      (queue) => bells.push(queue),
      () => state.holdsLease,
    );
    office.add(pump);
    void pump.wake();
    await settle();
    return { pump, bells, office, state };
  }

  const NONE = new Map<string, number>();

  it('offers free slots and those that ended attempts bring', async () => {
    const { office, pump } = await openOffice();
    pump.slots.take(2);
    expect(office.offer(new Map([['q', 1]]))).toEqual(new Map([['q', 2]]));
    pump.stop();
  });

  it('offers nothing without a lease, while hushed, and once closed', async () => {
    const { office, state } = await openOffice();
    state.holdsLease = false;
    expect(office.offer(NONE)).toEqual(NONE);
    state.holdsLease = true;
    office.hush();
    expect([office.offer(NONE), office.mayClaim, office.mayTake]).toEqual([NONE, true, false]);
    office.resume();
    expect(office.offer(NONE).get('q')).toBeDefined();
    office.close();
    expect([office.offer(NONE), office.mayClaim]).toEqual([NONE, false]);
  });

  it('takes slots beyond those that were brought, and gives back what is not used', async () => {
    const { office, pump } = await openOffice();
    pump.slots.take(1);
    const own = new Map([['q', 1]]);
    const used = office.use(own, ['q', 'q']);
    expect([used, pump.slots.free]).toEqual([new Map([['q', 2]]), 1]);
    office.giveBack(used, own);
    expect(pump.slots.free).toBe(2);
    office.giveBack(own, NONE);
    expect(pump.slots.free).toBe(3);
    pump.stop();
  });

  it('rings for rows that find no room here, and where its pump sleeps', async () => {
    const { office, pump, bells } = await openOffice();
    office.ring('q', 3);
    expect(bells).toEqual([]);
    office.ring('q', 4);
    expect(bells).toEqual(['q']);
    office.ring('elsewhere', 1);
    expect(bells).toEqual(['q', 'elsewhere']);
    pump.stop();
    office.ring('q', 1);
    expect(bells).toEqual(['q', 'elsewhere', 'q']);
  });
});
