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
  QUARANTINE,
  released,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import { NEEDS_ROWS, type OpenRow } from './decision.js';
import type { Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';
import { RUN_STATUSES } from './words.js';

const NO_JITTER = { ...DEFAULT_RETRY, jitter: 'none' } as const;
const ONCE = { ...DEFAULT_RETRY, attempts: 1 };

const SOLO = buildGraph({ a: [] });
const CHAIN = buildGraph({ a: [], b: ['a'] });
const PAIR = buildGraph({ a: [], b: [] }, { a: { retry: ONCE } });
const JOIN = buildGraph({ a: [], b: [], c: ['a', 'b'] });
const FORK = buildGraph({ a: [], b: ['a'], c: ['a'] }, { c: { queue: 'other' } });

const ENDED = ['completed', 'failed', 'cancelled'] as const;
const ENDED_MARK = { completed: 'c', failed: 'f', cancelled: 'x' } as const;

function decideIn(graph: IndexedGraph, parts: ViewParts, facts: readonly Fact[], place = buildPlace()) {
  return expectDecided(decide(buildView(graph, parts), facts, place));
}

const tally = (attempt: number, failures = 0, crashes = 0) => ({ attempt, failures, crashes });
const NOTHING = { changed: false, writes: [], starts: [], news: [], failure: null, cancelReason: null };

describe('a run that begins', () => {
  it('leaves its first steps ready where no slot is free, and rings their queues', () => {
    const decision = decideIn(JOIN, {}, [BEGUN]);
    const row = {
      guard: null,
      status: 'ready',
      tally: tally(0),
      worker: null,
      result: null,
      error: null,
      delayMs: null,
      dueAt: null,
      aborting: false,
    };
    expect(decision).toEqual({
      kind: 'decided',
      changed: true,
      status: 'running',
      state: { marks: 'qq.', holds: new Map() },
      worker: null,
      writes: [
        { ...row, step: 'a', startedAt: null },
        { ...row, step: 'b', startedAt: null },
      ],
      starts: [],
      rings: new Set(['q']),
      failure: null,
      cancelReason: null,
      expectsNoSignals: false,
      births: [],
      orders: [],
      renewal: null,
      pause: null,
      hurries: false,
      audit: [],
      signals: [],
      news: [],
      stale: [],
    });
  });

  it('starts as many steps here as slots are free in their queue', () => {
    const decision = decideIn(JOIN, {}, [BEGUN], buildPlace(1));
    expect(decision.starts).toEqual([{ step: 'a', tally: tally(1) }]);
    expect(decision.state).toEqual({ marks: 'hq.', holds: new Map([['a', tally(1)]]) });
    expect(decision.writes).toMatchObject([{ step: 'b', status: 'ready', tally: tally(0) }]);
    expect(decision.worker).toBe('here');
  });

  it('rings nobody when everything starts here', () => {
    const decision = decideIn(JOIN, {}, [BEGUN], buildPlace(2));
    expect(decision).toMatchObject({ writes: [], rings: new Set(), state: { marks: 'hh.' } });
  });

  it('counts no slot of another queue', () => {
    const graph = buildGraph({ a: [] }, { a: { queue: 'other' } });
    expect(decideIn(graph, {}, [BEGUN], buildPlace(5))).toMatchObject({ starts: [], rings: new Set(['other']) });
  });

  it('begins once', () => {
    const parts = { marks: 'h', holds: { a: {} } };
    expect(decideIn(SOLO, parts, [BEGUN], buildPlace(1))).toMatchObject({ ...NOTHING, status: 'running', stale: [] });
  });
});

describe('a step that completes', () => {
  it('leaves a row with its result and starts what waited for it in its place', () => {
    const decision = decideIn(CHAIN, { marks: 'h.', holds: { a: {} } }, [completed('a')], buildPlace(1));
    expect(decision.writes).toEqual([
      {
        step: 'a',
        guard: null,
        status: 'completed',
        tally: tally(1),
        worker: null,
        result: '42',
        error: null,
        delayMs: null,
        dueAt: null,
        aborting: false,
        startedAt: 'then',
      },
    ]);
    expect(decision.state).toEqual({ marks: 'ch', holds: new Map([['b', tally(1)]]) });
    expect(decision.starts).toEqual([{ step: 'b', tally: tally(1) }]);
    expect(decision.news).toEqual([{ step: 'a', status: 'completed', attempt: 1, error: null, delayMs: null }]);
    expect(decision).toMatchObject({ status: 'running', worker: 'here', stale: [] });
  });

  it('guards its row by the attempt where it has one', () => {
    const { writes } = decideIn(CHAIN, { marks: 'q.' }, [completed('a', 3)]);
    expect(writes).toMatchObject([
      { step: 'a', guard: { attempt: 3, running: true } },
      { step: 'b', guard: null },
    ]);
  });

  it('makes ready what it cannot start here, and lets go of the worker', () => {
    const decision = decideIn(CHAIN, { marks: 'h.', holds: { a: {} } }, [completed('a')]);
    expect(decision).toMatchObject({ worker: null, starts: [], state: { marks: 'cq' }, rings: new Set(['q']) });
  });

  it('starts nothing that waits for another step too', () => {
    const parts = { marks: 'hh.', holds: { a: {}, b: {} } };
    expect(decideIn(JOIN, parts, [completed('a')], buildPlace(9))).toMatchObject({
      state: { marks: 'ch.' },
      starts: [],
    });
  });

  it('starts a join once when the last two it waits for complete in one commit', () => {
    const parts = { marks: 'hh.', holds: { a: {}, b: {} } };
    const { starts, state } = decideIn(JOIN, parts, [completed('a'), completed('b')], buildPlace(9));
    expect(starts.map(({ step }) => step)).toEqual(['c']);
    expect(state.marks).toBe('cch');
  });

  it('starts each of several in its own queue', () => {
    const place = { worker: 'here', slots: new Map([['other', 1]]) };
    const decision = decideIn(FORK, { marks: 'h..', holds: { a: {} } }, [completed('a')], place);
    expect(decision).toMatchObject({ state: { marks: 'cqh' }, starts: [{ step: 'c' }], rings: new Set(['q']) });
  });

  it('ends the run when it is the last', () => {
    const decision = decideIn(CHAIN, { marks: 'ch', holds: { b: {} } }, [completed('b')]);
    expect(decision).toMatchObject({ status: 'completed', worker: null, state: { marks: 'cc' }, rings: new Set() });
  });

  it('writes the row of what it starts where another process holds claims of the run', () => {
    const parts = { marks: 'qh.', holds: { b: {} }, worker: 'there' };
    const graph = buildGraph({ a: [], b: [], c: ['a'] });
    const decision = decideIn(graph, parts, [completed('a')], buildPlace(1));
    expect(decision.writes[1]).toMatchObject({
      step: 'c',
      guard: null,
      status: 'running',
      tally: tally(1),
      worker: 'here',
    });
    expect(decision).toMatchObject({
      worker: 'there',
      starts: [{ step: 'c' }],
      state: { marks: 'chq' },
      rings: new Set(),
    });
    expect([...decision.state.holds.keys()]).toEqual(['b']);
  });
});

describe('a step that fails', () => {
  const graph = buildGraph({ a: [], b: [] }, { a: { retry: NO_JITTER } });
  const held = { marks: 'hh', holds: { a: {}, b: {} } };

  it('waits for its next attempt as long as its policy grants one', () => {
    const decision = decideIn(graph, held, [failed('a')]);
    const row = {
      status: 'retrying',
      tally: tally(1, 1),
      delayMs: 1_000,
      error: 'boom',
      startedAt: 'then',
      worker: null,
    };
    expect(decision.writes).toMatchObject([{ step: 'a', guard: null, ...row }]);
    expect(decision.news).toEqual([{ step: 'a', status: 'retrying', attempt: 1, error: 'boom', delayMs: 1_000 }]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'qh' }, rings: new Set(), failure: null });
  });

  it('waits longer after each failure', () => {
    const { writes } = decideIn(graph, { marks: 'qh', holds: { b: {} } }, [failed('a', { attempt: 2, failures: 1 })]);
    expect(writes).toMatchObject([{ guard: { attempt: 2, running: true }, tally: tally(2, 2), delayMs: 2_000 }]);
  });

  it('waits as long as its error asks', () => {
    const { writes, news } = decideIn(graph, held, [failed('a', { retryAfterMs: 0 })]);
    expect([writes[0]!.delayMs, news[0]!.delayMs]).toEqual([0, 0]);
  });

  it('draws its delay from the chance that came with the fact', () => {
    const jittered = buildGraph({ a: [] }, { a: { retry: DEFAULT_RETRY } });
    const { writes } = decideIn(jittered, { marks: 'h', holds: { a: {} } }, [failed('a', { random: 0.25 })]);
    expect(writes[0]!.delayMs).toBe(250);
  });

  it.each<[string, { attempt: number; failures?: number; retryAfterMs?: number; retryable?: boolean }]>([
    ['its policy grants no further attempt', { attempt: 3, failures: 2 }],
    ['its policy grants none, though the error asks for one', { attempt: 3, failures: 2, retryAfterMs: 5 }],
    ['its error allows none', { attempt: 3, retryable: false }],
  ])('stops the run when %s', (_, failure) => {
    const parts = { marks: 'qh.', holds: { b: {} } };
    const decision = decideIn(buildGraph({ a: [], b: [], c: ['b'] }), parts, [failed('a', failure)], buildPlace(3));
    const counted = tally(3, (failure.failures ?? 0) + 1);
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'failed', tally: counted, error: 'boom', delayMs: null },
    ]);
    expect(decision).toMatchObject({ status: 'failing', failure: { step: 'a', error: 'boom' }, worker: 'here' });
    expect(decision.state.marks).toBe('fhx');
    expect(decision.news).toEqual([{ step: 'a', status: 'failed', attempt: 3, error: 'boom', delayMs: null }]);
    expect(decision.starts).toEqual([]);
  });

  it('ends the run at once when nothing else is under way', () => {
    const decision = decideIn(CHAIN, { marks: 'h.', holds: { a: {} } }, [failed('a', { retryable: false })]);
    expect(decision).toMatchObject({ status: 'failed', worker: null, state: { marks: 'fx' }, failure: { step: 'a' } });
    expect(decision.writes).toHaveLength(1);
  });

  it('for good asks for the rows of its siblings', () => {
    const view = buildView(PAIR, { marks: 'hq', holds: { a: {} } });
    expect(decide(view, [failed('a')], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('for now asks for no rows', () => {
    const decision = decideIn(graph, { marks: 'hq', holds: { a: {} } }, [failed('a')]);
    expect(decision.state.marks).toBe('qq');
  });

  it.each(['ready', 'retrying'] as const)('for good cancels a sibling that is %s', (status) => {
    const rows = { b: { status, attempt: 2, failures: 2 } };
    const decision = decideIn(PAIR, { marks: 'hq', holds: { a: {} }, rows }, [failed('a')]);
    expect(decision.writes[1]).toMatchObject({
      step: 'b',
      status: 'cancelled',
      guard: { attempt: 2, running: false },
      tally: tally(2, 2),
    });
    expect(decision).toMatchObject({ status: 'failed', state: { marks: 'fx' } });
  });

  it('for good waits for a sibling that is running', () => {
    const rows = { b: { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(PAIR, { marks: 'hq', holds: { a: {} }, rows }, [failed('a')]);
    expect(decision).toMatchObject({ status: 'failing', state: { marks: 'fq' } });
    expect(decision.writes.map(({ step }) => step)).toEqual(['a']);
  });

  it('for good cancels a sibling that became ready in the same commit', () => {
    const parts = { marks: 'hh.', holds: { a: {}, b: {} }, rows: {} };
    const three = buildGraph({ a: [], b: [], c: ['b'] }, { a: { retry: ONCE } });
    const decision = decideIn(three, parts, [completed('b'), failed('a')]);
    expect(decision.writes[1]).toMatchObject({ step: 'c', guard: null, status: 'cancelled', tally: tally(0) });
    expect(decision).toMatchObject({ status: 'failed', state: { marks: 'fcx' }, rings: new Set() });
  });

  it('for good takes back what was to start in the same commit', () => {
    const three = buildGraph({ a: [], b: [], c: ['b'] }, { a: { retry: ONCE } });
    const decision = decideIn(
      three,
      { marks: 'hh.', holds: { a: {}, b: {} } },
      [completed('b'), failed('a')],
      buildPlace(2),
    );
    expect(decision).toMatchObject({ status: 'failed', starts: [], state: { marks: 'fcx' }, worker: null });
    expect(decision.state.holds.size).toBe(0);
    expect(decision.writes.map(({ step }) => step)).toEqual(['b', 'a']);
  });
});

describe.each([
  ['failing', 'failed'],
  ['cancelling', 'cancelled'],
] as const)('an attempt that ends while its run is %s', (status, ended) => {
  const last = { status, marks: 'xh', holds: { b: {} } } as const;

  it('is recorded when it completes, and starts nothing', () => {
    const decision = decideIn(
      buildGraph({ a: [], b: [], c: ['b'] }),
      { ...last, marks: 'xhx' },
      [completed('b')],
      buildPlace(5),
    );
    expect(decision.writes).toMatchObject([{ step: 'b', status: 'completed', result: '42' }]);
    expect(decision).toMatchObject({ status: ended, state: { marks: 'xcx' }, starts: [], worker: null });
  });

  it('is not tried again when it fails', () => {
    const decision = decideIn(PAIR, last, [failed('b')]);
    expect(decision.writes).toMatchObject([{ step: 'b', status: 'failed', tally: tally(1, 1), error: 'boom' }]);
    expect(decision).toMatchObject({ status: ended, state: { marks: 'xf' }, failure: null });
    expect(decision.news).toMatchObject([{ status: 'failed', error: 'boom' }]);
  });

  it('is cancelled, not failed, when it ended because of the stop', () => {
    const decision = decideIn(PAIR, last, [failed('b', { aborted: true })]);
    expect(decision.writes).toMatchObject([
      { step: 'b', status: 'cancelled', tally: tally(1), error: 'boom', startedAt: 'then' },
    ]);
    expect(decision).toMatchObject({ status: ended, state: { marks: 'xx' }, news: [{ status: 'cancelled' }] });
  });

  it('is cancelled when it is handed over', () => {
    const decision = decideIn(PAIR, last, [released('b')]);
    expect(decision.writes).toMatchObject([{ step: 'b', status: 'cancelled', tally: tally(1) }]);
    expect(decision).toMatchObject({ status: ended, news: [{ status: 'cancelled', attempt: 1 }], rings: new Set() });
  });

  it('is cancelled when its worker is lost', () => {
    const decision = decideIn(PAIR, { ...last, rows: {} }, [lost('here')]);
    expect(decision.writes).toMatchObject([{ step: 'b', status: 'cancelled', tally: tally(1, 0, 1) }]);
    expect(decision).toMatchObject({ status: ended, worker: null });
  });

  it('leaves the run stopping while another is under way', () => {
    const both = { status, marks: 'hq', holds: { a: {} } } as const;
    expect(decideIn(PAIR, both, [completed('a')])).toMatchObject({ status, state: { marks: 'cq' } });
  });
});

describe('a step that is handed over', () => {
  it('waits for a slot anywhere and counts neither failure nor crash', () => {
    const decision = decideIn(SOLO, { marks: 'h', holds: { a: {} } }, [released('a')]);
    expect(decision.writes).toMatchObject([{ step: 'a', guard: null, status: 'ready', tally: tally(1), worker: null }]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'q' }, worker: null, rings: new Set(['q']) });
    expect(decision.news).toEqual([{ step: 'a', status: 'ready', attempt: 1, error: null, delayMs: null }]);
  });

  it('does not start again in the place that hands it over', () => {
    expect(decideIn(SOLO, { marks: 'h', holds: { a: {} } }, [released('a')], buildPlace(1)).starts).toEqual([]);
  });
});

describe('a worker that is lost', () => {
  it('leaves what it held ready with the time of its claim, which is its place in the queue', () => {
    const decision = decideIn(SOLO, { marks: 'h', holds: { a: { since: 'long ago' } }, rows: {} }, [lost('here')]);
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'ready', tally: tally(1, 0, 1), startedAt: 'long ago' },
    ]);
  });

  it('leaves what it ran and what it held ready, each with a crash more', () => {
    const rows = { b: { status: 'running', worker: 'gone', attempt: 2, failures: 1 } } as const;
    const parts = { marks: 'hq', holds: { a: { crashes: 1 } }, worker: 'gone', rows };
    const decision = decideIn(PAIR, parts, [lost('gone')]);
    expect(decision.writes).toMatchObject([
      { step: 'b', guard: { attempt: 2, running: true }, status: 'ready', tally: tally(2, 1, 1), worker: null },
      { step: 'a', guard: null, status: 'ready', tally: tally(1, 0, 2), worker: null },
    ]);
    expect(decision).toMatchObject({ status: 'running', worker: null, state: { marks: 'qq' }, rings: new Set(['q']) });
    expect(decision.news.map(({ status }) => status)).toEqual(['ready', 'ready']);
  });

  it('takes nothing of others with it', () => {
    const rows = {
      b: { status: 'running', worker: 'there' },
      c: { status: 'ready' },
      unknown: { status: 'running', worker: 'gone' },
    } as const;
    const graph = buildGraph({ a: [], b: [], c: [] });
    const parts = { marks: 'hqq', holds: { a: {} }, worker: 'here', rows };
    expect(decideIn(graph, parts, [lost('gone')])).toMatchObject({ ...NOTHING, worker: 'here' });
  });

  it('takes no hold with it where the run names no worker', () => {
    expect(decideIn(SOLO, { marks: 'q', rows: { a: {} } }, [lost('gone')])).toMatchObject(NOTHING);
  });

  it('does not undo what it reported before, in the same commit', () => {
    const rows = { a: { status: 'running', worker: 'gone', attempt: 1 } } as const;
    const decision = decideIn(CHAIN, { marks: 'q.', rows }, [completed('a'), lost('gone')]);
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'completed', tally: tally(1) },
      { step: 'b', status: 'ready' },
    ]);
  });

  it('reports too late what it reports afterwards, in the same commit', () => {
    const rows = { a: { status: 'running', worker: 'gone', attempt: 1 } } as const;
    const decision = decideIn(CHAIN, { marks: 'q.', rows }, [lost('gone'), completed('a')]);
    expect(decision.writes).toMatchObject([{ step: 'a', status: 'ready', tally: tally(1, 0, 1) }]);
    expect(decision.stale).toMatchObject([{ step: 'a', attempt: 1 }]);
  });

  it('starts nothing here that it was to hold with the same commit', () => {
    const decision = decideIn(
      CHAIN,
      { marks: 'h.', holds: { a: {} }, rows: {} },
      [completed('a'), lost('here')],
      buildPlace(1),
    );
    expect(decision).toMatchObject({ starts: [], worker: null, state: { marks: 'cq' }, rings: new Set(['q']) });
    expect(decision.writes[1]).toMatchObject({ step: 'b', guard: null, status: 'ready', tally: tally(1, 0, 1) });
  });

  it('asks for the open rows', () => {
    expect(decide(buildView(SOLO, { marks: 'h', holds: { a: {} } }), [lost('gone')], buildPlace())).toBe(NEEDS_ROWS);
  });
});

describe('a run that is cancelled', () => {
  it('ends at once when it has not begun', () => {
    const decision = decideIn(CHAIN, {}, [CANCELLED]);
    expect(decision).toMatchObject({ status: 'cancelled', cancelReason: 'no longer wanted', state: { marks: 'xx' } });
    expect(decision.writes).toEqual([]);
    expect(decision.audit).toEqual([{ action: 'cancel', by: 'me', reason: 'no longer wanted' }]);
  });

  it('ends at once when nothing is under way, and its waiting steps with it', () => {
    const rows = { a: { status: 'ready' }, b: { status: 'retrying', attempt: 1, failures: 1 } } as const;
    const decision = decideIn(PAIR, { marks: 'qq', rows }, [CANCELLED]);
    expect(decision.writes).toMatchObject([
      { step: 'a', status: 'cancelled', guard: { attempt: 0, running: false }, tally: tally(0) },
      { step: 'b', status: 'cancelled', guard: { attempt: 1, running: false }, tally: tally(1, 1) },
    ]);
    expect(decision).toMatchObject({ status: 'cancelled', state: { marks: 'xx' }, rings: new Set() });
    expect(decision.news).toMatchObject([
      { step: 'a', status: 'cancelled', attempt: 0 },
      { step: 'b', status: 'cancelled', attempt: 1 },
    ]);
  });

  it('waits for the attempts under way', () => {
    const rows = { b: { status: 'running' } } as const;
    const decision = decideIn(JOIN, { marks: 'hq.', holds: { a: {} }, rows }, [CANCELLED]);
    expect(decision).toMatchObject({ status: 'cancelling', worker: 'here', state: { marks: 'hqx' }, writes: [] });
  });

  it('asks for the open rows where it has any', () => {
    expect(decide(buildView(SOLO, { marks: 'q' }), [CANCELLED], buildPlace())).toBe(NEEDS_ROWS);
  });

  it('asks for no rows where it has none', () => {
    const decision = decideIn(SOLO, { marks: 'h', holds: { a: {} } }, [CANCELLED]);
    expect(decision.status).toBe('cancelling');
  });

  it('keeps the error of a step that failed in the same commit', () => {
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(CHAIN, { marks: 'q.', rows }, [failed('a'), CANCELLED]);
    expect(decision.writes).toMatchObject([
      {
        step: 'a',
        status: 'cancelled',
        guard: { attempt: 1, running: true },
        error: 'boom',
        startedAt: 'then',
        delayMs: null,
        tally: tally(1, 1),
      },
    ]);
    expect(decision.status).toBe('cancelled');
  });

  it.each<[string, ViewParts]>([
    ['in its place', { marks: 'h.', holds: { a: {} } }],
    ['in a row, because another process holds claims', { marks: 'q.h', holds: { c: {} }, worker: 'there' }],
  ])('takes back what was to start with the same commit %s', (_, parts) => {
    const graph = parts.worker ? buildGraph({ a: [], b: ['a'], c: [] }) : CHAIN;
    const rows = { a: { status: 'running', attempt: 1 } } as const;
    const decision = decideIn(graph, { ...parts, rows }, [completed('a'), CANCELLED], buildPlace(1));
    expect(decision.starts).toEqual([]);
    expect(decision.writes.map(({ step }) => step)).toEqual(['a']);
    expect(decision.state.holds.has('b')).toBe(false);
    expect(decision.state.marks[1]).toBe('x');
    expect(decision.status).toBe(parts.worker ? 'cancelling' : 'cancelled');
  });

  it('starts nothing when it begins in the same commit', () => {
    const decision = decideIn(CHAIN, {}, [BEGUN, CANCELLED], buildPlace(1));
    expect(decision).toMatchObject({
      status: 'cancelled',
      starts: [],
      writes: [],
      worker: null,
      state: { marks: 'xx' },
    });
  });

  it.each(['failing', 'cancelling'] as const)('stays as it is when it is %s', (status) => {
    const decision = decideIn(SOLO, { status, marks: 'h', holds: { a: {} } }, [CANCELLED]);
    expect(decision).toMatchObject({ ...NOTHING, status });
  });
});

describe.each(ENDED)('a run that is %s', (status) => {
  it.each([
    ['a start', BEGUN, []],
    ['a cancel', CANCELLED, []],
    ['a lost worker', lost('here'), []],
    ['a completion', completed('a'), [{ step: 'a' }]],
    ['a failure', failed('a'), [{ step: 'a' }]],
    ['a release', released('a'), [{ step: 'a' }]],
  ])('is not changed by %s', (_, fact, stale) => {
    const decision = decideIn(SOLO, { status, marks: ENDED_MARK[status], rows: {} }, [fact], buildPlace(1));
    expect(decision).toMatchObject({ ...NOTHING, status, stale });
  });

  it('is not told to look for rows because a worker is lost', () => {
    expect(decideIn(SOLO, { status, marks: ENDED_MARK[status] }, [lost('here')])).toMatchObject(NOTHING);
  });
});

describe('an outcome that comes too late', () => {
  const row = (status: 'ready' | 'running' | 'retrying', attempt: number) => ({ a: { status, attempt } });

  it.each<[string, ViewParts, number]>([
    ['the step has not begun', { marks: '.', rows: {} }, 1],
    ['the step has completed', { marks: 'c', status: 'completed', rows: {} }, 1],
    ['the step is held at another attempt', { marks: 'h', holds: { a: { attempt: 2 } }, rows: {} }, 1],
    ['the step runs at another attempt', { marks: 'q', rows: row('running', 2) }, 1],
    ['the step is ready again', { marks: 'q', rows: row('ready', 1) }, 1],
    ['the step is to be retried', { marks: 'q', rows: row('retrying', 1) }, 1],
    ['the step has no open row', { marks: 'q', rows: {} }, 1],
    ['the claim is in the marks and not among the holds', { marks: 'h', rows: {} }, 1],
  ])('changes nothing and is reported: %s', (_, parts, attempt) => {
    for (const fact of [completed('a', attempt), failed('a', { attempt }), released('a', attempt)]) {
      const decision = decideIn(SOLO, parts, [fact], buildPlace(1));
      expect(decision).toMatchObject({ ...NOTHING, state: { marks: parts.marks } });
      expect(decision.stale).toEqual('claim' in fact ? [fact.claim] : 'no claim');
    }
  });

  it('changes nothing where the graph has no such step', () => {
    const decision = decideIn(SOLO, { marks: 'h', holds: { a: {} }, rows: {} }, [completed('z')]);
    expect(decision).toMatchObject({ ...NOTHING, stale: [{ step: 'z' }] });
  });

  it.each([
    ['held', { marks: 'h', holds: { a: {} } }],
    ['in a row', { marks: 'q' }],
  ])('is the second of two from one attempt %s', (_, parts) => {
    const decision = decideIn(CHAIN, { ...parts, marks: `${parts.marks}.` }, [completed('a'), failed('a')]);
    expect(decision).toMatchObject({ state: { marks: 'cq' }, stale: [{ step: 'a', attempt: 1 }] });
  });

  it('is the second even where the first made the step wait again', () => {
    const decision = decideIn(SOLO, { marks: 'q' }, [released('a'), completed('a')]);
    expect(decision).toMatchObject({ state: { marks: 'q' }, writes: [{ status: 'ready' }], stale: [{ step: 'a' }] });
  });

  it('is refused by nobody who has not seen the run under its lock, because the view itself may be late', () => {
    expect(decide(buildView(CHAIN, { marks: 'h.', holds: { a: {} } }), [completed('b')], buildPlace())).toBe(
      NEEDS_ROWS,
    );
  });

  it('is refused without that where the same commit writes, because its guard checks the view', () => {
    const decision = decideIn(CHAIN, { marks: 'h.', holds: { a: {} } }, [completed('a'), completed('a')]);
    expect(decision).toMatchObject({ changed: true, stale: [{ step: 'a' }] });
  });
});

describe('a decision', () => {
  it('of no facts is to leave everything as it is', () => {
    const view = buildView(JOIN, { marks: 'hq.', holds: { a: { attempt: 4 } } });
    const decision = expectDecided(decide(view, [], buildPlace(3)));
    expect(decision).toMatchObject({ ...NOTHING, status: 'running', state: view.state, worker: 'here', stale: [] });
  });

  it('leaves view and slots as they were', () => {
    const view = buildView(CHAIN, { marks: 'h.', holds: { a: {} } });
    const place = buildPlace(1);
    decide(view, [completed('a')], place);
    expect(view).toEqual(buildView(CHAIN, { marks: 'h.', holds: { a: {} } }));
    expect(place).toEqual(buildPlace(1));
  });

  it('gives each free slot once', () => {
    const graph = buildGraph({ a: [], b: [], c: ['a'], d: ['b'] });
    const parts = { marks: 'hh..', holds: { a: {}, b: {} } };
    const { state, starts } = decideIn(graph, parts, [completed('a'), completed('b')], buildPlace(1));
    expect([state.marks, starts.length]).toEqual(['cchq', 1]);
  });

  it('throws at a fact that it does not know', () => {
    const fact = { type: 'rained' } as unknown as Fact;
    expect(() => decide(buildView(SOLO), [fact], buildPlace())).toThrow('Unknown fact {"type":"rained"}.');
  });

  it('throws rather than move a run where no run may go', () => {
    // No run that is pending has a step under way: a row like this was not written by the library.
    const view = buildView(SOLO, { status: 'pending', marks: 'h', holds: { a: {} } });
    expect(() => decide(view, [completed('a')], buildPlace())).toThrow('A run cannot go from pending to completed.');
  });

  it.each(RUN_STATUSES)('of nothing new keeps a run %s', (status) => {
    expect(decideIn(SOLO, { status, marks: '.', rows: {} }, []).status).toBe(status);
  });
});

describe('a step whose workers die', () => {
  const running = (row: Partial<OpenRow> = {}) => ({ status: 'running' as const, attempt: 3, crashes: 2, ...row });

  it('is quarantined when it ran alone and died once too often, and its run fails with it', () => {
    const rows = { a: running({ alone: true }), b: { status: 'ready' as const } };
    const decision = decideIn(PAIR, { marks: 'qq', rows }, [lost('there')]);
    expect(decision).toMatchObject({
      status: 'failed',
      state: { marks: 'fx' },
      failure: { step: 'a', error: QUARANTINE.error },
      writes: [
        { step: 'a', status: 'quarantined', tally: tally(3, 0, 3), error: QUARANTINE.error, worker: null },
        { step: 'b', status: 'cancelled' },
      ],
      news: [
        { step: 'a', status: 'quarantined' },
        { step: 'b', status: 'cancelled' },
      ],
    });
  });

  it('is tried again where others ran beside it, however often it died', () => {
    const rows = { a: running({ crashes: 99 }) };
    expect(decideIn(SOLO, { marks: 'q', rows }, [lost('there')])).toMatchObject({
      status: 'running',
      writes: [{ step: 'a', status: 'ready', tally: tally(3, 0, 100) }],
    });
  });

  it('is tried again where it ran alone and has died too seldom', () => {
    const rows = { a: running({ alone: true, crashes: 1 }) };
    expect(decideIn(SOLO, { marks: 'q', rows }, [lost('there')])).toMatchObject({
      status: 'running',
      writes: [{ step: 'a', status: 'ready', tally: tally(3, 0, 2) }],
    });
  });

  it('ends as cancelled where its run has been stopped', () => {
    const rows = { a: running({ alone: true }) };
    expect(decideIn(SOLO, { status: 'cancelling', marks: 'q', rows }, [lost('there')])).toMatchObject({
      status: 'cancelled',
      failure: null,
      writes: [{ step: 'a', status: 'cancelled' }],
    });
  });

  it('leaves a sibling that died in the same process to end with the run', () => {
    const rows = { a: running({ alone: true }), b: running({ worker: 'elsewhere' }) };
    const decision = decideIn(PAIR, { marks: 'qq', rows }, [lost('there')]);
    expect(decision).toMatchObject({ status: 'failing', state: { marks: 'fq' } });
  });
});
