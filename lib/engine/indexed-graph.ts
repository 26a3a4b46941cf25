import type { GraphNode, WorkflowGraph } from './graph.js';

/** A graph with what the engine looks up in it: made once per definition, not per decision. */
export interface IndexedGraph {
  readonly graph: WorkflowGraph;
  readonly nodes: readonly GraphNode[];
  /** Position of each step in `nodes`, which is also its place in a run's marks. */
  readonly positions: ReadonlyMap<string, number>;
  /** For each node the positions of the nodes it waits for; of a compensation those that undo what came later. */
  readonly before: readonly (readonly number[])[];
  /** For each node the positions of those without which it is skipped. */
  readonly needs: readonly (readonly number[])[];
  /** For each node the positions of the nodes that wait for it. */
  readonly behind: readonly (readonly number[])[];
  /** For each node the position of the compensation that undoes it, if any. */
  readonly undoneBy: readonly (number | undefined)[];
}

/** Indexes a graph. Every name in it must be known: the definition room has seen to that. */
export function indexGraph(graph: WorkflowGraph): IndexedGraph {
  const { nodes } = graph;
  const positions = new Map(nodes.map((node, position) => [node.name, position]));
  const undoneBy = nodes.map((): number | undefined => undefined);
  nodes.forEach(({ compensates }, position) => {
    if (compensates !== undefined) undoneBy[positions.get(compensates)!] = position;
  });
  const forward = nodes.map((node) => node.after.map((name) => positions.get(name)!));
  const later = findLater(forward);
  const before = nodes.map(({ compensates }, position) => {
    if (compensates === undefined) return forward[position]!;
    return later(positions.get(compensates)!).flatMap((other) => undoneBy[other] ?? []);
  });
  const needs = nodes.map((node) => (node.needs ?? []).map((name) => positions.get(name)!));
  return { graph, nodes, positions, before, needs, behind: invert(before), undoneBy };
}

/** Everything that waits for a node, directly or by way of others. */
function findLater(before: readonly (readonly number[])[]): (position: number) => number[] {
  const behind = invert(before);
  return (position) => {
    const found = new Set(behind[position]);
    for (const one of found) for (const next of behind[one]!) found.add(next);
    return [...found];
  };
}

function invert(before: readonly (readonly number[])[]): number[][] {
  const behind = before.map((): number[] => []);
  before.forEach((positions, position) => {
    for (const other of positions) behind[other]!.push(position);
  });
  return behind;
}
