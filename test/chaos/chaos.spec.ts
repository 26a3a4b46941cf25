import { expect, it } from '@jest/globals';

import { runChaos, settingsFrom } from './chaos.mjs';

const settings = settingsFrom(process.env);

it(
  'brings every run to its end, each outcome once, while its workers are killed, stopped and terminated',
  async () => {
    const { figures, complaints } = await runChaos(settings);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(complaints).toEqual([]);
    expect(figures).toMatchObject({
      ...{ lost: 0, refused: 0, stuck: 0, failed: 0, secondOutcomes: 0, earlySteps: 0, orphans: 0 },
      ...{ leakedSlots: 0, openRuns: 0, unhandled: 0, internalErrors: 0 },
      runs: figures.acknowledged,
      completed: figures.runs,
    });
  },
  settings.seconds * 1_000 + 12 * settings.leaseMs + 180_000,
);
