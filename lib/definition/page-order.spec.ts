import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findCycles, findDependencyOrder } from './dependency-order.js';
import { computeDemands, type PageStep } from './page-order.js';

const MAX_STEPS = 12;

const pages = fc
  .array(
    fc.record({
      parallel: fc.boolean(),
      group: fc.constantFrom(null, null, 'x', 'y'),
      after: fc.option(fc.array(fc.nat(MAX_STEPS - 1), { maxLength: 3 }), { freq: 2 }),
      beside: fc.boolean(),
    }),
    { minLength: 1, maxLength: MAX_STEPS },
  )
  .map((steps): PageStep[] =>
    steps.map((step, position) => ({
      name: `s${position}`,
      parallel: step.parallel,
      group: step.group,
      after: step.after?.map((other) => `s${other % steps.length}`) ?? null,
      beside: step.beside && step.after !== null,
    })),
  );

/** What each step reaches along the edges, worked out step by step. */
function closureOf(edges: readonly (readonly number[])[]): Set<number>[] {
  const closure = edges.map(() => new Set<number>());
  for (let changed = true; changed;) {
    changed = false;
    edges.forEach((before, position) => {
      for (const other of before.flatMap((edge) => [edge, ...closure[edge]!])) {
        if (closure[position]!.has(other)) continue;
        closure[position]!.add(other);
        changed = true;
      }
    });
  }
  return closure;
}

function choicesOf(items: readonly number[], count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return items.flatMap((item, index) => choicesOf(items.slice(index + 1), count - 1).map((rest) => [item, ...rest]));
}

describe('any page', () => {
  it('is ordered, or a cycle of it is found', () => {
    fc.assert(
      fc.property(pages, (steps) => {
        const demands = computeDemands(steps);
        const named = [...steps.keys()].filter((position) => steps[position]!.after !== null);
        const isCyclic = closureOf(demands).some((reached, position) => reached.has(position));
        const cycles = findCycles(demands, named);
        expect(findDependencyOrder(demands) === null).toBe(isCyclic);
        expect(cycles.length > 0).toBe(isCyclic);
        for (const cycle of cycles) {
          cycle.forEach((position, index) => expect(demands[position]).toContain(cycle[(index + 1) % cycle.length]));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives edges that reach all that was demanded, and none that could be left out', () => {
    fc.assert(
      fc.property(pages, (steps) => {
        const demands = computeDemands(steps);
        const order = findDependencyOrder(demands);
        fc.pre(order !== null);
        const closure = closureOf(order.edges);
        expect(closure).toEqual(closureOf(demands));
        closure.forEach((reached, position) => {
          for (const other of steps.keys()) expect(order.ancestors[position]!.has(other)).toBe(reached.has(other));
        });
        order.edges.forEach((before, position) => {
          for (const edge of before) {
            expect(before.some((other) => other !== edge && closure[other]!.has(edge))).toBe(false);
            expect(demands[position]).toContain(edge);
          }
          expect(before).toEqual(before.toSorted((a, b) => a - b));
        });
      }),
      { numRuns: 500 },
    );
  });

  it('makes a step without after wait for all that stands above its group', () => {
    fc.assert(
      fc.property(pages, (steps) => {
        const order = findDependencyOrder(computeDemands(steps));
        fc.pre(order !== null);
        steps.forEach((step, position) => {
          if (step.after !== null) return;
          for (let above = 0; above < position; above++) {
            const between = steps.slice(above, position).filter(({ beside }) => !beside);
            const isNeighbour =
              step.parallel &&
              between.every((other) => other.parallel && other.after === null && other.group === step.group);
            const isAwaited = !steps[above]!.beside && !isNeighbour;
            if (isAwaited) expect(order.ancestors[position]!.has(above)).toBe(true);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('with joins knows of each step what has ended, whichever were first', () => {
    const leasts = fc.array(fc.option(fc.integer({ min: 1, max: 3 })), { minLength: MAX_STEPS, maxLength: MAX_STEPS });
    fc.assert(
      fc.property(pages, leasts, (steps, drawn) => {
        const demands = computeDemands(steps);
        const joins = demands.map(({ length }, position) => {
          const least = drawn[position]!;
          return steps[position]!.after !== null && least !== null && least < length ? least : null;
        });
        const order = findDependencyOrder(demands, joins);
        fc.pre(order !== null);
        for (const position of order.sorted) {
          const least = joins[position] ?? demands[position]!.length;
          if (joins[position] !== null)
            expect(order.edges[position]).toEqual(demands[position]!.toSorted((a, b) => a - b));
          // What every choice of so many has in common.
          const ended = choicesOf(demands[position]!, least).map(
            (choice) =>
              new Set(
                [...steps.keys()].filter((other) =>
                  choice.some((chosen) => chosen === other || order.ancestors[chosen]!.has(other)),
                ),
              ),
          );
          for (const other of steps.keys())
            expect(order.ancestors[position]!.has(other)).toBe(ended.every((set) => set.has(other)));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of a thousand steps is found without looking at every way through them', () => {
    const steps = Array.from({ length: 1_000 }, (_, position): PageStep => {
      return { name: `s${position}`, parallel: position % 3 !== 0, group: null, after: null, beside: false };
    });
    const order = findDependencyOrder(computeDemands(steps));
    expect(order!.edges[999]).toEqual([997, 998]);
  });

  it('reports at most ten cycles', () => {
    const demands = Array.from({ length: 30 }, (_, position) => [position]);
    expect(findCycles(demands, [...demands.keys()])).toHaveLength(10);
  });
});
