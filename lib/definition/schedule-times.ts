import { Cron } from 'croner';

import type { Timing } from '../engine/occurrences.js';
import { messageOf } from '../engine/errors.js';

/** A moment before which nobody schedules anything, to see whether an expression ever comes. */
const LONG_AGO_MS = Date.UTC(2000, 0, 1);

const SECOND_MS = 1_000;

/** The first occurrence after a time, in milliseconds since 1970; null where there is none any more. */
export function findNextOccurrence(timing: Timing, afterMs: number): number | null {
  if (timing.kind === 'interval') return (Math.floor(afterMs / timing.everyMs) + 1) * timing.everyMs;
  return toCron(timing).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** The latest occurrences from one time to another, both included, oldest first, and at most so many. */
export function findOccurrences(timing: Timing, fromMs: number, toMs: number, most: number): number[] {
  const previous = timing.kind === 'interval' ? previousMultiple(timing.everyMs) : previousOf(toCron(timing));
  const found: number[] = [];
  // Backwards, because after a year of absence an expression for each second has had millions.
  for (let at = previous(toMs); at !== null && at >= fromMs && found.length < most; at = previous(at - 1))
    found.unshift(at);
  return found;
}

/** What is wrong with a cron expression, or null. */
export function findCronFault(cron: string): string | null {
  // The library would take it for a date, which comes once.
  if (cron.includes(':')) return 'it is no cron expression';
  try {
    const first = toCron({ cron, timeZone: 'UTC' }).nextRun(new Date(LONG_AGO_MS));
    return first === null ? 'no time is ever like that' : null;
  } catch (error) {
    return messageOf(error).replace(/^CronPattern: /, '');
  }
}

/** Whether the process knows a time zone of this name. */
export function isTimeZone(name: unknown): name is string {
  // Offsets such as +01:00 are known to some versions of Node and not to others.
  if (typeof name !== 'string' || !/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function toCron({ cron, timeZone }: { readonly cron: string; readonly timeZone: string }): Cron {
  return new Cron(cron, { timezone: timeZone, paused: true });
}

/** The last multiple up to a time, that included. */
function previousMultiple(everyMs: number): (ms: number) => number | null {
  return (ms) => Math.floor(ms / everyMs) * everyMs;
}

/** The last occurrence up to a time, that included. The library looks before a time, in whole seconds. */
function previousOf(cron: Cron): (ms: number) => number | null {
  return (ms) =>
    cron.previousRuns(1, new Date(Math.floor(ms / SECOND_MS) * SECOND_MS + SECOND_MS))[0]?.getTime() ?? null;
}
