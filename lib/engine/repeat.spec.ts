import { describe, expect, it } from '@jest/globals';

import {
  buildGraph,
  buildPlace,
  buildView,
  CANCELLED,
  expectDecided,
  failed,
  lost,
  released,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import type { Claim, Fact } from './facts.js';
import type { Repetition } from './graph.js';

function graphOf(change: Partial<Repetition> = {}, undone = false) {
  const repeat = { until: 'isDone', everyMs: 60_000, max: 3, ...change };
  if (!undone) return buildGraph({ poll: [], next: ['poll'] }, { poll: { repeat } });
  const undo = { kind: 'compensation', compensates: 'poll' } as const;
  return buildGraph({ poll: [], next: ['poll'], undo: [] }, { poll: { repeat }, undo });
}

function claim(change: Partial<Claim> = {}): Claim {
  return { step: 'poll', attempt: 1, failures: 0, crashes: 0, startedAt: 'then', ...change };
}

const tried = (change: Partial<Claim> = {}): Fact => ({ type: 'step-tried', claim: claim(change), result: '7' });
const repeated = (change: Partial<Claim> = {}): Fact => {
  return { type: 'step-repeated', claim: claim({ stage: 'tried', ...change }), error: 'exhausted' };
};
const ROW = { status: 'running', attempt: 1, stage: 'tried' } as const;

describe('a round of a step that is repeated', () => {
  it('is recorded in a row, and then goes on here to ask whether it was enough, or as a ready row', () => {
    const view = buildView(graphOf(), { marks: 'h.', holds: { poll: {} } });
    const here = expectDecided(decide(view, [tried()], buildPlace(1)));
    const tally = { attempt: 1, failures: 0, crashes: 0, stage: 'tried' };
    expect([here.state.marks, here.worker]).toEqual(['q.', null]);
    expect(here.writes).toMatchObject([{ status: 'running', tally, worker: 'here', result: '7', guard: null }]);
    expect(here.starts).toEqual([{ step: 'poll', tally }]);
    const elsewhere = expectDecided(decide(view, [tried()], buildPlace(0)));
    expect([elsewhere.writes[0], elsewhere.starts]).toMatchObject([{ status: 'ready', tally, result: '7' }, []]);
    const stranger = expectDecided(decide(view, [tried()], buildPlace(1, 'there')));
    expect([stranger.writes[0]?.status, stranger.starts]).toEqual(['ready', []]);
  });

  it('is followed by another once its pause is over, with failures of its own', () => {
    const rows = { poll: { ...ROW, failures: 1 } };
    const view = buildView(graphOf(), { marks: 'q.', rows });
    const { state, status, writes, news } = expectDecided(decide(view, [repeated({ failures: 1 })], buildPlace(1)));
    expect([state.marks, status]).toEqual(['w.', 'waiting']);
    const tally = { attempt: 1, failures: 0, crashes: 0, stage: 'admitted', rounds: 1 };
    const guard = { attempt: 1, running: true, stage: 'tried' };
    expect(writes).toMatchObject([{ status: 'waiting', tally, guard, delayMs: 60_000 }]);
    expect(news).toMatchObject([{ status: 'waiting', delayMs: 60_000 }]);
  });

  it('is followed by another at once where there is no pause, in another attempt', () => {
    const view = buildView(graphOf({ everyMs: 0 }), { marks: 'q.', rows: { poll: { ...ROW, rounds: 1 } } });
    const { writes, starts } = expectDecided(decide(view, [repeated({ rounds: 1 })], buildPlace(1)));
    expect(starts).toMatchObject([{ step: 'poll', tally: { attempt: 2, stage: 'admitted', rounds: 2 } }]);
    expect(writes).toMatchObject([{ status: 'running', worker: 'here', guard: { attempt: 1, stage: 'tried' } }]);
    const full = expectDecided(decide(view, [repeated({ rounds: 1 })], buildPlace(0)));
    expect(full.writes).toMatchObject([{ status: 'ready', tally: { attempt: 1, rounds: 2 } }]);
  });

  it('is the last one that may be: then the step fails for good', () => {
    const view = buildView(graphOf(), { marks: 'q.', rows: { poll: { ...ROW, rounds: 2 } } });
    const { status, failure } = expectDecided(decide(view, [repeated({ rounds: 2 })], buildPlace(1)));
    expect([status, failure]).toEqual(['failed', { step: 'poll', error: 'exhausted' }]);
  });

  it('is asked about again after a failure of the question, a hand-over and a death, and not done again', () => {
    const view = buildView(graphOf(), { marks: 'q.', rows: { poll: { ...ROW, rounds: 1 } } });
    const write = (fact: Fact) => expectDecided(decide(view, [fact], buildPlace(0))).writes[0];
    const kept = { tally: { stage: 'tried', rounds: 1 } };
    const asked = claim({ stage: 'tried', rounds: 1 });
    expect(write({ ...(failed('poll') as object), claim: asked } as Fact)).toMatchObject({
      ...kept,
      status: 'retrying',
    });
    expect(write({ ...(released('poll') as object), claim: asked } as Fact)).toMatchObject({
      ...kept,
      status: 'ready',
    });
    expect(write(lost('there'))).toMatchObject({ ...kept, status: 'ready' });
  });

  it('is late, and changes nothing, where it has been recorded or the next has begun', () => {
    const view = buildView(graphOf(), {
      marks: 'q.',
      rows: { poll: { ...ROW, attempt: 2, stage: 'admitted', rounds: 1 } },
    });
    for (const fact of [tried(), repeated(), tried({ attempt: 2 }), repeated({ attempt: 2 })]) {
      const { changed, stale } = expectDecided(decide(view, [fact], buildPlace(1)));
      expect([changed, stale.length]).toEqual([false, 1]);
    }
  });
});

describe('a step that is repeated, in a run that is stopped', () => {
  const undone = graphOf({}, true);

  it('has completed with the round that was under way, and is undone', () => {
    const running = { status: 'running', attempt: 2, stage: 'admitted', rounds: 1 } as const;
    const stopped = buildView(undone, { status: 'cancelling', marks: 'qxz', rows: { poll: running } });
    const outcome = tried({ attempt: 2, stage: 'admitted', rounds: 1 });
    const one = expectDecided(decide(stopped, [outcome], buildPlace(1)));
    expect([one.status, one.state.marks, one.writes[0]?.result]).toEqual(['compensating', 'cxh', '7']);
    const asking = buildView(undone, { status: 'cancelling', marks: 'qxz', rows: { poll: ROW } });
    const other = expectDecided(decide(asking, [repeated()], buildPlace(1)));
    expect([other.status, other.state.marks, other.writes[0]?.status]).toEqual(['compensating', 'cxh', 'completed']);
  });

  it.each([
    ['between two rounds', { status: 'waiting', attempt: 1, stage: 'admitted', rounds: 1 }],
    ['before it was asked', { status: 'ready', attempt: 1, stage: 'tried' }],
  ] as const)('is undone where it was stopped %s', (_, row) => {
    const view = buildView(undone, { marks: 'q.z', rows: { poll: row } });
    const { status, state } = expectDecided(decide(view, [CANCELLED], buildPlace(1)));
    expect([status, state.marks]).toEqual(['compensating', 'Xxh']);
  });

  it('keeps what its round has given, and is undone, where both are told in one breath', () => {
    const view = buildView(undone, { marks: 'h.z', holds: { poll: {} }, rows: {} });
    const { status, state, writes, starts } = expectDecided(decide(view, [tried(), CANCELLED], buildPlace(2)));
    expect([status, state.marks]).toEqual(['compensating', 'Xxh']);
    expect(writes).toMatchObject([{ step: 'poll', status: 'cancelled', result: '7', guard: null }]);
    expect(starts.map(({ step }) => step)).toEqual(['undo']);
  });
});
