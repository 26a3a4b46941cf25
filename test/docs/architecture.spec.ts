import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { RUN_MOVES, STEP_MOVES } from '../../lib/engine/words.js';

const page = readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8');

/** The moves of the diagram with this name, as `from → to`, sorted. */
function drawn(name: string): string[] {
  const diagram = new RegExp(`%% ${name}\\n([^\`]*)\`\`\``).exec(page)?.[1] ?? '';
  return [...diagram.matchAll(/(\w+) --> (\w+)/g)].map(([, from, to]) => `${from} → ${to}`).sort();
}

function listed(moves: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(moves)
    .flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    .sort();
}

describe('ARCHITECTURE.md', () => {
  it('draws exactly the moves that a run may make', () => {
    expect(drawn('run')).toEqual(listed(RUN_MOVES));
  });

  it('draws exactly the moves that a step may make', () => {
    expect(drawn('step')).toEqual(listed(STEP_MOVES));
  });
});
