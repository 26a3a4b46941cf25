import type { GraphNode } from './graph.js';
import type { Tally } from './run-state.js';

/**
 * Where a fan-out stands, whose items are on their way. Its items begin in their order: those before `next` have begun.
 * Each ends in one of three counts, so that the cost of an item does not depend on how many there are.
 */
export interface FanOut {
  /** The counters of the step itself, as in its row. */
  readonly tally: Tally;
  readonly total: number;
  readonly next: number;
  readonly completed: number;
  readonly failed: number;
  /** Given up before they had an outcome. */
  readonly cancelled: number;
  /** Too many have failed, or nobody wants the rest: no more begin. */
  readonly end?: 'fails' | 'cancelled';
  /** Whether an item that has ended without a result may have had its effect. */
  readonly isDoubtful?: true;
}

/** The most items one fan-out may have. */
export const MAX_ITEMS = 1_000_000;

/** How many items run at once where nothing is said, and at most. */
export const DEFAULT_ITEMS_AT_ONCE = 100;
export const MOST_ITEMS_AT_ONCE = 1_000;

/** Items that have begun and not ended. */
export function openItemsOf({ next, completed, failed, cancelled }: FanOut): number {
  return next - completed - failed - cancelled;
}

/** Whether one more of its items begins now. */
export function mayBegin(fanOut: FanOut, { fanOut: limits }: GraphNode): boolean {
  return fanOut.end === undefined && fanOut.next < fanOut.total && openItemsOf(fanOut) < limits!.maxItems;
}

/** Whether nothing of it is under way and nothing more begins. */
export function isSettled(fanOut: FanOut): boolean {
  return openItemsOf(fanOut) === 0 && (fanOut.end !== undefined || fanOut.next === fanOut.total);
}

/** Whether so many failures are more than it tolerates. */
export function isTooMany(failed: number, { total }: FanOut, { fanOut: limits }: GraphNode): boolean {
  const { tolerate } = limits!;
  return failed > (typeof tolerate === 'number' ? tolerate : Math.floor((total * Number.parseFloat(tolerate)) / 100));
}

const LEDGER = /^\+([^,]+),(\d+),(\d+),(\d+),(\d+),(\d+),(\d+),(\d+),(\d+),(fails|cancelled)?,(d)?$/;

/** `+name,attempt,failures,crashes,total,next,completed,failed,cancelled,end,doubt`: an encoded name holds no `+`. */
export function encodeFanOut(name: string, { tally, ...fanOut }: FanOut): string {
  const { attempt, failures, crashes } = tally;
  const { total, next, completed, failed, cancelled, end = '', isDoubtful } = fanOut;
  const counts = [attempt, failures, crashes, total, next, completed, failed, cancelled].join(',');
  return `+${encodeURIComponent(name)},${counts},${end},${isDoubtful ? 'd' : ''}`;
}

/** The encoded name and the fan-out, or null where the text is none. */
export function findFanOut(text: string): readonly [name: string, fanOut: FanOut] | null {
  const match = LEDGER.exec(text);
  if (!match) return null;
  const [attempt, failures, crashes, total, next, completed, failed, cancelled] = match.slice(2, 10).map(Number);
  const tally: Tally = { attempt: attempt!, failures: failures!, crashes: crashes!, stage: 'expanded' };
  const counts = { total: total!, next: next!, completed: completed!, failed: failed!, cancelled: cancelled! };
  const end = match[10] as FanOut['end'];
  return [match[1]!, { tally, ...counts, ...(end && { end }), ...(match[11] ? { isDoubtful: true as const } : {}) }];
}
