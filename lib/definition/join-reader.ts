import { readOptions, show, type Say } from './option-readers.js';

/** What `join` may be, as an error says it. */
const JOIN_FORM = `'all', 'any' or { atLeast: <a number of steps> }`;

/**
 * Of the steps in `after` so many must complete, or null for all of them. `after` is null where it was not said, and
 * undefined where it is wrong, so that nothing can be said of its number.
 */
export function readJoin(value: unknown, after: readonly string[] | null | undefined, say: Say): number | null {
  if (value === undefined) return null;
  if (after === null) {
    say('has join without after. Say in `after` which steps it waits for, or remove `join`.');
    return null;
  }
  const names = new Set(after).size;
  if (after !== undefined && names < 2) {
    say('has join, and after names fewer than two steps. Name the steps of which some are enough, or remove `join`.');
    return null;
  }
  const least = readLeast(value, after === undefined ? Infinity : names, say);
  return least === names ? null : least;
}

function readLeast(value: unknown, most: number, say: Say): number | null {
  if (value === 'all') return null;
  if (value === 'any') return 1;
  if (typeof value !== 'object' || value === null) {
    say(`Expected join to be ${JOIN_FORM}, got ${show(value)}.`);
    return null;
  }
  const { atLeast } = readOptions(value, 'join', ['atLeast'], say);
  if (typeof atLeast === 'number' && Number.isInteger(atLeast) && atLeast >= 1 && atLeast <= most) return atLeast;
  say(`Expected atLeast of join to be an integer from 1 to the number of steps in after, got ${show(atLeast)}.`);
  return null;
}
