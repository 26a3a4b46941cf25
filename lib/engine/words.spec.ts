import { describe, expect, it } from '@jest/globals';
import { isEnded, isStopping, RUN_MOVES, RUN_STATUSES, STEP_MOVES, STEP_STATUSES, type StepStatus } from './words.js';

describe.each([
  ['run', RUN_STATUSES, RUN_MOVES],
  ['step', STEP_STATUSES, STEP_MOVES],
] as const)(
  'the table of moves of a %s',
  (_, statuses: readonly string[], moves: Readonly<Record<string, readonly string[]>>) => {
    it('has a line for each status and leads to statuses only', () => {
      expect(Object.keys(moves)).toEqual(statuses);
      expect(statuses).toEqual(expect.arrayContaining(Object.values(moves).flat()));
    });

    it('names each move once and none that stays', () => {
      for (const [from, to] of Object.entries(moves)) {
        expect(new Set(to).size).toBe(to.length);
        expect(to).not.toContain(from);
      }
    });

    it('reaches every status from pending', () => {
      // What was paused before it had begun is pending again.
      const reachable = new Set(['pending', ...reachableFrom('pending', moves)]);
      expect([...reachable].sort()).toEqual([...statuses].sort());
    });

    it('leads from every status to an end, and can always be cancelled before', () => {
      for (const status of statuses) {
        const reachable = reachableFrom(status, moves);
        // What has failed may be retried.
        const isEnd = moves[status]!.length === 0 || (status === 'failed' && moves === RUN_MOVES);
        const ends = ['completed', 'failed', 'skipped', 'cancelled', 'terminated', 'quarantined'];
        expect(isEnd || ends.some((end) => reachable.has(end))).toBe(true);
        expect(isEnd).toBe(ends.includes(status));
        // What has failed is not called cancelled any more.
        if (!isEnd && status !== 'failing') expect(reachable).toContain('cancelled');
      }
    });
  },
);

describe('a run', () => {
  it('has ended when it is completed, failed, cancelled or terminated', () => {
    expect(RUN_STATUSES.filter(isEnded)).toEqual(['completed', 'failed', 'cancelled', 'terminated']);
  });

  it('is stopping when it is failing or cancelling', () => {
    expect(RUN_STATUSES.filter(isStopping)).toEqual(['failing', 'cancelling']);
  });

  it('that was stopped only undoes what it did and ends', () => {
    expect(RUN_MOVES.failing).toEqual(['compensating', 'failed', 'terminated']);
    expect(RUN_MOVES.cancelling).toEqual(['compensating', 'cancelled', 'terminated']);
    expect(RUN_MOVES.compensating).toEqual(['failed', 'cancelled', 'terminated']);
  });

  it('that has failed goes on or undoes what it did, and no other that has ended does', () => {
    expect(RUN_STATUSES.filter((status) => isEnded(status) && RUN_MOVES[status].length > 0)).toEqual(['failed']);
    expect(RUN_MOVES.failed).toEqual(['pending', 'running', 'compensating']);
  });

  it('fails and is cancelled by way of a stop once it has begun', () => {
    const ends = ['completed', 'failing', 'cancelling', 'terminated'];
    expect(RUN_MOVES.running).toEqual(['waiting', 'paused', ...ends]);
    expect(RUN_MOVES.waiting).toEqual(['running', 'paused', ...ends]);
    expect(RUN_MOVES.paused).toEqual(['pending', 'running', ...ends]);
  });
});

describe('a step', () => {
  it('runs again only by way of ready', () => {
    const leadToRunning = STEP_STATUSES.filter((status) => STEP_MOVES[status].includes('running'));
    expect(leadToRunning).toEqual(['pending', 'ready']);
  });

  it('completes and fails only out of an attempt, or, a fan-out, while it waits for its items; it fails, too, where no worker takes it in time', () => {
    const waysTo = (end: StepStatus) => STEP_STATUSES.filter((status) => STEP_MOVES[status].includes(end));
    expect(waysTo('completed')).toEqual(['running', 'waiting']);
    expect(waysTo('failed')).toEqual(['ready', 'running', 'waiting']);
  });
});

function reachableFrom(status: string, moves: Readonly<Record<string, readonly string[]>>): Set<string> {
  const seen = new Set(moves[status]);
  for (const word of seen) for (const next of moves[word]!) seen.add(next);
  return seen;
}
