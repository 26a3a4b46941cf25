import type { Draft } from './draft.js';
import { MARK, type Mark } from './run-state.js';

/** What a step is to do, now that something before it has ended. */
export type Turn = 'wait' | 'begin' | 'skip';

/** A step that has lost a join, and its last attempt. */
export interface Loser {
  readonly position: number;
  readonly attempt: number;
}

/** Not ended, and not given up either. */
const UNDECIDED: ReadonlySet<Mark> = new Set([MARK.pending, MARK.held, MARK.queued, MARK.waiting, MARK.fanned]);
/** Ended, and whoever waits for it may go on. A failed step is here only if its run goes on all the same. */
const GOOD: ReadonlySet<Mark> = new Set([MARK.completed, MARK.failed, MARK.failedInDoubt]);

/** Whether a step that has not begun does so now, is skipped, or waits on. */
export function findTurn(draft: Draft, position: number): Turn {
  if (draft.markOf(position) !== MARK.pending) return 'wait';
  const { before, needs } = draft.view.graph;
  const isUndecided = (one: number) => UNDECIDED.has(draft.markOf(one));
  const wanted = draft.node(position).join;
  if (wanted === undefined) {
    if (before[position]!.some(isUndecided)) return 'wait';
  } else {
    const undecided = before[position]!.filter(isUndecided).length;
    // A failure that is tolerated wins nothing.
    const good = before[position]!.filter((one) => draft.markOf(one) === MARK.completed).length;
    if (good + undecided < wanted) return 'skip';
    if (good < wanted) return 'wait';
  }
  return needs[position]!.every((one) => GOOD.has(draft.markOf(one))) ? 'begin' : 'skip';
}

/**
 * The join has what it wanted: the rest of what it waited for is given up, and with it whatever only the rest waited for.
 * What waits is cancelled; what runs is aborted and may still report.
 *
 * @returns null where only rows that are not shown know which waits and which runs
 */
export function loseJoin(draft: Draft, join: number): readonly Loser[] | null {
  if (draft.node(join).join === undefined) return [];
  const { before, behind } = draft.view.graph;
  const losers: Loser[] = [];
  const candidates = before[join]!.filter((one) => UNDECIDED.has(draft.markOf(one)));
  for (const position of candidates) {
    if (!UNDECIDED.has(draft.markOf(position))) continue;
    const isDirect = before[join]!.includes(position);
    const isWanted = behind[position]!.some((one) => one !== join && UNDECIDED.has(draft.markOf(one)));
    if (!isDirect && isWanted) continue;
    if (draft.needsRowOf(position)) return null;
    losers.push({ position, attempt: draft.giveUp(position) });
    candidates.push(...before[position]!);
  }
  return losers;
}
