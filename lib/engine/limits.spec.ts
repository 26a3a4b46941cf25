import { describe, expect, it } from '@jest/globals';
import {
  BEGUN,
  buildGraph,
  buildPlace,
  buildView,
  expectDecided,
  RETRIED,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS } from './decision.js';
import type { Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';

const CHAIN = buildGraph({ a: [], b: ['a'], c: ['b'] });
const SAGA = buildGraph({ a: [], b: ['a'], undoA: [] }, { undoA: { kind: 'compensation', compensates: 'a' } });
const ASKED = { by: 'me', reason: null };
const WAKE: Fact = { type: 'wake-requested', ...ASKED };
const CANCEL: Fact = { type: 'cancel-requested', ...ASKED };
const WAITS = { gate: 'waits', rows: {} } as const;
const FAILED = { status: 'failed', gate: 'passed', failure: { step: 'b', error: 'boom' }, rows: {} } as const;

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace(1)) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a run that waits for its turn', () => {
  it('does not begin before it has had it', () => {
    expect(decideIn(CHAIN, WAITS, [BEGUN])).toMatchObject({ changed: false, status: 'pending', starts: [] });
    expect(decideIn(CHAIN, { gate: 'passed' }, [BEGUN])).toMatchObject({ status: 'running', starts: [{ step: 'a' }] });
  });

  it('is looked at once more where it is said to have had its turn', () => {
    expect(decide(buildView(CHAIN, { gate: 'waits' }), [BEGUN], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('waits on when it is woken, but no longer for its start time', () => {
    const decision = decideIn(CHAIN, WAITS, [WAKE]);
    expect(decision).toMatchObject({ changed: true, status: 'pending', hurries: true, starts: [] });
    expect(decision.audit).toMatchObject([{ action: 'wake', by: 'me' }]);
    expect(decideIn(CHAIN, { gate: 'passed' }, [WAKE])).toMatchObject({ status: 'running', hurries: false });
  });

  it('ends when it is cancelled or terminated, or its deadline passes', () => {
    const status = (fact: Fact) => decideIn(SAGA, WAITS, [fact]).status;
    expect(status(CANCEL)).toBe('cancelled');
    expect(status({ type: 'terminate-requested', ...ASKED })).toBe('terminated');
    expect(status({ type: 'deadline-passed', error: 'late' })).toBe('failed');
  });
});

describe('a run with limits that is retried', () => {
  it('waits for its turn again, and goes on from what failed when it has it', () => {
    const waiting = decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED]);
    expect(waiting).toMatchObject({ status: 'pending', state: { marks: 'c..' }, starts: [], writes: [] });
    const parts = { status: 'pending', gate: 'passed', generation: 1, marks: 'c..' } as const;
    expect(decideIn(CHAIN, parts, [BEGUN])).toMatchObject({ status: 'running', starts: [{ step: 'b' }] });
  });

  it('waits on where it is paused and resumed', () => {
    const pause: Fact = { type: 'pause-requested', ...ASKED };
    const resume: Fact = { type: 'resume-requested', ...ASKED };
    const parts = { status: 'paused', ...WAITS, generation: 1, marks: 'c..' } as const;
    expect(decideIn(CHAIN, parts, [resume])).toMatchObject({ status: 'pending', starts: [] });
    expect(decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED, pause, resume])).toMatchObject({ status: 'pending' });
    expect(decideIn(CHAIN, { ...FAILED, gate: null, marks: 'cfx' }, [RETRIED, pause, resume])).toMatchObject({
      status: 'running',
    });
  });

  it('does not begin in the commit that retries it, whoever says so', () => {
    expect(decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED, BEGUN])).toMatchObject({ status: 'pending' });
    expect(decideIn(CHAIN, { ...FAILED, marks: 'cfx' }, [RETRIED, WAKE])).toMatchObject({ status: 'pending' });
  });

  it('is undone where it is cancelled before it has its turn', () => {
    const parts = { status: 'pending', ...WAITS, generation: 1, marks: 'c.z' } as const;
    const dormant = buildView(SAGA).state.marks[2]!;
    const marks = `c.${dormant}`;
    expect(decideIn(SAGA, { ...parts, marks }, [CANCEL])).toMatchObject({
      status: 'compensating',
      starts: [{ step: 'undoA' }],
    });
    const folded = decideIn(SAGA, { ...FAILED, marks: `cf${dormant}` }, [RETRIED, CANCEL]);
    expect(folded).toMatchObject({ status: 'compensating' });
  });

  it('does not wait for its turn where what failed is its undoing', () => {
    const parts = { ...FAILED, failure: { step: 'b', error: 'boom' }, marks: 'cff' } as const;
    expect(decideIn(SAGA, parts, [RETRIED])).toMatchObject({ status: 'compensating', starts: [{ step: 'undoA' }] });
  });
});
