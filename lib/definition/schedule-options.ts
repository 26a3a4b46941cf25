import type { Duration } from '../engine/duration.js';
import type { Overlap } from '../engine/occurrences.js';

/**
 * When a schedule starts runs: a cron expression, or an interval.
 *
 * A cron expression has five fields (minute, hour, day of the month, month, day of the week), or six with seconds first, and may
 * be `@daily` and the like. It is read in the schedule's time zone. Where clocks go forward over a time, what is set for that time
 * comes as soon as they have; where they go back over one, it comes once, the first time, and what comes every so many minutes or
 * hours goes on through both.
 *
 * `every` is from 1 second to 10 years, counted from 1970 in UTC and not from the start of anything: `'15m'` is at :00, :15, :30 and
 * :45, whoever was deployed when.
 *
 * @publicApi
 */
export type ScheduleTiming = string | { readonly every: Duration };

/**
 * The occurrence for which an input is computed.
 *
 * @publicApi
 */
export interface Occurrence {
  /** The name of the schedule. */
  readonly schedule: string;
  /** When it was to be: not when it came to it. */
  readonly scheduledAt: Date;
}

/**
 * What a schedule does when several occurrences are due, because nobody was there: `'none'` skips what is more than a minute late,
 * `'latest'` starts a run of the latest alone, `'all'` of all, the latest 100 at most, or as many as `atMost` says, from 1 to 1,000.
 *
 * @publicApi
 */
export type CatchUpOption = 'none' | 'latest' | 'all' | { readonly atMost: number };

/**
 * Options of a schedule, whoever makes it.
 *
 * @publicApi
 */
export interface ScheduleSettings {
  /** The IANA name of the time zone in which a cron expression is read, such as `'Europe/Berlin'`. @default 'UTC' */
  readonly timeZone?: string;
  /**
   * What becomes of an occurrence while a run of the schedule goes on: it is skipped; one waits for the end of that run, and others are
   * skipped; it starts beside it; or it starts, and what goes on is cancelled.
   * @default 'skip'
   */
  readonly overlap?: Overlap;
  /** What is done about occurrences that were missed. `overlap` holds for them, too. @default 'latest' */
  readonly catchUp?: CatchUpOption;
}

/**
 * Options of `@Schedule`.
 *
 * @publicApi
 */
export interface ScheduleOptions extends ScheduleSettings {
  /** Unique in the database, 1 to 200 characters. @default the workflow's name */
  readonly name?: string;
  /**
   * The input of its runs, or a function of the occurrence that gives it, or a promise of it, within 10 s. Validated as in
   * `start()`: the value at boot, what the function gives at each occurrence.
   * @default none
   */
  readonly input?: unknown;
}

export const SETTING_KEYS = ['timeZone', 'overlap', 'catchUp'] as const satisfies readonly (keyof ScheduleSettings)[];

export const SCHEDULE_KEYS = ['name', ...SETTING_KEYS, 'input'] as const satisfies readonly (keyof ScheduleOptions)[];
