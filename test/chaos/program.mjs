import { parseArgs } from 'node:util';

import { runChaos } from './chaos.mjs';

const USAGE = `npm run chaos -- [--minutes 3] [--seed N] [--workers 4] [--lease 10000] [--json]

Worker processes on a private PostgreSQL are killed, stopped and terminated while they run workflows. Ends with one line of
figures as JSON, and with what was found wrong on standard error. With --json nothing else is printed. Exits with 1 where
anything was wrong.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    workers: { type: 'string', default: '4' },
    lease: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const settings = {
  seed: Number(values.seed),
  seconds: Number(values.minutes) * 60,
  workers: Number(values.workers),
  leaseMs: Number(values.lease),
};
if (values.help || Object.values(settings).some((value) => !(value > 0))) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}
if (!values.json) process.stdout.write(`Chaos for ${values.minutes} minutes with seed ${values.seed}.\n`);
const { figures, complaints } = await runChaos(settings);
for (const complaint of complaints.slice(0, 20)) process.stderr.write(`${short(complaint)}\n`);
process.stdout.write(`${JSON.stringify(figures)}\n`);
process.exitCode = complaints.length > 0 ? 1 : 0;

function short(complaint) {
  return JSON.stringify(complaint).slice(0, 1_500);
}
