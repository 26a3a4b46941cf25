/** How often a step is tried and how long it waits in between: the stored, resolved form of a retry policy. */
export interface RetryPolicy {
  /** How many failures end the step; counts the first attempt. At least 1. */
  readonly attempts: number;
  /** `own`: a function says, which is code; where it says nothing of use, the delay is the exponential one. */
  readonly backoff: 'fixed' | 'exponential' | 'own';
  /** Milliseconds before the second attempt. */
  readonly delayMs: number;
  /** What an exponential delay is multiplied by after each failure. At least 1. */
  readonly factor: number;
  /** Milliseconds no delay exceeds. */
  readonly maxDelayMs: number;
  /** `full`: a delay is drawn evenly between zero and the computed one, so that many failures do not come back as a wave. */
  readonly jitter: 'full' | 'none';
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 3,
  backoff: 'exponential',
  delayMs: 1_000,
  factor: 2,
  maxDelayMs: 60 * 60 * 1_000,
  jitter: 'full',
};

/**
 * How long to wait after the given number of failures, in whole milliseconds.
 *
 * Exponential: `min(maxDelay, delay × factor^(failures − 1))`; full jitter multiplies that by `random` in [0, 1), as
 * described in "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
 */
export function computeBackoffMs(policy: RetryPolicy, failures: number, random: number): number {
  // Without it a factor that has grown beyond all bounds would make of no delay something that is no number.
  if (policy.delayMs === 0) return 0;
  const exponent = policy.backoff === 'fixed' ? 0 : failures - 1;
  const ceiling = Math.min(policy.maxDelayMs, policy.delayMs * policy.factor ** exponent);
  return Math.round(policy.jitter === 'full' ? ceiling * random : ceiling);
}
