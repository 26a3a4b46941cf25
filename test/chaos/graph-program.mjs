import { parseArgs } from 'node:util';

import { runGraphs } from './graph-chaos.mjs';
import { drawGraphs, readGraphs } from './graphs.mjs';

const USAGE = `npm run chaos:graphs -- [--runs 1] [--seed N] [--workers 3] [--lease 2000] [--work 15] [file or folder …]

Graphs of up to a thousand tasks, in WfFormat (wfcommons.org), run through defineWorkflow() on a private PostgreSQL while their
worker processes are killed, stopped and terminated. Without a file: three graphs drawn here. Ends with the figures as JSON, and
with what was found wrong on standard error. Exits with 1 where anything was wrong.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    workers: { type: 'string', default: '3' },
    lease: { type: 'string', default: '2000' },
    work: { type: 'string', default: '15' },
    help: { type: 'boolean', default: false },
  },
});
const settings = {
  runs: Number(values.runs),
  seed: Number(values.seed),
  workers: Number(values.workers),
  leaseMs: Number(values.lease),
  workMs: Number(values.work),
};
if (values.help || Object.values(settings).some((value) => !(value > 0))) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}
const { graphs, figures, complaints } = await runGraphs(
  positionals.length > 0 ? readGraphs(positionals) : drawGraphs(),
  settings,
);
for (const { name, tasks, edges, widestJoin } of graphs)
  process.stdout.write(`${name}: ${tasks} tasks, ${edges} edges, widest join ${widestJoin}\n`);
for (const complaint of complaints.slice(0, 20)) process.stderr.write(`${JSON.stringify(complaint).slice(0, 1_500)}\n`);
process.stdout.write(`${JSON.stringify(figures)}\n`);
process.exitCode = complaints.length > 0 || figures.left !== 0 ? 1 : 0;
