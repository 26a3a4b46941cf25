import { describe, expect, it } from '@jest/globals';

import { decideOccurrences, LATE_MS, type DueSchedule } from './occurrences.js';

const NOW = 1_000_000;

function decide(change: Partial<DueSchedule>) {
  return decideOccurrences({
    overlap: 'allow',
    catchUp: 1,
    due: [],
    queuedAt: null,
    isRunning: false,
    now: NOW,
    ...change,
  });
}

describe('occurrences that are due', () => {
  const due = [NOW - 3, NOW - 2, NOW - 1];

  it.each([
    [0, [NOW - 1]],
    [1, [NOW - 1]],
    [2, [NOW - 2, NOW - 1]],
    [9, due],
  ])('are caught up, %i at the most', (catchUp, starts) => {
    expect(decide({ catchUp, due })).toEqual({ starts, queuedAt: null });
  });

  it('are skipped where they come late and nothing is caught up', () => {
    expect(decide({ catchUp: 0, due: [NOW - LATE_MS] }).starts).toEqual([NOW - LATE_MS]);
    expect(decide({ catchUp: 0, due: [NOW - LATE_MS - 1] }).starts).toEqual([]);
  });

  it('start beside what goes on, or after it has been cancelled, the last of them', () => {
    expect(decide({ overlap: 'allow', catchUp: 9, due, isRunning: true })).toEqual({ starts: due, queuedAt: null });
    expect(decide({ overlap: 'cancel', catchUp: 9, due, isRunning: true })).toEqual({
      starts: [NOW - 1],
      queuedAt: null,
    });
  });

  it('are skipped while a run goes on, also one that has begun with them', () => {
    expect(decide({ overlap: 'skip', catchUp: 9, due, isRunning: true })).toEqual({ starts: [], queuedAt: null });
    expect(decide({ overlap: 'skip', catchUp: 9, due })).toEqual({ starts: [NOW - 3], queuedAt: null });
  });

  it.each([
    [
      { isRunning: true, due },
      { starts: [], queuedAt: NOW - 3 },
    ],
    [
      { isRunning: true, due, queuedAt: 1 },
      { starts: [], queuedAt: 1 },
    ],
    [{ isRunning: true }, { starts: [], queuedAt: null }],
    [{ queuedAt: 1 }, { starts: [1], queuedAt: null }],
    [
      { queuedAt: 1, due },
      { starts: [1], queuedAt: NOW - 3 },
    ],
    [{ due }, { starts: [NOW - 3], queuedAt: NOW - 2 }],
    [{}, { starts: [], queuedAt: null }],
  ])('wait for the end of a run, one of them: case %#', (change, decision) => {
    expect(decide({ overlap: 'queue', catchUp: 9, ...change })).toEqual(decision);
  });
});
