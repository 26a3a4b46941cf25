import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { CommitAnswer, NewRun, RunWrite } from '../engine/ports.js';
import { COMMIT_BATCH, commitParameters, parseAnswer, type BatchAnswer } from './commit-statement.js';
import { Connection, SESSION_SETTINGS, type ConnectionConfig, type PreparedStatement } from './connection.js';
import { classifyFailure } from './database-failure.js';
import { Rematch } from './race.js';
import { qualify } from './schema.js';

/** Milliseconds before a commit that the database could not take is sent again: doubled each time, up to the last. */
const BACKOFF_MS = { first: 50, last: 2_000 } as const;

interface AnswerRow {
  readonly answer: string;
}

/** One row of a batch. */
export type LaneWrite = { readonly run: RunWrite } | { readonly start: NewRun };

export interface LaneOptions {
  readonly name: string;
  readonly schema: string;
  readonly leaseMs: number;
  /** Milliseconds a statement waits for a lock that somebody else holds. */
  readonly lockTimeoutMs: number;
  /** Called when the database goes away and when it answers again. */
  readonly onHealth: (error: unknown) => void;
}

/**
 * What became of a batch: an answer, a group of which nothing was written because a name in it is taken, a lock that
 * somebody held for too long, or a value the database refuses.
 */
export type LaneOutcome =
  | { readonly kind: 'answered'; readonly answer: BatchAnswer }
  | { readonly kind: 'taken' }
  | { readonly kind: 'locked' }
  | { readonly kind: 'culprit'; readonly error: Error };

/**
 * One connection over which commits leave one after the other, and its row in the database, which counts them. The row
 * settles what a broken connection leaves open: before anything is sent again its epoch is raised under its lock. Then
 * the lost commit either is in, with its answer kept in the row, or can never come in any more.
 */
export class Lane {
  private readonly id = randomUUID();
  private readonly connection: Connection;
  private readonly batch: PreparedStatement;
  private epoch = 0;
  private commitNo = 0;
  private registered = false;
  /** Set while it is not known whether the last commit came in. */
  private unsettled = false;
  private closing = false;

  constructor(
    config: ConnectionConfig,
    private readonly options: LaneOptions,
  ) {
    const { name, schema, leaseMs, lockTimeoutMs } = options;
    this.batch = { name: 'of_commit', text: qualify(COMMIT_BATCH, schema) };
    this.connection = new Connection(config, {
      name,
      answerWithinMs: leaseMs / 2,
      settings: {
        ...SESSION_SETTINGS,
        lock_timeout: Math.round(lockTimeoutMs),
        // A process that is stopped inside a transaction would else hold its locks for as long as it stands.
        idle_in_transaction_session_timeout: Math.round(leaseMs / 4),
      },
    });
  }

  /** Sends a batch until it is known what became of it. */
  async send(writes: readonly LaneWrite[]): Promise<LaneOutcome> {
    const parameters = commitParameters(...split(writes));
    return this.untilKnown(async () => {
      const rows = await this.connection.query<AnswerRow>(this.batch, this.numbered(parameters));
      return this.settle(rows);
    });
  }

  /**
   * Opens a transaction, lets `decide` read under locks and answer with what to write, writes it and commits; where that is nothing
   * the outcome is null. `decide` may be called again.
   */
  async sendLocked(decide: (client: pg.Client) => Promise<readonly LaneWrite[]>): Promise<LaneOutcome | null> {
    return this.untilKnown(() =>
      this.inTransaction(async (client) => {
        const writes = await decide(client);
        return writes.length === 0 ? null : this.writeIn(client, commitParameters(...split(writes)));
      }, null),
    );
  }

  /** Sends starts of which all are written or, where the id or key of one is taken, none. */
  async sendGroup(starts: readonly LaneWrite[]): Promise<LaneOutcome> {
    const parameters = commitParameters(...split(starts));
    return this.untilKnown(() =>
      this.inTransaction<LaneOutcome>(
        async (client) => {
          const rows = await this.writeIn(client, parameters);
          return rows[0] && parseAnswer(rows[0].answer).taken.size > 0 ? null : rows;
        },
        { kind: 'taken' },
      ),
    );
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.registered) await this.forget().catch(() => undefined);
    await this.connection.close();
  }

  /** Commits what `write` has written, or rolls back where it gives null: then the outcome is `otherwise`. */
  private inTransaction<T extends LaneOutcome | null>(
    write: (client: pg.Client) => Promise<readonly AnswerRow[] | null>,
    otherwise: T,
  ): Promise<T | LaneOutcome> {
    return this.connection.run(async (client) => {
      await client.query('BEGIN');
      try {
        const rows = await write(client);
        if (rows === null) {
          await client.query('ROLLBACK');
          return otherwise;
        }
        if (rows.length > 0) this.unsettled = true;
        await client.query('COMMIT');
        return this.settle(rows);
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  private async writeIn(client: pg.Client, parameters: readonly unknown[]): Promise<AnswerRow[]> {
    return (await client.query<AnswerRow>({ ...this.batch, values: this.numbered(parameters) })).rows;
  }

  private numbered(parameters: readonly unknown[]): unknown[] {
    return [this.id, this.epoch, this.commitNo, ...parameters];
  }

  private settle(rows: readonly AnswerRow[]): LaneOutcome {
    const answer = rows[0]?.answer;
    // No row: the lane is not where we believe it to be, so nothing was written. Ask it.
    if (answer === undefined) throw Object.assign(new Error('The lane has moved.'), { code: LANE_MOVED });
    this.commitNo += 1;
    this.unsettled = false;
    return { kind: 'answered', answer: parseAnswer(answer) };
  }

  private async untilKnown<T extends LaneOutcome | null>(send: () => Promise<T>): Promise<T | LaneOutcome> {
    const rematch = new Rematch();
    for (let backoffMs: number = BACKOFF_MS.first; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)) {
      // Whoever was sent last has given up: the answer that the lane may yet give is theirs, and nobody else's.
      if (this.closing && this.unsettled) throw stopped(null);
      try {
        const kept = await this.prepare();
        if (kept) return { kind: 'answered', answer: kept };
        const outcome = await send();
        this.options.onHealth(null);
        return outcome;
      } catch (error) {
        const failure = classifyFailure(error);
        // As long as it is not known whether the last commit came in, whoever left now would leave its answer to the next.
        if (!this.unsettled && failure === 'data') return { kind: 'culprit', error: error as Error };
        if (!this.unsettled && failure === 'lock-timeout') return { kind: 'locked' };
        if (failure === 'unknown') this.unsettled = this.registered;
        if (failure === 'race') {
          await rematch.pause();
          continue;
        }
        if (this.closing) throw stopped(error);
        this.options.onHealth(error);
        await sleep(backoffMs);
      }
    }
  }

  /** Registers the lane; after a lost connection answers with what the lost commit had been answered, if it came in. */
  private async prepare(): Promise<BatchAnswer | null> {
    if (!this.registered) {
      await this.execute('INSERT INTO orchestrate_flow.workflow_lane (id) VALUES ($1) ON CONFLICT DO NOTHING');
      this.registered = true;
    }
    if (!this.unsettled) return null;
    const rows = await this.execute<{ epoch: number; commit_no: string; answer: string }>(
      `UPDATE orchestrate_flow.workflow_lane SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch, commit_no, answer`,
    );
    const row = rows[0];
    this.unsettled = false;
    if (!row) {
      // Retention only takes lanes unused for a day: then nothing of ours is on its way.
      this.registered = false;
      this.epoch = this.commitNo = 0;
      return this.prepare();
    }
    const cameIn = Number(row.commit_no) > this.commitNo;
    this.epoch = row.epoch;
    this.commitNo = Number(row.commit_no);
    return cameIn ? parseAnswer(row.answer) : null;
  }

  private async forget(): Promise<void> {
    await this.execute('DELETE FROM orchestrate_flow.workflow_lane WHERE id = $1');
  }

  private execute<Row extends object>(text: string): Promise<Row[]> {
    return this.connection.run(
      async (client) => (await client.query<Row>(qualify(text, this.options.schema), [this.id])).rows,
    );
  }
}

function stopped(cause: unknown): OrchestrateFlowError {
  const message =
    'Cannot say whether this was written: the app has shut down before the database answered. Look it up, or send it again with its key.';
  return new OrchestrateFlowError('OF_STOPPED', message, { cause });
}

/** Classified like a broken connection: what became of the commit has to be asked. */
const LANE_MOVED = '08000';

function split(writes: readonly LaneWrite[]): [runs: RunWrite[], starts: NewRun[]] {
  const runs: RunWrite[] = [];
  const starts: NewRun[] = [];
  for (const write of writes) {
    if ('run' in write) runs.push(write.run);
    else starts.push(write.start);
  }
  return [runs, starts];
}

/** What became of one row of a batch. */
export function toAnswer(write: LaneWrite, outcome: LaneOutcome | null): CommitAnswer {
  switch (outcome?.kind) {
    case 'answered':
      return answerFor(write, outcome.answer);
    case 'culprit':
      return { kind: 'refused', error: outcome.error };
    case 'taken':
      return { kind: 'stale' };
    default:
      return { kind: 'nothing' };
  }
}

/** What the answer of a batch means for one of its rows. */
export function answerFor(write: LaneWrite, { at, stale, taken }: BatchAnswer): CommitAnswer {
  const isStale = 'run' in write ? stale.has(write.run.id) : taken.has(write.start.id);
  return isStale ? { kind: 'stale' } : { kind: 'applied', at };
}
