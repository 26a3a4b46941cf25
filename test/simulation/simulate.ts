import { inspect, parseArgs } from 'node:util';

import { simulate, type Outcome } from './simulation.js';

const DEFAULT_SEEDS = 5_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string' },
    seed: { type: 'string' },
    tail: { type: 'string' },
    json: { type: 'boolean' },
  },
});
const first = Number(values.seed ?? values.from ?? 1);
const count = values.seed === undefined ? Number(values.seeds ?? DEFAULT_SEEDS) : 1;
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error('Expected --seeds, --from and --seed to be whole numbers.');
  process.exit(2);
}

const tailLines = Number(values.tail ?? 80);
const begunAt = performance.now();
const sum = {
  seeds: 0,
  runs: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  retried: 0,
  paused: 0,
  children: 0,
  events: 0,
  processes: 0,
};
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(seed, { stacks: values.seed !== undefined });
  sum.seeds += 1;
  const { figures } = outcome;
  for (const name of Object.keys(figures) as (keyof typeof figures)[]) sum[name] += figures[name];
  if (outcome.faults.length > 0) {
    tellFault(seed, outcome);
    process.exit(1);
  }
  if (values.seed !== undefined && !values.json) console.log(`seed ${seed}: ${outcome.hash}`);
}
const seconds = Math.round((performance.now() - begunAt) / 100) / 10;
console.log(values.json ? JSON.stringify({ ...sum, faults: 0, seconds }) : { ...sum, seconds });

function tellFault(seed: number, { program, faults, trace, hash }: Outcome): void {
  if (values.json) {
    console.log(JSON.stringify({ ...sum, seed, faults, hash, program, tail: trace.slice(-tailLines) }));
    return;
  }
  console.error(inspect(program, { depth: 8, breakLength: 140, compact: 8, maxArrayLength: null }));
  console.error(trace.slice(-tailLines).join('\n'));
  for (const fault of faults) console.error(`\n${fault}`);
  console.error(`\nSeed ${seed} fails. Again: npm run simulate -- --seed ${seed}`);
}
