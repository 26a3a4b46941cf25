import 'reflect-metadata';
import { pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

// An app on PGlite, for pglite.spec.ts: a process that can be killed.
const { library, dataDir } = JSON.parse(process.argv[2]);
const { OrchestrateFlowModule, Orchestrator, Workflow, Step, Parallel, Result, Ctx } = await import(
  pathToFileURL(library).href
);
process.on('disconnect', () => process.exit(3));

class Errand {
  static output = 'join';

  first(step) {
    return `first#${step.attempt}`;
  }
  left(step, first) {
    if (step.attempt === 1) throw new Error('Once more.');
    return `${first} left#${step.attempt}`;
  }
  right(step, first) {
    return `${first} right#${step.attempt}`;
  }
  async slow() {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  join(step, left, right) {
    return `${left} | ${right}`;
  }
}
decorate('first', Step(), Ctx());
decorate('left', Parallel({ retry: { attempts: 2, delay: 10 } }), Ctx(), Result('first'));
decorate('right', Parallel(), Ctx(), Result('first'));
decorate('slow', Step());
decorate('join', Step(), Ctx(), Result('left'), Result('right'));
Workflow({ name: 'errand' })(Errand);

function decorate(name, decorator, ...parameters) {
  parameters.forEach((parameter, index) => parameter(Errand.prototype, name, index));
  decorator(Errand.prototype, name, Object.getOwnPropertyDescriptor(Errand.prototype, name));
}

class App {}
Module({
  imports: [OrchestrateFlowModule.forRoot({ embedded: { dataDir, engine: 'pglite' }, lease: '2s' })],
  providers: [Errand],
})(App);

try {
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  app.enableShutdownHooks();
  const orchestrator = app.get(Orchestrator);
  process.on('message', async ({ start, end }) => {
    if (start) {
      const items = Array.from({ length: start }, (_, n) => ({ key: `${process.pid}-${n}` }));
      const runs = await orchestrator.startMany('errand', items);
      process.send({ started: runs.map(({ id }) => id) });
    }
    if (end) process.send({ results: await Promise.all(end.map((id) => orchestrator.result(id))) });
  });
  process.send({ ready: true });
} catch (error) {
  process.send({ error: { code: error.code, message: error.message } });
  process.disconnect();
}
