import { describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { buildGraph, completed, expectDecided } from '../../test/support/engine/build-run.js';
import { RunSimulation, type Chaos } from '../../test/support/engine/simulate-run.js';
import { decide } from './decide.js';
import type { Decision } from './decision.js';
import type { Fact } from './facts.js';
import type { IndexedGraph } from './indexed-graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';
import { MARK } from './run-state.js';
import { isEnded, isStopping } from './words.js';

const numRuns = Number(process.env.OF_PROPERTY_RUNS ?? 2_000);
// A tenth of that is enough on a quiet machine.
jest.setTimeout(30_000 + numRuns * 30);

const QUEUES = ['mail', 'money'] as const;

const waits = fc.nat(0xfff);
const steps = fc.record({
  // A step waits for those earlier steps whose bits are set in both: with one, nearly every graph would be a chain.
  waits: fc.tuple(waits, waits).map(([one, other]) => one & other),
  queue: fc.constantFrom(...QUEUES),
  attempts: fc.integer({ min: 1, max: 3 }),
});

/** Any graph of up to twelve steps: a step may wait for any that come before it in some order, which is not the page's. */
const graphs: fc.Arbitrary<IndexedGraph> = fc
  .array(steps, { minLength: 1, maxLength: 12 })
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

const slots = fc.record({ mail: fc.nat(3), money: fc.nat(3) }).map((counts) => new Map(Object.entries(counts)));
/** One to three processes; the first has a slot in every queue, else a run need not end. */
const offices = fc
  .array(slots, { maxLength: 2 })
  .chain((others) => slots.map((own) => [new Map([...own].map(([queue, count]) => [queue, count + 1])), ...others]));
const choices = fc.array(fc.nat(60_000), { maxLength: 60, size: 'max' });

function simulate(chaos: Chaos, check: (run: RunSimulation) => void): void {
  const property = fc.property(graphs, offices, choices, (graph, office, chosen) => {
    check(new RunSimulation(graph, office, chaos).follow(chosen));
  });
  fc.assert(property, { numRuns });
}

const ALL: Chaos = { failures: true, crashes: true, cancels: true, doubles: true };

// Each simulation checks with every commit: the tables of moves, that a step starts once per attempt and never before its
// dependencies have completed, that nothing starts in a stopped run, that a run names a worker exactly as long as it has
// holds and only that worker has them, that counters keep their bounds, and that there is always something that can happen.
describe('whatever the graph and the order of events', () => {
  it('a run in which nothing fails completes, every step in its first attempt', () => {
    simulate({}, (run) => {
      run.finish();
      expect(run.run.status).toBe('completed');
      expect([...run.started].sort()).toEqual(run.graph.nodes.map(({ name }) => `${name}#1`).sort());
      expect([...run.rows.values()].every(({ status, result }) => status === 'completed' && result !== null)).toBe(
        true,
      );
      expect(run.staleCount).toBe(0);
    });
  });

  it('a run whose steps fail completes, or fails with the step that stopped it', () => {
    simulate({ failures: true }, (run) => {
      run.finish();
      const failed = [...run.rows].filter(([, { status }]) => status === 'failed').map(([step]) => step);
      if (failed.length === 0) expect(run.run.status).toBe('completed');
      else {
        expect(run.run.status).toBe('failed');
        expect(failed).toContain(run.run.failure!.step);
        expect(run.rows.get(run.run.failure!.step)!.errors.at(-1)).toBe(run.run.failure!.error);
      }
      for (const { failures, crashes, attempt, errors } of run.rows.values()) {
        expect(crashes).toBe(0);
        expect(failures).toBeLessThanOrEqual(attempt);
        expect(errors.length).toBeGreaterThanOrEqual(failures);
      }
    });
  });

  it('a run whose workers die completes, and no crash counts as a failure', () => {
    simulate({ crashes: true }, (run) => {
      run.finish();
      expect(run.run.status).toBe('completed');
      for (const { failures, result } of run.rows.values()) {
        expect(failures).toBe(0);
        expect(result).not.toBeNull();
      }
    });
  });

  it('outcomes that come twice, late or by way of another process change nothing and are reported', () => {
    simulate({ doubles: true, crashes: true }, (run) => {
      run.finish().deliverAll();
      expect(run.run.status).toBe('completed');
      for (const [step, { result }] of run.rows) expect(result).toBe(`result of ${step}`);
    });
  });

  it('a run that is cancelled at any point ends as cancelled, unless it ended first', () => {
    simulate({ cancels: true, crashes: true }, (run) => {
      const wasCancelled = run.run.cancelReason !== null;
      run.finish();
      expect(run.run.status).toBe(wasCancelled ? 'cancelled' : 'completed');
    });
  });

  it('a run to which everything happens ends, and then nothing changes it', () => {
    simulate(ALL, (run) => {
      run.finish();
      const { run: end, statuses } = run;
      const rows = new Map(run.rows);
      expect(isEnded(end.status)).toBe(true);
      expect(statuses.filter(isEnded)).toHaveLength(1);
      run.deliverAll();
      expect(run.run).toBe(end);
      expect(run.rows).toEqual(rows);
      for (const fact of run.possibleFacts()) {
        const decision = expectDecided(decide(run.view(), [fact], { worker: 'other', slots: new Map() }));
        expect(decision).toMatchObject({ changed: false, status: end.status, writes: [], starts: [], news: [] });
        expect(decision.stale).toEqual('claim' in fact ? [fact.claim] : []);
      }
    });
  });

  it('several facts folded into one commit end where the same facts end one by one', () => {
    const picks = fc.array(fc.nat(1_000), { minLength: 2, maxLength: 5 });
    const property = fc.property(graphs, offices, choices, picks, (graph, office, chosen, picked) => {
      const at = new RunSimulation(graph, office, ALL).follow(chosen);
      const possible = at.possibleFacts();
      const facts = picked.map((pick) => possible[pick % possible.length]!);
      expect(stateAfter(at, [facts])).toEqual(
        stateAfter(
          at,
          facts.map((fact) => [fact]),
        ),
      );
    });
    fc.assert(property, { numRuns });
  });

  it('the same facts from the same view give the same decision, and the view is left as it was', () => {
    const property = fc.property(
      graphs,
      offices,
      choices,
      fc.nat(1_000),
      slots,
      (graph, office, chosen, pick, free) => {
        const at = new RunSimulation(graph, office, ALL).follow(chosen);
        const possible = at.possibleFacts();
        const facts = [possible[pick % possible.length]!, possible[(pick * 7) % possible.length]!];
        const view = at.view();
        const before = structuredClone({ state: view.state, rows: view.rows });
        const place = { worker: 'p0', slots: free };
        const slotsBefore = new Map(free);
        const decision = decide(view, facts, place);
        expect({ state: view.state, rows: view.rows }).toEqual(before);
        expect(free).toEqual(slotsBefore);
        expect(decide(view, facts, place)).toEqual(decision);
      },
    );
    fc.assert(property, { numRuns });
  });

  it('steps that run side by side may complete in any order', () => {
    const orders = fc.array(fc.nat(1_000), { minLength: 12, maxLength: 12 });
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
      expect(sorted(other)).toEqual(sorted(one));
    });
    fc.assert(property, { numRuns });
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
      for (const { crashes, failures } of run.rows.values()) {
        if (crashes > 1) seen.add('crashes');
        if (failures > 1) seen.add('failures');
      }
    });
    fc.assert(property, { numRuns: 1_000, seed: 1 });
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
      'stale',
    ]);
  });
});

/** What lies in the store, and what was told, after these commits: without free slots, so that only the facts matter. */
function stateAfter(at: RunSimulation, commits: readonly (readonly Fact[])[]) {
  const run = at.copy();
  const decisions = commits.map((facts): Decision => {
    const decision = expectDecided(decide(run.view(), facts, { worker: 'p0', slots: new Map() }));
    if (decision.changed) expect(run.apply(decision, run.run, 'p0')).toBe(true);
    return decision;
  });
  const { revision: _, updatedAt: __, ...row } = run.run;
  return {
    row,
    rows: Object.fromEntries(run.rows),
    news: decisions.flatMap(({ news }) => news),
    stale: decisions.flatMap(({ stale }) => stale),
  };
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
