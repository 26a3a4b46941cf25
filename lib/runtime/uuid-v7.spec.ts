import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { createUuidV7 } from './uuid-v7.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 2_000);
const MAX_TIME = 2 ** 48 - 1;

/** Ids made by a clock that shows these times, one after the other. */
function makeAt(times: readonly number[]): string[] {
  let reads = 0;
  const next = createUuidV7(() => times[reads++] ?? 0);
  return times.map(() => next());
}

function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

function countOf(id: string): number {
  return parseInt(id.slice(15, 18), 16);
}

describe('a UUID of version 7', () => {
  it('has the form of RFC 9562 and tells its millisecond', () => {
    fc.assert(
      fc.property(fc.nat(MAX_TIME), (time) => {
        const [id = ''] = makeAt([time]);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(timeOf(id)).toBe(time);
      }),
      { numRuns },
    );
  });

  it('is greater than the one before it, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(3), fc.nat(MAX_TIME - 1)), { maxLength: 50 }), (times) => {
        const ids = makeAt(times);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids).toEqual([...ids].sort());
      }),
      { numRuns },
    );
  });

  it('is greater than the one before it also when a millisecond is used up', () => {
    const ids = makeAt(Array.from({ length: 20_000 }, () => 1_000));
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
    // Every millisecond after the first, which begins at random, holds 4,096.
    expect(timeOf(ids.at(-1) ?? '')).toBeLessThanOrEqual(1_000 + Math.ceil(20_000 / 4_096));
  });

  it('begins to count at random, with room for at least 2,048 ids', () => {
    const counts = makeAt(Array.from({ length: 1_000 }, (_, time) => time)).map(countOf);
    expect(Math.max(...counts)).toBeLessThan(2_048);
    expect(new Set(counts).size).toBeGreaterThan(100);
  });

  it('is made at the time of this machine', () => {
    const before = Date.now();
    const time = timeOf(createUuidV7(Date.now)());
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  it('is shared by no two makers of the same millisecond', () => {
    const ids = Array.from({ length: 1_000 }, () => createUuidV7(() => 1_000)());
    expect(new Set(ids).size).toBe(1_000);
  });
});
