import { describe, expect, it } from '@jest/globals';
import { buildGraph } from '../../test/support/engine/build-run.js';

describe('an indexed graph', () => {
  const graph = buildGraph({ ship: ['pay', 'pack'], pay: [], pack: ['pay'], audit: [] });

  it('keeps the order of the page', () => {
    expect(graph.nodes).toBe(graph.graph.nodes);
    expect([...graph.positions]).toEqual([
      ['ship', 0],
      ['pay', 1],
      ['pack', 2],
      ['audit', 3],
    ]);
  });

  it('knows what each step waits for, further down the page too', () => {
    expect(graph.before).toEqual([[1, 2], [], [1], []]);
  });

  it('knows what waits for each step', () => {
    expect(graph.behind).toEqual([[], [0, 2], [0], []]);
  });

  it('has no edges where no step waits', () => {
    expect(buildGraph({ a: [], b: [] })).toMatchObject({ before: [[], []], behind: [[], []] });
  });

  it('of nothing is empty', () => {
    expect(buildGraph({})).toMatchObject({ nodes: [], positions: new Map(), before: [], behind: [] });
  });
});
