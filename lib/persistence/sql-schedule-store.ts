import type {
  ScheduledRun,
  ScheduleMove,
  ScheduleQuery,
  ScheduleSpec,
  ScheduleStore,
  StoredSchedule,
} from '../engine/ports.js';
import type { Overlap } from '../engine/occurrences.js';
import { toTextArray } from './commit-statement.js';
import * as sql from './schedule-statements.js';

/** Sends a prepared statement, again where a race was lost. */
export type Ask = <Row extends object>(name: string, text: string, values: readonly unknown[]) => Promise<Row[]>;

interface ScheduleRecord {
  readonly name: string;
  readonly workflow: string;
  readonly cron: string | null;
  readonly time_zone: string | null;
  readonly every_ms: number | null;
  readonly overlap: Overlap;
  readonly catch_up: number;
  readonly input: string | null;
  readonly declared: boolean;
  readonly paused: boolean;
  readonly orphaned: boolean;
  readonly revision: number;
  readonly next_ms: number | null;
  readonly queued_ms: number | null;
  readonly last_ms: number | null;
  readonly last_run: string | null;
  readonly last_error: string | null;
  readonly is_running: boolean;
  readonly now: number;
}

/** Schedules on PostgreSQL, over a connection that is the library's own: the app's pool may be in use up to the last. */
export class SqlScheduleStore implements ScheduleStore {
  constructor(private readonly ask: Ask) {}

  async now(): Promise<number> {
    const [row] = await this.ask<{ now: number }>('read_time', sql.READ_TIME, []);
    return row!.now;
  }

  async put(spec: ScheduleSpec, nextAt: number | null): Promise<boolean> {
    const { name, workflow, timing, overlap, catchUp, input, isDeclared } = spec;
    const isCron = timing.kind === 'cron';
    const when = isCron ? [timing.cron, timing.timeZone, null] : [null, null, timing.everyMs];
    const values = [name, workflow, ...when, overlap, catchUp, input, isDeclared, nextAt];
    return this.hasChanged('put_schedule', sql.PUT_SCHEDULE, values);
  }

  async orphan(workflows: readonly string[], names: readonly string[]): Promise<void> {
    await this.ask('orphan_schedules', sql.ORPHAN_SCHEDULES, [workflows, names]);
  }

  async find(names: readonly string[]): Promise<StoredSchedule[]> {
    return (await this.ask<ScheduleRecord>('find_schedules', sql.FIND_SCHEDULES, [names])).map(toSchedule);
  }

  async list({ workflow, after, limit }: ScheduleQuery): Promise<StoredSchedule[]> {
    return (await this.ask<ScheduleRecord>('list_schedules', sql.LIST_SCHEDULES, [workflow, after, limit])).map(
      toSchedule,
    );
  }

  remove(name: string, revision: number): Promise<boolean> {
    return this.hasChanged('remove_schedule', sql.REMOVE_SCHEDULE, [name, revision]);
  }

  pause(name: string): Promise<boolean> {
    return this.hasChanged('pause_schedule', sql.PAUSE_SCHEDULE, [name]);
  }

  resume(name: string, revision: number, nextAt: number | null): Promise<boolean> {
    return this.hasChanged('resume_schedule', sql.RESUME_SCHEDULE, [name, revision, nextAt]);
  }

  async take(moves: readonly ScheduleMove[], runs: readonly ScheduledRun[]): Promise<string[]> {
    const rows = await this.ask<{ name: string }>('take_occurrences', sql.TAKE_OCCURRENCES, [
      moves.map(({ name }) => name),
      moves.map(({ revision }) => revision),
      moves.map(({ nextAt }) => nextAt),
      moves.map(({ queuedAt }) => queuedAt),
      moves.map(({ lastAt }) => lastAt),
      moves.map(({ lastRun }) => lastRun),
      moves.map(({ lastError }) => lastError),
      runs.map(({ run }) => run.id),
      runs.map(({ schedule }) => schedule),
      runs.map(({ scheduledAt }) => scheduledAt),
      runs.map(({ run }) => run.workflow),
      runs.map(({ run }) => run.definition),
      runs.map(({ run }) => run.state),
      runs.map(({ run }) => run.priority),
      runs.map(({ run }) => run.input),
      runs.map(({ run }) => run.deadlineMs),
      runs.map(({ run }) => run.context),
      runs.map(({ run }) => toTextArray(run.tags)),
      runs.map(({ run }) => run.isGated),
    ]);
    return rows.map(({ name }) => name);
  }

  private async hasChanged(name: string, text: string, values: readonly unknown[]): Promise<boolean> {
    return (await this.ask(name, text, values)).length > 0;
  }
}

function toSchedule(record: ScheduleRecord): StoredSchedule {
  const { cron, time_zone: timeZone, every_ms: everyMs, overlap, catch_up: catchUp, name, workflow, input } = record;
  return {
    ...{ name, workflow, overlap, catchUp, input, isDeclared: record.declared },
    timing: cron === null ? { kind: 'interval', everyMs: everyMs! } : { kind: 'cron', cron, timeZone: timeZone! },
    ...{ revision: record.revision, isPaused: record.paused, isOrphaned: record.orphaned },
    ...{ nextAt: record.next_ms, queuedAt: record.queued_ms, lastAt: record.last_ms },
    ...{ lastRun: record.last_run, lastError: record.last_error, isRunning: record.is_running, now: record.now },
  };
}
