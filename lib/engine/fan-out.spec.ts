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
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import type { Fact } from './facts.js';
import { isTooMany } from './fan-out.js';
import { baseOf, findPosition, indexOfItem, nodeOf } from './indexed-graph.js';
import { decodeRunState, encodeRunState } from './run-state.js';

const TWO = { fanOut: { maxItems: 2, tolerate: 0 } } as const;
const GRAPH = buildGraph({ fan: [], next: ['fan'] }, { fan: TWO });

const EXPANDED = { status: 'waiting', attempt: 1, stage: 'expanded' } as const;

function expanded(step: string, count: number): Fact {
  return { type: 'step-expanded', claim: { step, attempt: 1, failures: 0, crashes: 0, startedAt: 'then' }, count };
}

describe('a fan-out', () => {
  it('begins as many of its items as may run at once: here where a slot is free, else as ready rows', () => {
    const view = buildView(GRAPH, { marks: 'h.', holds: { fan: {} } });
    const { state, writes, starts } = expectDecided(decide(view, [expanded('fan', 4)], buildPlace(1)));
    expect(state.marks).toBe('i.');
    expect(starts.map(({ step }) => step)).toEqual(['fan[0]']);
    expect(writes.map(({ step, status, guard }) => [step, status, guard])).toEqual([
      ['fan', 'waiting', null],
      ['fan[1]', 'ready', { attempt: 0, running: false }],
    ]);
    expect(state.fanOuts!.get('fan')).toMatchObject({ total: 4, next: 2, completed: 0 });
  });

  it('has completed where its list is empty', () => {
    const view = buildView(GRAPH, { marks: 'h.', holds: { fan: {} } });
    const { state, starts } = expectDecided(decide(view, [expanded('fan', 0)], buildPlace(1)));
    expect(encodeRunState(state)).toBe('ch;next,1,0,0,');
    expect(starts.map(({ step }) => step)).toEqual(['next']);
  });

  it('begins its next item as one ends, and ends with the last', () => {
    const holds = { 'fan[0]': {}, 'fan[1]': {} };
    const view = buildView(GRAPH, { marks: 'i.', holds, fanOuts: { fan: { total: 3 } } });
    const first = expectDecided(decide(view, [completed('fan[1]')], buildPlace(1)));
    expect(first.starts.map(({ step }) => step)).toEqual(['fan[2]']);
    expect(first.writes).toMatchObject([
      { step: 'fan[1]', status: 'completed', guard: { attempt: 0, running: false } },
    ]);
    const facts = ['fan[0]', 'fan[2]'].map((step) => completed(step));
    const last = expectDecided(decide({ ...view, state: first.state }, facts, buildPlace(1)));
    expect(last.state.fanOuts).toBeUndefined();
    expect(last.state.marks).toBe('ch');
    expect(last.writes.find(({ step }) => step === 'fan')).toMatchObject({
      status: 'completed',
      guard: { attempt: 1, running: false, stage: 'expanded' },
    });
  });

  it('fails with its first failure too many, whose item its run names, and begins no more', () => {
    const holds = { 'fan[0]': {}, 'fan[1]': {} };
    const view = buildView(GRAPH, { marks: 'i.', holds, fanOuts: { fan: {} }, rows: { fan: EXPANDED } });
    const stopped = expectDecided(decide(view, [failed('fan[0]', { retryable: false })], buildPlace(5)));
    expect(stopped).toMatchObject({ status: 'failing', failure: { step: 'fan[0]', error: 'boom' }, starts: [] });
    expect(stopped.state.fanOuts!.get('fan')).toMatchObject({ end: 'fails', failed: 1, next: 2 });
    const late = { ...view, status: stopped.status, state: stopped.state, failure: stopped.failure };
    const ended = expectDecided(decide(late, [completed('fan[1]')], buildPlace(5)));
    expect(ended.status).toBe('failed');
    expect(ended.state.marks).toBe('fx');
  });

  it('must see the rows before it stops its run', () => {
    const view = buildView(GRAPH, { marks: 'i.', holds: { 'fan[0]': {} }, fanOuts: { fan: {} } });
    expect(decide(view, [failed('fan[0]', { retryable: false })], buildPlace())).toEqual({ kind: 'needs-rows' });
  });

  it('counts the failures that it tolerates, and completes', () => {
    const graph = buildGraph({ fan: [] }, { fan: { fanOut: { maxItems: 2, tolerate: '50%' } } });
    const holds = { 'fan[0]': {}, 'fan[1]': {} };
    const view = buildView(graph, { marks: 'i', holds, fanOuts: { fan: { total: 2 } } });
    const facts = [failed('fan[0]', { retryable: false }), completed('fan[1]')];
    const { status, state } = expectDecided(decide(view, facts, buildPlace()));
    expect([status, state.marks]).toEqual(['completed', 'c']);
  });

  it('may fail where its run goes on all the same, once nothing of it is under way', () => {
    const graph = buildGraph({ fan: [], next: ['fan'] }, { fan: { ...TWO, onFailure: 'continue' } });
    const holds = { 'fan[0]': {}, 'fan[1]': {} };
    const view = buildView(graph, { marks: 'i.', holds, fanOuts: { fan: {} } });
    const closing = expectDecided(decide(view, [failed('fan[0]', { retryable: false })], buildPlace(2)));
    expect([closing.status, closing.state.marks, closing.starts]).toEqual(['running', 'i.', []]);
    const ended = expectDecided(decide({ ...view, state: closing.state }, [completed('fan[1]')], buildPlace(2)));
    expect([ended.status, ended.state.marks]).toEqual(['running', 'fh']);
  });

  it('is undone where an item has completed or may have had its effect, and not where none has', () => {
    const undo = { kind: 'compensation', compensates: 'fan', after: [] } as const;
    const graph = buildGraph({ fan: [], undo: [] }, { fan: TWO, undo });
    const parts = { marks: 'iz', rows: { fan: EXPANDED, 'fan[1]': { status: 'retrying', attempt: 1 } } } as const;
    const cancel = (fanOut: object, row: object = {}) => {
      const rows = { ...parts.rows, 'fan[1]': { ...parts.rows['fan[1]'], ...row } };
      const view = buildView(graph, { ...parts, rows, fanOuts: { fan: { next: 1, ...fanOut } } });
      return expectDecided(decide(view, [CANCELLED], buildPlace())).state.marks;
    };
    expect(cancel({ next: 2, cancelled: 1 })).toBe('xz');
    expect(cancel({ next: 2, completed: 1 })).toBe('Xq');
    expect(cancel({ next: 2, cancelled: 1 }, { inDoubt: true })).toBe('Xq');
  });

  it('ends at once when its run is terminated, with what is held, runs or waits', () => {
    const graph = buildGraph({ fan: [] }, { fan: { fanOut: { maxItems: 3, tolerate: 0 } } });
    const rows = { fan: EXPANDED, 'fan[1]': { status: 'running', attempt: 2 }, 'fan[2]': { status: 'ready' } } as const;
    const view = buildView(graph, { marks: 'i', holds: { 'fan[0]': {} }, fanOuts: { fan: { next: 3 } }, rows });
    const decision = expectDecided(
      decide(view, [{ type: 'terminate-requested', by: 'me', reason: null }], buildPlace()),
    );
    expect([decision.status, decision.state.marks, decision.state.fanOuts]).toEqual(['terminated', 'x', undefined]);
    expect(decision.writes.map(({ step, status }) => [step, status])).toEqual([
      ['fan[1]', 'cancelled'],
      ['fan[2]', 'cancelled'],
      ['fan[0]', 'cancelled'],
      ['fan', 'cancelled'],
    ]);
  });

  it('is what its run fails in whose deadline passes meanwhile', () => {
    const view = buildView(GRAPH, {
      marks: 'i.',
      fanOuts: { fan: { next: 1 } },
      rows: { fan: EXPANDED, 'fan[0]': {} },
    });
    const decision = expectDecided(decide(view, [{ type: 'deadline-passed', error: 'late' }], buildPlace()));
    expect(decision).toMatchObject({
      status: 'failed',
      failure: { step: 'fan', error: 'late' },
      state: { marks: 'xx' },
    });
  });

  it('frees the items that a dead worker held or ran', () => {
    const rows = { fan: EXPANDED, 'fan[1]': { status: 'running', attempt: 2 } } as const;
    const view = buildView(GRAPH, { marks: 'i.', holds: { 'fan[0]': {} }, fanOuts: { fan: {} }, rows });
    const { writes, state } = expectDecided(decide(view, [lost('there', 'here')], buildPlace()));
    expect(writes).toMatchObject([
      { step: 'fan[1]', status: 'ready', guard: { attempt: 2, running: true }, tally: { crashes: 1 } },
      { step: 'fan[0]', status: 'ready', guard: { attempt: 0, running: false }, tally: { crashes: 1 } },
    ]);
    expect(state.marks).toBe('i.');
  });

  it('fails with an item that keeps killing its process', () => {
    const poison = { status: 'running', attempt: 3, crashes: 2, alone: true } as const;
    const quarantined = (graph = GRAPH) => {
      const rows = { fan: EXPANDED, 'fan[0]': poison } as const;
      const view = buildView(graph, { marks: 'i.', fanOuts: { fan: { total: 1, next: 1 } }, rows });
      return expectDecided(decide(view, [lost('there')], buildPlace()));
    };
    expect(quarantined()).toMatchObject({ status: 'failed', failure: { step: 'fan[0]' }, state: { marks: 'fx' } });
    const tolerant = buildGraph({ fan: [], next: ['fan'] }, { fan: { fanOut: { maxItems: 1, tolerate: 1 } } });
    expect(quarantined(tolerant)).toMatchObject({ status: 'running', failure: null, state: { marks: 'cq' } });
  });

  it('that loses a join is given up: what waits is cancelled, what runs is aborted, and the run waits for that', () => {
    const edges = { fan: [], one: [], first: ['fan', 'one'] };
    const graph = buildGraph(edges, { fan: TWO, first: { join: 1 } });
    const rows = { fan: EXPANDED, one: { status: 'running', attempt: 1 }, 'fan[1]': { status: 'ready' } } as const;
    const parts = { marks: 'iq.', rows, fanOuts: { fan: {} } } as const;
    const view = buildView(graph, { ...parts, holds: { 'fan[0]': {} } });
    const won = expectDecided(decide(view, [completed('one')], buildPlace()));
    expect(won.state.marks).toBe('acq');
    expect(won.writes).toMatchObject([
      { step: 'one' },
      { step: 'fan[1]', status: 'cancelled' },
      { step: 'fan[0]', status: 'running', aborting: true, guard: { attempt: 0, running: false } },
      { step: 'first' },
    ]);
    const later = { ...view, rows: null, state: won.state, worker: null };
    const done = expectDecided(decide(later, [completed('fan[0]')], buildPlace()));
    expect(done.state.marks).toBe('xcq');
    // In the commit that would have begun its items.
    const soon = buildView(graph, { marks: 'hh.', holds: { fan: {}, one: {} } });
    const both = expectDecided(decide(soon, [expanded('fan', 3), completed('one')], buildPlace(1)));
    expect([both.state.marks, both.starts.map(({ step }) => step)]).toEqual(['xcq', []]);
    // Where nothing of it is under way it ends with the join.
    const idle = buildView(graph, { ...parts, fanOuts: { fan: { cancelled: 1 } } });
    expect(expectDecided(decide(idle, [completed('one')], buildPlace())).state.marks).toBe('xcq');
  });

  it('takes no outcome of an item twice, also where its fan-out seems to end between', () => {
    const view = buildView(GRAPH, {
      marks: 'i.',
      holds: { 'fan[1]': {} },
      fanOuts: { fan: { total: 2, completed: 1 } },
    });
    // The guard of the commit will refuse it: only the row knows that the item has ended.
    const { stale } = expectDecided(decide(view, [completed('fan[0]'), completed('fan[1]')], buildPlace()));
    expect(stale).toMatchObject([{ step: 'fan[1]' }]);
    const { stale: unknown } = expectDecided(decide({ ...view, rows: new Map() }, [completed('fan[7]')], buildPlace()));
    expect(unknown).toHaveLength(1);
  });
});

describe('what a fan-out tolerates', () => {
  const tolerates = (tolerate: number | `${number}%`, failures: number, total: number) => {
    const fanOut = {
      tally: { attempt: 1, failures: 0, crashes: 0 },
      next: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      total,
    };
    return !isTooMany(
      failures,
      fanOut,
      nodeOf(buildGraph({ fan: [] }, { fan: { fanOut: { maxItems: 1, tolerate } } }), 'fan'),
    );
  };

  it('is a number, or a share of its items rounded down', () => {
    expect([tolerates(0, 1, 9), tolerates(2, 2, 9), tolerates(2, 3, 9)]).toEqual([false, true, false]);
    expect([tolerates('10%', 1, 19), tolerates('10%', 2, 19), tolerates('100%', 19, 19)]).toEqual([true, false, true]);
  });
});

describe('the items of a fan-out', () => {
  it('have names and positions of their own, unless a step has that very name', () => {
    const graph = buildGraph({ fan: [], 'fan[1]': [], plain: [] }, { fan: TWO });
    const position = findPosition(graph, 'fan[4]')!;
    expect([baseOf(graph, position), indexOfItem(graph, position)]).toEqual([0, 4]);
    expect(nodeOf(graph, 'fan[4]')).toMatchObject({ name: 'fan[4]', item: { of: 'fan', index: 4 } });
    expect(findPosition(graph, 'fan[1]')).toBe(1);
    for (const name of ['plain[0]', 'fan[01]', 'fan[-1]', 'other[0]', 'other'])
      expect(findPosition(graph, name)).toBeUndefined();
  });

  it('are counted in the state of their run, in text and back', () => {
    const fanOut = { total: 100_000, next: 7, completed: 3, failed: 2, cancelled: 1 };
    const { state } = buildView(GRAPH, { marks: 'i.', holds: { 'fan[6]': {} }, fanOuts: { fan: fanOut } });
    const text = encodeRunState(state);
    expect(text).toBe('i.;fan%5B6%5D,1,0,0,then;+fan,1,0,0,100000,7,3,2,1,,');
    expect(decodeRunState(text)).toEqual(state);
    const closed = 'i.;+fan,1,0,0,9,7,3,2,1,fails,d';
    expect(encodeRunState(decodeRunState(closed))).toBe(closed);
    for (const wrong of ['i.;+fan,1,0', 'i.;+%,1,0,0,9,7,3,2,1,,'])
      expect(() => decodeRunState(wrong)).toThrow('Cannot read');
  });
});
