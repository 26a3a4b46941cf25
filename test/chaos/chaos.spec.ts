import { expect, it } from '@jest/globals';

import { runChaos } from './chaos.mjs';

/** A short form of `npm run chaos`, with leases so short that there are many of them. */
const settings = { seed: Number(process.env['CHAOS_SEED'] ?? Date.now() % 1e9), seconds: 40, leaseMs: 2_000 };

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
