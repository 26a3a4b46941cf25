import type { Overlap } from '../engine/occurrences.js';
import type { PayloadCodec } from '../engine/codec.js';
import type { StoredSchedule } from '../engine/ports.js';

/**
 * A schedule as it stands.
 *
 * @publicApi
 */
export interface ScheduleDetails {
  readonly name: string;
  readonly workflow: string;
  /** Its cron expression; null of an interval. */
  readonly cron: string | null;
  readonly timeZone: string | null;
  /** Milliseconds of its interval; null of a cron expression. */
  readonly everyMs: number | null;
  readonly overlap: Overlap;
  /** The most occurrences that are caught up; 0: one that comes late is skipped. */
  readonly catchUp: number;
  /** The input of its runs; undefined where it has none, or a function of a `@Schedule` gives it. */
  readonly input: unknown;
  /** Whether a `@Schedule` declares it; else `upsert()` made it. */
  readonly declared: boolean;
  /** `orphaned`: it was declared, and the last build that booted with its workflow does not declare it any more. */
  readonly status: 'active' | 'paused' | 'orphaned';
  /** Its next occurrence; null while it rests, and where none will come. */
  readonly nextAt: Date | null;
  /** With the overlap policy `queue`: the occurrence that waits for the end of the run before. */
  readonly queuedAt: Date | null;
  /** The last occurrence of which a run was started. */
  readonly lastAt: Date | null;
  /** The run that it has started last, by an occurrence or by `trigger()`. */
  readonly lastRunId: string | null;
  /** Why the last occurrence has no run, where its input was to blame; null once one has. */
  readonly lastError: string | null;
}

/**
 * A page of schedules, in the order of their names.
 *
 * @publicApi
 */
export interface SchedulePage {
  readonly schedules: readonly ScheduleDetails[];
  /** Pass it on as `cursor` for the next page; null on the last. */
  readonly nextCursor: string | null;
}

export function toScheduleDetails(stored: StoredSchedule, codec: PayloadCodec): ScheduleDetails {
  const { name, workflow, timing, overlap, catchUp, isDeclared: declared, lastRun: lastRunId, lastError } = stored;
  const isCron = timing.kind === 'cron';
  return {
    ...{ name, workflow, overlap, catchUp, declared, lastRunId, lastError },
    cron: isCron ? timing.cron : null,
    timeZone: isCron ? timing.timeZone : null,
    everyMs: isCron ? null : timing.everyMs,
    input: stored.input === null ? undefined : codec.decode(stored.input),
    status: stored.isOrphaned ? 'orphaned' : stored.isPaused ? 'paused' : 'active',
    ...{ nextAt: toDate(stored.nextAt), queuedAt: toDate(stored.queuedAt), lastAt: toDate(stored.lastAt) },
  };
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
