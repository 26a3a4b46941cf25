import { setTimeout as sleep } from 'node:timers/promises';

import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { StepTransactions, TransactionEnd, TransactionRequest } from '../engine/ports.js';
import { classifyFailure, sqlStateOf } from './database-failure.js';
import { OwnedTransaction } from './owned-transaction.js';
import { qualify } from './schema.js';
import { TransactionGate } from './transaction-gate.js';

/** For this transaction: a worker that stands still does not keep its locks for longer than its lease. */
const LIMIT_TRANSACTION = `
SELECT set_config('idle_in_transaction_session_timeout', $1, true),
  set_config('statement_timeout', coalesce($2, current_setting('statement_timeout')), true),
  pg_current_xact_id()::text AS id`;

/**
 * The last statement before COMMIT: the result into the step's row, where this attempt is still the one that its row and its run
 * wait for. No row, no commit. The row stays locked until the transaction has ended, so that whoever asks what became of it waits
 * for that. Says too whether it still is the transaction that was begun.
 */
const MARK_COMMITTED = `
WITH marked AS (
  UPDATE orchestrate_flow.workflow_step s SET stage = 'committed', result = $6
  WHERE s.run_id = $1 AND s.generation = $2 AND s.name = $3 AND s.item = $8 AND s.round = 0
    AND s.attempt = $4 AND s.status = 'running' AND pg_current_xact_id()::text = $7 AND s.stage IS NOT DISTINCT FROM $5 AND NOT s.aborting
    AND EXISTS (
      SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.id = $1 AND r.status IN ('running', 'waiting', 'paused', 'compensating'))
  RETURNING 1)
SELECT (SELECT count(*) FROM marked)::int AS marked, pg_current_xact_id_if_assigned()::text AS id`;

/** `idle_in_transaction_session_timeout`. */
const IDLE_TOO_LONG = '25P03';

/** Milliseconds of the first pause after a transaction that could not be begun; doubled each time, up to the last. */
const PAUSE_MS = { first: 100, last: 5_000 } as const;

// A step may replace it.
const { random } = Math;

/** Of a pool of TypeORM's that names no size: that of node-postgres. */
const DEFAULT_POOL = 10;

export interface StepTransactionsOptions {
  readonly schema: string;
  readonly leaseMs: number;
  /** Told that the pool gave no transaction, and why. */
  readonly onRefused: (error: unknown) => void;
}

/** The transactions of steps, on connections of the pool that the app itself uses: at most half of them at once. */
export class SqlStepTransactions implements StepTransactions<EntityManager> {
  private readonly gate: TransactionGate;
  /** Grows for as long as none can be begun. */
  private pauseMs: number = PAUSE_MS.first;

  constructor(
    private readonly dataSource: DataSource,
    private readonly options: StepTransactionsOptions,
  ) {
    this.gate = new TransactionGate(Math.max(1, Math.floor(poolSizeOf(dataSource) / 2)));
  }

  async run(request: TransactionRequest, work: (manager: EntityManager) => Promise<string>): Promise<TransactionEnd> {
    await this.gate.enter(request.signal);
    try {
      return await this.runOn(this.dataSource.createQueryRunner('master'), request, work);
    } finally {
      this.gate.leave();
    }
  }

  private async runOn(
    runner: QueryRunner,
    request: TransactionRequest,
    work: (manager: EntityManager) => Promise<string>,
  ): Promise<TransactionEnd> {
    const own = new OwnedTransaction(runner);
    try {
      const id = await this.begin(own, request);
      if (id === null) return 'unknown';
      const result = await work(own.manager);
      own.close();
      return await this.commit(own, request, { id, result });
    } catch (error) {
      if (own.broken === null || request.signal.aborted) throw error;
      if (sqlStateOf(own.broken) === IDLE_TOO_LONG) throw idle(request, this.options.leaseMs, own.broken);
      // Whatever its code made of it: the step is not to blame.
      return 'unknown';
    } finally {
      await own.end();
    }
  }

  /**
   * @returns the transaction's number, or null where the database cannot be had, for which the step is not to blame: after a pause,
   * because whoever takes the step up next asks the same database
   */
  private async begin(own: OwnedTransaction, { timeoutMs, signal }: TransactionRequest): Promise<string | null> {
    try {
      await own.begin();
      const limit = timeoutMs === null ? null : String(timeoutMs);
      const [row] = await own.query<{ id: string }>(LIMIT_TRANSACTION, [String(this.options.leaseMs), limit]);
      this.pauseMs = PAUSE_MS.first;
      return row!.id;
    } catch (error) {
      if (signal.aborted) return null;
      this.options.onRefused(error);
      await this.pause(signal);
      return null;
    }
  }

  /** Half of it is fixed and half by chance, so that those who were refused together do not come back together. */
  private async pause(signal: AbortSignal): Promise<void> {
    const pauseMs = (this.pauseMs / 2) * (1 + random());
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MS.last);
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }

  private async commit(
    own: OwnedTransaction,
    { runId, generation, row: place, claim }: TransactionRequest,
    { id, result }: { readonly id: string; readonly result: string },
  ): Promise<TransactionEnd> {
    const parameters = [runId, generation, place.name, claim.attempt, claim.stage ?? null, result, id, place.item];
    try {
      const [row] = await own.query<{ marked: number; id: string | null }>(
        qualify(MARK_COMMITTED, this.options.schema),
        parameters,
      );
      if (row!.id !== id) throw ended(claim.step, runId);
      if (row!.marked !== 1) return 'refused';
      await own.commit();
      return 'committed';
    } catch (error) {
      // Where the connection broke nobody knows, and the row tells. All else the step's own statements have brought about.
      const isUnknown = own.broken === null && classifyFailure(error) === 'unknown';
      if (isUnknown && !(error instanceof OrchestrateFlowError)) return 'unknown';
      throw error;
    }
  }
}

function poolSizeOf({ options }: DataSource): number {
  const { poolSize, extra } = options as { poolSize?: number; extra?: { max?: number } };
  return extra?.max ?? poolSize ?? DEFAULT_POOL;
}

function ended(step: string, runId: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_TRANSACTION_ENDED',
    `Cannot commit step "${step}" of run ${runId}: its code has ended the transaction itself. ` +
      'Leave COMMIT and ROLLBACK to the library: throw to roll back, return to commit.',
  );
}

function idle({ claim, runId }: TransactionRequest, leaseMs: number, cause: unknown): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_TRANSACTION_IDLE',
    `Cannot commit step "${claim.step}" of run ${runId}: its transaction was idle for longer than the lease of ${leaseMs} ms, and the ` +
      'database has rolled it back. Move what takes long into a step of its own.',
    { cause },
  );
}
