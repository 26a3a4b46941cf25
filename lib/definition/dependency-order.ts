import { PositionSet } from './position-set.js';

/** Cycles that are reported at once: whoever has more starts with these. */
const MAX_CYCLES = 10;

type Demands = readonly (readonly number[])[];

/** Who waits for whom, once no step waits for itself. */
export interface DependencyOrder {
  /** The steps, each behind all it waits for. */
  readonly sorted: readonly number[];
  /**
   * For each step the steps it waits for directly, in the order of the page: the transitive reduction of the demands; of a
   * join that does not want all of them, all the same, because it counts them.
   */
  readonly edges: readonly (readonly number[])[];
  /** For each step all the steps that have ended when it starts, whichever of its join were first. */
  readonly ancestors: readonly PositionSet[];
}

/**
 * The order that the demands make, or null where some steps wait for themselves. `joins` holds for each step how many of
 * its demands have to end, or null for all of them.
 */
export function findDependencyOrder(demands: Demands, joins: readonly (number | null)[] = []): DependencyOrder | null {
  const sorted = sortTopologically(demands);
  if (sorted.length < demands.length) return null;
  const ranks = new Array<number>(demands.length).fill(0);
  sorted.forEach((position, rank) => (ranks[position] = rank));

  const edges: number[][] = demands.map(() => []);
  const ancestors = demands.map(() => new PositionSet(demands.length));
  for (const position of sorted) {
    const least = joins[position] ?? null;
    if (least !== null) {
      edges[position] = demands[position]!.toSorted((a, b) => a - b);
      ancestors[position] = impliedBy(demands[position]!, least, ancestors);
      continue;
    }
    // Latest first: an earlier one that is an ancestor of a later one is waited for already.
    for (const before of demands[position]!.toSorted((a, b) => ranks[b]! - ranks[a]!)) {
      if (ancestors[position]!.has(before)) continue;
      edges[position]!.push(before);
      ancestors[position]!.add(before);
      ancestors[position]!.addAll(ancestors[before]!);
    }
    edges[position]!.sort((a, b) => a - b);
  }
  return { sorted, edges, ancestors };
}

/**
 * What has ended once any `least` of these steps have: what lies in or before so many of them that whoever leaves them
 * all out is left with fewer than `least`.
 */
function impliedBy(steps: readonly number[], least: number, ancestors: readonly PositionSet[]): PositionSet {
  const enough = Math.max(1, steps.length - least + 1);
  const implied = new PositionSet(ancestors.length);
  for (let position = 0; position < ancestors.length; position++) {
    let count = 0;
    for (const step of steps) if (step === position || ancestors[step]!.has(position)) count++;
    if (count >= enough) implied.add(position);
  }
  return implied;
}

/**
 * The shortest cycles through the given steps, each as the steps in which each waits for the next and the last for the
 * first. No step is in two of them.
 */
export function findCycles(demands: Demands, through: readonly number[]): readonly (readonly number[])[] {
  const cycles: number[][] = [];
  const seen = new Set<number>();
  for (const position of through) {
    if (cycles.length === MAX_CYCLES) break;
    if (seen.has(position)) continue;
    const cycle = findCycle(demands, position);
    if (cycle === null) continue;
    cycles.push(cycle);
    for (const other of cycle) seen.add(other);
  }
  return cycles;
}

function sortTopologically(demands: Demands): readonly number[] {
  const open = demands.map((before) => before.length);
  const behind: number[][] = demands.map(() => []);
  demands.forEach((before, position) => before.forEach((other) => behind[other]!.push(position)));
  const sorted = [...open.keys()].filter((position) => open[position] === 0);
  // The list grows while it is walked: every step enters it once, when the last one it waits for has been walked.
  for (const position of sorted) {
    for (const next of behind[position]!) if (--open[next]! === 0) sorted.push(next);
  }
  return sorted;
}

/** Breadth first along the demands, back to the start. */
function findCycle(demands: Demands, start: number): number[] | null {
  const waiters = new Map<number, number>();
  const queue = [start];
  for (const position of queue) {
    for (const before of demands[position]!) {
      if (before === start) return pathFrom(start, position, waiters);
      if (waiters.has(before)) continue;
      waiters.set(before, position);
      queue.push(before);
    }
  }
  return null;
}

function pathFrom(start: number, end: number, waiters: ReadonlyMap<number, number>): number[] {
  const path = [end];
  for (let position = end; position !== start;) {
    position = waiters.get(position)!;
    path.unshift(position);
  }
  return path;
}
