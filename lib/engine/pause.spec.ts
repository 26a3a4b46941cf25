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
  PAUSED,
  released,
  RESUMED,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS } from './decision.js';
import type { Claim, Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';

const CHAIN = buildGraph({ a: [], b: ['a'], c: ['b'] });
const PAIR = buildGraph({ a: [], b: [], c: ['a', 'b'] });
const SAGA = buildGraph(
  { a: [], b: ['a'], undoA: [] },
  { undoA: { kind: 'compensation', compensates: 'a' }, b: { retry: { ...CHAIN.nodes[0]!.retry, attempts: 1 } } },
);
const FAN = buildGraph({ a: [], b: ['a'] }, { a: { fanOut: { maxItems: 2, tolerate: 0 } } });
const DEADLINE: Fact = { type: 'deadline-passed', error: 'late' };
const TERMINATED: Fact = { type: 'terminate-requested', by: null, reason: null };
const WOKEN: Fact = { type: 'wake-requested', by: null, reason: null };
const FATAL = { retryable: false } as const;
const HELD = { status: 'paused', marks: 'h..', holds: { a: {} } } as const;

const claim = (step: string, parts: Partial<Claim> = {}): Claim => {
  return { step, attempt: 1, failures: 0, crashes: 0, startedAt: 'then', ...parts };
};

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace(9)) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a pause', () => {
  it.each(['pending', 'running', 'waiting'] as const)('holds a run that is %s, and says who asked', (status) => {
    const decision = decideIn(CHAIN, { status, marks: '...', rows: {} }, [PAUSED]);
    expect(decision).toMatchObject({ changed: true, status: 'paused', pause: 'begins', writes: [], starts: [] });
    expect(decision.audit).toEqual([{ action: 'pause', by: 'me', reason: 'a fault' }]);
  });

  it.each([
    'paused',
    'failing',
    'cancelling',
    'compensating',
    'completed',
    'failed',
    'cancelled',
    'terminated',
  ] as const)('changes nothing in a run that is %s', (status) => {
    const decision = decideIn(CHAIN, { status, marks: '...', rows: {} }, [PAUSED]);
    expect(decision).toMatchObject({ changed: false, status, pause: null, audit: [] });
  });

  it('goes alone, and so does its end: the rows that wait are told', () => {
    for (const fact of [PAUSED, RESUMED]) {
      const status = fact === PAUSED ? 'running' : 'paused';
      expect(decide(buildView(CHAIN, { status, marks: 'h..', holds: { a: {} } }), [fact], buildPlace())).toBe(
        NEEDS_ROWS,
      );
    }
  });

  it('lets nothing begin with what is under way: that is recorded, and completes the run where it was the last', () => {
    const decision = decideIn(CHAIN, { ...HELD, rows: {} }, [completed('a')]);
    expect(decision).toMatchObject({ status: 'paused', state: { marks: 'c..' }, starts: [], pause: null });
    const last = decideIn(CHAIN, { status: 'paused', marks: 'cch', holds: { c: {} } }, [completed('c')]);
    expect(last).toMatchObject({ status: 'completed', state: { marks: 'ccc' } });
  });

  it('takes back what was to begin with the same commit, as if no slot had been free', () => {
    const parts = { marks: 'h..', holds: { a: {} }, rows: {} };
    const held = decideIn(CHAIN, parts, [completed('a'), PAUSED]);
    expect(held).toMatchObject({ state: { marks: 'cq.' }, starts: [], worker: null, status: 'paused' });
    expect(held.writes[1]).toMatchObject({ step: 'b', status: 'ready', guard: null, tally: { attempt: 0 } });
    const asked = buildGraph({ a: [] }, { a: { when: 'isWanted' } });
    const admitted: Fact = { type: 'step-admitted', claim: claim('a') };
    const waits = decideIn(asked, { marks: 'h', holds: { a: {} }, rows: {} }, [admitted, PAUSED]);
    expect(waits.writes).toMatchObject([
      { status: 'ready', tally: { attempt: 1, stage: 'admitted' }, startedAt: 'then', worker: null },
    ]);
    const row = { a: { status: 'running', attempt: 1, worker: 'here' } } as const;
    const queued = decideIn(asked, { marks: 'q', rows: row }, [admitted, PAUSED]);
    expect(queued.writes).toMatchObject([
      { status: 'ready', tally: { attempt: 1, stage: 'admitted' }, guard: { attempt: 1, running: true }, worker: null },
    ]);
  });

  it('leaves a step whose condition was met, an attempt that failed, and one that was handed over or lost, to wait', () => {
    const asked = buildGraph({ a: [] }, { a: { when: 'isWanted' } });
    const admitted = decideIn(asked, { status: 'paused', marks: 'h', holds: { a: {} } }, [
      { type: 'step-admitted', claim: claim('a') },
    ]);
    expect(admitted).toMatchObject({ starts: [], writes: [{ status: 'ready', tally: { stage: 'admitted' } }] });
    expect(decideIn(CHAIN, HELD, [failed('a')]).writes).toMatchObject([{ status: 'retrying' }]);
    expect(decideIn(CHAIN, HELD, [released('a')]).writes).toMatchObject([{ status: 'ready' }]);
    expect(decideIn(CHAIN, { ...HELD, worker: 'dead', rows: {} }, [lost('dead')]).writes).toMatchObject([
      { status: 'ready', tally: { crashes: 1 } },
    ]);
  });

  it('begins no items; those under way are counted', () => {
    const parts = { status: 'paused', marks: 'i.', fanOuts: { a: {} } } as const;
    const rows = { 'a[0]': { status: 'running', attempt: 1 }, 'a[1]': { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(FAN, { ...parts, rows }, [completed('a[0]'), completed('a[1]')]);
    expect(decision.state.fanOuts!.get('a')).toMatchObject({ next: 2, completed: 2 });
    expect(decision).toMatchObject({ status: 'paused', state: { marks: 'i.' }, starts: [] });
    const stored: Fact = { type: 'step-expanded', claim: claim('a'), count: 3 };
    const expanded = decideIn(FAN, { status: 'paused', marks: 'h.', holds: { a: {} } }, [stored]);
    expect(expanded.state.fanOuts!.get('a')).toMatchObject({ total: 3, next: 0 });
    const resumed = decideIn(FAN, { ...parts, fanOuts: { a: { completed: 2 } }, rows: {} }, [RESUMED], buildPlace(1));
    expect(resumed.state.fanOuts!.get('a')).toMatchObject({ next: 4 });
    expect(resumed.starts).toMatchObject([{ step: 'a[2]' }]);
    expect(resumed.writes).toMatchObject([{ step: 'a[3]', status: 'ready' }]);
  });

  it('gives a signal to the step that waits for it, whose code does not begin', () => {
    const graph = buildGraph({ a: [] }, { a: { kind: 'signal', signals: ['paid'] } });
    const rows = { a: { status: 'waiting', stage: 'parked' } } as const;
    const inbox = [{ id: '1', name: 'paid', seen: false }];
    const decision = decideIn(graph, { status: 'paused', marks: 'w', rows, inbox }, [{ type: 'signalled' }]);
    expect(decision).toMatchObject({ status: 'paused', starts: [], signals: [{ id: '1', step: 'a' }] });
    expect(decision.writes).toMatchObject([{ status: 'ready', tally: { stage: 'received' } }]);
  });

  it('lets no step fail because no worker takes it', () => {
    const rows = { a: { status: 'ready' } } as const;
    const late: Fact = { type: 'steps-unclaimed', steps: [{ step: 'a', attempt: 0, error: 'nobody' }] };
    expect(decideIn(CHAIN, { status: 'paused', marks: 'q..', rows }, [late]).changed).toBe(false);
  });

  it('keeps the run from beginning, and from being woken', () => {
    const pending = { status: 'paused', rows: {} } as const;
    for (const fact of [BEGUN, WOKEN]) expect(decideIn(CHAIN, pending, [fact]).changed).toBe(false);
    const waiting = { status: 'paused', marks: 'w..', rows: { a: { status: 'waiting' } } } as const;
    expect(decideIn(CHAIN, waiting, [WOKEN]).changed).toBe(false);
  });
});

describe('a step that fails for good in a run that is paused', () => {
  const noted = decideIn(SAGA, { status: 'paused', marks: 'chz', holds: { b: {} } }, [failed('b', FATAL)]);
  const failure = { step: 'b', error: 'boom' };
  const parts = { status: 'paused', marks: 'cfz', failure, rows: {} } as const;

  it('leaves it paused, and undoes nothing: what it failed with first is noted', () => {
    expect(noted).toMatchObject({ status: 'paused', state: { marks: 'cfz' }, failure, starts: [] });
    const both = { status: 'paused', marks: 'hh.', holds: { a: {}, b: {} } } as const;
    const two = decideIn(PAIR, both, [failed('a', FATAL), failed('b', FATAL)]);
    expect(two).toMatchObject({ status: 'paused', failure: { step: 'a' }, state: { marks: 'ff.' } });
    const later = decideIn(PAIR, { ...both, marks: 'fh.', holds: { b: {} }, failure: { step: 'a', error: 'x' } }, [
      failed('b', FATAL),
    ]);
    expect(later.failure).toEqual({ step: 'a', error: 'x' });
  });

  it('does not let it complete where nothing is left', () => {
    const graph = buildGraph({ a: [], b: [] }, { b: { onFailure: 'continue' } });
    const left = { status: 'paused', marks: 'fh', holds: { b: {} }, failure: { step: 'a', error: 'x' } } as const;
    expect(decideIn(graph, left, [failed('b', FATAL)])).toMatchObject({ status: 'paused', state: { marks: 'ff' } });
  });

  it.each([
    ['it is resumed', RESUMED, 'resume'],
    ['it is cancelled', CANCELLED, 'cancel'],
  ] as const)('stops it once %s', (_, fact, action) => {
    const decision = decideIn(SAGA, parts, [fact]);
    expect(decision).toMatchObject({ status: 'compensating', failure, state: { marks: 'cfh' }, pause: null });
    expect(decision.audit).toMatchObject([{ action }]);
  });

  it('is what the run has failed with also where its deadline passes', () => {
    expect(decideIn(SAGA, parts, [DEADLINE])).toMatchObject({ status: 'compensating', failure });
  });
});

describe('a run that is paused', () => {
  it('is stopped like any other: cancelled, overdue, terminated', () => {
    const parts = { ...HELD, rows: {} };
    expect(decideIn(CHAIN, parts, [CANCELLED])).toMatchObject({ status: 'cancelling', state: { marks: 'hxx' } });
    const late = decideIn(CHAIN, parts, [DEADLINE]);
    expect(late).toMatchObject({ status: 'failing', failure: { step: 'a', error: 'late' } });
    expect(decideIn(CHAIN, parts, [TERMINATED])).toMatchObject({ status: 'terminated', state: { marks: 'xxx' } });
    expect(decideIn(CHAIN, { status: 'paused', rows: {} }, [CANCELLED])).toMatchObject({ status: 'cancelled' });
  });
});

describe('a resume', () => {
  it('lets begin whatever has its turn by now, and rings for what has become ready', () => {
    const rows = { a: { status: 'ready', attempt: 1 } } as const;
    const decision = decideIn(PAIR, { status: 'paused', marks: 'q..', rows }, [RESUMED], buildPlace(1));
    expect(decision).toMatchObject({ status: 'running', pause: 'ends', state: { marks: 'qh.' }, writes: [] });
    expect([...decision.rings]).toEqual(['q']);
    expect(decision.audit).toEqual([{ action: 'resume', by: 'me', reason: null }]);
  });

  it('passes by rows of steps that nobody knows, and those that it writes itself', () => {
    const rows = { a: { status: 'ready', attempt: 1 }, gone: { status: 'ready' } } as const;
    const facts = [RESUMED, PAUSED, RESUMED];
    expect(decideIn(CHAIN, { status: 'paused', marks: 'q..', rows }, facts)).toMatchObject({ status: 'running' });
    const signal = { a: { status: 'waiting', stage: 'parked' } } as const;
    const graph = buildGraph({ a: [] }, { a: { kind: 'signal', signals: ['paid'] } });
    const inbox = [{ id: '1', name: 'paid', seen: false }];
    const taken = decideIn(graph, { status: 'paused', marks: 'w', rows: signal, inbox }, [
      { type: 'signalled' },
      RESUMED,
    ]);
    expect(taken).toMatchObject({ status: 'running', writes: [{ status: 'ready' }], pause: 'ends' });
  });

  it('lets a run wait again that only waited, and completes one in which nothing is left to do', () => {
    const waiting = { status: 'paused', marks: 'w..', rows: { a: { status: 'waiting' } } } as const;
    expect(decideIn(CHAIN, waiting, [RESUMED])).toMatchObject({ status: 'waiting', pause: 'ends' });
    const graph = buildGraph({ a: [], b: ['a'] }, { a: { when: 'isWanted' }, b: { needs: ['a'] } });
    const skipped = decideIn(graph, { status: 'paused', marks: 's.', rows: {} }, [RESUMED]);
    expect(skipped).toMatchObject({ status: 'completed', state: { marks: 'ss' }, pause: null });
  });

  it('leaves a run that has not begun to its start time', () => {
    const decision = decideIn(SAGA, { status: 'paused', rows: {} }, [RESUMED]);
    expect(decision).toMatchObject({ status: 'pending', state: { marks: '..z' }, pause: 'ends', starts: [] });
  });

  it('changes nothing in a run that is not paused', () => {
    expect(decideIn(CHAIN, { marks: 'h..', holds: { a: {} }, rows: {} }, [RESUMED]).changed).toBe(false);
  });
});
