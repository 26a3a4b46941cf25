import { setTimeout as sleep } from 'node:timers/promises';

import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';

// bench/ is a package of its own, so our name does not resolve here.
import {
  Input,
  Orchestrator,
  OrchestrateFlowModule,
  SleepUntil,
  Step,
  WaitForSignal,
  Workflow,
} from '../../dist/index.js';

/** How many runs are started in one commit, and how many signals are on their way at once. */
const AT_ONCE = 1_000;

const [url, text] = process.argv.slice(2);
const count = Number(text);
const half = Math.floor(count / 2);

class Patient {
  order(input) {
    return input;
  }
  paid() {}
  ship() {
    return 'shipped';
  }
}
class Sleeper {
  order(input) {
    return input;
  }
  until({ date }) {
    return new Date(date);
  }
  ship() {
    return 'shipped';
  }
}
for (const [target, wait, decorate] of [
  [Patient, 'paid', WaitForSignal('paid')],
  [Sleeper, 'until', SleepUntil()],
]) {
  const method = (name) => [target.prototype, name, Object.getOwnPropertyDescriptor(target.prototype, name)];
  Input()(target.prototype, 'order', 0);
  Step()(...method('order'));
  if (wait === 'until') Input()(target.prototype, 'until', 0);
  decorate(...method(wait));
  Step()(...method('ship'));
}
Workflow({ name: 'patient' })(Patient);
Workflow({ name: 'sleeper' })(Sleeper);

class BenchModule {}
Module({ imports: [OrchestrateFlowModule.forRoot({ url })], providers: [Patient, Sleeper] })(BenchModule);

const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
const orchestrator = app.get(Orchestrator);
const client = new pg.Client(url);
await client.connect();

const begunAt = performance.now();
const input = { date: new Date(Date.now() + 3_600_000).toISOString(), lines: ['a book', 'another book'] };
await startAll('sleeper', count - half);
const patients = await startAll('patient', half);
await until('waiting', `status = 'waiting'`);
const parkedMs = performance.now() - begunAt;
await sleep(2_000);
const restingMb = Math.round(process.memoryUsage().rss / 2 ** 20);

const releasedAt = performance.now();
// The hour comes for all of them at once.
await client.query(
  `UPDATE orchestrate_flow.workflow_step SET due_at = now() WHERE status = 'waiting' AND due_at IS NOT NULL`,
);
for (let from = 0; from < half; from += AT_ONCE)
  await Promise.all(patients.slice(from, from + AT_ONCE).map((id) => orchestrator.signal(id, 'paid', { by: 'card' })));
await until('completed', `status = 'completed'`);
const endedMs = performance.now() - releasedAt;
await client.end();
await app.close();
const peakMb = Math.round(process.resourceUsage().maxRSS / 1_024);
process.send({ parkedMs, restingMb, endedMs, peakMb }, () => process.exit());

async function startAll(workflow, total) {
  const ids = [];
  for (let from = 0; from < total; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, total - from) }, () => ({ input }));
    for (const run of await orchestrator.startMany(workflow, some)) ids.push(run.id);
  }
  return ids;
}

async function until(what, condition) {
  const sql = `SELECT count(*)::int AS found FROM orchestrate_flow.workflow_run WHERE ${condition}`;
  for (let least = 0, since = performance.now(); ;) {
    const [{ found }] = (await client.query(sql)).rows;
    if (found === count) return;
    if (found > least) [least, since] = [found, performance.now()];
    if (performance.now() - since > 60_000)
      throw new Error(`For a minute ${found} of ${count} runs are ${what}, and no more.`);
    await sleep(200);
  }
}
