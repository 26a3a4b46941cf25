import 'reflect-metadata';
import { pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';

// A worker for transactional-steps.spec.ts: ends, or stops, just before the given statement of its step's transaction.
const { library, url, workflows, start, before, signal } = JSON.parse(process.argv[2]);
const flow = await import(pathToFileURL(library).href);
const { OrchestrateFlowModule, Orchestrator, Workflow, Step, Ctx, Manager } = flow;
process.on('disconnect', () => process.exit(3));

function createWorkflow(name) {
  class Transfer {
    async move({ workflow }, manager) {
      await manager.query('INSERT INTO entry (account, workflow) VALUES ($1, $2)', ['from', workflow]);
      await manager.query('INSERT INTO entry (account, workflow) VALUES ($1, $2)', ['to', workflow]);
    }
  }
  Ctx()(Transfer.prototype, 'move', 0);
  Manager()(Transfer.prototype, 'move', 1);
  Step()(Transfer.prototype, 'move', Object.getOwnPropertyDescriptor(Transfer.prototype, 'move'));
  Workflow({ name })(Transfer);
  return Transfer;
}

/** The connection of the step's transaction, and how many statements it has sent. */
let own = null;
let isArmed = false;
let count = 0;
const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (statement, ...rest) {
  if (isArmed && own === null && statement === 'START TRANSACTION') own = this;
  if (own !== this) return query.call(this, statement, ...rest);
  strike();
  const answer = query.call(this, statement, ...rest);
  if (statement === 'COMMIT') {
    // The answer has come, and nobody has been told of it.
    answer.then(
      () => strike(),
      (error) => process.send({ refused: String(error) }),
    );
  }
  return answer;
};

function strike() {
  if (count++ !== before) return;
  process.kill(process.pid, signal);
}

class App {}
Module({
  imports: [OrchestrateFlowModule.forRoot({ url, lease: '2s' })],
  providers: workflows.map(createWorkflow),
})(App);

const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
// Migrations are transactions too.
isArmed = start;
if (start) await app.get(Orchestrator).start(workflows[0]);
process.send({ ready: true });
