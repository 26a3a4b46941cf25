import type { Renewal } from './decision.js';
import type { IndexedGraph } from './indexed-graph.js';
import { MARK } from './run-state.js';

const FAILED: ReadonlySet<string> = new Set([MARK.failed, MARK.failedInDoubt]);
const CANCELLED: ReadonlySet<string> = new Set([MARK.cancelled, MARK.cancelledInDoubt]);

/** What a retry of a failed run begins anew, with what the marks of its nodes become. */
export interface Anew {
  readonly status: 'running' | 'compensating';
  readonly positions: readonly number[];
  readonly renewal: Renewal;
}

/**
 * What a retry begins anew: compensations that failed, where there are any; else what has failed or was cancelled when the
 * run was stopped.
 *
 * @param failedStep the step that the run has failed with
 * @returns null where what the run did has been undone: there is nothing to go on from
 */
export function findAnew(graph: IndexedGraph, marks: string, failedStep: string): Anew | null {
  const undoing = positionsOf(graph, ({ kind }) => kind === 'compensation');
  const halfDone = undoing.filter((position) => FAILED.has(marks[position]!));
  if (halfDone.length > 0) {
    const isCancelled = halfDone.some((position) => graph.nodes[position]!.name === failedStep);
    return toAnew(graph, 'compensating', halfDone, isCancelled);
  }
  if (undoing.some((position) => marks[position] === MARK.completed)) return null;
  return toAnew(graph, 'running', findUnfinished(graph, marks), true);
}

function toAnew(
  graph: IndexedGraph,
  status: Anew['status'],
  positions: readonly number[],
  forgetsFailure: boolean,
): Anew {
  const keeps = graph.nodes.flatMap(({ name }, position) => (positions.includes(position) ? [] : [name]));
  const keepsItemsOf = positions.flatMap((position) => {
    const { name, fanOut } = graph.nodes[position]!;
    return fanOut ? [name] : [];
  });
  return { status, positions, renewal: { keeps, keepsItemsOf, forgetsFailure } };
}

/** Steps whose failure stopped the run, and those that were cancelled with it: not those that had lost a join before. */
function findUnfinished(graph: IndexedGraph, marks: string): number[] {
  const anew = new Set<number>();
  const isWanted = (position: number): boolean => {
    const behind = graph.behind[position]!;
    return behind.length === 0 || behind.some((one) => anew.has(one));
  };
  const visited = new Set<number>();
  // Those behind it first: what nobody waits for any more had lost its join.
  const visit = (position: number): void => {
    if (visited.has(position)) return;
    visited.add(position);
    for (const one of graph.behind[position]!) visit(one);
    const { onFailure, kind } = graph.nodes[position]!;
    if (kind === 'compensation') return;
    const mark = marks[position]!;
    const hasFailed = FAILED.has(mark) && onFailure !== 'continue';
    if (hasFailed || (CANCELLED.has(mark) && isWanted(position))) anew.add(position);
  };
  graph.nodes.forEach((_, position) => visit(position));
  return [...anew].sort((one, other) => one - other);
}

function positionsOf(graph: IndexedGraph, isWanted: (node: IndexedGraph['nodes'][number]) => boolean): number[] {
  return graph.nodes.flatMap((node, position) => (isWanted(node) ? [position] : []));
}
