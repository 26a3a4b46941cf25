/** What becomes of an occurrence while a run of an earlier one goes on. */
export const OVERLAPS = ['skip', 'queue', 'allow', 'cancel'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** The most occurrences that are caught up when several are due: 0 means that one which comes late is not. */
export type CatchUp = number;

/** The most that can be asked for. */
export const MAX_CATCH_UP = 1_000;

/** Milliseconds after which an occurrence that was not taken up has been missed. */
export const LATE_MS = 60_000;

/** When a schedule starts runs: by a cron expression, or at every multiple of an interval since 1970 (UTC). */
export type Timing =
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone: string }
  | { readonly kind: 'interval'; readonly everyMs: number };

/** A schedule whose time has come. Times are milliseconds since 1970. */
export interface DueSchedule {
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** Its occurrences that nobody has taken up, oldest first: the latest `max(catchUp, 1)` are enough. */
  readonly due: readonly number[];
  /** The occurrence that waits for the end of the run before. */
  readonly queuedAt: number | null;
  /** Whether a run of it is open. */
  readonly isRunning: boolean;
  readonly now: number;
}

/** What follows: of which occurrences runs begin, and which waits. */
export interface OccurrenceDecision {
  readonly starts: readonly number[];
  readonly queuedAt: number | null;
}

/** Of which occurrences a schedule starts runs. Pure: whoever acts upon it sees to it that the schedule has not moved on. */
export function decideOccurrences(schedule: DueSchedule): OccurrenceDecision {
  const { overlap, queuedAt, isRunning } = schedule;
  const wanted = computeWanted(schedule);
  switch (overlap) {
    case 'allow':
      return { starts: wanted, queuedAt: null };
    case 'cancel':
      return { starts: wanted.slice(-1), queuedAt: null };
    case 'skip':
      return { starts: isRunning ? [] : wanted.slice(0, 1), queuedAt: null };
    case 'queue': {
      // One waits: those that come while it does are skipped.
      const line = queuedAt === null ? wanted : [queuedAt, ...wanted];
      const [first = null, second = null] = line;
      if (isRunning) return { starts: [], queuedAt: first };
      return { starts: first === null ? [] : [first], queuedAt: second };
    }
  }
}

/** The occurrences that have not been missed, or are caught up. */
function computeWanted({ due, catchUp, now }: DueSchedule): readonly number[] {
  if (catchUp > 0) return due.slice(-catchUp);
  return due.slice(-1).filter((at) => now - at <= LATE_MS);
}
