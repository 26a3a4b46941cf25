import { describe, expect, it } from '@jest/globals';
import {
  BEGUN,
  buildGraph,
  buildPlace,
  buildView,
  completed,
  expectDecided,
  failed,
  RETRIED,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS } from './decision.js';
import type { Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';

const UNDO = { kind: 'compensation' } as const;
const CHAIN = buildGraph({ a: [], b: ['a'], c: ['b'] });
const SAGA = buildGraph(
  { a: [], b: ['a'], undoA: [], undoB: [] },
  { undoA: { ...UNDO, compensates: 'a' }, undoB: { ...UNDO, compensates: 'b' } },
);
const FAILED = { status: 'failed', failure: { step: 'b', error: 'boom' }, rows: {} } as const;

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a retry', () => {
  it('lets the run go on from what failed, here where a slot is free; what has completed is kept', () => {
    const decision = decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED], buildPlace(1));
    expect(decision).toMatchObject({
      ...{ status: 'running', state: { marks: 'ch.' }, worker: 'here', failure: null, writes: [] },
      starts: [{ step: 'b', tally: { attempt: 1, failures: 0, crashes: 0 } }],
      renewal: { keeps: ['a'], keepsItemsOf: [], forgetsFailure: true },
      audit: [{ action: 'retry', by: 'me', reason: 'the bank is back' }],
    });
    const queued = decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED]);
    expect(queued.writes).toMatchObject([{ step: 'b', status: 'ready', guard: null, tally: { attempt: 0 } }]);
  });

  it('asks for the rows: it goes alone', () => {
    expect(decide(buildView(CHAIN, { ...FAILED, marks: 'cfx', rows: null }), [RETRIED], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('keeps failures that the run survived, steps that were skipped, and those that had lost a join', () => {
    const graph = buildGraph(
      { a: [], b: [], slow: [], race: ['b', 'slow'], d: ['a', 'race'], e: [] },
      { a: { onFailure: 'continue' }, race: { join: 1 }, e: { when: 'isWanted' } },
    );
    const failure = { step: 'd', error: 'boom' };
    const decision = decideIn(graph, { ...FAILED, failure, marks: 'fcxcfs' }, [RETRIED]);
    expect(decision).toMatchObject({ state: { marks: 'fcxcqs' }, renewal: { keeps: ['a', 'b', 'slow', 'race', 'e'] } });
  });

  it('gives up again what loses a join that begins anew', () => {
    const graph = buildGraph({ a: [], b: [], race: ['a', 'b'] }, { race: { join: 1 } });
    const failure = { step: 'race', error: 'boom' };
    const decision = decideIn(graph, { ...FAILED, failure, marks: 'cxf' }, [RETRIED]);
    expect(decision).toMatchObject({ state: { marks: 'cxq' }, starts: [] });
    expect(decision.writes.map(({ step, status }) => `${step} ${status}`)).toEqual(['b cancelled', 'race ready']);
  });

  it('lets the items of a failed fan-out keep their results', () => {
    const graph = buildGraph({ a: [], b: ['a'] }, { b: { fanOut: { maxItems: 2, tolerate: 0 } } });
    const decision = decideIn(graph, { ...FAILED, marks: 'cf' }, [RETRIED]);
    expect(decision).toMatchObject({ state: { marks: 'cq' }, renewal: { keeps: ['a'], keepsItemsOf: ['b'] } });
  });

  it('takes no signal at once: those that were taken before are to be looked at, too', () => {
    const graph = buildGraph({ a: [], b: ['a'] }, { b: { kind: 'signal', signals: ['paid'] } });
    const inbox = [{ id: '1', name: 'paid', seen: true }];
    const decision = decideIn(graph, { ...FAILED, inbox, marks: 'cf' }, [RETRIED]);
    expect(decision).toMatchObject({ status: 'waiting', state: { marks: 'cw' }, signals: [], expectsNoSignals: false });
  });

  it('ends a run in which nothing has its turn any more', () => {
    const graph = buildGraph({ a: [], b: ['a'] }, { b: { needs: ['a'] } });
    const decision = decideIn(graph, { ...FAILED, marks: 'sx' }, [RETRIED]);
    expect(decision).toMatchObject({ status: 'completed', state: { marks: 'ss' } });
  });

  it('begins failed compensations anew and nothing else, and keeps what the run failed with', () => {
    const decision = decideIn(SAGA, { ...FAILED, marks: 'cFfc' }, [RETRIED]);
    expect(decision).toMatchObject({
      ...{ status: 'compensating', state: { marks: 'cFqc' }, failure: null },
      renewal: { keeps: ['a', 'b', 'undoB'], forgetsFailure: false },
    });
    const cancelled = { ...FAILED, failure: { step: 'undoA', error: 'boom' }, marks: 'cxfs' };
    expect(decideIn(SAGA, cancelled, [RETRIED]).renewal).toMatchObject({ forgetsFailure: true });
  });

  it('changes nothing where what the run did has been undone, or it has not failed', () => {
    for (const parts of [
      { ...FAILED, marks: 'cfcs' },
      { rows: {}, status: 'running', marks: 'c...', holds: {} },
      { rows: {}, status: 'cancelled', marks: 'xxss' },
      { rows: {}, status: 'terminated', marks: 'xxzz' },
    ] as const)
      expect(decideIn(SAGA, parts, [RETRIED])).toMatchObject({ changed: false, renewal: null, audit: [] });
  });

  it('waits until the failure is committed, and begins one generation at a time', () => {
    const solo = buildGraph({ a: [] });
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(solo, { marks: 'q', rows }, [failed('a', { retryable: false }), RETRIED]);
    expect(decision).toMatchObject({ status: 'failed', renewal: null });
    const late = completed('b');
    const twice = decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED, RETRIED, late, BEGUN], buildPlace(1));
    expect(twice).toMatchObject({ state: { marks: 'ch.' }, audit: [{}], stale: [{ step: 'b' }] });
    expect(twice.audit).toHaveLength(1);
  });

  it('refuses the outcome of an attempt of an earlier generation, also where it has the same number', () => {
    const now = { marks: 'h', holds: { a: {} }, generation: 1, rows: {} };
    const solo = buildGraph({ a: [] });
    expect(decideIn(solo, now, [completed('a')]).stale).toHaveLength(1);
    const { claim } = completed('a') as Fact & { readonly type: 'step-completed' };
    const own: Fact = { type: 'step-completed', claim: { ...claim, generation: 1 }, result: '1' };
    expect(decideIn(solo, now, [own])).toMatchObject({ status: 'completed', stale: [] });
    const awake: Fact = { type: 'step-awake', claim };
    const waiting = { marks: 'w', generation: 1, rows: { a: { status: 'waiting' } } } as const;
    expect(decideIn(solo, waiting, [awake]).changed).toBe(false);
  });
});
