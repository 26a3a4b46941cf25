import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_DURATION_MS } from './duration.js';
import { computeBackoffMs, DEFAULT_RETRY, type RetryPolicy } from './retry-policy.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 2_000);

function policyOf(changes: Partial<RetryPolicy>): RetryPolicy {
  return { ...DEFAULT_RETRY, jitter: 'none', ...changes };
}

const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  attempts: fc.integer({ min: 1, max: 100 }),
  backoff: fc.constantFrom('fixed', 'exponential', 'own'),
  delayMs: fc.nat(MAX_DURATION_MS),
  factor: fc.double({ min: 1, max: 1_000, noNaN: true }),
  maxDelayMs: fc.nat(MAX_DURATION_MS),
  jitter: fc.constantFrom('full', 'none'),
});
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the delay before the next attempt', () => {
  it('is the same after every failure where the backoff is fixed', () => {
    const policy = policyOf({ backoff: 'fixed', delayMs: 700 });
    expect([1, 2, 3, 50].map((failures) => computeBackoffMs(policy, failures, 0.5))).toEqual([700, 700, 700, 700]);
  });

  it('is multiplied after every failure where it is exponential, up to the longest', () => {
    const policy = policyOf({ delayMs: 100, factor: 3, maxDelayMs: 2_000 });
    expect([1, 2, 3, 4, 5].map((failures) => computeBackoffMs(policy, failures, 0.5))).toEqual([
      100, 300, 900, 2_000, 2_000,
    ]);
  });

  it('is the exponential one where a function of its own was of no use', () => {
    const policy = policyOf({ backoff: 'own', delayMs: 100, factor: 3, maxDelayMs: 2_000 });
    expect([1, 2, 3, 4].map((failures) => computeBackoffMs(policy, failures, 0.5))).toEqual([100, 300, 900, 2_000]);
  });

  it('does not exceed the longest where it is fixed either', () => {
    expect(computeBackoffMs(policyOf({ backoff: 'fixed', delayMs: 700, maxDelayMs: 300 }), 1, 0.5)).toBe(300);
  });

  it('is in whole milliseconds', () => {
    expect(computeBackoffMs(policyOf({ delayMs: 3, factor: 1.5 }), 2, 0.5)).toBe(5);
  });

  it('is drawn between nothing and all of it where jitter is full', () => {
    const policy = policyOf({ delayMs: 1_000, jitter: 'full' });
    expect([0, 0.25, 0.9999].map((random) => computeBackoffMs(policy, 1, random))).toEqual([0, 250, 1_000]);
  });

  it('by default doubles from one second and never exceeds an hour', () => {
    const delays = [1, 2, 3, 12, 13, 10_000].map((failures) =>
      computeBackoffMs({ ...DEFAULT_RETRY, jitter: 'none' }, failures, 0),
    );
    expect(delays).toEqual([1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000]);
    expect(DEFAULT_RETRY).toMatchObject({ attempts: 3, jitter: 'full' });
  });

  it('stays nothing where it begins as nothing, however often it is multiplied', () => {
    expect(computeBackoffMs(policyOf({ delayMs: 0, factor: 10 }), 1_000_000, 0.5)).toBe(0);
  });

  it('is a whole number between nothing and the longest, whatever the policy', () => {
    const property = fc.property(
      policies,
      fc.integer({ min: 1, max: 100_000 }),
      chances,
      (policy, failures, random) => {
        const delayMs = computeBackoffMs(policy, failures, random);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(policy.maxDelayMs);
      },
    );
    fc.assert(property, { numRuns });
  });

  it('never shrinks with another failure, and jitter never makes it longer', () => {
    const property = fc.property(policies, fc.integer({ min: 1, max: 1_000 }), chances, (policy, failures, random) => {
      const plain = { ...policy, jitter: 'none' } as const;
      const delayMs = computeBackoffMs(plain, failures, random);
      expect(computeBackoffMs(plain, failures + 1, random)).toBeGreaterThanOrEqual(delayMs);
      expect(computeBackoffMs(policy, failures, random)).toBeLessThanOrEqual(delayMs);
    });
    fc.assert(property, { numRuns });
  });
});
