import { describe, expect, it } from '@jest/globals';
import { computeGraphText, computeMermaid } from './graph-text.js';
import type { GraphNode, WorkflowGraph } from './graph.js';
import { DEFAULT_RETRY } from './retry-policy.js';

function graphOf(edges: Readonly<Record<string, readonly string[]>>, workflow = 'order'): WorkflowGraph {
  const nodes = Object.entries(edges).map(([name, after]) => {
    return { name, after, results: [], queue: 'q', priority: 0, retry: DEFAULT_RETRY, timeoutMs: null };
  });
  return { workflow, version: null, output: null, nodes };
}

describe('a graph in one line', () => {
  it.each([
    ['a chain', { a: [], b: ['a'], c: ['b'] }, 'order: a → b → c'],
    ['a group', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }, 'order: a → b ∥ c → d'],
    ['a branch', { a: [], audit: ['a'], b: ['a'], c: ['b'] }, 'order: a → b → c; audit ⇠ a'],
    [
      'a branch that joins further down',
      { a: [], x: ['a'], b: ['a'], c: ['b'], d: ['c', 'x'] },
      'order: a → x; b ⇠ a → c; d ⇠ c, x',
    ],
    ['two chains', { a: [], b: [], c: ['a'], d: ['b'] }, 'order: a → c; b → d'],
    ['steps that share what they wait for', { a: [], b: [], c: ['a', 'b'], d: ['a'] }, 'order: a → d; b; c ⇠ a, b'],
    ['a step that waits for one further down', { a: ['b'], b: [] }, 'order: b → a'],
  ])('shows %s', (_, edges: Record<string, readonly string[]>, text) => {
    expect(computeGraphText(graphOf(edges))).toBe(text);
  });

  it('puts names in quotes that could be read as something else', () => {
    expect(computeGraphText(graphOf({ 'a → b': [], c: ['a → b'] }, 'my: order'))).toBe('"my: order": "a → b" → c');
  });
});

/** One with a pause, conditions and joins. */
function variedGraph(): WorkflowGraph {
  const graph = graphOf({ a: [], pause: [], 'b?': [], first: ['a', 'pause', 'b?'], last: ['first'], at: ['last'] });
  const said: Readonly<Record<string, Partial<GraphNode>>> = {
    a: { when: 'isA' },
    pause: { kind: 'sleep', delayMs: 1 },
    first: { join: 1 },
    at: { kind: 'sleep-until', when: 'isLate' },
  };
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, ...said[node.name] })) };
}

describe('pauses, conditions and joins', () => {
  it('are shown in one line', () => {
    expect(computeGraphText(variedGraph())).toBe('order: a? ∥ ⏸ pause ∥ "b?" → first(any) → last → ⏸ at?');
    const graph = variedGraph();
    const nodes = graph.nodes.map((node) => (node.name === 'first' ? { ...node, join: 2, when: 'x' } : node));
    expect(computeGraphText({ ...graph, nodes })).toContain(' → first?(2 of 3) → last');
  });

  it('are shown as Mermaid', () => {
    const text = computeMermaid(variedGraph());
    for (const label of ['a?', '⏸ pause', 'b#63;', 'first(any)', 'last', '⏸ at?'])
      expect(text).toContain(`["${label}"]`);
  });
});

/** One with a wait, one that may be skipped, and what undoes a step. */
function undoneGraph(): WorkflowGraph {
  const graph = graphOf({ charge: [], refund: [], delivered: ['charge'], reviewed: ['delivered'] });
  const said: Readonly<Record<string, Partial<GraphNode>>> = {
    refund: { kind: 'compensation', compensates: 'charge' },
    delivered: { kind: 'signal', signals: ['x'], waitMs: 1, onTimeout: 'skip' },
    reviewed: { kind: 'signal', signals: ['y'], waitMs: 1, onTimeout: 'value' },
  };
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, ...said[node.name] })) };
}

describe('waits and compensations', () => {
  it('are shown in one line, those only that are steps', () => {
    expect(computeGraphText(undoneGraph())).toBe('order: charge → ⏸ delivered? → ⏸ reviewed');
  });

  it('are shown as Mermaid, what undoes a step beside it', () => {
    expect(computeMermaid(undoneGraph())).toBe(
      [
        'flowchart LR',
        '  n0["charge"]',
        '  n1["refund"]',
        '  n2["⏸ delivered?"]',
        '  n3["⏸ reviewed"]',
        '  n0 --> n2',
        '  n2 --> n3',
        '  n0 -. undone by .-> n1',
        '',
      ].join('\n'),
    );
  });
});

describe('a graph as Mermaid', () => {
  it('has a node for each step and an arrow for each edge', () => {
    expect(computeMermaid(graphOf({ a: [], b: ['a'] }))).toBe('flowchart LR\n  n0["a"]\n  n1["b"]\n  n0 --> n1\n');
  });

  it('escapes names', () => {
    expect(computeMermaid(graphOf({ '<b>"x"\n#;`': [] }))).toContain('n0["#60;b#62;#34;x#34;#10;#35;#59;#96;"]');
  });
});
