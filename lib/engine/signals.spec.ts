import { describe, expect, it } from '@jest/globals';
import {
  BEGUN,
  buildGraph,
  buildPlace,
  buildView,
  CANCELLED,
  expectDecided,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS, type InboxSignal } from './decision.js';
import type { Claim, Fact, WaitEnd } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import type { Stage } from './run-state.js';

const WAIT = { kind: 'signal', signals: ['paid', 'gone'], waitMs: 9 } as const;
const SOLO = buildGraph({ a: [], b: ['a'] }, { a: WAIT });
const BEHIND = buildGraph({ a: [], b: ['a'] }, { b: WAIT });
const SIGNALLED: Fact = { type: 'signalled' };

const claim = (step: string, stage?: Stage): Claim => {
  return { step, attempt: 1, failures: 0, crashes: 0, startedAt: 'then', ...(stage ? { stage } : {}) };
};
const signal = (id: string, name: string, seen = false): InboxSignal => ({ id, name, seen });
const waitEnded = (end: WaitEnd): Fact => ({ type: 'wait-ended', claim: claim('a', 'parked'), end });

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a step that waits for a signal', () => {
  it('waits as long as it may, and the run with it; void where there is a signal at which nobody has looked', () => {
    const decision = decideIn(BEHIND, { marks: 'h.', holds: { a: {} } }, [
      { type: 'step-completed', claim: claim('a'), result: '1' },
    ]);
    expect(decision).toMatchObject({ status: 'waiting', state: { marks: 'cw' }, expectsNoSignals: true });
    expect(decision.writes[1]).toMatchObject({ step: 'b', status: 'waiting', delayMs: 9, tally: { stage: 'parked' } });
    const looked = decideIn(SOLO, { rows: {} }, [BEGUN]);
    expect(looked).toMatchObject({ status: 'waiting', expectsNoSignals: false });
    const endless = decideIn(buildGraph({ a: [] }, { a: { kind: 'signal', signals: ['x'] } }), {}, [BEGUN]);
    expect(endless.writes[0]).toMatchObject({ status: 'waiting', delayMs: null });
  });

  it('takes the oldest signal of its names that came before it, and no second one', () => {
    const inbox = [signal('1', 'other'), signal('2', 'gone', true), signal('3', 'paid')];
    const decision = decideIn(SOLO, { rows: {}, inbox }, [BEGUN], buildPlace(1));
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'h.' } });
    expect(decision.signals).toEqual([{ id: '2', step: 'a' }]);
    expect(decision.starts).toMatchObject([{ step: 'a', tally: { attempt: 1, stage: 'received' } }]);
    const queued = decideIn(SOLO, { rows: {}, inbox }, [BEGUN]);
    expect(queued.writes).toMatchObject([{ step: 'a', status: 'ready', tally: { attempt: 0, stage: 'received' } }]);
  });

  it('leaves a signal to another that took it in the same commit', () => {
    const twins = buildGraph({ a: [], b: [] }, { a: WAIT, b: WAIT });
    const decision = decideIn(twins, { rows: {}, inbox: [signal('1', 'paid')] }, [BEGUN]);
    expect(decision).toMatchObject({ state: { marks: 'qw' }, signals: [{ id: '1', step: 'a' }] });
  });

  it('goes on with the signal that comes, here where a slot is free', () => {
    const parts = { marks: 'w.', status: 'waiting', inbox: [signal('1', 'paid')] } as const;
    const waiting = { a: { status: 'waiting', stage: 'parked' } } as const;
    const here = decideIn(SOLO, { ...parts, rows: waiting }, [SIGNALLED], buildPlace(1));
    expect(here).toMatchObject({ status: 'running', state: { marks: 'q.' }, signals: [{ id: '1', step: 'a' }] });
    expect(here.writes).toMatchObject([
      {
        status: 'running',
        worker: 'here',
        tally: { attempt: 1, stage: 'received' },
        guard: { attempt: 0, stage: 'parked' },
      },
    ]);
    const elsewhere = decideIn(SOLO, { ...parts, rows: waiting }, [SIGNALLED]);
    expect(elsewhere.writes).toMatchObject([{ status: 'ready', tally: { attempt: 0, stage: 'received' } }]);
    expect([...elsewhere.rings]).toEqual(['q']);
  });

  it('takes a signal also when its time is over and nobody has ended it, and leaves it to whoever is ending it', () => {
    const parts = { marks: 'w.', status: 'waiting', inbox: [signal('1', 'paid')] } as const;
    const woken = { a: { status: 'ready', stage: 'parked' } } as const;
    expect(decideIn(SOLO, { ...parts, rows: woken }, [SIGNALLED]).signals).toEqual([{ id: '1', step: 'a' }]);
    const claimed = { a: { status: 'running', attempt: 1, stage: 'parked' } } as const;
    expect(decideIn(SOLO, { ...parts, rows: claimed }, [SIGNALLED]).signals).toEqual([{ id: '1', step: null }]);
  });

  it('is asked for its condition first', () => {
    const graph = buildGraph({ a: [] }, { a: { ...WAIT, when: 'isWanted' } });
    const begun = decideIn(graph, {}, [BEGUN], buildPlace(1));
    expect(begun.starts).toMatchObject([{ step: 'a' }]);
    const admitted: Fact = { type: 'step-admitted', claim: claim('a') };
    const held = { marks: 'h', holds: { a: {} } };
    expect(decideIn(graph, held, [admitted])).toMatchObject({ status: 'waiting', expectsNoSignals: true });
    const there = decideIn(graph, { ...held, rows: {}, inbox: [signal('1', 'paid')] }, [admitted], buildPlace(1));
    expect(there.starts).toMatchObject([{ step: 'a', tally: { attempt: 1, stage: 'received' } }]);
  });
});

describe('a signal', () => {
  it('that nobody waits for is looked at once, and kept', () => {
    const inbox = [signal('1', 'other'), signal('2', 'paid', true)];
    const decision = decideIn(BEHIND, { marks: 'h.', holds: { a: {} }, rows: {}, inbox }, [SIGNALLED]);
    expect(decision).toMatchObject({ changed: true, signals: [{ id: '1', step: null }], status: 'running' });
    const seen = decideIn(BEHIND, { marks: 'h.', holds: { a: {} }, rows: {}, inbox: [inbox[1]!] }, [SIGNALLED]);
    expect(seen.changed).toBe(false);
  });

  it('can be looked at only under the lock of its run', () => {
    expect(decide(buildView(SOLO, { marks: 'w.' }), [SIGNALLED], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('is given to nobody in a run that was stopped, and changes nothing in one that has ended', () => {
    const inbox = [signal('1', 'paid')];
    const stopped = decideIn(SOLO, { marks: 'xh', status: 'cancelling', holds: { b: {} }, rows: {}, inbox }, [
      SIGNALLED,
    ]);
    expect(stopped).toMatchObject({ status: 'cancelling', signals: [{ id: '1', step: null }] });
    expect(decideIn(SOLO, { marks: 'cc', status: 'completed', rows: {}, inbox }, [SIGNALLED]).changed).toBe(false);
  });
});

describe('the time of a wait', () => {
  const rows = { a: { status: 'running', attempt: 1, stage: 'parked' } } as const;
  const parts = { marks: 'w.', status: 'waiting', rows } as const;

  it.each([
    [{ kind: 'completes', result: '"none"' }, 'completed', 'cq'],
    [{ kind: 'is skipped' }, 'skipped', 'sq'],
    [{ kind: 'fails', error: 'late' }, 'failed', 'fx'],
  ] as const)('ends it as it says: %j', (end, status, marks) => {
    const decision = decideIn(SOLO, parts, [waitEnded(end)]);
    expect(decision.writes[0]).toMatchObject({ step: 'a', status });
    expect(decision.state.marks).toBe(marks);
  });

  it('does not end it where a signal came before', () => {
    const decision = decideIn(SOLO, { ...parts, inbox: [signal('1', 'gone')] }, [waitEnded({ kind: 'is skipped' })]);
    expect(decision).toMatchObject({ state: { marks: 'q.' }, signals: [{ id: '1', step: 'a' }] });
    expect(decision.writes).toMatchObject([{ status: 'ready', tally: { attempt: 1, stage: 'received' } }]);
  });

  it('must see the signals', () => {
    const view = buildView(SOLO, { marks: 'w.', status: 'waiting' });
    expect(decide(view, [waitEnded({ kind: 'is skipped' })], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('ends with its run', () => {
    const stopped = { ...parts, marks: 'wx', status: 'cancelling', inbox: [signal('1', 'paid')] } as const;
    const decision = decideIn(SOLO, stopped, [waitEnded({ kind: 'completes', result: '1' })]);
    expect(decision).toMatchObject({ status: 'cancelled', signals: [] });
    const waiting = { a: { status: 'waiting', stage: 'parked' } } as const;
    expect(decideIn(SOLO, { ...parts, rows: waiting }, [CANCELLED])).toMatchObject({ status: 'cancelled' });
  });
});
