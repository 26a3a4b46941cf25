import type { DataSource, EntityManager } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { NewRun, NewSignal, TransactionalStarts } from '../engine/ports.js';
import { toTextArray } from './commit-statement.js';
import { READY_CHANNEL } from './sql-run-store.js';
import { DEFAULT_SCHEMA, qualify } from './schema.js';
import { signalParameters } from './signal-post.js';
import { ADD_SIGNALS, FIND_BY_KEY } from './store-statements.js';

/**
 * A run and its first steps, in the caller's transaction. Only inserts: a row that we changed would stay locked for as
 * long as the caller likes. One notification, which PostgreSQL sends if and when the transaction commits.
 */
const INSERT_RUN = `
WITH created AS (
  INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, key, input_hash, priority, input,
    context, tags, tenant, admit_at, due_at, deadline_at, created_at, updated_at, started_at)
  SELECT $1, $2, $3::int, $4::text, $5, $6, decode($7, 'hex'), $8::int, $9,
    $21, $22::text::text[], $23,
    CASE WHEN $25::bool THEN coalesce($16::timestamptz, orchestrate_flow.now() + coalesce($10::float8, 0) * interval '1 millisecond') END,
    CASE WHEN NOT $25::bool THEN coalesce($16::timestamptz, orchestrate_flow.now() + $10::float8 * interval '1 millisecond') END,
    coalesce($16::timestamptz, orchestrate_flow.now() + coalesce($10::float8, 0) * interval '1 millisecond')
      + $19::float8 * interval '1 millisecond',
    orchestrate_flow.now(), orchestrate_flow.now(), CASE WHEN $4::text <> 'pending' THEN orchestrate_flow.now() END
  ON CONFLICT DO NOTHING
  RETURNING id, definition
),
inserted AS (
  INSERT INTO orchestrate_flow.workflow_step (run_id, definition, name, status, attempt, failures, crashes, queue, priority,
    due_at, created_at, stage, start_by)
  SELECT c.id, c.definition, s.name, s.status, 0, 0, 0, s.queue, s.priority,
    orchestrate_flow.now() + s.delay_ms * interval '1 millisecond', orchestrate_flow.now(), s.stage,
    orchestrate_flow.now() + (coalesce(s.delay_ms, 0) + s.start_within_ms) * interval '1 millisecond'
  FROM created c, unnest($11::text[], $12::text[], $13::int[], $17::text[], $18::float8[], $20::text[], $24::float8[])
    AS s (name, queue, priority, status, delay_ms, stage, start_within_ms)
)
SELECT id, (SELECT count(pg_notify($14, queue)) FROM (SELECT DISTINCT unnest($15::text[]) AS queue) queues) AS told
FROM created`;

/** Whoever hears of the queue of a step that waits looks round. */
const TELL_WAITING = `
SELECT count(pg_notify($2, queue)) FROM (
  SELECT DISTINCT queue FROM orchestrate_flow.workflow_step WHERE run_id = $1 AND status = 'waiting') queues`;

/** Starts inside the caller's own TypeORM transaction: the run exists if and only if that transaction commits. */
export class SqlTransactionalStarts implements TransactionalStarts<EntityManager> {
  constructor(
    private readonly schema: string,
    /** The app's own DataSource, where runs are kept in it. */
    private readonly dataSource: DataSource | null,
  ) {}

  isInTransaction(manager: EntityManager): boolean {
    return manager.queryRunner?.isTransactionActive === true;
  }

  assertInTransaction(manager: EntityManager): void {
    if (this.dataSource !== null && manager.dataSource !== this.dataSource) {
      throw new OrchestrateFlowError(
        'OF_NOT_IN_TRANSACTION',
        'Cannot start a run with this EntityManager: it belongs to another DataSource than the one that runs are kept in. ' +
          "Use a manager of that one, or name the other by the module's option `dataSource`.",
      );
    }
    if (this.isInTransaction(manager)) return;
    throw new OrchestrateFlowError(
      'OF_NOT_IN_TRANSACTION',
      'Cannot start a run with this EntityManager: it is not inside a transaction. Call start() in the callback of ' +
        'dataSource.transaction(async (manager) => …) and pass on its manager, or leave `manager` out.',
    );
  }

  async insert(manager: EntityManager, run: NewRun): Promise<boolean> {
    const { id, workflow, definition, status, state, key, inputHash, priority, input, delayMs, dueAt, steps } = run;
    const hash = inputHash === null ? null : Buffer.from(inputHash).toString('hex');
    const rows = await manager.query<unknown[]>(qualify(INSERT_RUN, this.schema), [
      ...[id, workflow, definition, status, state, key, hash, priority, input, delayMs],
      ...[steps.map(({ step }) => step), steps.map(({ queue }) => queue), steps.map((step) => step.priority)],
      ...[this.channel, run.wakes, dueAt],
      ...[steps.map(({ status }) => status), steps.map((step) => step.delayMs), run.deadlineMs],
      ...[steps.map(({ tally }) => tally.stage ?? null), run.context, toTextArray(run.tags), run.tenant],
      steps.map((step) => step.startWithinMs),
      run.isGated,
    ]);
    return rows.length > 0;
  }

  async addSignal(manager: EntityManager, signal: NewSignal): Promise<boolean> {
    const rows = await manager.query<unknown[]>(qualify(ADD_SIGNALS, this.schema), signalParameters([signal]));
    if (rows.length === 0) return false;
    await manager.query(qualify(TELL_WAITING, this.schema), [signal.runId, this.channel]);
    return true;
  }

  private get channel(): string {
    return this.schema === DEFAULT_SCHEMA ? READY_CHANNEL : `${this.schema}_ready`;
  }

  async findByKey(
    manager: EntityManager,
    workflow: string,
    key: string,
  ): Promise<{ id: string; inputHash: Uint8Array } | null> {
    type Row = { id: string; input_hash: string };
    const [row] = await manager.query<Row[]>(qualify(FIND_BY_KEY, this.schema), [workflow, key]);
    return row ? { id: row.id, inputHash: Buffer.from(row.input_hash, 'hex') } : null;
  }
}
