import { MAX_NODES } from '../engine/graph.js';
import type { Blame } from './blame.js';
import { findCycles, findDependencyOrder, type DependencyOrder } from './dependency-order.js';
import { computeDemands } from './page-order.js';
import type { WrittenStep } from './step-reader.js';

/**
 * Orders the steps; null where that is not possible, and then it has been said why. `compensations` says how many there are
 * besides: a graph holds them as well.
 */
export function orderSteps(steps: readonly WrittenStep[], compensations: number, blame: Blame): DependencyOrder | null {
  const count = steps.length + compensations;
  if (count > MAX_NODES) {
    const what = compensations > 0 ? 'steps and compensations' : 'steps';
    blame.class(`has ${count} ${what}, and at most ${MAX_NODES} are allowed. Divide the workflow.`);
    return null;
  }
  const demands = computeDemands(steps);
  const order = findDependencyOrder(
    demands,
    steps.map(({ join }) => join),
  );
  if (order === null) checkCycles(steps, demands, blame);
  return order;
}

/** With `order: 'explicit'` every step has to say what it waits for. */
export function checkExplicit(steps: readonly WrittenStep[], blame: Blame): void {
  for (const { name, after } of steps) {
    if (after !== null) continue;
    blame.member(name)(
      "has no after, and the workflow says order: 'explicit'. Say which steps it waits for; `after: []` is none.",
    );
  }
}

/** The page alone makes no cycle: every cycle goes through a step with `after`. */
function checkCycles(steps: readonly WrittenStep[], demands: readonly (readonly number[])[], blame: Blame): void {
  const named = [...steps.keys()].filter((position) => steps[position]!.after !== null);
  for (const cycle of findCycles(demands, named)) {
    const names = cycle.map((position) => steps[position]!.name);
    const path = names.map((name, index) => `${name} waits for ${names[(index + 1) % names.length]!}`).join(', ');
    const byPage = cycle.some((position) => steps[position]!.after === null);
    blame.member(names[0])(
      `waits for itself: ${path}. Take one of these out of \`after\`` +
        `${byPage ? '; a step without `after` waits for every step above it that is not `beside`' : ''}.`,
    );
  }
}
