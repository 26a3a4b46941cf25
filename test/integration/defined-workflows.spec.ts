import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, type StepContext, type WorkflowData } from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';

const NODES = 300;

/** A graph with many joins: each task waits for up to three earlier ones. */
const DAG: WorkflowData = {
  output: `t${NODES - 1}`,
  retry: { attempts: 3, delay: 1, jitter: 'none' },
  steps: Array.from({ length: NODES }, (_, n) => ({
    name: `t${n}`,
    handler: 'task',
    after: [...new Set([n >> 1, (n * 7) % (n + 1), n - 1 - (n % 5)])]
      .filter((m) => m >= 0 && m < n)
      .map((m) => `t${m}`),
  })),
};

const ended: string[] = [];
const early: string[] = [];
const afterOf = new Map(DAG.steps.map(({ name, after }) => [name, after ?? []]));

function task({ ctx, results }: { ctx: StepContext; results: Readonly<Record<string, unknown>> }): number {
  if (ctx.attempt === 1 && ctx.step.endsWith('50')) throw new Error('once');
  if (afterOf.get(ctx.step)!.some((name) => !ended.includes(name) || typeof results[name] !== 'number'))
    early.push(ctx.step);
  ended.push(ctx.step);
  return Object.keys(results).length;
}

const Saga = defineWorkflow(
  'saga',
  {
    steps: [
      { name: 'news', signal: 'news' },
      { name: 'charge' },
      { name: 'ship', retry: 1 },
      { name: 'refund', compensates: 'charge' },
    ],
  },
  {
    charge: () => 'charged',
    ship: () => {
      throw new Error('no ship');
    },
    refund: ({ results, failure }) => `${String(results['charge'])}, ${String(failure?.message)}`,
  },
);

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const dag = { provide: 'dag', useFactory: () => defineWorkflow('dag', DAG, { task }) };
  app = await startApp({ database, workflows: [Saga], providers: [dag] });
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

describe('a workflow that is data', () => {
  it('runs every step of a large graph once and in order, and tries again what fails', async () => {
    const run = await app.orchestrator.start('dag');
    await run.result();
    expect(early).toEqual([]);
    expect(ended.toSorted()).toEqual(DAG.steps.map(({ name }) => name).toSorted());
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.filter(({ attempt }) => attempt === 2).map(({ name }) => name)).toEqual(['t50', 't150', 't250']);
  });

  it('waits for signals and undoes what it did', async () => {
    const run = await app.orchestrator.start(Saga);
    await run.signal('news', 'sent');
    await expect(run.result()).rejects.toMatchObject({ step: 'ship' });
    const steps = new Map((await app.orchestrator.steps(run.id)).map((step) => [step.name, step]));
    expect(steps.get('news')!.result).toBe('sent');
    expect(steps.get('refund')!.result).toBe('charged, no ship');
  });
});
