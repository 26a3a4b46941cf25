import type { GraphNode, WorkflowGraph } from './graph.js';

/** Steps that wait for the same and are waited for by the same: they run side by side. */
interface Stage {
  readonly names: readonly string[];
  readonly after: readonly string[];
  /** Whether nothing waits for it. */
  readonly isLast: boolean;
}

/**
 * A graph in one line: `order-fulfilment: reserve → charge ∥ printLabel → ship`.
 *
 * `→` waits for everything before it up to the last `→`, `∥` runs side by side, `;` begins another chain, and the first
 * of a chain waits for what stands behind `⇠`, or for nothing: `order: reserve → ship; audit ⇠ reserve`.
 *
 * `⏸ coolDown` is a pause or a wait, `⤷ report` runs another workflow, `print[]` runs once for each item of a list, `gift?` may be skipped, `first(any)` and `first(2 of 3)` wait for so many of those before them.
 * What undoes a step is not shown.
 */
export function computeGraphText(graph: WorkflowGraph): string {
  const steps = graph.nodes.filter(({ kind }) => kind !== 'compensation');
  const chains = chainUp(toStages(steps));
  const labels = new Map(steps.map((node) => [node.name, describeNode(node, quote(node.name))]));
  return `${quote(graph.workflow)}: ${chains.map((chain) => describeChain(chain, labels)).join('; ')}`;
}

/** A graph as a Mermaid flowchart, with a dashed edge from a step to what undoes it. */
export function computeMermaid(graph: WorkflowGraph): string {
  const ids = new Map(graph.nodes.map(({ name }, index) => [name, `n${index}`]));
  const nodes = graph.nodes.map((node) => `  ${ids.get(node.name)}["${describeNode(node, escapeLabel(node.name))}"]`);
  const edges = graph.nodes.flatMap(({ name, after }) =>
    after.map((before) => `  ${ids.get(before)} --> ${ids.get(name)}`),
  );
  const undoings = graph.nodes.flatMap(({ name, compensates }) =>
    compensates === undefined ? [] : [`  ${ids.get(compensates)} -. undone by .-> ${ids.get(name)}`],
  );
  return ['flowchart LR', ...nodes, ...edges, ...undoings, ''].join('\n');
}

function toStages(nodes: readonly GraphNode[]): readonly Stage[] {
  const behind = new Map(nodes.map(({ name }): [string, string[]] => [name, []]));
  for (const { name, after } of nodes) for (const before of after) behind.get(before)?.push(name);

  const stages = new Map<string, Stage & { names: string[] }>();
  for (const { name, after } of nodes) {
    const key = JSON.stringify([after.toSorted(), behind.get(name)]);
    const stage = stages.get(key);
    if (stage) stage.names.push(name);
    else stages.set(key, { names: [name], after, isLast: behind.get(name)!.length === 0 });
  }
  return [...stages.values()];
}

/**
 * Appends each stage to the chain that ends with exactly what it waits for; else it begins a chain. Of several that wait
 * for the same the first goes on, and one that leads on goes before one that ends there.
 */
function chainUp(stages: readonly Stage[]): readonly (readonly Stage[])[] {
  const byRank = [...stages.filter(({ isLast }) => !isLast), ...stages.filter(({ isLast }) => isLast)];
  const next = new Map(byRank.toReversed().map((stage) => [keyOf(stage.after), stage]));
  const followers = new Set<Stage>();
  for (const { names } of stages) {
    const follower = next.get(keyOf(names));
    if (follower) followers.add(follower);
  }
  return stages.filter((stage) => !followers.has(stage)).map((head) => follow(head, next));
}

function follow(head: Stage, next: ReadonlyMap<string, Stage>): readonly Stage[] {
  const chain: Stage[] = [];
  for (let stage: Stage | undefined = head; stage; stage = next.get(keyOf(stage.names))) chain.push(stage);
  return chain;
}

function keyOf(names: readonly string[]): string {
  return JSON.stringify(names.toSorted());
}

function describeChain(chain: readonly Stage[], labels: ReadonlyMap<string, string>): string {
  const [first, ...rest] = chain.map(({ names }) => names.map((name) => labels.get(name)).join(' ∥ '));
  const { after } = chain[0]!;
  const head = after.length === 0 ? first : `${first} ⇠ ${after.map(quote).join(', ')}`;
  return [head, ...rest].join(' → ');
}

/** The name, and around it what kind of step it is. */
function describeNode({ kind, when, onTimeout, join, after, fanOut }: GraphNode, name: string): string {
  const pause = kind === undefined || kind === 'compensation' ? '' : kind === 'child' ? '⤷ ' : '⏸ ';
  const condition = when === undefined && onTimeout !== 'skip' ? '' : '?';
  const enough = join === undefined ? '' : join === 1 ? '(any)' : `(${join} of ${after.length})`;
  return `${pause}${name}${fanOut ? '[]' : ''}${condition}${enough}`;
}

/** Names that could be read as something else stand in quotes. */
function quote(name: string): string {
  return /^[\w$.@/-]+$/u.test(name) ? name : JSON.stringify(name);
}

/** Mermaid's own entities; `<` too, because labels are rendered as HTML. */
function escapeLabel(name: string): string {
  return name.replace(/[^\p{L}\p{N}_$ .@/:-]/gu, (character) => `#${character.codePointAt(0)};`);
}
