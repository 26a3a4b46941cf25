import { describe, expect, it } from '@jest/globals';
import {
  buildGraph,
  buildPlace,
  buildView,
  CANCELLED,
  expectDecided,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import type { Fact, Resolution } from './facts.js';

/** a → b, undone by A; and a fan-out f beside them. */
const GRAPH = buildGraph({ a: [], b: ['a'], A: [] }, { A: { kind: 'compensation', compensates: 'a' } });
const FAN = buildGraph({ f: [], z: ['f'] }, { f: { fanOut: { maxItems: 2, tolerate: 0 } } });

const CLAIM = { attempt: 2, failures: 1, crashes: 1, startedAt: 'then' };
const DOUBTED: Fact = { type: 'step-doubted', claim: { step: 'a', ...CLAIM }, error: 'who knows' };
const IN_DOUBT = { status: 'waiting', attempt: 2, failures: 1, crashes: 1, stage: 'in-doubt', inDoubt: true } as const;

const resolve = (step: string, resolution: Resolution, attempt = 2): Fact => {
  return { type: 'resolve-requested', step, attempt, resolution, by: 'Ann', reason: 'seen' };
};
const DONE: Resolution = { kind: 'done', result: '7' };
const NOT_DONE: Resolution = { kind: 'not done' };

const decideIn = (parts: ViewParts, facts: readonly Fact[], graph = GRAPH, place = buildPlace()) =>
  expectDecided(decide(buildView(graph, parts), facts, place));

describe('a step in doubt', () => {
  const waiting = { marks: 'w.z', status: 'waiting', rows: { a: IN_DOUBT } } as const;

  it('waits for a person, without a time, and says why', () => {
    const decision = decideIn({ marks: 'q.z', rows: { a: { ...CLAIM, status: 'running' } } }, [DOUBTED]);
    expect(decision).toMatchObject({ status: 'waiting', state: { marks: 'w.z' } });
    expect(decision.writes).toMatchObject([
      {
        ...{ step: 'a', status: 'waiting', error: 'who knows', delayMs: null, dueAt: null },
        tally: { attempt: 2, failures: 1, crashes: 1, stage: 'in-doubt', inDoubt: true },
        guard: { attempt: 2, running: true },
      },
    ]);
    expect(decision.news).toMatchObject([{ step: 'a', status: 'waiting', error: 'who knows' }]);
  });

  it('has completed where a person says that it is done, and what comes after it begins', () => {
    const decision = decideIn(waiting, [resolve('a', DONE)]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'cqz' } });
    expect(decision.audit).toEqual([{ action: 'resolve', by: 'Ann', reason: 'seen' }]);
    const [write] = decision.writes;
    expect(write).toMatchObject({ step: 'a', status: 'completed', result: '7' });
    expect(write!.guard).toEqual({ attempt: 2, running: false, stage: 'in-doubt' });
    expect(write!.tally).toEqual({ attempt: 2, failures: 1, crashes: 1 });
    expect(decision.news).toMatchObject([{ step: 'a', status: 'completed', attempt: 2 }]);
  });

  it('is run where a person says that it is not done, with no doubt left', () => {
    const decision = decideIn(waiting, [resolve('a', NOT_DONE)]);
    expect(decision).toMatchObject({ status: 'running', state: { marks: 'q.z' } });
    expect([...decision.rings]).toEqual(['q']);
    expect(decision.writes[0]!.tally).toEqual({ attempt: 2, failures: 1, crashes: 0, stage: 'cleared' });
    expect(decision.writes[0]!.status).toBe('ready');
  });

  it('asks for its rows, and takes the first answer alone', () => {
    expect(decide(buildView(GRAPH, { marks: 'w.z' }), [resolve('a', DONE)], buildPlace()).kind).toBe('needs-rows');
    const decision = decideIn(waiting, [resolve('a', NOT_DONE), resolve('a', DONE)]);
    expect(decision.state.marks).toBe('q.z');
    expect(decision.audit).toHaveLength(1);
  });

  it.each([
    ['another attempt', waiting, resolve('a', DONE, 1)],
    ['a step that nobody knows', waiting, resolve('x', DONE)],
    [
      'a step that waits for something else',
      { ...waiting, rows: { a: { status: 'retrying', attempt: 2 } } } as const,
      resolve('a', DONE),
    ],
    ['a run that has ended', { marks: 'X.z', status: 'cancelled', rows: {} } as const, resolve('a', DONE)],
  ])('is not changed by an answer for %s', (_, parts, fact) => {
    const decision = decideIn(parts, [fact]);
    expect(decision).toMatchObject({ changed: false, audit: [] });
  });

  it('is not woken, and ends in doubt with its run', () => {
    const woken = decideIn(waiting, [{ type: 'wake-requested', by: null, reason: null }]);
    expect(woken.changed).toBe(false);
    const cancelled = decideIn(waiting, [CANCELLED]);
    expect(cancelled).toMatchObject({ status: 'compensating', state: { marks: 'Xxq' } });
  });

  it('does not begin to wait in a run that has been stopped', () => {
    const parts = { marks: 'q.z', status: 'cancelling', rows: { a: { ...CLAIM, status: 'running' } } } as const;
    expect(decideIn(parts, [DOUBTED])).toMatchObject({ status: 'compensating', state: { marks: 'X.q' } });
    const late: Fact = { ...DOUBTED, claim: { ...DOUBTED.claim, attempt: 1 } };
    expect(decideIn(parts, [late])).toMatchObject({ changed: false, stale: [{ attempt: 1 }] });
  });
});

describe('an item in doubt', () => {
  const fanned = { marks: 'i.', fanOuts: { f: { total: 2, next: 2, completed: 1 } } } as const;
  const running = { ...fanned, rows: { 'f[1]': { ...CLAIM, status: 'running' } } } as const;
  const doubted: Fact = { type: 'step-doubted', claim: { step: 'f[1]', ...CLAIM }, error: 'who knows' };

  it('waits, and its fan-out ends with what a person says', () => {
    expect(decideIn(running, [doubted], FAN).writes).toMatchObject([{ step: 'f[1]', status: 'waiting' }]);
    const parts = { ...fanned, rows: { 'f[1]': IN_DOUBT } };
    const decision = decideIn(parts, [resolve('f[1]', DONE)], FAN);
    expect(decision.state.marks).toBe('cq');
    expect(decision.writes.map(({ step, status }) => `${step} ${status}`)).toEqual([
      ...['f[1] completed', 'f completed', 'z ready'],
    ]);
  });

  it('that begins to wait as its run is cancelled is cancelled with it', () => {
    expect(decideIn(running, [doubted, CANCELLED], FAN)).toMatchObject({ status: 'cancelled', state: { marks: 'xx' } });
  });
});

describe('an attempt that is handed over', () => {
  it('leaves no doubt where its code was not called', () => {
    const claim = { step: 'a', attempt: 1, failures: 0, crashes: 0, startedAt: 'then' };
    const parts = { marks: 'q.z', rows: { a: { status: 'running', attempt: 1 } } } as const;
    const untouched = decideIn(parts, [{ type: 'step-released', claim, isUntouched: true }]);
    expect(untouched.writes[0]!.tally).not.toHaveProperty('inDoubt');
    const touched = decideIn(parts, [{ type: 'step-released', claim }]);
    expect(touched.writes[0]!.tally).toMatchObject({ inDoubt: true });
  });
});
