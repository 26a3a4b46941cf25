import { describe, expect, it } from '@jest/globals';

import {
  buildGraph,
  buildPlace,
  buildView,
  CANCELLED,
  completed,
  expectDecided,
  RETRIED,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import type { Fact, Unclaimed } from './facts.js';
import { MARK } from './run-state.js';

const PAIR = buildGraph({ one: [], two: ['one'] });

function unclaimed(step: string, change: Partial<Unclaimed> = {}): Fact {
  return { type: 'steps-unclaimed', steps: [{ step, attempt: 0, error: 'nobody came', ...change }] };
}

function decided(parts: Parameters<typeof buildView>[1], facts: readonly Fact[], graph = PAIR) {
  return expectDecided(decide(buildView(graph, parts), facts, buildPlace(1)));
}

describe('a step that no worker has taken in time', () => {
  it('is looked at in its row, under the lock', () => {
    const view = buildView(PAIR, { marks: 'q.' });
    expect(decide(view, [unclaimed('one')], buildPlace())).toEqual({ kind: 'needs-rows' });
  });

  it('fails for good, and its run with it, and no attempt is counted', () => {
    const { status, state, failure, writes, news } = decided({ marks: 'q.', rows: { one: {} } }, [unclaimed('one')]);
    expect([status, state.marks, failure]).toEqual(['failed', 'fx', { step: 'one', error: 'nobody came' }]);
    const tally = { attempt: 0, failures: 0, crashes: 0 };
    const guard = { attempt: 0, running: false };
    expect(writes).toMatchObject([{ step: 'one', status: 'failed', tally, guard, error: 'nobody came' }]);
    expect(news).toMatchObject([{ step: 'one', status: 'failed', attempt: 0 }]);
  });

  it('lets its run go on where it may fail, and whoever waits for it begins', () => {
    const graph = buildGraph({ one: [], two: ['one'] }, { one: { onFailure: 'continue' } });
    const { status, state, starts } = decided({ marks: 'q.', rows: { one: {} } }, [unclaimed('one')], graph);
    expect([status, state.marks, starts.length]).toEqual(['running', 'fh', 1]);
  });

  it('may have had its effect in an attempt before, and is undone then', () => {
    const graph = buildGraph({ one: [], undo: [] }, { undo: { kind: 'compensation', compensates: 'one' } });
    const row = { attempt: 1, crashes: 1 };
    const { status, state } = decided({ marks: 'qz', rows: { one: row } }, [unclaimed('one', { attempt: 1 })], graph);
    expect([status, state.marks]).toEqual(['compensating', 'Fh']);
  });

  it.each([
    ['was taken first', { status: 'running', attempt: 1 }, {}],
    ['was taken and given back since', { attempt: 1 }, {}],
    ['has got on since', { stage: 'received' }, { stage: 'parked' }],
    ['is of an earlier generation', {}, { generation: 1 }],
  ] as const)('is left alone where it %s', (_, row, change) => {
    const { changed, stale } = decided({ marks: 'q.', rows: { one: row } }, [unclaimed('one', change)]);
    expect([changed, stale]).toEqual([false, []]);
  });

  it('is left alone where it is not there any more, was stopped in the same breath, or its run has ended or begun anew', () => {
    const parts = { marks: 'c' + MARK.held, holds: { two: {} }, rows: {} };
    expect(decided(parts, [unclaimed('one')]).changed).toBe(false);
    const stopped = decided({ marks: 'q.', rows: { one: {} } }, [CANCELLED, unclaimed('one')]);
    expect([stopped.status, stopped.failure]).toEqual(['cancelled', null]);
    const ended = { status: 'failed', marks: 'fx', rows: {}, failure: { step: 'one', error: 'e' } } as const;
    expect(decided(ended, [unclaimed('one')]).changed).toBe(false);
    expect(decided(ended, [RETRIED, unclaimed('one')]).status).toBe('running');
  });

  it('is one of several: of siblings the first fails the run, and with that the others are cancelled', () => {
    const graph = buildGraph({ one: [], two: [] });
    const both: Fact = {
      type: 'steps-unclaimed',
      steps: ['one', 'two'].map((step) => ({ step, attempt: 0, error: step })),
    };
    const { state, failure, writes } = decided({ marks: 'qq', rows: { one: {}, two: {} } }, [both], graph);
    expect([state.marks, failure?.step]).toEqual(['fx', 'one']);
    expect(writes.map(({ status }) => status)).toEqual(['failed', 'cancelled']);
  });

  it('is an item: its fan-out bears as many as it tolerates', () => {
    const graph = buildGraph({ fan: [], next: ['fan'] }, { fan: { fanOut: { maxItems: 2, tolerate: 1 } } });
    const rows = { fan: { status: 'waiting', attempt: 1, stage: 'expanded' }, 'fan[0]': {}, 'fan[1]': {} } as const;
    const parts = { marks: 'i.', rows, fanOuts: { fan: { total: 2 } } };
    const first = decided(parts, [unclaimed('fan[0]')], graph);
    expect([first.status, first.state.marks]).toEqual(['running', 'i.']);
    const both = decided(parts, [unclaimed('fan[0]'), unclaimed('fan[1]')], graph);
    expect([both.status, both.state.marks, both.failure?.step]).toEqual(['failed', 'fx', 'fan[1]']);
    const last = decided(
      { ...parts, rows: { ...rows, 'fan[1]': { status: 'running', attempt: 1 } } },
      [unclaimed('fan[0]'), completed('fan[1]')],
      graph,
    );
    expect([last.status, last.state.marks]).toEqual(['running', 'ch']);
  });
});
