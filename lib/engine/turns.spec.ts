import { describe, expect, it } from '@jest/globals';
import {
  BEGUN,
  buildGraph,
  buildPlace,
  buildView,
  CANCELLED,
  completed,
  expectDecided,
  failed,
  lost,
  released,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS } from './decision.js';
import type { Claim, Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';
import type { Stage } from './run-state.js';

const ONCE = { ...DEFAULT_RETRY, attempts: 1 };

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

function claim(step: string, stage?: Stage): Claim {
  return { step, attempt: 1, failures: 0, crashes: 0, startedAt: 'then', ...(stage ? { stage } : {}) };
}

const admitted = (step: string): Fact => ({ type: 'step-admitted', claim: claim(step) });
const skipped = (step: string): Fact => ({ type: 'step-skipped', claim: claim(step) });
const parked = (step: string): Fact => ({ type: 'step-parked', claim: claim(step), until: '2027', result: '"d"' });
const after = (step: string, stage: Stage): Fact => ({
  type: 'step-completed',
  claim: claim(step, stage),
  result: '1',
});
const WAKE: Fact = { type: 'wake-requested', by: 'me', reason: null };

describe('a step with a condition', () => {
  const graph = buildGraph({ a: [], b: ['a'] }, { a: { when: 'isWanted' } });
  const held = { marks: 'h.', holds: { a: {} } };

  it('goes on in the same attempt once its condition was met, and what it then reports is told from what came before', () => {
    const decision = decideIn(graph, held, [admitted('a')], buildPlace(1));
    const tally = { attempt: 1, failures: 0, crashes: 0, stage: 'admitted' };
    expect(decision).toMatchObject({ status: 'running', writes: [], starts: [{ step: 'a', tally }] });
    expect(decision.state.holds.get('a')).toEqual(tally);
    const goesOn = { marks: 'h.', holds: { a: { stage: 'admitted' as const } } };
    expect(decideIn(graph, { ...goesOn, rows: {} }, [admitted('a')]).stale).toHaveLength(1);
    expect(decideIn(graph, goesOn, [after('a', 'admitted')]).state.marks).toBe('cq');
  });

  it('waits for a worker, admitted, where no slot is left or another process held it', () => {
    for (const [parts, place] of [
      [held, buildPlace(0)],
      [{ ...held, worker: 'there' }, buildPlace(1)],
    ] as const) {
      const { writes, starts } = decideIn(graph, parts, [admitted('a')], place);
      expect(starts).toEqual([]);
      expect(writes).toMatchObject([{ step: 'a', status: 'ready', tally: { attempt: 1, stage: 'admitted' } }]);
    }
  });

  it('keeps its row, guarded by the stage that it was in', () => {
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const { writes } = decideIn(graph, { marks: 'q.', rows }, [admitted('a')], buildPlace(1));
    expect(writes).toMatchObject([{ guard: { attempt: 1, running: true }, status: 'running', worker: 'here' }]);
    expect(writes[0]!.guard).not.toHaveProperty('stage');
    const later = { a: { status: 'running', attempt: 1, stage: 'admitted' } } as const;
    const end = decideIn(graph, { marks: 'q.', rows: later }, [after('a', 'admitted')]);
    expect(end.writes[0]).toMatchObject({ guard: { attempt: 1, running: true, stage: 'admitted' } });
  });

  it('is skipped where it was not met, and what follows on the page has its turn', () => {
    const decision = decideIn(graph, held, [skipped('a')]);
    expect(decision.state.marks).toBe('sq');
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'skipped' },
      { step: 'b', status: 'ready' },
    ]);
  });

  it('ends with its run where that was stopped meanwhile, whatever its condition said', () => {
    for (const fact of [admitted('a'), skipped('a')]) {
      const { status, writes } = decideIn(graph, { ...held, marks: 'hx', status: 'cancelling' }, [fact], buildPlace(1));
      expect([status, writes[0]!.status]).toEqual(['cancelled', 'cancelled']);
    }
  });

  it('does not go on where a later fact of the same commit stops the run', () => {
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const { status, starts, writes } = decideIn(
      graph,
      { marks: 'q.', rows },
      [admitted('a'), CANCELLED],
      buildPlace(1),
    );
    expect([status, starts.length, writes[0]!.status]).toEqual(['cancelled', 0, 'cancelled']);
  });
});

describe('a step that needs another', () => {
  it('is skipped with it, and so is what needs that in turn; what only follows is not', () => {
    const graph = buildGraph(
      { a: [], b: ['a'], c: ['b'], d: ['c'] },
      { a: { when: 'isWanted' }, b: { needs: ['a'] }, c: { needs: ['b'] } },
    );
    const decision = decideIn(graph, { marks: 'h...', holds: { a: {} } }, [skipped('a')]);
    expect(decision.state.marks).toBe('sssq');
    expect(decision.news.map(({ step, status }) => `${step} ${status}`)).toEqual([
      'a skipped',
      'b skipped',
      'c skipped',
    ]);
  });

  it('ends the run where it was the last', () => {
    const graph = buildGraph({ a: [], b: ['a'] }, { a: { when: 'isWanted' }, b: { needs: ['a'] } });
    expect(decideIn(graph, { marks: 'h.', holds: { a: {} } }, [skipped('a')])).toMatchObject({
      status: 'completed',
      state: { marks: 'ss' },
    });
  });
});

describe('a step whose failure is tolerated', () => {
  const graph = buildGraph({ a: [], b: ['a'] }, { a: { onFailure: 'continue', retry: ONCE } });

  it('has ended when it fails for good, and the run goes on', () => {
    const decision = decideIn(graph, { marks: 'h.', holds: { a: {} } }, [failed('a')]);
    expect(decision).toMatchObject({ status: 'running', failure: null, state: { marks: 'fq' } });
  });

  it('lets the run go on when it is quarantined, too', () => {
    const rows = { a: { status: 'running', attempt: 3, crashes: 2, alone: true } } as const;
    const decision = decideIn(graph, { marks: 'q.', rows }, [lost('there')]);
    expect(decision).toMatchObject({ status: 'running', failure: null, state: { marks: 'fq' } });
  });
});

describe('a join of some', () => {
  const graph = buildGraph(
    { a: [], b: [], c: [], d: ['a', 'b', 'c'] },
    { d: { join: 1 }, c: { kind: 'sleep', delayMs: 5 } },
  );
  const holds = { a: {}, b: {} };
  const rows = { c: { status: 'waiting', attempt: 0 } } as const;

  it('begins with the first, cancels what waits and aborts what runs, which has a row from then on', () => {
    const decision = decideIn(graph, { marks: 'hhw.', holds, rows }, [completed('a')]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'caxq' }, worker: null });
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'completed' },
      { step: 'b', status: 'running', worker: 'here', guard: null, aborting: true, startedAt: 'then' },
      { step: 'c', status: 'cancelled', guard: { attempt: 0, running: false } },
      { step: 'd', status: 'ready' },
    ]);
  });

  it('aborts what runs in a row of its own, in whatever process, and what was held elsewhere', () => {
    const rows = { b: { status: 'running', attempt: 2, worker: 'there' } } as const;
    const inRow = decideIn(
      buildGraph({ a: [], b: [], c: ['a', 'b'] }, { c: { join: 1 } }),
      {
        ...{ marks: 'hq.', holds: { a: {} }, rows },
      },
      [completed('a')],
    );
    expect(inRow.writes).toContainEqual(
      expect.objectContaining({ step: 'b', status: 'running', worker: 'there', aborting: true }),
    );
    expect(inRow.state.marks).toBe('caq');
  });

  it('must see the rows where only they know what runs', () => {
    expect(decide(buildView(graph, { marks: 'hhw.', holds }), [completed('a')], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('records what an aborted attempt completes all the same, and ends with the last of them', () => {
    const running = { b: { status: 'running', attempt: 1 } } as const;
    const goesOn = decideIn(graph, { marks: 'cahc', holds: { c: {} }, rows: running }, [completed('b')]);
    expect(goesOn).toMatchObject({ status: 'running', state: { marks: 'cdhc' } });
    for (const [fact, mark] of [
      [completed('b'), 'd'],
      [failed('b'), 'x'],
      [released('b'), 'x'],
      [lost('there'), 'x'],
    ] as const) {
      const end = decideIn(graph, { marks: 'caxc', rows: running }, [fact]);
      expect(end).toMatchObject({ status: 'completed', failure: null, state: { marks: `c${mark}xc` } });
    }
  });

  it('takes an outcome that comes with the very commit that gave it up', () => {
    const both = decideIn(graph, { marks: 'hhw.', holds, rows }, [completed('a'), completed('b')]);
    expect(both).toMatchObject({ state: { marks: 'cdxq' }, stale: [] });
  });

  it('gives up what only the others waited for, and leaves what somebody else waits for', () => {
    const chains = buildGraph(
      { a: [], b: [], b2: ['b'], c: [], c2: ['c'], j: ['a', 'b2', 'c2'], e: ['c'] },
      { j: { join: 1 } },
    );
    const decision = decideIn(chains, { marks: 'hh.h...', holds: { a: {}, b: {}, c: {} } }, [completed('a')]);
    expect(decision.state.marks).toBe('caxhxq.');
  });

  it('is skipped as soon as so many can no longer come', () => {
    const two = buildGraph(
      { a: [], b: [], c: [], d: ['a', 'b', 'c'] },
      { d: { join: 2 }, a: { when: 'x' }, b: { when: 'x' } },
    );
    const marks = 'hhh.';
    const decision = decideIn(two, { marks, holds: { a: {}, b: {}, c: {} } }, [skipped('a'), skipped('b')]);
    expect(decision.state.marks).toBe('sshs');
  });

  it('withdraws what began with the very commit that gave it up', () => {
    const race = buildGraph(
      { a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: ['b'] },
      { d: { join: 1 }, b: { when: 'x' } },
    );
    const { state, starts } = decideIn(
      race,
      { marks: 'hh...', holds: { a: {}, b: {} } },
      [completed('a'), completed('b')],
      buildPlace(9),
    );
    expect(state.marks).toBe('ccxhh');
    expect(starts.map(({ step }) => step).sort()).toEqual(['d', 'e']);
  });
});

describe('a wait', () => {
  const graph = buildGraph({ a: [], b: ['a'] }, { a: { kind: 'sleep', delayMs: 7 } });
  const until = buildGraph({ a: [], b: ['a'] }, { a: { kind: 'sleep-until' } });
  const delayed = buildGraph({ a: [] }, { a: { delayMs: 7, when: 'isWanted' } });

  it('is a row with a time, and the run waits', () => {
    const decision = decideIn(graph, {}, [BEGUN], buildPlace(1));
    expect(decision).toMatchObject({ status: 'waiting', starts: [], state: { marks: 'w.' } });
    expect(decision.writes).toMatchObject([{ step: 'a', status: 'waiting', delayMs: 7, guard: null }]);
  });

  it('has ended with the attempt that its time made ready', () => {
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(graph, { marks: 'w.', status: 'waiting', rows }, [completed('a')]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'cq' } });
  });

  it('until a time lasts until then, whatever it is', () => {
    const decision = decideIn(until, { marks: 'h.', holds: { a: {} } }, [parked('a')]);
    expect(decision).toMatchObject({ status: 'waiting', state: { marks: 'w.' }, worker: null });
    expect(decision.writes).toMatchObject([
      { status: 'waiting', dueAt: '2027', delayMs: null, result: '"d"', tally: { stage: 'parked' } },
    ]);
  });

  it('comes after the condition, which is not asked again', () => {
    const decision = decideIn(delayed, { marks: 'h', holds: { a: {} } }, [admitted('a')], buildPlace(1));
    expect(decision).toMatchObject({ status: 'waiting', starts: [] });
    expect(decision.writes).toMatchObject([{ status: 'waiting', delayMs: 7, tally: { stage: 'admitted' } }]);
  });

  it('is over as far as the run is concerned when its step is taken up', () => {
    const rows = { a: { status: 'running', attempt: 1, stage: 'admitted' } } as const;
    const awake: Fact = { type: 'step-awake', claim: claim('a', 'admitted') };
    const decision = decideIn(delayed, { marks: 'w', status: 'waiting', rows }, [awake]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'q' }, writes: [] });
    expect(decideIn(delayed, { marks: 'c', status: 'completed', rows: {} }, [awake]).changed).toBe(false);
  });

  it('ends at once when somebody wakes the run, and so does the wait for a next attempt', () => {
    const both = buildGraph({ a: [], b: [], c: [] }, { a: { kind: 'sleep', delayMs: 7 } });
    const rows = {
      a: { status: 'waiting' },
      b: { status: 'retrying', attempt: 1, failures: 1 },
      c: { status: 'running', attempt: 1 },
    } as const;
    const { writes, status } = decideIn(both, { marks: 'wqq', rows }, [WAKE]);
    expect(status).toBe('running');
    expect(writes.map(({ step, status: is }) => `${step} ${is}`).sort()).toEqual(['a ready', 'b ready']);
    expect(decide(buildView(both, { marks: 'wqq' }), [WAKE], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('before the start ends at once when somebody wakes the run', () => {
    expect(decideIn(buildGraph({ a: [] }), {}, [WAKE])).toMatchObject({ status: 'running', state: { marks: 'q' } });
  });

  it('ends with its run', () => {
    const rows = { a: { status: 'waiting' } } as const;
    expect(decideIn(graph, { marks: 'w.', status: 'waiting', rows }, [CANCELLED])).toMatchObject({
      status: 'cancelled',
      state: { marks: 'xx' },
    });
    for (const fact of [parked('a'), released('a')]) {
      const parts = { marks: 'hx', status: 'cancelling', holds: { a: {} } } as const;
      expect(decideIn(until, parts, [fact])).toMatchObject({ status: 'cancelled', state: { marks: 'xx' } });
    }
    expect(decideIn(graph, { marks: 'xx', status: 'cancelled', rows: {} }, [WAKE]).changed).toBe(false);
  });
});
