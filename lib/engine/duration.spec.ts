import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { DURATION_FORM, findDurationMs, MAX_DURATION_MS } from './duration.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 2_000);
const UNITS = ['ms', 's', 'm', 'h', 'd', 'w'];

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['3d', 259_200_000],
    ['1w', 604_800_000],
    ['1.5s', 1_500],
    ['0.25h', 900_000],
    ['0s', 0],
    ['007s', 7_000],
    [' 5s ', 5_000],
    [0, 0],
    [1, 1],
    [1.4, 1],
    [1.5, 2],
    ['0.4ms', 0],
    [MAX_DURATION_MS, MAX_DURATION_MS],
    ['36500d', MAX_DURATION_MS],
  ])('of %j is %d milliseconds', (duration, ms) => {
    expect(findDurationMs(duration)).toBe(ms);
  });

  it.each([
    [''],
    ['5'],
    ['s'],
    ['5 s'],
    ['5S'],
    ['5sec'],
    ['5s5s'],
    ['5s\n6s'],
    ['-5s'],
    ['+5s'],
    ['.5s'],
    ['5.s'],
    ['1e3s'],
    ['0x10s'],
    ['1_000ms'],
    ['1,5s'],
    ['٣s'],
    ['Infinitys'],
    ['36501d'],
    [`${'9'.repeat(400)}w`],
    [-1],
    [-0.001],
    [NaN],
    [Infinity],
    [-Infinity],
    [MAX_DURATION_MS + 1],
    [null],
    [undefined],
    [true],
    [5n],
    [['5s']],
    [{ valueOf: () => 5 }],
    [new Date(5)],
    [new String('5s')],
  ])('is not %p', (duration) => {
    expect(findDurationMs(duration)).toBeNull();
  });

  it('is a whole number of milliseconds within a hundred years, or none, whatever is given', () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true }).map((value) => value.toFixed(3));
    const written = fc.tuple(number, fc.constantFrom(...UNITS)).map((parts) => parts.join(''));
    const property = fc.property(fc.oneof(fc.anything(), fc.double(), written), (duration) => {
      const ms = findDurationMs(duration);
      if (ms === null) return;
      expect(Number.isSafeInteger(ms)).toBe(true);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(MAX_DURATION_MS);
    });
    fc.assert(property, { numRuns });
  });

  it('is one in every form that an error names', () => {
    const examples = [...DURATION_FORM.matchAll(/'([^']+)'/g)].map(([, example]) => example!);
    expect(examples.map((example) => example.replace(/^\d+/, ''))).toEqual(UNITS);
    expect(examples.map(findDurationMs)).not.toContain(null);
  });
});
