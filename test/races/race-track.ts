import { afterAll, afterEach, beforeAll, beforeEach, expect, jest } from '@jest/globals';
import { DataSource } from 'typeorm';

import { migrateWorkflowTables } from '../../lib/persistence/migrator.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';
import { everyInterleaving, type Heat } from './every-interleaving.js';
import { BEAT_LEASE_MS, FlowProcess, graphOf } from './flow-process.js';
import { Turnstile, type Racer } from './turnstile.js';

/** What each step waits for. */
type Steps = Readonly<Record<string, readonly string[]>>;

/** Who takes part: one process that starts runs and races in none, and two that race. */
interface Entrants {
  readonly starter: FlowProcess;
  readonly one: FlowProcess;
  readonly two: FlowProcess;
}

/** How a race left its run. */
interface Ending {
  readonly status: string;
  /** `name status attempt/failures/crashes`, by name. */
  readonly steps: readonly string[];
  /** What began, anywhere, as `step#attempt`. */
  readonly begun: readonly string[];
}

interface StepRow {
  readonly name: string;
  readonly status: string;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly result: string | null;
  readonly stage: string | null;
}

/** Statements of a beat that neither change nor tell anything of runs. */
export const OF_WORKERS = ['of_renew', 'of_bury', 'of_look'];

export function act(process: FlowProcess, action: () => Promise<unknown>): Racer {
  return { process: process.name, act: action };
}

/** Where the races of a test file are run: a database of their own, with a turnstile before it. */
export class RaceTrack {
  database!: TestDatabase;
  db!: TestConnection;
  private turnstile!: Turnstile;
  private processes: readonly FlowProcess[] = [];

  /** Opens and closes it with the test file. */
  constructor() {
    // Many races in one test, each of a few milliseconds on a machine with nothing else to do.
    jest.setTimeout(180_000);
    beforeAll(() => this.open());
    beforeEach(async () => {
      this.db = await connect(this.database);
      this.processes = [];
    });
    afterEach(() => this.leave());
    afterAll(async () => {
      await this.database.drop();
      this.turnstile.remove();
    });
  }

  /** Three processes of an app with one workflow. Awake, they start what follows in their own free slots. */
  async enter(steps: Steps, state: 'asleep' | 'awake' = 'asleep'): Promise<Entrants> {
    const graph = graphOf(steps);
    const enter = async (name: string) => {
      const process = new FlowProcess(name, this.database, graph);
      this.processes = [...this.processes, process];
      await process.open(this.db);
      return process;
    };
    const [starter, one, two] = [await enter('starter'), await enter('one'), await enter('two')];
    if (state === 'awake') for (const process of [one, two]) process.awake();
    return { starter, one, two };
  }

  /** Runs a race in every order, or a sample of them, and tells in how many. */
  async everyOrder(prepare: () => Promise<Heat>): Promise<void> {
    const count = await everyInterleaving(this.turnstile, this.db, async () => {
      await this.db.query(
        `UPDATE orchestrate_flow.workflow_worker SET status = 'alive', lease_until = now() + interval '1 day'`,
      );
      for (const process of this.processes) process.reset();
      return prepare();
    });
    process.stdout.write(`${expect.getState().currentTestName}: ${count} interleavings\n`);
    expect(count).toBeGreaterThan(1);
  }

  /** How a race left its run, once what it left ready has been done. What is true of every end is checked here. */
  async endingOf(runId: string): Promise<Ending> {
    await this.processes[0]!.finishAll();
    const [run] = await this.db.query<{ status: string; worker: string | null; generation: number }>(
      'SELECT status, worker, generation FROM orchestrate_flow.workflow_run WHERE id = $1',
      [runId],
    );
    const rows = await this.db.query<StepRow>(
      `SELECT CASE item WHEN 0 THEN name ELSE name || '[' || item - 1 || ']' END AS name,
         status, attempt, failures, crashes, result, stage
       FROM orchestrate_flow.workflow_step WHERE run_id = $1 AND generation = $2 ORDER BY workflow_step.name, item`,
      [runId, run!.generation],
    );
    const begun = this.processes.flatMap((process) => process.begunOf(runId)).sort();
    expect(['completed', 'failed', 'cancelled']).toContain(run!.status);
    expect(run!.worker).toBeNull();
    expect(rows.filter(({ status }) => ['ready', 'running', 'retrying'].includes(status))).toEqual([]);
    // No token is given twice, and what is recorded is what its own attempt said.
    expect(begun).toEqual([...new Set(begun)]);
    const tokens = Array.from({ length: run!.generation }, (_, earlier) => `/${earlier + 1}`);
    for (const { name, status, attempt, result, stage } of rows) {
      const own = ['', ...tokens].map((token) => `"${name}#${attempt}${token}"`);
      expect(status === 'completed' && stage !== 'expanded' ? own : [null]).toContain(result);
    }
    await this.expectNothingLeft();
    const steps = rows.map(({ name, status, attempt, failures, crashes }) => {
      return `${name} ${status} ${attempt}/${failures}/${crashes}`;
    });
    return { status: run!.status, steps, begun };
  }

  /** Lets a worker's lease run out. Its process does not know. */
  async letDie({ worker }: FlowProcess): Promise<void> {
    await waitFor('anybody may be buried', async () => {
      const [row] = await this.db.query<{ up: boolean }>(
        `SELECT now() > pg_postmaster_start_time() + $1 * interval '1 millisecond' AS up`,
        [BEAT_LEASE_MS],
      );
      return row!.up;
    });
    await this.db.query(
      `UPDATE orchestrate_flow.workflow_worker SET lease_until = now() - interval '1 year' WHERE id = $1`,
      [worker],
    );
  }

  private async expectNothingLeft(): Promise<void> {
    expect(await this.db.query('SELECT * FROM orchestrate_flow.orphans')).toEqual([]);
    const left = this.processes.map(({ slotsInUse, desk }) => [slotsInUse, desk.isQuiet]);
    expect(left).toEqual(this.processes.map(() => [0, true]));
  }

  private async open(): Promise<void> {
    this.turnstile = new Turnstile();
    this.database = await createDatabase();
    const { host, port, user: username, database } = this.database.connection;
    const dataSource = await new DataSource({ type: 'postgres', host, port, username, database }).initialize();
    await migrateWorkflowTables(dataSource);
    await dataSource.destroy();
  }

  private async leave(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.close()));
    const [locks] = await this.db.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    await this.db.close();
    // A deadlock would be got over, and would cost a second.
    expect(locks).toEqual({ deadlocks: 0 });
  }
}
