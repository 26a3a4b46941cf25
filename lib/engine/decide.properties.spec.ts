import assert from 'node:assert/strict';

import { afterAll, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { buildGraph, completed, expectDecided } from '../../test/support/engine/build-run.js';
import { MET, QUARANTINE, RunSimulation, type Chaos } from '../../test/support/engine/simulate-run.js';
import { decide } from './decide.js';
import type { Decision, RunView } from './decision.js';
import type { Fact } from './facts.js';
import type { GraphNode } from './graph.js';
import { indexGraph, type IndexedGraph } from './indexed-graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';
import { MARK } from './run-state.js';
import { isEnded, isStopping, type RunStatus } from './words.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 1_000);
/** Any other on each day and in each process; `OF_PROPERTY_SEED` repeats what has failed. */
const seed = Number(process.env.OF_PROPERTY_SEED ?? Date.now() % 1_000_000_000);
// A tenth of that is enough on a quiet machine.
jest.setTimeout(30_000 + numRuns * 10);

afterAll(() => void process.stdout.write(`${numRuns} cases of each property: OF_PROPERTY_SEED=${seed}\n`));

const QUEUES = ['mail', 'money'] as const;

const MAX_STEPS = 6;

const waits = fc.nat(2 ** MAX_STEPS - 1);
const steps = fc.record({
  // A step waits for those earlier steps whose bits are set in both: with one, nearly every graph would be a chain.
  waits: fc.tuple(waits, waits).map(([one, other]) => one & other),
  queue: fc.constantFrom(...QUEUES),
  attempts: fc.integer({ min: 1, max: 3 }),
});

/** Any graph of so many steps: a step may wait for any that come before it in some order, which is not the page's. */
const graphs: fc.Arbitrary<IndexedGraph> = fc
  .array(steps, { minLength: 1, maxLength: MAX_STEPS })
  .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all.keys()], { minLength: all.length })))
  .map(([all, page]) => {
    const namesBefore = (position: number) =>
      [...all.keys()].filter((other) => other < position && (all[position]!.waits >> other) & 1);
    const edges = page.map((position) => [`s${position}`, namesBefore(position).map((other) => `s${other}`)] as const);
    const changes = all.map(({ queue, attempts }, position) => {
      return [`s${position}`, { queue, retry: { ...DEFAULT_RETRY, attempts } }] as const;
    });
    return buildGraph(Object.fromEntries(edges), Object.fromEntries(changes));
  });

const turns = fc.record({
  feature: fc.constantFrom(
    'none',
    'sleep',
    'sleep-until',
    'met',
    'unmet',
    'delay',
    'met delay',
    'continue',
    'signal',
    'short',
    'met signal',
    'skips',
    'fails',
    'fan-out',
    'tolerant',
    'met fan-out',
    'transactional fan-out',
    'transactional',
    'met transactional',
    'repeated',
    'repeated at once',
    'repeated in vain',
    'hurried',
    'hurried fan-out',
    'met hurried',
  ),
  isUndone: fc.boolean(),
  join: fc.nat(2 * MAX_STEPS),
  needs: waits,
});

/** The same with sleeps, conditions, joins of some, failures that are tolerated, and steps that need others. */
const turnGraphs: fc.Arbitrary<IndexedGraph> = fc
  .tuple(graphs, fc.array(turns, { minLength: MAX_STEPS, maxLength: MAX_STEPS }))
  .map(([{ graph }, said]) => {
    const nodes = graph.nodes.map((node, position) => {
      const { feature, join, needs } = said[position]!;
      const isJoin = join > 0 && join < node.after.length;
      const needed = isJoin ? [] : node.after.filter((_, index) => (needs >> index) & 1);
      return {
        ...{ ...node, ...FEATURES[feature], ...(isJoin ? { join } : {}) },
        ...(needed.length > 0 ? { needs: needed } : {}),
      };
    });
    const undone = said.slice(0, nodes.length).flatMap(({ isUndone, feature }, position): GraphNode[] => {
      if (!isUndone || feature === 'sleep') return [];
      const { name } = nodes[position]!;
      return [{ ...nodes[position]!, name: `undo-${name}`, after: [], results: [], ...UNDO, compensates: name }];
    });
    return indexGraph({ ...graph, nodes: [...nodes.map(withoutUndefined), ...undone.map(withoutUndefined)] });
  });

/** Only a retry changes a run that has ended: as that was committed. */
function isNoRetry({ type }: Fact): boolean {
  return type !== 'retry-requested';
}

function withoutUndefined(node: GraphNode): GraphNode {
  return Object.fromEntries(Object.entries(node).filter(([, value]) => value !== undefined)) as unknown as GraphNode;
}

/** What a compensation has nothing of. */
const UNDO = {
  kind: 'compensation',
  ...{
    when: undefined,
    needs: undefined,
    join: undefined,
    delayMs: undefined,
    onFailure: undefined,
    fanOut: undefined,
    repeat: undefined,
  },
  ...{ signals: undefined, waitMs: undefined },
} as unknown as Partial<GraphNode>;

const FEATURES: Readonly<Record<string, Partial<GraphNode>>> = {
  none: {},
  sleep: { kind: 'sleep', delayMs: 5 },
  'sleep-until': { kind: 'sleep-until' },
  met: { when: MET },
  unmet: { when: 'isNotMet' },
  delay: { delayMs: 5 },
  'met delay': { when: MET, delayMs: 5 },
  continue: { onFailure: 'continue' },
  signal: { kind: 'signal', signals: ['one', 'other'] },
  short: { kind: 'signal', signals: ['one'], waitMs: 5 },
  'met signal': { kind: 'signal', signals: ['other'], when: MET },
  skips: { kind: 'signal', signals: ['skips'], waitMs: 5 },
  'fan-out': { fanOut: { maxItems: 2, tolerate: 0 } },
  tolerant: { fanOut: { maxItems: 3, tolerate: '50%' }, onFailure: 'continue' },
  'met fan-out': { fanOut: { maxItems: 1, tolerate: 1 }, when: MET },
  fails: { kind: 'signal', signals: ['fails'], waitMs: 5 },
  transactional: { transactional: true },
  'transactional fan-out': { transactional: true, fanOut: { maxItems: 2, tolerate: 1 } },
  'met transactional': { transactional: true, when: MET },
  repeated: { repeat: { until: MET, everyMs: 5, max: 3 } },
  'repeated at once': { repeat: { until: MET, everyMs: 0, max: 3 }, when: MET },
  'repeated in vain': { repeat: { until: 'isNotMet', everyMs: 0, max: 2 } },
  hurried: { startWithinMs: 5 },
  'hurried fan-out': { startWithinMs: 5, fanOut: { maxItems: 2, tolerate: 1 } },
  'met hurried': { startWithinMs: 5, when: MET, onFailure: 'continue' },
};

const slots = fc.record({ mail: fc.nat(3), money: fc.nat(3) }).map((counts) => new Map(Object.entries(counts)));
/** One to three processes; the first has a slot in every queue, else a run need not end. */
const offices = fc
  .array(slots, { maxLength: 2 })
  .chain((others) => slots.map((own) => [new Map([...own].map(([queue, count]) => [queue, count + 1])), ...others]));
const choices = fc.array(fc.nat(60_000), { maxLength: 18, size: 'max' });

function simulate(chaos: Chaos, check: (run: RunSimulation) => void, drawn = graphs): void {
  const property = fc.property(drawn, offices, choices, (graph, office, chosen) => {
    check(new RunSimulation(graph, office, chaos).follow(chosen));
  });
  fc.assert(property, { numRuns, seed });
}

const ALL: Chaos = { failures: true, crashes: true, cancels: true, pauses: true, doubles: true };

// Each simulation checks with every commit: the tables of moves, that a step starts once per attempt and never before its
// dependencies have completed, that nothing starts in a stopped run, that a run names a worker exactly as long as it has
// holds and only that worker has them, that counters keep their bounds, and that there is always something that can happen.
describe('whatever the graph and the order of events', () => {
  it('a run in which nothing fails completes, every step in its first attempt', () => {
    simulate({}, (run) => {
      run.finish();
      assert.equal(run.run.status, 'completed');
      assert.equal(
        [...run.started].sort().join(),
        run.graph.nodes
          .map(({ name }) => `${name}#1`)
          .sort()
          .join(),
      );
      for (const { status, result } of run.rows.values()) assert(status === 'completed' && result !== null);
      assert.equal(run.staleCount, 0);
    });
  });

  it('a run whose steps fail completes, or fails with the step that stopped it', () => {
    simulate({ failures: true }, (run) => {
      run.finish();
      const failed = [...run.rows].filter(([, { status }]) => status === 'failed').map(([step]) => step);
      if (failed.length === 0) assert.equal(run.run.status, 'completed');
      else {
        assert.equal(run.run.status, 'failed');
        assert(failed.includes(run.run.failure!.step));
        assert.equal(run.rows.get(run.run.failure!.step)!.errors.at(-1), run.run.failure!.error);
      }
      for (const { failures, crashes, attempt, errors } of run.rows.values()) {
        assert.equal(crashes, 0);
        assert(failures <= attempt && errors.length >= failures);
      }
    });
  });

  it('a run whose workers die completes, unless a step died alone too often, and no crash counts as a failure', () => {
    simulate({ crashes: true }, (run) => {
      run.finish();
      expectEnd(run, 'completed');
      for (const { failures } of run.rows.values()) assert.equal(failures, 0);
    });
  });

  it('outcomes that come twice, late or by way of another process change nothing and are reported', () => {
    simulate({ doubles: true, crashes: true }, (run) => {
      run.finish().deliverAll();
      expectEnd(run, 'completed');
      for (const [step, { status, result }] of run.rows)
        assert.equal(result, status === 'completed' ? `result of ${step}` : null);
    });
  });

  it('a run that is cancelled at any point ends as cancelled, unless it ended or failed first', () => {
    simulate({ cancels: true, crashes: true, pauses: true }, (run) => {
      // One that had failed while it was paused stops as failed.
      const wasCancelled = run.run.cancelReason !== null && run.run.failure === null;
      run.finish();
      if (wasCancelled) assert.equal(run.run.status, 'cancelled');
      else expectEnd(run, 'completed');
    });
  });

  it('a run to which everything happens ends, and then nothing changes it', () => {
    simulate(ALL, (run) => {
      run.finish();
      const { run: end, statuses } = run;
      const rows = new Map(run.rows);
      assert(isEnded(end.status));
      assert.equal(statuses.filter(isEnded).length, 1);
      run.deliverAll();
      assert.equal(run.run, end);
      assert.deepEqual(run.rows, rows);
      for (const fact of run.possibleFacts().filter(isNoRetry)) {
        const decision = expectDecided(decide(run.view(), [fact], { worker: 'other', slots: new Map() }));
        const { changed, status, writes, starts, news, stale } = decision;
        assert.deepEqual([changed, status], [false, end.status]);
        assert.equal(writes.length + starts.length + news.length, 0);
        assert.deepEqual(stale, 'claim' in fact ? [fact.claim] : []);
      }
    });
  });

  it('with conditions, joins and sleeps too, where nothing fails or is cancelled every step has its turn or none, and the run completes', () => {
    simulate(
      { crashes: true, doubles: true, pauses: true },
      (run) => {
        run.finish().deliverAll();
        if (run.run.status !== 'completed') return expectPoison(run);
        run.graph.nodes.forEach((_, position) => expectTurn(run, position));
      },
      turnGraphs,
    );
  });

  it('with conditions, joins and sleeps too, a run to which everything happens ends, and then nothing changes it', () => {
    simulate(
      ALL,
      (run) => {
        run.finish();
        const { run: end } = run;
        assert(isEnded(end.status));
        run.deliverAll();
        assert.equal(run.run, end);
        for (const fact of run.possibleFacts().filter(isNoRetry)) {
          const decision = expectDecided(decide(run.view(), [fact], { worker: 'other', slots: new Map() }));
          assert.deepEqual([decision.changed, decision.writes.length, decision.starts.length], [false, 0, 0]);
        }
      },
      turnGraphs,
    );
  });

  it('several facts folded into one commit end where the same facts end one by one, and decide nothing else the second time', () => {
    const picks = fc.array(fc.nat(1_000), { minLength: 2, maxLength: 5 });
    const property = fc.property(graphs, offices, choices, picks, (graph, office, chosen, picked) => {
      const at = new RunSimulation(graph, office, ALL).follow(chosen);
      const possible = at.possibleFacts().filter(isNoRetry);
      const facts = picked.map((pick) => possible[pick % possible.length]!);
      const apart = facts.map((fact) => [fact]);
      assert.deepEqual(stateAfter(at, [facts]), stateAfter(at, apart));
      expectPure(at.view(), facts);
    });
    fc.assert(property, { numRuns, seed });
  });

  it('a run that is retried whenever it has failed ends, what had completed keeps its result, and no outcome of an earlier generation counts', () => {
    simulate({ ...ALL, retries: true }, (run) => void run.finish().deliverAll(), turnGraphs);
  });

  it('a run that has limits begins, and is retried, when it has its turn and not before, whatever else happens to it', () => {
    simulate({ ...ALL, retries: true, limits: true }, (run) => void run.finish().deliverAll(), turnGraphs);
  });

  it('what people ask is noted with who and why if it changes the run, and only then', () => {
    simulate(
      ALL,
      (run) => {
        for (const fact of run.possibleFacts()) {
          const { changed, audit } = expectDecided(decide(run.view(), [fact], { worker: 'p0', slots: new Map() }));
          const asked = 'by' in fact && changed ? [fact] : [];
          const notes = asked.map(({ type, by, reason }) => ({ action: type.replace('-requested', ''), by, reason }));
          assert.deepEqual(audit, notes);
        }
      },
      turnGraphs,
    );
  });

  it('steps that run side by side may complete in any order', () => {
    const orders = fc.array(fc.nat(1_000), { minLength: MAX_STEPS, maxLength: MAX_STEPS });
    const property = fc.property(graphs, offices, choices, orders, (graph, office, chosen, order) => {
      const at = new RunSimulation(graph, office).follow(chosen);
      const view = at.view();
      const running = graph.nodes.filter(({ name }, position) => {
        return view.state.marks[position] === MARK.held || view.rows!.get(name)?.status === 'running';
      });
      const facts = running.map(({ name }) => completed(name));
      const shuffled = facts.toSorted((a, b) => rank(a, facts, order) - rank(b, facts, order));
      const place = { worker: 'p0', slots: new Map(QUEUES.map((queue) => [queue, 100])) };
      const one = expectDecided(decide(view, facts, place));
      const other = expectDecided(decide(view, shuffled, place));
      assert.deepEqual(sorted(other), sorted(one));
    });
    fc.assert(property, { numRuns, seed });
  });
});

describe('the simulation', () => {
  it('meets what it is to be tried against: misses, stale outcomes, stopped runs and every end', () => {
    const seen = new Set<string>();
    const property = fc.property(graphs, offices, choices, (graph, office, chosen) => {
      const run = new RunSimulation(graph, office, ALL).follow(chosen).finish().deliverAll();
      seen.add(run.run.status);
      for (const status of run.statuses) if (isStopping(status)) seen.add(status);
      if (run.graph.before.some((before, position) => before.length > 2 && run.marks[position] === MARK.completed)) {
        seen.add('joins');
      }
      if (run.staleCount > 0) seen.add('stale');
      if (run.lockedCount > 0) seen.add('locked');
      for (const { status, crashes, failures } of run.rows.values()) {
        if (status === 'quarantined') seen.add(status);
        if (crashes > 1) seen.add('crashes');
        if (failures > 1) seen.add('failures');
      }
    });
    fc.assert(property, { numRuns: 2_000, seed: 1 });
    expect([...seen].sort()).toEqual([
      'cancelled',
      'cancelling',
      'completed',
      'crashes',
      'failed',
      'failing',
      'failures',
      'joins',
      'locked',
      'quarantined',
      'stale',
    ]);
  });
});

/** The same facts from the same view give the same decision, and what it was made from is left as it was. */
function expectPure(view: RunView, facts: readonly Fact[]): void {
  const before = { state: { ...view.state, holds: new Map(view.state.holds) }, rows: new Map(view.rows) };
  const slots = new Map(QUEUES.map((queue) => [queue, 1]));
  const decision = decide(view, facts, { worker: 'p0', slots });
  assert.deepEqual({ state: view.state, rows: view.rows }, before);
  assert.deepEqual([...slots.values()], [1, 1]);
  assert.deepEqual(decide(view, facts, { worker: 'p0', slots }), decision);
}

/** The run has ended so, or has failed because one of its steps was quarantined. */
function expectEnd({ run, rows }: RunSimulation, status: RunStatus): void {
  const isPoisoned = [...rows.values()].some((row) => row.status === 'quarantined');
  assert.equal(run.status, isPoisoned ? 'failed' : status);
  if (isPoisoned) expectPoison({ run, rows });
}

/** The run has failed because one of its steps was quarantined, or a signal did not come in time. */
function expectPoison({ run, rows }: Pick<RunSimulation, 'run' | 'rows'>): void {
  const { step } = run.failure!;
  const { status, crashes, errors } = rows.get(step)!;
  if (errors.at(-1) === 'nothing came') return;
  assert.equal(status, 'quarantined');
  assert.deepEqual(run.failure, { step, error: QUARANTINE.error });
  assert(crashes >= QUARANTINE.crashes);
}

/** What lies in the store, and what was told, after these commits: without free slots, so that only the facts matter. */
function stateAfter(at: RunSimulation, commits: readonly (readonly Fact[])[]) {
  const run = at.copy();
  const decisions = commits.map((facts): Decision => {
    const decision = expectDecided(decide(run.view(), facts, { worker: 'p0', slots: new Map() }));
    if (decision.changed) assert(run.apply(decision, run.run, 'p0'));
    return decision;
  });
  const { revision: _, updatedAt: __, ...row } = run.run;
  return {
    row,
    rows: Object.fromEntries(run.rows),
    news: decisions.flatMap(({ news }) => news),
    audit: decisions.flatMap(({ audit }) => audit),
    stale: decisions.flatMap(({ stale }) => stale),
  };
}

/** A step of a completed run: it completed, or there is a reason why it did not. */
function expectTurn({ graph, marks }: RunSimulation, position: number): void {
  const { when, join, kind, signals } = graph.nodes[position]!;
  const mark = marks[position];
  const isGood = (one: number) => 'cfF'.includes(marks[one]!);
  const lacks = !graph.needs[position]!.every(isGood);
  const won = graph.before[position]!.filter((one) => marks[one] === MARK.completed).length;
  const isImpossible = join !== undefined && won < join;
  if (mark === MARK.completed) assert(!lacks && !isImpossible && (when === undefined || when === MET));
  else if (mark === MARK.skipped)
    assert(lacks || isImpossible || (when !== undefined && when !== MET) || signals?.[0] === 'skips');
  else if (kind === 'compensation') assert.equal(mark, MARK.dormant);
  else if (mark === MARK.failed || mark === MARK.failedInDoubt)
    assert.equal(graph.nodes[position]!.onFailure, 'continue');
  // It lost a join, or all that waited for it did.
  else
    assert(graph.behind[position]!.some((one) => graph.nodes[one]!.join !== undefined || 'xXda'.includes(marks[one]!)));
}

function rank(fact: Fact, facts: readonly Fact[], order: readonly number[]): number {
  return order[facts.indexOf(fact)]!;
}

function sorted({ writes, starts, news, state, ...rest }: Decision) {
  return {
    ...rest,
    marks: state.marks,
    holds: Object.fromEntries(state.holds),
    writes: writes.toSorted(byStep),
    starts: starts.toSorted(byStep),
    news: news.toSorted(byStep),
  };
}

function byStep(one: { readonly step: string }, other: { readonly step: string }): number {
  return one.step < other.step ? -1 : 1;
}
