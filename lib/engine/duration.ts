/**
 * A length of time: milliseconds, or a number with a unit, as in `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'3d'`, `'1w'`.
 *
 * @publicApi
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const GRAMMAR = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/;

/** A hundred years: beyond it a duration is a mistake, and PostgreSQL's timestamps stay far from their end. */
export const MAX_DURATION_MS = 100 * 365 * UNIT_MS.d;

/** The whole milliseconds of a duration, or null where it is none (wrong form, negative, not finite, over a hundred years). */
export function findDurationMs(duration: unknown): number | null {
  const ms = typeof duration === 'string' ? parse(duration) : duration;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0 || ms > MAX_DURATION_MS) return null;
  return Math.round(ms);
}

function parse(text: string): number | null {
  const match = GRAMMAR.exec(text.trim());
  if (!match) return null;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** What an error says is allowed where a duration was expected. */
export const DURATION_FORM = `a duration such as '250ms', '30s', '5m', '2h', '3d', '1w', or milliseconds`;
