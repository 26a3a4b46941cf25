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
  RETRIED,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { newRun } from '../../test/support/commit-drafts.js';
import { decide } from './decide.js';
import { NEEDS_ROWS, type InboxSignal, type OpenRow } from './decision.js';
import type { Claim, Fact } from './facts.js';
import type { GraphNode } from './graph.js';
import type { IndexedGraph } from './indexed-graph.js';
import { noticeOfChild } from './notices.js';
import type { NewRun } from './ports.js';
import type { Stage } from './run-state.js';

const CHILD: Partial<GraphNode> = { kind: 'child' };
const SOLO = buildGraph({ a: [], b: ['a'] }, { a: CHILD });
const UNDONE = buildGraph({ a: [], b: [], undo: [] }, { a: CHILD, undo: { kind: 'compensation', compensates: 'a' } });
const FIRST = buildGraph({ a: [], b: [], c: ['a', 'b'] }, { a: CHILD, c: { join: 1 } });
const EACH = buildGraph({ a: [] }, { a: { ...CHILD, fanOut: { maxItems: 2, tolerate: 0 } } });

const SIGNALLED: Fact = { type: 'signalled' };
const TERMINATED: Fact = { type: 'terminate-requested', by: 'me', reason: null };
const WAITING: Partial<OpenRow> = { status: 'waiting', attempt: 1, stage: 'parked' };
const TOLD: Partial<OpenRow> = { status: 'running', attempt: 2, stage: 'received' };

const CLAIM: Claim = { step: 'a', attempt: 1, failures: 0, crashes: 0, startedAt: 'then' };
const claim = (step: string, attempt: number, stage?: Stage): Claim => {
  return { ...CLAIM, step, attempt, ...(stage ? { stage } : {}) };
};
const childOf = (step: string): NewRun =>
  newRun({ workflow: 'other', definition: 2, parent: { runId: 'this', step, notice: noticeOfChild(0, step) } });
const requested = (step: string, result: string | null = null): Fact => {
  return { type: 'child-requested', claim: claim(step, 1), child: childOf(step), result };
};
const notice = (text: string, id = '1'): InboxSignal => ({ id, name: '', seen: false, notice: text });

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

describe('a step that runs another workflow', () => {
  it('waits without a time, and its child is born with the same commit', () => {
    const decision = decideIn(SOLO, { marks: 'h.', holds: { a: {} } }, [requested('a')]);
    expect(decision).toMatchObject({ status: 'waiting', state: { marks: 'w.' }, expectsNoSignals: false });
    expect(decision.births).toMatchObject([{ workflow: 'other', parent: { step: 'a', notice: '0/a' } }]);
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'waiting', delayMs: null, dueAt: null, tally: { stage: 'parked' } },
    ]);
  });

  it('has completed at once where nobody waits for the child', () => {
    const decision = decideIn(SOLO, { marks: 'h.', holds: { a: {} } }, [requested('a', '{}')], buildPlace(1));
    expect(decision).toMatchObject({ state: { marks: 'ch' }, births: [{ workflow: 'other' }] });
    expect(decision.writes).toMatchObject([{ step: 'a', status: 'completed', result: '{}' }]);
  });

  it('begins no child in an attempt that is stale, or that nobody wants', () => {
    expect(decideIn(SOLO, { marks: 'c.', rows: {} }, [requested('a')]).births).toEqual([]);
    const stopped = { marks: 'hx', status: 'cancelling', holds: { a: {} }, rows: {} } as const;
    expect(decideIn(SOLO, stopped, [requested('a')])).toMatchObject({ births: [], status: 'cancelled' });
  });

  it('begins none where its run is stopped in the same commit, which asks none to end', () => {
    const decision = decideIn(SOLO, { marks: 'h.', holds: { a: {} }, rows: {} }, [requested('a'), CANCELLED]);
    expect(decision).toMatchObject({ births: [], orders: [], status: 'cancelled' });
    expect(decision.writes).toMatchObject([{ step: 'a', status: 'cancelled' }]);
  });

  it('goes on when it is told of the end: here where a slot is free, else by whoever claims its row', () => {
    const parts = { marks: 'w.', status: 'waiting', rows: { a: WAITING }, inbox: [notice('0/a')] } as const;
    const here = decideIn(SOLO, parts, [SIGNALLED], buildPlace(1));
    expect(here).toMatchObject({ status: 'running', state: { marks: 'q.' }, signals: [{ id: '1', step: 'a' }] });
    expect(here.starts).toMatchObject([{ step: 'a', tally: { attempt: 2, stage: 'received' } }]);
    expect(decideIn(SOLO, parts, [SIGNALLED]).writes).toMatchObject([
      { status: 'ready', tally: { stage: 'received' } },
    ]);
  });

  it('goes on by the end of its own child alone: of this generation, of this step, while it waits', () => {
    const parts = { marks: 'w.', status: 'waiting', rows: { a: WAITING } } as const;
    const inbox = [notice('1/a', '1'), notice('0/b', '2'), notice('0/gone', '3')];
    const decision = decideIn(SOLO, { ...parts, inbox }, [SIGNALLED]);
    expect(decision.writes).toEqual([]);
    expect(decision.signals).toEqual(['1', '2', '3'].map((id) => ({ id, step: null })));
    const told = { marks: 'q.', rows: { a: TOLD }, inbox: [notice('0/a')] };
    expect(decideIn(SOLO, told, [SIGNALLED]).writes).toEqual([]);
    const twice = [notice('0/a', '1'), notice('0/a', '2')];
    expect(decideIn(SOLO, { ...parts, inbox: twice }, [SIGNALLED, SIGNALLED]).signals).toEqual([
      { id: '1', step: 'a' },
      { id: '2', step: null },
    ]);
  });

  it('is told nothing in a run that begins anew in the same commit', () => {
    const failure = { step: 'a', error: 'e' };
    const parts = { marks: 'fx', status: 'failed', failure, rows: {}, inbox: [notice('0/a')] } as const;
    expect(decideIn(SOLO, parts, [RETRIED, SIGNALLED]).signals).toEqual([{ id: '1', step: null }]);
  });

  it('that waited for its time is awake, and one that waits for its child is not, however late it is told', () => {
    const awake: Fact = { type: 'step-awake', claim: claim('a', 1) };
    expect(decide(buildView(SOLO, { marks: 'w.', status: 'waiting' }), [awake], buildPlace())).toBe(NEEDS_ROWS);
    const running = { marks: 'w.', status: 'waiting', rows: { a: { status: 'running', attempt: 1 } } } as const;
    expect(decideIn(SOLO, running, [awake])).toMatchObject({ status: 'running', state: { marks: 'q.' } });
    expect(decideIn(SOLO, { ...running, rows: { a: WAITING } }, [awake]).changed).toBe(false);
  });

  it('that has been given up is waited for in a run that is paused, also where that is cancelled', () => {
    const decision = decideIn(SOLO, { status: 'paused', marks: 'a.' }, [CANCELLED]);
    expect(decision).toMatchObject({ status: 'cancelling', pause: 'ends', state: { marks: 'ax' } });
    expect(decision.rings.size).toBe(0);
  });

  it('is not woken: its child goes on as it does', () => {
    const parts = { marks: 'w.', status: 'waiting', rows: { a: WAITING } } as const;
    expect(decideIn(SOLO, parts, [{ type: 'wake-requested', by: null, reason: null }]).changed).toBe(false);
  });

  it('fails with its child, and is undone only where that leaves something', () => {
    const rows = { a: TOLD };
    const end = (inDoubt: boolean): Fact => {
      const { failure } = failed('a', { retryable: false, inDoubt }) as Extract<Fact, { type: 'step-failed' }>;
      return { type: 'step-failed', claim: claim('a', 2, 'received'), failure };
    };
    expect(decideIn(UNDONE, { marks: 'qcz', rows }, [end(false)]).status).toBe('failed');
    expect(decideIn(UNDONE, { marks: 'qcz', rows }, [end(true)])).toMatchObject({
      status: 'compensating',
      state: { marks: 'Fcq' },
    });
  });
});

describe('the child of a run that is stopped', () => {
  const parts = { marks: 'w.', status: 'waiting', rows: { a: WAITING } } as const;

  it('is asked to end, and its step stays open until it has', () => {
    const decision = decideIn(SOLO, parts, [CANCELLED]);
    expect(decision).toMatchObject({
      status: 'cancelling',
      state: { marks: 'wx' },
      orders: [{ step: 'a', order: 'cancel' }],
    });
    expect(decision.writes).toEqual([]);
    const stopping = { ...parts, status: 'cancelling', marks: 'wx', inbox: [notice('0/a')] } as const;
    const told = decideIn(SOLO, stopping, [SIGNALLED]);
    expect(told).toMatchObject({ status: 'cancelling', writes: [{ status: 'ready', tally: { stage: 'received' } }] });
    const ended = { ...parts, status: 'cancelling', marks: 'qx', rows: { a: TOLD } } as const;
    const completes: Fact = { type: 'step-completed', claim: claim('a', 2, 'received'), result: '1' };
    expect(decideIn(SOLO, ended, [completes])).toMatchObject({ status: 'cancelled', state: { marks: 'cx' } });
  });

  it('is waited for also where its run was paused: the pause ends with the run', () => {
    const paused = { ...parts, status: 'paused' } as const;
    expect(decideIn(SOLO, paused, [CANCELLED])).toMatchObject({ status: 'cancelling', pause: 'ends' });
    const told = decideIn(SOLO, { ...paused, inbox: [notice('0/a')] }, [SIGNALLED], buildPlace(1));
    expect(told).toMatchObject({ status: 'paused', starts: [], writes: [{ status: 'ready' }] });
  });

  it('is left alone where it may go on by itself', () => {
    const graph = buildGraph({ a: [] }, { a: { ...CHILD, onParentEnd: 'abandon' } });
    for (const fact of [CANCELLED, TERMINATED])
      expect(decideIn(graph, { ...parts, marks: 'w' }, [fact])).toMatchObject({ orders: [], state: { marks: 'x' } });
    const born = decideIn(graph, { marks: 'h', holds: { a: {} }, rows: {} }, [requested('a'), CANCELLED]);
    expect(born).toMatchObject({ births: [{ workflow: 'other' }], status: 'cancelled' });
  });

  it('is terminated with its parent, which waits for nothing', () => {
    const decision = decideIn(SOLO, parts, [TERMINATED]);
    expect(decision).toMatchObject({ status: 'terminated', orders: [{ step: 'a', order: 'terminate' }] });
  });

  it('that has ended is heard all the same, also after the loss of a worker and a hand-over', () => {
    const rows = { a: { ...TOLD, status: 'ready', attempt: 1 } } as const;
    expect(decideIn(SOLO, { marks: 'q.', rows }, [CANCELLED])).toMatchObject({
      status: 'cancelling',
      writes: [],
      orders: [],
    });
    const stopped = { marks: 'qcz', status: 'cancelling', rows: { a: TOLD } } as const;
    const crashed = decideIn(UNDONE, stopped, [lost('there')]);
    expect(crashed.writes).toMatchObject([{ step: 'a', status: 'ready', tally: { crashes: 1, stage: 'received' } }]);
    const released = decideIn(UNDONE, stopped, [{ type: 'step-released', claim: claim('a', 2, 'received') }]);
    expect(released.writes).toMatchObject([{ step: 'a', status: 'ready', tally: { stage: 'received' } }]);
    expect(released.writes[0]!.tally.inDoubt).toBeUndefined();
  });

  it('that is heard as its run is stopped is heard to its end', () => {
    const both = { ...parts, inbox: [notice('0/a')] };
    const decision = decideIn(SOLO, both, [SIGNALLED, CANCELLED], buildPlace(1));
    expect(decision).toMatchObject({ status: 'cancelling', orders: [], starts: [{ step: 'a' }] });
    expect(decision.writes).toMatchObject([{ status: 'running', tally: { attempt: 2, stage: 'received' } }]);
  });

  it('has not begun where the attempt that was to say so died: there is nothing to undo', () => {
    const stopped = { marks: 'qcz', status: 'cancelling', rows: { a: { status: 'running', attempt: 1 } } } as const;
    expect(decideIn(UNDONE, stopped, [lost('there')])).toMatchObject({ status: 'cancelled', state: { marks: 'xcz' } });
  });
});

describe('the child of a step that has lost a join', () => {
  it('is asked to end; what has come of it is recorded, and nobody takes it', () => {
    const parts = { marks: 'wh.', holds: { b: {} }, rows: { a: WAITING } } as const;
    const decision = decideIn(FIRST, parts, [completed('b')]);
    expect(decision).toMatchObject({ state: { marks: 'acq' }, orders: [{ step: 'a', order: 'cancel' }] });
    expect(decision.writes).toContainEqual(expect.objectContaining({ step: 'a', status: 'waiting', aborting: true }));
    const aborting = { marks: 'acc', rows: { a: WAITING }, inbox: [notice('0/a')] };
    const told = decideIn(FIRST, aborting, [SIGNALLED], buildPlace(1));
    expect(told).toMatchObject({ state: { marks: 'acc' }, writes: [{ status: 'running', aborting: true }] });
    const lostIt = decideIn(FIRST, { marks: 'acc', rows: { a: TOLD } }, [lost('there')]);
    expect(lostIt).toMatchObject({ state: { marks: 'acc' }, writes: [{ status: 'ready', aborting: true }] });
    const completes: Fact = { type: 'step-completed', claim: claim('a', 2, 'received'), result: '1' };
    expect(decideIn(FIRST, { marks: 'acc', rows: { a: TOLD } }, [completes])).toMatchObject({
      status: 'completed',
      state: { marks: 'dcc' },
    });
    expect(decideIn(FIRST, { marks: 'acc', rows: { a: WAITING } }, [TERMINATED]).orders).toEqual([
      { step: 'a', order: 'terminate' },
    ]);
  });

  it('is heard to its end where that is known already', () => {
    const parts = { marks: 'qh.', holds: { b: {} } } as const;
    const running = decideIn(FIRST, { ...parts, rows: { a: TOLD } }, [completed('b')]);
    expect(running.writes).toContainEqual(
      expect.objectContaining({ step: 'a', status: 'running', aborting: true, worker: 'there' }),
    );
    const waiting = { marks: 'wh.', holds: { b: {} }, rows: { a: WAITING }, inbox: [notice('0/a')] } as const;
    const started = decideIn(FIRST, waiting, [SIGNALLED, completed('b')], buildPlace(1));
    expect(started.writes).toContainEqual(
      expect.objectContaining({ step: 'a', status: 'running', aborting: true, worker: 'here' }),
    );
    expect(started).toMatchObject({ orders: [] });
  });

  it('is not asked while only its row knows whether it goes on', () => {
    expect(decide(buildView(FIRST, { marks: 'wh.', holds: { b: {} } }), [completed('b')], buildPlace())).toBe(
      NEEDS_ROWS,
    );
  });
});

describe('children of the items of a list', () => {
  const fanOuts = { a: { total: 3, next: 2 } };
  const rows = { a: { status: 'waiting', attempt: 1, stage: 'expanded' }, 'a[0]': WAITING, 'a[1]': WAITING } as const;

  it('are as many at once as there may be', () => {
    const held = { marks: 'i', fanOuts, holds: { 'a[0]': {}, 'a[1]': {} } } as const;
    const decision = decideIn(EACH, held, [requested('a[0]'), requested('a[1]')]);
    expect(decision.births.map(({ parent }) => parent!.step)).toEqual(['a[0]', 'a[1]']);
    expect(decision.writes).toMatchObject([{ status: 'waiting' }, { status: 'waiting' }]);
    const told = decideIn(EACH, { marks: 'i', fanOuts, rows, inbox: [notice('0/a[1]')] }, [SIGNALLED]);
    expect(told.writes).toMatchObject([{ step: 'a[1]', status: 'ready' }]);
  });

  it('are asked to end with their run, and waited for', () => {
    const decision = decideIn(EACH, { marks: 'i', fanOuts, rows }, [CANCELLED]);
    expect(decision.orders.map(({ step }) => step)).toEqual(['a[0]', 'a[1]']);
    expect(decision.status).toBe('cancelling');
    const stopped = { marks: 'i', status: 'cancelling', fanOuts: { a: { ...fanOuts.a, end: 'cancelled' } } } as const;
    const first = decideIn(EACH, { ...stopped, rows: { ...rows, 'a[0]': TOLD } }, [
      { ...(failed('a[0]') as Extract<Fact, { type: 'step-failed' }>), claim: claim('a[0]', 2, 'received') },
    ]);
    expect(first).toMatchObject({ status: 'cancelling' });
  });

  it('begun in the commit that stops their run are not left waiting', () => {
    const held = { marks: 'i', fanOuts, holds: { 'a[0]': {} }, rows } as const;
    const decision = decideIn(EACH, held, [requested('a[0]'), CANCELLED]);
    expect(decision).toMatchObject({ births: [], orders: [{ step: 'a[1]', order: 'cancel' }] });
    expect(decision.writes).toContainEqual(expect.objectContaining({ step: 'a[0]', status: 'cancelled' }));
  });
});

describe('a run whose parent', () => {
  it('waits for it no longer is cancelled, once', () => {
    const parts = { marks: 'h', holds: { a: {} }, rows: {}, inbox: [notice('cancel', '7')] } as const;
    const decision = decideIn(buildGraph({ a: [] }), parts, [SIGNALLED]);
    expect(decision).toMatchObject({ status: 'cancelling', signals: [{ id: '7', step: '' }] });
    expect(decision.audit).toMatchObject([{ action: 'cancel', by: 'its parent' }]);
  });

  it('was terminated is terminated', () => {
    const parts = { marks: 'h', holds: { a: {} }, rows: {}, inbox: [notice('terminate', '7')] } as const;
    expect(decideIn(buildGraph({ a: [] }), parts, [SIGNALLED]).status).toBe('terminated');
  });

  it('waits no longer ends as what it has begun itself does, whichever is told first', () => {
    const graph = buildGraph({ a: [] }, { a: { ...CHILD, onParentEnd: 'abandon' } });
    const parts = { marks: 'w', status: 'waiting', rows: { a: WAITING } } as const;
    const first = decideIn(graph, { ...parts, inbox: [notice('cancel', '1'), notice('0/a', '2')] }, [SIGNALLED]);
    expect(first).toMatchObject({ status: 'cancelled', state: { marks: 'x' }, starts: [] });
    const last = decideIn(graph, { ...parts, inbox: [notice('0/a', '1'), notice('cancel', '2')] }, [SIGNALLED]);
    expect(last).toMatchObject({ status: 'cancelling', state: { marks: 'q' } });
  });

  it('waits no longer before it has begun never begins', () => {
    const decision = decideIn(SOLO, { rows: {}, inbox: [notice('cancel')] }, [SIGNALLED, BEGUN]);
    expect(decision).toMatchObject({ status: 'cancelled', starts: [] });
  });
});
