import { DEFAULT_RETRY, type RetryPolicy } from '../engine/retry-policy.js';
import { list, suggest } from './near-miss.js';
import { readChoice, readDuration, readInteger, readOptions, show, type Say } from './option-readers.js';
import { MAX_ATTEMPTS, RETRY_KEYS, type BackoffFunction, type ErrorClass } from './retry-options.js';

/** One level of a retry policy, read: only what was said. */
export interface RetrySettings extends Partial<RetryPolicy> {
  /** Where `backoff` is `own`. */
  readonly ownBackoff?: BackoffFunction;
  readonly retryOn?: readonly ErrorClass[];
  readonly doNotRetryOn?: readonly ErrorClass[];
}

/** A policy with every field decided. Error classes and functions stay out of the graph: they are code, not data. */
export interface ResolvedRetry {
  readonly policy: RetryPolicy;
  /** Null: the policy's backoff is none of its own. */
  readonly ownBackoff: BackoffFunction | null;
  /** Null: every error. */
  readonly retryOn: readonly ErrorClass[] | null;
  readonly doNotRetryOn: readonly ErrorClass[];
}

/** Reads what a user wrote as a retry policy. */
export function readRetry(value: unknown, what: string, say: Say): RetrySettings {
  if (value === undefined) return {};
  if (typeof value === 'number')
    return withoutGaps({ attempts: readInteger(value, `${what} (attempts)`, 1, MAX_ATTEMPTS, say) });
  const options = readOptions(value, what, RETRY_KEYS, say);
  const settings = withoutGaps({
    attempts: readInteger(options['attempts'], `attempts of ${what}`, 1, MAX_ATTEMPTS, say),
    ...readBackoff(options['backoff'], `backoff of ${what}`, say),
    delayMs: readDuration(options['delay'], `delay of ${what}`, 0, say),
    factor: readFactor(options['factor'], `factor of ${what}`, say),
    maxDelayMs: readDuration(options['maxDelay'], `maxDelay of ${what}`, 0, say),
    jitter: readChoice(options['jitter'], `jitter of ${what}`, ['full', 'none'], say),
    retryOn: readErrorClasses(options['retryOn'], `retryOn of ${what}`, say),
    doNotRetryOn: readErrorClasses(options['doNotRetryOn'], `doNotRetryOn of ${what}`, say),
  });
  const { delayMs, maxDelayMs } = settings;
  if (delayMs !== undefined && maxDelayMs !== undefined && delayMs > maxDelayMs) {
    say(
      `Expected maxDelay of ${what} to be at least its delay (${show(options['delay'])}), got ${show(options['maxDelay'])}.`,
    );
  }
  return settings;
}

/** Decides every field: from the first level that said it (step, workflow, module), else from the defaults. */
export function resolveRetry(levels: readonly RetrySettings[]): ResolvedRetry {
  const said = levels.reduceRight<RetrySettings>((lower, level) => ({ ...lower, ...level }), {});
  const { retryOn = null, doNotRetryOn = [], ownBackoff = null, ...policy } = said;
  const resolved = { ...DEFAULT_RETRY, ...policy };
  // A delay longer than the default ceiling was meant; only a ceiling that was said caps it.
  if (policy.maxDelayMs === undefined) resolved.maxDelayMs = Math.max(resolved.maxDelayMs, resolved.delayMs);
  // A level above the function's may have said `fixed`.
  return { policy: resolved, ownBackoff: resolved.backoff === 'own' ? ownBackoff : null, retryOn, doNotRetryOn };
}

const BACKOFFS = ['fixed', 'exponential'] as const;

function readBackoff(value: unknown, option: string, say: Say): RetrySettings {
  if (value === undefined) return {};
  if (typeof value === 'function') return { backoff: 'own', ownBackoff: value as BackoffFunction };
  const backoff = BACKOFFS.find((choice) => choice === value);
  if (backoff !== undefined) return { backoff };
  say(
    `Expected ${option} to be a function or one of ${list(BACKOFFS)}, got ${show(value)}.${suggest(value, BACKOFFS)}`,
  );
  return {};
}

function readFactor(value: unknown, option: string, say: Say): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value >= 1)) return value;
  say(`Expected ${option} to be a number of at least 1, got ${show(value)}.`);
  return undefined;
}

function readErrorClasses(value: unknown, option: string, say: Say): readonly ErrorClass[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'function')) return value as ErrorClass[];
  // An empty slot is what a circular import leaves behind.
  say(`Expected ${option} to be a list of error classes, got ${show(value)}.`);
  return undefined;
}

/** Leaves out what was not said, so that it does not hide what a lower level says. */
function withoutGaps(settings: RetrySettings): RetrySettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
