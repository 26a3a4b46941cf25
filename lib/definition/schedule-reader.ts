import { DURATION_FORM, findDurationMs } from '../engine/duration.js';
import { MAX_CATCH_UP, OVERLAPS, type CatchUp, type Overlap, type Timing } from '../engine/occurrences.js';
import { oneLine } from '../engine/one-line.js';
import type { ScheduleMark } from './metadata.js';
import { isName, MAX_NAME_LENGTH, readChoice, readName, readOptions, show, type Say } from './option-readers.js';
import { SCHEDULE_KEYS } from './schedule-options.js';
import { findCronFault, isTimeZone } from './schedule-times.js';
import type { ScheduleDefinition } from './workflow-definition.js';

const MIN_EVERY_MS = 1_000;
const MAX_EVERY_MS = 10 * 365 * 24 * 60 * 60 * 1_000;
const DEFAULT_TIME_ZONE = 'UTC';
const ALL = 100;
const CATCH_UPS: Readonly<Record<string, CatchUp>> = { none: 0, latest: 1, all: ALL };

/** What `@Schedule` says on a class, read. `name` is that of the workflow, where that is known. */
export function readSchedules(
  marks: readonly ScheduleMark[],
  name: string | undefined,
  say: Say,
): readonly ScheduleDefinition[] {
  // Decorators are called from the last to the first.
  const read = [...marks].reverse().map((mark) => readSchedule(mark, name, say));
  return read.flatMap((schedule) => schedule ?? []);
}

function readSchedule(
  { timing: written, options: given }: ScheduleMark,
  workflow: string | undefined,
  say: Say,
): ScheduleDefinition | null {
  const options = given === undefined ? {} : readOptions(given, '@Schedule', SCHEDULE_KEYS, say);
  const timing = readTiming(written, options['timeZone'], '@Schedule', say);
  const overlap = readOverlap(options['overlap'], say);
  const catchUp = readCatchUp(options['catchUp'], say);
  const name = options['name'] === undefined ? workflow : readName(options['name'], 'name of @Schedule', say);
  const { input } = options;
  return timing && name !== undefined ? { name, timing, overlap, catchUp, input } : null;
}

/** @param what whose options they are, as a fault says it */
export function readTiming(written: unknown, timeZone: unknown, what: string, say: Say): Timing | null {
  if (typeof written === 'string') return readCron(written, timeZone, what, say);
  const every = readEvery(written, what, say);
  if (timeZone === undefined) return every;
  say(`Expected no timeZone beside \`every\` of ${what}: an interval is the same everywhere. Use a cron expression.`);
  return null;
}

function readCron(cron: string, written: unknown, what: string, say: Say): Timing | null {
  const fault = isName(cron) ? findCronFault(cron) : `it has more than ${MAX_NAME_LENGTH} characters, or none`;
  const timeZone = written ?? DEFAULT_TIME_ZONE;
  const isKnown = isTimeZone(timeZone);
  if (fault !== null)
    say(
      `Expected the cron expression of ${what} to be such as '0 2 * * *' (minute, hour, day, month, weekday), got ${show(cron)}: ${oneLine(fault)}.`,
    );
  if (!isKnown)
    say(`Expected timeZone of ${what} to be the IANA name of one, such as 'Europe/Berlin', got ${show(timeZone)}.`);
  return fault === null && isKnown ? { kind: 'cron', cron: cron.trim(), timeZone } : null;
}

function readEvery(written: unknown, what: string, say: Say): Timing | null {
  if (typeof written !== 'object' || written === null) {
    say(`Expected ${what} to be given a cron expression, or { every: '15m' }, got ${show(written)}.`);
    return null;
  }
  const { every } = readOptions(written, what, ['every'], say);
  const everyMs = findDurationMs(every);
  if (everyMs !== null && everyMs >= MIN_EVERY_MS && everyMs <= MAX_EVERY_MS) return { kind: 'interval', everyMs };
  say(`Expected every of ${what} to be ${DURATION_FORM}, from 1 second to 10 years, got ${show(every)}.`);
  return null;
}

export function readOverlap(written: unknown, say: Say): Overlap {
  return readChoice(written, 'overlap', OVERLAPS, say) ?? 'skip';
}

export function readCatchUp(written: unknown, say: Say): CatchUp {
  if (written === undefined) return CATCH_UPS['latest']!;
  if (typeof written === 'string' && Object.hasOwn(CATCH_UPS, written)) return CATCH_UPS[written]!;
  const most: unknown =
    typeof written === 'object' && written !== null ? (written as { atMost?: unknown }).atMost : null;
  if (Number.isInteger(most) && (most as number) >= 1 && (most as number) <= MAX_CATCH_UP) return most as number;
  say(
    `Expected catchUp to be 'none', 'latest', 'all', or { atMost } with a whole number from 1 to ${MAX_CATCH_UP}, got ${show(written)}.`,
  );
  return 0;
}
