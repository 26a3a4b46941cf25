import { describe, expect, it } from '@jest/globals';
import {
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
import type { Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';

const ONCE = { ...DEFAULT_RETRY, attempts: 1 };
const undo = (compensates: string) => ({ kind: 'compensation', compensates, retry: ONCE }) as const;

/** a → b ∥ c → d, the first three undone by A, B, C. */
const SAGA = buildGraph(
  { a: [], b: ['a'], c: ['a'], d: ['b', 'c'], A: [], B: [], C: [] },
  { A: undo('a'), B: undo('b'), C: undo('c'), d: { retry: ONCE } },
);
const FAILURE = { step: 'd', error: 'boom' };
const TERMINATED: Fact = { type: 'terminate-requested', by: 'me', reason: 'enough' };

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a run that fails', () => {
  it('undoes what was done: at first the newest, side by side where they ran side by side', () => {
    const decision = decideIn(SAGA, { marks: 'ccchzzz', holds: { d: {} } }, [failed('d')], buildPlace(9));
    expect(decision).toMatchObject({ status: 'compensating', failure: FAILURE, state: { marks: 'cccf.hh' } });
    expect(decision.starts.map(({ step }) => step)).toEqual(['B', 'C']);
  });

  it('goes on to what is older when all that came later is undone, and ends when everything is', () => {
    const parts = { status: 'compensating', failure: FAILURE } as const;
    const one = decideIn(SAGA, { ...parts, marks: 'cccf.hh', holds: { B: {}, C: {} } }, [completed('B')]);
    expect(one).toMatchObject({ status: 'compensating', state: { marks: 'cccf.ch' } });
    const both = decideIn(SAGA, { ...parts, marks: 'cccf.ch', holds: { C: {} } }, [completed('C')]);
    expect(both).toMatchObject({ status: 'compensating', state: { marks: 'cccfqcc' } });
    const end = decideIn(SAGA, { ...parts, marks: 'cccfhcc', holds: { A: {} } }, [completed('A')]);
    expect(end).toMatchObject({ status: 'failed', state: { marks: 'cccfccc' } });
  });

  it('undoes nothing while an attempt is under way', () => {
    const decision = decideIn(SAGA, { marks: 'chh.zzz', holds: { b: {}, c: {} } }, [failed('b', { retryable: false })]);
    expect(decision).toMatchObject({ status: 'failing', state: { marks: 'cfhxzzz' } });
    const settled = decideIn(SAGA, { marks: 'cfhxzzz', status: 'failing', holds: { c: {} }, failure: FAILURE }, [
      completed('c'),
    ]);
    expect(settled).toMatchObject({ status: 'compensating', state: { marks: 'cfcx.sq' } });
  });

  it('that has done nothing to be undone just fails', () => {
    const decision = decideIn(SAGA, { marks: 'h...zzz', holds: { a: {} } }, [failed('a', { retryable: false })]);
    expect(decision).toMatchObject({ status: 'failed', state: { marks: 'fxxxzzz' } });
  });
});

describe('a point of no return', () => {
  const point = (step: string) =>
    buildGraph(
      { a: [], b: ['a'], c: ['a'], d: ['b', 'c'], A: [], B: [], C: [] },
      { A: undo('a'), B: undo('b'), C: undo('c'), d: { retry: ONCE }, [step]: { pointOfNoReturn: true, retry: ONCE } },
    );

  it('that has completed keeps what came before it, and itself, from being undone: not what ran beside it', () => {
    const passed = decideIn(point('b'), { marks: 'ccchzzz', holds: { d: {} } }, [failed('d')], buildPlace(9));
    expect(passed).toMatchObject({ status: 'compensating', state: { marks: 'cccfssh' } });
    expect(passed.starts.map(({ step }) => step)).toEqual(['C']);
  });

  it('lets a run that is cancelled end at once where nothing else is to be undone', () => {
    const graph = buildGraph({ a: [], b: ['a'], c: ['b'], A: [] }, { A: undo('a'), b: { pointOfNoReturn: true } });
    const waiting = { c: { status: 'waiting' } } as const;
    const decision = decideIn(graph, { status: 'waiting', marks: 'ccwz', rows: waiting }, [CANCELLED]);
    expect(decision).toMatchObject({ status: 'cancelled', state: { marks: 'ccxz' }, starts: [] });
  });

  it.each([
    ['has failed', 'cfxxzzz', 'cfxxhss'],
    ['has been given up, and may have been done', 'cXxxzzz', 'cXxx.hs'],
  ])('that %s keeps nothing', (_, marks, after) => {
    const parts = { status: 'failing', marks: marks.replace('x', 'h'), holds: { c: {} }, failure: FAILURE } as const;
    const decision = decideIn(point('b'), parts, [failed('c', { aborted: true })], buildPlace(9));
    expect(decision.state.marks).toBe(after);
  });
});

describe('a step of which nobody knows whether it had its effect', () => {
  const stopped = { status: 'cancelling', holds: { a: {} }, marks: 'hxxxzzz' } as const;

  it.each([
    ['was aborted', failed('a', { aborted: true, inDoubt: true })],
    ['timed out', failed('a', { inDoubt: true })],
    ['was handed over', released('a')],
    ['ended with its worker', lost('here')],
  ])('is undone: its attempt %s', (_, fact) => {
    const decision = decideIn(SAGA, { ...stopped, rows: {} }, [fact]);
    expect(decision.status).toBe('compensating');
    expect(decision.state.marks).toMatch(/^[XF]xxxqss$/);
  });

  it('is undone also where an earlier attempt was given up and the last one failed', () => {
    const rows = { a: { status: 'running', attempt: 2, failures: 1, inDoubt: true } } as const;
    const first = decideIn(SAGA, { marks: 'h...zzz', holds: { a: {} } }, [failed('a', { inDoubt: true })]);
    expect(first.writes).toMatchObject([{ status: 'retrying', tally: { failures: 1, inDoubt: true } }]);
    const claim = { step: 'a', attempt: 2, failures: 1, crashes: 0, startedAt: 'then', inDoubt: true } as const;
    const failure = { error: 'no', retryable: false, retryAfterMs: null, aborted: false, inDoubt: false, random: 0 };
    const last = decideIn(SAGA, { marks: 'q...zzz', rows }, [{ type: 'step-failed', claim, failure }]);
    expect(last).toMatchObject({ status: 'compensating', state: { marks: 'Fxxxqss' } });
  });

  it('that failed of itself was not done', () => {
    expect(decideIn(SAGA, stopped, [failed('a')])).toMatchObject({ status: 'cancelled', state: { marks: 'fxxxzzz' } });
  });

  it('is told apart also where it cannot be undone: somebody may be asked what has come of it', () => {
    const solo = buildGraph({ a: [] });
    for (const fact of [failed('a', { inDoubt: true }), released('a')]) {
      const [write] = decideIn(solo, { marks: 'h', holds: { a: {} } }, [fact]).writes;
      expect(write!.tally).toMatchObject({ inDoubt: true });
    }
    const [plain] = decideIn(solo, { marks: 'h', holds: { a: {} } }, [failed('a')]).writes;
    expect(plain!.tally).not.toHaveProperty('inDoubt');
  });

  it('and cannot be undone ends as any other', () => {
    const solo = buildGraph({ a: [] });
    const decision = decideIn(solo, { marks: 'h', status: 'cancelling', holds: { a: {} } }, [released('a')]);
    expect(decision.state.marks).toBe('x');
  });
});

describe('a cancelled run', () => {
  it('undoes what was done and is cancelled then; a second cancel changes nothing', () => {
    const rows = { b: { status: 'ready' }, c: { status: 'ready' } } as const;
    const decision = decideIn(SAGA, { marks: 'cqq.zzz', rows }, [CANCELLED]);
    expect(decision).toMatchObject({ status: 'compensating', state: { marks: 'cxxxqss' } });
    const undoing = { marks: 'cxxxhss', status: 'compensating', holds: { A: {} } } as const;
    expect(decideIn(SAGA, undoing, [CANCELLED]).changed).toBe(false);
    expect(decideIn(SAGA, undoing, [completed('A')]).status).toBe('cancelled');
  });

  it('before its time just is cancelled', () => {
    expect(decideIn(SAGA, {}, [CANCELLED])).toMatchObject({ status: 'cancelled', state: { marks: 'xxxxzzz' } });
  });
});

describe('a compensation', () => {
  const undoing = { marks: 'cccf.hh', status: 'compensating', holds: { B: {}, C: {} }, failure: FAILURE } as const;

  it('is tried again by its own policy', () => {
    const patient = buildGraph({ a: [], A: [] }, { A: { kind: 'compensation', compensates: 'a' } });
    const parts = { marks: 'ch', status: 'compensating', holds: { A: {} } } as const;
    const decision = decideIn(patient, parts, [failed('A')]);
    expect(decision).toMatchObject({ status: 'compensating', writes: [{ status: 'retrying' }] });
  });

  it('that fails for good keeps nothing else from being undone', () => {
    const one = decideIn(SAGA, undoing, [failed('B'), completed('C')]);
    expect(one).toMatchObject({ status: 'compensating', state: { marks: 'cccfqfc' }, failure: null });
  });

  it('that fails for good makes a cancelled run a failed one', () => {
    const parts = { marks: 'cxxxhss', status: 'compensating', holds: { A: {} } } as const;
    const decision = decideIn(SAGA, parts, [failed('A')]);
    expect(decision).toMatchObject({ status: 'failed', failure: { step: 'A', error: 'boom' } });
    const rows = { A: { status: 'running', attempt: 3, crashes: 2, alone: true } } as const;
    const poisoned = decideIn(SAGA, { marks: 'cxxxqss', status: 'compensating', rows }, [lost('there')]);
    expect(poisoned).toMatchObject({ status: 'failed', failure: { step: 'A', error: 'poison' } });
  });
});

describe('a terminated run', () => {
  it('has ended at once, whatever waits or runs in it, and undoes nothing', () => {
    const rows = { b: { status: 'running', attempt: 1 }, c: { status: 'retrying', attempt: 1 } } as const;
    const decision = decideIn(SAGA, { marks: 'cqq.zzz', rows }, [TERMINATED]);
    expect(decision).toMatchObject({ status: 'terminated', cancelReason: 'enough', worker: null });
    expect(decision.state.marks).toBe('cxxxzzz');
    expect(decision.writes).toMatchObject([
      { step: 'b', status: 'cancelled', guard: { attempt: 1, running: true } },
      { step: 'c', status: 'cancelled', guard: { attempt: 1, running: false } },
    ]);
    const held = decideIn(SAGA, { marks: 'h...zzz', holds: { a: {} } }, [TERMINATED]);
    expect(held).toMatchObject({ status: 'terminated', writes: [{ step: 'a', status: 'cancelled' }] });
  });

  it('may be so before its time, while it is stopped and while it undoes, and not once it has ended', () => {
    expect(decideIn(SAGA, {}, [TERMINATED]).status).toBe('terminated');
    const undoing = { marks: 'cxxxhss', status: 'compensating', holds: { A: {} } } as const;
    expect(decideIn(SAGA, undoing, [TERMINATED]).status).toBe('terminated');
    expect(decideIn(SAGA, { marks: 'cccczzz', status: 'completed' }, [TERMINATED]).changed).toBe(false);
  });

  it('must see the rows', () => {
    for (const marks of ['cqq.zzz', 'caccz'.padEnd(7, 'z')]) {
      expect(decide(buildView(SAGA, { marks }), [TERMINATED], buildPlace())).toBe(NEEDS_ROWS);
    }
  });
});

describe('a run that takes too long', () => {
  const PASSED: Fact = { type: 'deadline-passed', error: 'late' };

  it('fails in the first step that has not ended, and undoes what was done', () => {
    const rows = { b: { status: 'waiting' }, c: { status: 'ready' } } as const;
    const decision = decideIn(SAGA, { marks: 'cwq.zzz', rows }, [PASSED]);
    expect(decision).toMatchObject({ status: 'compensating', failure: { step: 'b', error: 'late' } });
    expect(decision.state.marks).toBe('cxxxqss');
  });

  it('may be one that has not begun', () => {
    expect(decideIn(SAGA, {}, [PASSED])).toMatchObject({ status: 'failed', failure: { step: 'a' } });
  });

  it('is left alone while it is stopped or undone, and once it has ended', () => {
    for (const [status, marks] of [
      ['cancelling', 'chhxzzz'],
      ['compensating', 'cxxxqss'],
      ['completed', 'cccczzz'],
    ] as const)
      expect(decideIn(SAGA, { status, marks }, [PASSED]).changed).toBe(false);
  });

  it('must be seen with its rows', () => {
    expect(decide(buildView(SAGA, { marks: 'cqq.zzz' }), [PASSED], buildPlace())).toBe(NEEDS_ROWS);
  });
});
