import { inspect } from 'node:util';
import { DURATION_FORM, findDurationMs } from '../engine/duration.js';
import { list, suggest } from './near-miss.js';

/** Takes one fault. Readers say what is wrong and give undefined, so that all faults of a definition are found at once. */
export type Say = (fault: string) => void;

/** Options as they were written: of any form, because JavaScript and `as any` pass every type check. */
export type WrittenOptions = Readonly<Record<string, unknown>>;

export const MAX_NAME_LENGTH = 200;
const MAX_QUEUE_LENGTH = 100;
const MAX_TAG_LENGTH = 100;
const MAX_TAGS = 20;
/** BullMQ's highest priority number is 2^21; ours stays below it. */
const MAX_PRIORITY = 2 ** 21 - 1;
/** The process keeps an attempt's timeout: a longer timer of Node fires at once. */
const MAX_TIMEOUT_MS = 24 * 24 * 60 * 60 * 1_000;

/** A pause of more than ten years is a mistake. */
const MAX_DELAY_MS = 10 * 365 * 24 * 60 * 60 * 1_000;

/** The known ones of the options of a decorator; others are faults. Keys with the value undefined are absent. */
export function readOptions(value: unknown, what: string, keys: readonly string[], say: Say): WrittenOptions {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    say(`Expected the options of ${what} to be an object, got ${show(value)}.`);
    return {};
  }
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    say(`${what} has no option "${key}".${suggest(key, keys)} Its options are ${list(keys)}.`);
  }
  // What it has no such option for has been said: it is not read, lest more is said of it.
  return Object.fromEntries(Object.entries(value).filter(([key]) => keys.includes(key)));
}

/** Milliseconds; `least` is 0 or 1. */
export function readDuration(value: unknown, option: string, least: number, say: Say): number | undefined {
  if (value === undefined) return undefined;
  const ms = findDurationMs(value);
  if (ms !== null && ms >= least) return ms;
  say(`Expected ${option} to be ${DURATION_FORM}${least > 0 ? ', and more than 0' : ''}, got ${show(value)}.`);
  return undefined;
}

/** Milliseconds of an attempt's time limit. */
export function readTimeout(value: unknown, option: string, say: Say): number | undefined {
  const ms = readDuration(value, option, 1, say);
  if (ms === undefined || ms <= MAX_TIMEOUT_MS) return ms;
  say(`Expected ${option} to be at most 24 days, got ${show(value)}.`);
  return undefined;
}

/** Milliseconds of a pause, which the database keeps. */
export function readDelay(value: unknown, option: string, say: Say): number | undefined {
  const ms = readDuration(value, option, 1, say);
  if (ms === undefined || ms <= MAX_DELAY_MS) return ms;
  say(`Expected ${option} to be at most 10 years (3650 days), got ${show(value)}.`);
  return undefined;
}

export function readQueue(value: unknown, say: Say): string | undefined {
  if (value === undefined) return undefined;
  if (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= MAX_QUEUE_LENGTH &&
    !value.includes(':') &&
    isStorable(value)
  )
    return value;
  // The queue's name becomes part of BullMQ's keys, which colons separate.
  say(`Expected queue to be 1 to ${MAX_QUEUE_LENGTH} characters without a colon, got ${show(value)}.`);
  return undefined;
}

export function readPriority(value: unknown, say: Say): number | undefined {
  return readInteger(value, 'priority', 0, MAX_PRIORITY, say);
}

export function readInteger(value: unknown, option: string, least: number, most: number, say: Say): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  say(`Expected ${option} to be an integer from ${least} to ${most}, got ${show(value)}.`);
  return undefined;
}

export function readChoice<T extends string>(
  value: unknown,
  option: string,
  choices: readonly T[],
  say: Say,
): T | undefined {
  if (value === undefined || choices.includes(value as T)) return value as T | undefined;
  say(`Expected ${option} to be one of ${list(choices)}, got ${show(value)}.${suggest(value, choices)}`);
  return undefined;
}

export function readFlag(value: unknown, option: string, say: Say): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    say(`Expected ${option} to be true or false, got ${show(value)}.`);
  return value === true;
}

/** A text that PostgreSQL can store: 1 to 200 characters, neither NUL nor lone surrogates. */
export function readName(value: unknown, option: string, say: Say): string | undefined {
  if (isName(value)) return value;
  say(
    `Expected ${option} to be a text of 1 to ${MAX_NAME_LENGTH} characters without NUL or lone surrogates, got ${show(value)}.`,
  );
  return undefined;
}

/** Words that a run bears, each once. */
export function readTags(value: unknown, say: Say): readonly string[] | undefined {
  if (value === undefined) return undefined;
  // A copy: what was checked is what is used. Holes are undefined.
  const tags = Array.isArray(value) ? Array.from(value as unknown[]) : null;
  if (tags !== null && tags.length <= MAX_TAGS && tags.every(isTag)) return [...new Set(tags)];
  say(
    `Expected tags to be a list of at most ${MAX_TAGS} texts, each of 1 to ${MAX_TAG_LENGTH} characters without NUL or lone ` +
      `surrogates, got ${show(value)}.`,
  );
  return undefined;
}

/** Whose a run is. */
export function readTenant(value: unknown, say: Say): string | undefined {
  if (value === undefined || isName(value)) return value;
  say(
    `Expected tenant to be text of 1 to ${MAX_NAME_LENGTH} characters without NUL or lone surrogates, got ${show(value)}.`,
  );
  return undefined;
}

function isTag(value: unknown): value is string {
  return isName(value) && value.length <= MAX_TAG_LENGTH;
}

/** A value as an error quotes it: one line, short. */
export function show(value: unknown): string {
  const text = inspectSafely(value);
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`;
}

function inspectSafely(value: unknown): string {
  try {
    const bounds = { depth: 0, breakLength: Infinity, maxStringLength: 80, maxArrayLength: 5 };
    return inspect(value, { ...bounds, customInspect: false });
  } catch {
    // An error whose stack is a getter that throws, for one.
    return `${typeof value === 'object' ? 'an object' : `a ${typeof value}`} that cannot be read`;
  }
}

/** Whether PostgreSQL can store this text as a name, and gives it back as it is. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= MAX_NAME_LENGTH && isStorable(value);
}

/** PostgreSQL takes no NUL; of lone surrogates it would be given the same replacement for each. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
