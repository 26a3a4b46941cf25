import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runGraphs } from './graph-chaos.mjs';
import { drawGraphs, readGraphs } from './graphs.mjs';

const settings = { seed: Number(process.env['CHAOS_SEED'] ?? Date.now() % 1e9), leaseMs: 2_000 };

describe('graphs of hundreds of tasks', () => {
  it('run to their ends, every task recorded once and none early, while workers are killed', async () => {
    const { graphs, figures, complaints } = await runGraphs(drawGraphs(), settings);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(complaints).toEqual([]);
    expect(figures).toMatchObject({
      ...{ left: 0, lost: 0, refused: 0, stuck: 0, failed: 0, secondOutcomes: 0, earlySteps: 0, orphans: 0 },
      completed: graphs.length,
    });
    expect(figures.kills).toBeGreaterThan(0);
  }, 400_000);
});

describe('a recorded graph', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'of-graphs-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read from files of either version, and what holds none is named', () => {
    const tasks = [{ id: 'a' }, { id: 'b', parents: ['a', 'a'] }];
    const files = { new: { workflow: { specification: { tasks } } }, old: { workflow: { tasks } }, odd: { tasks } };
    for (const [name, graph] of Object.entries(files))
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(graph));
    const steps = [
      { name: 'a', after: [] },
      { name: 'b', after: ['a'] },
    ];
    expect(readGraphs([join(folder, 'old.json')])).toEqual([{ name: 'old', steps }]);
    expect(readGraphs([join(folder, 'new.json')])).toEqual([{ name: 'new', steps }]);
    expect(() => readGraphs([folder])).toThrow(`${join(folder, 'odd.json')} to hold the tasks`);
  });
});
