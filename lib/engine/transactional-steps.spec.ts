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
  released,
  type ViewParts,
} from '../../test/support/engine/build-run.js';
import { decide } from './decide.js';
import type { Fact } from './facts.js';
import { DEFAULT_RETRY } from './retry-policy.js';

const ONCE = { ...DEFAULT_RETRY, attempts: 1 };

/** a → t → z, of which t is transactional and undone by T. */
const GRAPH = buildGraph(
  { a: [], t: ['a'], z: ['t'], T: [] },
  { t: { transactional: true, retry: ONCE }, T: { kind: 'compensation', compensates: 't' } },
);
const TERMINATED: Fact = { type: 'terminate-requested', reason: 'enough', by: null };
const RUNNING = { status: 'running', attempt: 1 } as const;
const COMMITTED = { ...RUNNING, stage: 'committed' } as const;

const decideIn = (parts: ViewParts, facts: readonly Fact[], place = buildPlace()) =>
  expectDecided(decide(buildView(GRAPH, parts), facts, place));

describe('a transactional step', () => {
  it('has a row from its beginning, also where its run could hold it', () => {
    const decision = decideIn({ marks: 'h..z', holds: { a: {} } }, [completed('a')], buildPlace(1));
    expect(decision).toMatchObject({ state: { marks: 'cq.z' }, worker: null });
    expect(decision.writes).toMatchObject([
      { step: 'a' },
      { step: 't', status: 'running', worker: 'here', guard: null },
    ]);
    expect(decision.starts).toMatchObject([{ step: 't', tally: { attempt: 1 } }]);
  });

  it('of which an attempt was given up has done nothing that is to be undone', () => {
    const parts = { marks: 'cq.z', rows: { t: { ...RUNNING, crashes: 1 } } };
    const timedOut = decideIn(parts, [failed('t', { inDoubt: true })]);
    expect(timedOut).toMatchObject({ status: 'failed', state: { marks: 'cfxz' } });
    const handedOver = decideIn({ marks: 'cq.z', rows: { t: RUNNING } }, [released('t')]);
    expect(handedOver.writes[0]!.tally).not.toHaveProperty('inDoubt');
  });
});

describe('a transactional step whose transaction has come in', () => {
  const parts = { marks: 'cq.z', rows: { t: COMMITTED } };
  const completedRow = {
    step: 't',
    status: 'completed',
    result: null,
    guard: { attempt: 1, running: true, stage: 'committed' },
  };

  it('completes with its result, and the run goes on', () => {
    const claim = { step: 't', attempt: 1, failures: 0, crashes: 0, startedAt: 'then', stage: 'committed' } as const;
    const decision = decideIn({ marks: 'cq.z' }, [{ type: 'step-completed', claim, result: '42' }]);
    expect(decision).toMatchObject({ state: { marks: 'ccqz' } });
    expect(decision.writes[0]).toMatchObject({ ...completedRow, result: '42' });
  });

  it('has completed where its worker is lost, and counts no crash', () => {
    const decision = decideIn(parts, [lost('there')]);
    expect(decision).toMatchObject({ state: { marks: 'ccqz' }, news: [{ step: 't', status: 'completed' }] });
    expect(decision.writes[0]).toMatchObject({ ...completedRow, tally: { attempt: 1, crashes: 0 } });
  });

  it('has completed where it is handed over by one who does not know it', () => {
    const decision = decideIn(parts, [released('t')]);
    expect(decision).toMatchObject({ state: { marks: 'ccqz' }, stale: [] });
    expect(decision.writes[0]).toMatchObject(completedRow);
  });

  it('is not handed over by an earlier attempt', () => {
    const later = { marks: 'cq.z', rows: { t: { ...COMMITTED, attempt: 2 } } };
    expect(decideIn(later, [released('t', 1)])).toMatchObject({ changed: false, stale: [{ step: 't', attempt: 1 }] });
  });

  it('has completed where its run is terminated, or was stopped', () => {
    expect(decideIn(parts, [TERMINATED])).toMatchObject({ status: 'terminated', state: { marks: 'ccxz' } });
    const stopped = decideIn(parts, [CANCELLED, lost('there')]);
    expect(stopped).toMatchObject({ status: 'compensating', state: { marks: 'ccxq' } });
  });

  it('is recorded once where its run is told of both', () => {
    const decision = decideIn(parts, [lost('there'), TERMINATED]);
    expect(decision).toMatchObject({ status: 'terminated', state: { marks: 'ccxz' } });
    expect(decision.news.filter(({ status }) => status === 'completed')).toHaveLength(1);
  });
});

describe('the items of a transactional fan-out', () => {
  /** f → z, each item of f in a transaction of its own, and f undone by F. */
  const graph = buildGraph(
    { f: [], z: ['f'], F: [] },
    {
      f: { transactional: true, fanOut: { maxItems: 2, tolerate: 0 }, retry: ONCE },
      F: { kind: 'compensation', compensates: 'f' },
    },
  );
  const EXPANDED = { status: 'waiting', attempt: 1, stage: 'expanded' } as const;
  const decideFanOut = (parts: ViewParts, facts: readonly Fact[], place = buildPlace()) =>
    expectDecided(decide(buildView(graph, parts), facts, place));

  it('have rows of their own from their beginning, also where their run could hold them', () => {
    const claim = { step: 'f', attempt: 1, failures: 0, crashes: 0, startedAt: 'then' };
    const parts = { marks: 'q.z', rows: { f: RUNNING } };
    const { state, writes } = decideFanOut(parts, [{ type: 'step-expanded', claim, count: 3 }], buildPlace(2));
    expect([...state.holds.keys()]).toEqual([]);
    expect(writes).toMatchObject([
      { step: 'f', status: 'waiting' },
      { step: 'f[0]', status: 'running', worker: 'here', guard: { attempt: 0, running: false } },
      { step: 'f[1]', status: 'running', worker: 'here', guard: { attempt: 0, running: false } },
    ]);
  });

  it('have completed where their transactions have come in, whoever tells it', () => {
    const rows = { f: EXPANDED, 'f[0]': COMMITTED, 'f[1]': COMMITTED };
    const parts = { marks: 'i.z', rows, fanOuts: { f: { total: 2 } } };
    const { state, writes, status } = decideFanOut(parts, [released('f[0]'), lost('there')]);
    expect(status).toBe('running');
    expect(state.marks).toBe('cqz');
    expect(writes).toMatchObject([
      { step: 'f[0]', status: 'completed', guard: { attempt: 1, running: true, stage: 'committed' } },
      { step: 'f[1]', status: 'completed', guard: { attempt: 1, running: true, stage: 'committed' } },
      { step: 'f', status: 'completed' },
      { step: 'z', status: 'ready' },
    ]);
  });

  it('have completed where their run is terminated', () => {
    const rows = { f: EXPANDED, 'f[0]': COMMITTED, 'f[1]': RUNNING };
    const { status, writes } = decideFanOut({ marks: 'i.z', rows, fanOuts: { f: { total: 2 } } }, [TERMINATED]);
    expect(status).toBe('terminated');
    expect(writes.map(({ step, status: word }) => [step, word])).toEqual([
      ['f[0]', 'completed'],
      ['f[1]', 'cancelled'],
      ['f', 'cancelled'],
    ]);
  });

  it.each([
    ['is', 1, 'compensating'],
    ['is not', 0, 'failed'],
  ])('make something that %s to be undone where %d of them have completed', (_, done, status) => {
    const rows = { f: { ...EXPANDED, crashes: 1 }, 'f[1]': { ...RUNNING, crashes: 1 } };
    const fanOut = { total: 2, completed: done, failed: 1 - done };
    const tally = { attempt: 1, failures: 0, crashes: 1, stage: 'expanded' } as const;
    const parts = { marks: 'i.z', rows, fanOuts: { f: { ...fanOut, tally } } };
    expect(decideFanOut(parts, [failed('f[1]', { inDoubt: true })]).status).toBe(status);
  });
});
