import { randomInt } from 'node:crypto';
import { inspect, types } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Input, Step, Workflow, type OrchestrateFlowError, type Run } from 'orchestrate-flow';

import { JsonCodec } from '../../lib/persistence/codec.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { findDifference } from '../support/find-difference.js';
import { sampleValues, type RandomValue } from '../support/random-values.js';
import { startApp, type TestApp } from '../support/start-app.js';

/**
 * OF_SEED repeats a run that failed, OF_PROPERTY_VALUES makes it shorter or longer: so many values each for starts, results
 * and errors.
 */
const seed = Number(process.env['OF_SEED'] ?? randomInt(2 ** 31));
const count = Number(process.env['OF_PROPERTY_VALUES'] ?? 7_000);

/** What is kept of each part of what was thrown; a larger one is replaced by an error that says so. */
const KEPT_BYTES = 16 * 1024;

/** Runs started in one commit. */
const BATCH = 1_000;

/** What the steps give or throw, by the run's input. */
let values: readonly RandomValue[] = [];

@Workflow({ name: 'take' })
class Take {
  static readonly output = 'give';

  @Step() give(@Input() input: unknown): unknown {
    return input;
  }
}

@Workflow({ name: 'give', retry: 1 })
class Give {
  static readonly output = 'give';

  @Step() give(@Input() index: number): unknown {
    const { value, culprit } = values[index]!;
    // Whether it is to be awaited is asked of what a step gives itself, before it is stored.
    return culprit === '' ? [value] : value;
  }
}

@Workflow({ name: 'throw', retry: 1 })
class Throw {
  @Step() throw(@Input() index: number): void {
    throw values[index]!.value;
  }
}

let database: TestDatabase;
let db: TestConnection;
/** Starts and reads, so that every value comes back from the database. */
let reader: TestApp;
let worker: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const workflows = [Take, Give, Throw];
  reader = await startApp({ database, workflows, worker: false });
  worker = await startApp({ database, workflows, worker: { concurrency: 200 } });
  db = await connect(database);
});

afterAll(async () => {
  await worker?.close();
  await reader?.close();
  await db?.close();
  await database?.drop();
});

interface Outcome {
  readonly result?: unknown;
  readonly error?: OrchestrateFlowError & { readonly path?: string };
}

const settled = (promise: Promise<unknown>): Promise<Outcome> =>
  promise.then(
    (result) => ({ result }),
    (error: OrchestrateFlowError) => ({ error }),
  );

/** The outcome of every run: at most so many at once, and all by the same look. */
async function outcomes(workflow: string, inputs: readonly unknown[]): Promise<Outcome[]> {
  const ended: Outcome[] = [];
  for (let from = 0; from < inputs.length; from += BATCH) {
    const items = inputs.slice(from, from + BATCH).map((input) => ({ input }));
    const runs: Run[] = await reader.orchestrator.startMany(workflow, items);
    ended.push(...(await Promise.all(runs.map((run) => settled(run.result())))));
  }
  return ended;
}

async function countRows(): Promise<unknown> {
  const [row] = await db.query(
    `SELECT (SELECT count(*)::int FROM orchestrate_flow.workflow_run) AS runs,
            (SELECT count(*)::int FROM orchestrate_flow.workflow_step) AS steps`,
  );
  return row;
}

/** The values that did not arrive as they were. */
function complaints(
  given: readonly RandomValue[],
  ended: readonly Outcome[],
  isRight: (value: RandomValue, outcome: Outcome) => boolean,
): string[] {
  const wrong = given.flatMap((value, index) =>
    isRight(value, ended[index]!) ? [] : [inspect([value, ended[index]], { depth: 12 })],
  );
  return wrong.slice(0, 3);
}

describe(`${count} random values (OF_SEED=${seed})`, () => {
  const third = Math.ceil(count / 3);
  const sample = (offset: number) => sampleValues(third, seed + offset);

  it('given to start() arrive exactly, or are refused with their path before a row is written', async () => {
    const given = sample(0);
    const storable = given.filter(({ culprit }) => culprit === null);
    const refused = given.filter(({ culprit }) => culprit !== null);
    const before = await countRows();
    const refusals = await Promise.all(refused.map(({ value }) => settled(reader.orchestrator.start('take', value))));
    expect(complaints(refused, refusals, isRefusal)).toEqual([]);
    expect(await countRows()).toEqual(before);
    const arrived = await outcomes(
      'take',
      storable.map(({ value }) => value),
    );
    expect(complaints(storable, arrived, hasArrived)).toEqual([]);
    expect(await countRows()).toEqual({ runs: storable.length, steps: storable.length });
    expect(refused.length).toBeGreaterThan(third / 20);
  }, 300_000);

  it('given by steps arrive exactly, or fail the step with their path and leave nothing', async () => {
    values = sample(1);
    const ended = await outcomes('give', [...values.keys()]);
    expect(
      complaints(values, ended, (value, outcome) =>
        (value.culprit === null ? hasArrived : hasFailedRefused)(value, outcome),
      ),
    ).toEqual([]);
    const [row] = await db.query<{ count: number }>(
      `SELECT count(*)::int FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_run r ON r.id = s.run_id
       WHERE r.workflow = 'give' AND s.result IS NOT NULL`,
    );
    expect(row!.count).toBe(values.filter(({ culprit }) => culprit === null).length);
  }, 300_000);

  it('thrown by steps fail the run with exactly them, or with an error that says what was thrown', async () => {
    values = sample(2);
    const ended = await outcomes('throw', [...values.keys()]);
    expect(complaints(values, ended, hasBeenThrown)).toEqual([]);
  }, 300_000);
});

function isRefusal({ culprit }: RandomValue, { error }: Outcome): boolean {
  return (
    error?.code === 'OF_VALUE_NOT_STORABLE' &&
    error.path === culprit &&
    /^Cannot store the input of/.test(error.message)
  );
}

function hasArrived({ value }: RandomValue, { result, error }: Outcome): boolean {
  return error === undefined && findDifference(value, result) === null;
}

function hasFailedRefused({ culprit }: RandomValue, { error }: Outcome): boolean {
  const { code, path } = (error?.cause ?? {}) as { code?: string; path?: string };
  const expected = culprit || '0';
  return error?.code === 'OF_RUN_FAILED' && code === 'OF_VALUE_NOT_STORABLE' && path === expected;
}

function hasBeenThrown({ value, culprit }: RandomValue, { error }: Outcome): boolean {
  if (error?.code !== 'OF_RUN_FAILED') return false;
  if (culprit === null) return findDifference(value, error.cause) === null || takes(value) > KEPT_BYTES;
  // Of an error every part that can be stored is kept; anything else is replaced by an error that says why.
  return error.cause instanceof Error && (types.isNativeError(value) || /cannot be/.test(error.cause.message));
}

function takes(value: unknown): number {
  return Buffer.byteLength(new JsonCodec().encode(value, 'a value'));
}
