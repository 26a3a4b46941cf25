import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';

import { Ledger } from './ledger.mjs';
import { createWorkflows } from './workflows.mjs';

// A process of the chaos tests, driven over IPC: a worker runs steps, a poster only starts runs.
const { library, url, lease, ledger: folder, role, shutdownTimeout, workMs, graphs } = JSON.parse(process.argv[2]);
const flow = await import(pathToFileURL(library).href);
const { OrchestrateFlowModule, Orchestrator } = flow;

// Nobody may be left behind by a database that goes away: said aloud, and the process goes on as an app would not.
process.on('unhandledRejection', (error) =>
  process.send?.({ type: 'unhandled', error: String(error?.stack ?? error) }),
);
process.on('uncaughtException', (error) => process.send?.({ type: 'unhandled', error: String(error?.stack ?? error) }));
process.on('disconnect', () => process.exit(3));

class ChaosModule {}
Module({
  imports: [
    OrchestrateFlowModule.forRoot({
      url,
      lease,
      migrations: 'run',
      worker: role === 'worker' && { concurrency: 20, shutdownTimeout },
    }),
  ],
  providers: createWorkflows(flow, new Ledger(folder), { workMs, graphs: JSON.parse(readFileSync(graphs, 'utf8')) }),
})(ChaosModule);

const app = await NestFactory.createApplicationContext(ChaosModule, { logger: false });
app.enableShutdownHooks();
const orchestrator = app.get(Orchestrator);
const noted = new Set(['worker.replaced', 'worker.drained', 'internal.error', 'database.lost', 'queue.failed']);
orchestrator.events$.subscribe((event) => {
  if (noted.has(event.type))
    process.send?.({
      type: 'event',
      event: { ...event, error: event.error && String(event.error?.stack ?? event.error) },
    });
});

let stopsInsideBy = 0;

/** Asked to, stops this process between two statements of a transaction, if it comes there in time, and says so just before. */
const { query } = pg.Client.prototype;
const inTransaction = new WeakSet();
pg.Client.prototype.query = function (statement, ...rest) {
  const text = typeof statement === 'string' ? statement : statement?.text;
  if (Date.now() < stopsInsideBy && inTransaction.has(this)) {
    stopsInsideBy = 0;
    process.send({ type: 'stops-inside' });
    process.kill(process.pid, 'SIGSTOP');
  }
  if (text === 'BEGIN') inTransaction.add(this);
  if (text === 'COMMIT' || text === 'ROLLBACK') inTransaction.delete(this);
  return query.call(this, statement, ...rest);
};

let posting = Promise.resolve([]);
let goesOn = true;

/** Starts runs at a steady pace until told to stop, and answers with what was acknowledged. */
async function post({ everyMs, mix, count = Infinity }) {
  const runs = [];
  for (let n = 0; goesOn && n < count; n++) {
    const workflow = mix[n % mix.length];
    const key = n % 3 === 0 ? { key: `key-${process.pid}-${n}` } : {};
    runs.push(
      orchestrator
        .start(workflow, undefined, key)
        .then(({ id, created }) => ({ id, workflow, created }))
        .catch((error) => ({ id: null, workflow, error: String(error?.stack ?? error) })),
    );
    if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
    else if (n % 50 === 49) await Promise.all(runs);
  }
  return Promise.all(runs);
}

process.on('message', async (message) => {
  if (message.type === 'post') posting = post(message);
  if (message.type === 'post-and-tell') process.send({ type: 'posted', runs: await post(message) });
  if (message.type === 'stop-posting') {
    goesOn = false;
    process.send({ type: 'posted', runs: await posting });
  }
  if (message.type === 'stop-inside') stopsInsideBy = message.by;
  if (message.type === 'slots') process.send({ type: 'slots', slots: readSlots() });
});
process.send({ type: 'ready' });

/** Free slots by queue, looked up inside: after everything has ended all must be free again. */
function readSlots() {
  const runtime = app.get(OrchestrateFlowModule).opened.runtime;
  const desk = runtime.desk;
  return {
    used: runtime.slots.all().map(({ slots }) => slots.capacity - slots.free),
    openRuns: desk.runs.size,
  };
}
