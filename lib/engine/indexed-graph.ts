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

/** A node as an attempt of it sees it: one of its items has a name of its own, and neither a condition nor a delay. */
export type StepNode = GraphNode & { readonly item?: { readonly of: string; readonly index: number } };

const ITEM_NAME = /^(.*)\[(0|[1-9]\d{0,6})\]$/s;

/** The name of one item of a fan-out. */
export function nameOfItem(step: string, index: number): string {
  return `${step}[${index}]`;
}

/** The fan-out and the index that a name of an item is made of; else null. */
export function findItem({ positions, nodes }: IndexedGraph, name: string): { of: string; index: number } | null {
  if (positions.has(name)) return null;
  const [, of, index] = ITEM_NAME.exec(name) ?? [];
  const position = of === undefined ? undefined : positions.get(of);
  return position === undefined || nodes[position]!.fanOut === undefined ? null : { of: of!, index: Number(index) };
}

/**
 * The position of a step, or of an item of a fan-out: those lie behind the nodes, one row of nodes for each index, so that
 * whatever the engine says of a step by its position it can say of an item.
 */
export function findPosition(graph: IndexedGraph, name: string): number | undefined {
  const position = graph.positions.get(name);
  if (position !== undefined) return position;
  const item = findItem(graph, name);
  return item === null ? undefined : positionOfItem(graph, graph.positions.get(item.of)!, item.index);
}

export function positionOfItem({ nodes }: IndexedGraph, fanOut: number, index: number): number {
  return fanOut + (index + 1) * nodes.length;
}

/** The position of the node that a step or item belongs to. */
export function baseOf({ nodes }: IndexedGraph, position: number): number {
  return position % nodes.length;
}

/** The index of an item, or -1 of a step. */
export function indexOfItem({ nodes }: IndexedGraph, position: number): number {
  return Math.floor(position / nodes.length) - 1;
}

/** The node at a position. */
export function nodeAt(graph: IndexedGraph, position: number): StepNode {
  const node = graph.nodes[baseOf(graph, position)]!;
  const index = indexOfItem(graph, position);
  if (index < 0) return node;
  const { when: _when, delayMs: _delayMs, join: _join, fanOut: _fanOut, ...rest } = node;
  return { ...rest, name: nameOfItem(node.name, index), item: { of: node.name, index } };
}

/** Where a row of the step table lies: items of a fan-out count from 1, a step itself is 0. */
export interface StepPlace {
  readonly name: string;
  readonly item: number;
}

export function placeOf({ name, item }: StepNode): StepPlace {
  return item ? { name: item.of, item: item.index + 1 } : { name, item: 0 };
}

/** The node of a step, or of an item of a fan-out. Its name must be known. */
export function nodeOf(graph: IndexedGraph, name: string): StepNode {
  return nodeAt(graph, findPosition(graph, name)!);
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
