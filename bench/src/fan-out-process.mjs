import { clearInterval, setInterval } from 'node:timers';

import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';

// bench/ is a package of its own, so our name does not resolve here.
import { Item, Orchestrator, OrchestrateFlowModule, Step, Workflow } from '../../dist/index.js';

const [url, count, maxItems] = process.argv.slice(2);

/** What TypeScript makes of `@Step({ maxItems }) each(@Item(…) item: number) { return item; }`. */
class FanOut {
  each(item) {
    return item;
  }
}
Item(({ input }) => Array.from({ length: input }, (_, index) => index))(FanOut.prototype, 'each', 0);
Step({ maxItems: Number(maxItems) })(
  FanOut.prototype,
  'each',
  Object.getOwnPropertyDescriptor(FanOut.prototype, 'each'),
);
Workflow({ name: 'fan-out' })(FanOut);

class BenchModule {}
Module({ imports: [OrchestrateFlowModule.forRoot({ url })], providers: [FanOut] })(BenchModule);

const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
const orchestrator = app.get(Orchestrator);
const longest = watchState();
const begunAt = performance.now();
const run = await orchestrator.start('fan-out', Number(count));
await run.result();
const ms = performance.now() - begunAt;
const [{ items }] = await orchestrator.steps(run.id);
if (items.completed !== Number(count)) throw new Error(`Of ${count} items ${items.completed} have completed.`);
const stateCharacters = await longest.stop();
await app.close();
process.send({ ms, rssMb: Math.round(process.resourceUsage().maxRSS / 1_024), stateCharacters }, () => process.exit());

/** Looks at the length of the run's state every now and then. */
function watchState() {
  const client = new pg.Client(url);
  const connected = client.connect();
  let most = 0;
  const look = async () => {
    await connected;
    const { rows } = await client.query('SELECT max(length(state)) AS most FROM orchestrate_flow.workflow_run');
    most = Math.max(most, rows[0].most ?? 0);
  };
  const timer = setInterval(() => void look().catch(() => undefined), 100);
  return {
    async stop() {
      clearInterval(timer);
      await look();
      await client.end();
      return most;
    },
  };
}
