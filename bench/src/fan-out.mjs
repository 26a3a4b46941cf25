import { parseArgs } from 'node:util';

import { measure } from './forked.mjs';
import { startMeasuredServer } from './server.mjs';

const USAGE = `npm run bench:fan-out -- [items …] [--max-items 100]
One run that fans out over so many items (default: 1000 10000 100000), each a step that returns its number. Each in a process and a
database of its own, on a private durable PostgreSQL. Needs the built package: npm run build.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'max-items': { type: 'string', default: '100' } },
});
const counts = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000, 100_000];
if (counts.some((count) => !Number.isSafeInteger(count) || count < 1)) {
  console.error(USAGE);
  process.exit(2);
}

const server = await startMeasuredServer();
try {
  for (const count of counts) {
    const name = `fan_out_${count}`;
    const url = await server.createDatabase(name);
    const { ms, rssMb, stateCharacters } = await measure(
      './fan-out-process.mjs',
      url,
      String(count),
      values['max-items'],
    );
    const each = (ms / count).toFixed(3);
    console.log(
      `${count} items: ${(ms / 1_000).toFixed(1)} s, ${each} ms each, peak RSS ${rssMb} MB, state of the run ${stateCharacters} characters`,
    );
    await server.dropDatabase(name);
    await server.settle();
  }
} finally {
  await server.stop();
}
