import 'reflect-metadata';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

// A worker for heartbeats.spec.ts: its one step copies rows, one after the other, and tells of each. It is killed from outside.
const { library, url, rows } = JSON.parse(process.argv[2]);
const flow = await import(pathToFileURL(library).href);
const { OrchestrateFlowModule, Orchestrator, Workflow, Step, Ctx } = flow;
process.on('disconnect', () => process.exit(3));

class Copy {
  async copy({ attempt, lastHeartbeat, heartbeat }) {
    const from = lastHeartbeat ?? 0;
    process.send({ attempt, from });
    for (let row = from; row < rows; row++) {
      await sleep(10);
      heartbeat(row + 1);
      process.send({ row });
    }
    return { attempt, from };
  }
}
Ctx()(Copy.prototype, 'copy', 0);
Step({ heartbeat: '5s' })(Copy.prototype, 'copy', Object.getOwnPropertyDescriptor(Copy.prototype, 'copy'));
Copy.output = 'copy';
Workflow({ name: 'copy' })(Copy);

class App {}
Module({ imports: [OrchestrateFlowModule.forRoot({ url, lease: '2s' })], providers: [Copy] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
const run = await app.get(Orchestrator, { strict: false }).start('copy', undefined, { key: 'the one' });
process.send({ result: await run.result() });
