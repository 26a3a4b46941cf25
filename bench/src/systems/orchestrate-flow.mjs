import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

// bench/ is a package of its own, so our name does not resolve here.
import { OrchestrateFlowModule, Orchestrator, Result, Step, Workflow } from '../../../dist/index.js';
import { answer } from '../answer.mjs';

export const settings =
  'the built package in a Nest application context, started and executed in one process, defaults';

/** @type {import('../workloads.mjs').Open} */
export async function open({ url, concurrency }) {
  const sequences = new Map([1, 10].map((steps) => [steps, createSequence(steps)]));

  class BenchModule {}
  Module({
    imports: [OrchestrateFlowModule.forRoot({ url, worker: { concurrency } })],
    providers: [...sequences.values()],
  })(BenchModule);

  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error', 'warn'] });
  const orchestrator = app.get(Orchestrator);
  return {
    execute: (steps) => orchestrator.execute(sequences.get(steps)),
    close: () => app.close(),
  };
}

/**
 * What TypeScript makes of a class with the methods
 * `@Step() step0() {…}`, `@Step() step1(@Result('step0') last: Answer) {…}` and so on.
 */
function createSequence(steps) {
  class Sequence {
    static output = `step${steps - 1}`;
  }
  for (let i = 0; i < steps; i++) {
    const name = `step${i}`;
    const method = { value: async () => answer, writable: true, configurable: true };
    Object.defineProperty(Sequence.prototype, name, method);
    if (i > 0) Result(`step${i - 1}`)(Sequence.prototype, name, 0);
    Step()(Sequence.prototype, name, method);
  }
  Workflow({ name: `sequence-${steps}` })(Sequence);
  return Sequence;
}
