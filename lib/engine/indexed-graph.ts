import type { GraphNode, WorkflowGraph } from './graph.js';

/** A graph with what the engine looks up in it: made once per definition, not per decision. */
export interface IndexedGraph {
  readonly graph: WorkflowGraph;
  readonly nodes: readonly GraphNode[];
  /** Position of each step in `nodes`, which is also its place in a run's marks. */
  readonly positions: ReadonlyMap<string, number>;
  /** For each node the positions of the nodes it waits for. */
  readonly before: readonly (readonly number[])[];
  /** For each node the positions of those without which it is skipped. */
  readonly needs: readonly (readonly number[])[];
  /** For each node the positions of the nodes that wait for it. */
  readonly behind: readonly (readonly number[])[];
}

/** Indexes a graph. Every name in it must be known: the definition room has seen to that. */
export function indexGraph(graph: WorkflowGraph): IndexedGraph {
  const positions = new Map(graph.nodes.map((node, position) => [node.name, position]));
  const before = graph.nodes.map((node) => node.after.map((name) => positions.get(name)!));
  const behind = graph.nodes.map((): number[] => []);
  before.forEach((positionsBefore, position) => {
    for (const other of positionsBefore) behind[other]!.push(position);
  });
  const needs = graph.nodes.map((node) => (node.needs ?? []).map((name) => positions.get(name)!));
  return { graph, nodes: graph.nodes, positions, before, needs, behind };
}
