import { parseArgs } from 'node:util';

import { measure } from './forked.mjs';
import { startMeasuredServer } from './server.mjs';

const USAGE = `npm run bench:waiting -- [runs …]
So many runs (default: 10000 100000) wait at once in one process, half of them for a signal, half for an hour that then comes for all at
once; then all go on to their end. Each count in a process and a database of its own, on a private durable PostgreSQL. Needs the built
package: npm run build.`;

const { positionals } = parseArgs({ allowPositionals: true });
const counts = positionals.length > 0 ? positionals.map(Number) : [10_000, 100_000];
if (counts.some((count) => !Number.isSafeInteger(count) || count < 2)) {
  console.error(USAGE);
  process.exit(2);
}

const server = await startMeasuredServer();
try {
  for (const count of counts) {
    const name = `waiting_${count}`;
    const url = await server.createDatabase(name);
    const { parkedMs, restingMb, endedMs, peakMb } = await measure('./waiting-process.mjs', url, String(count));
    const seconds = (ms) => (ms / 1_000).toFixed(1);
    console.log(
      `${count} runs: all wait after ${seconds(parkedMs)} s, RSS ${restingMb} MB; all have ended ${seconds(endedMs)} s after their waits, peak RSS ${peakMb} MB`,
    );
    await server.dropDatabase(name);
    await server.settle();
  }
} finally {
  await server.stop();
}
