import type { Tally } from './run-state.js';

/** An attempt under way: which step, by which claim. The attempt's number is its token: outcomes of any other are refused. */
export interface Claim extends Tally {
  readonly step: string;
  /** The database's time of the claim. */
  readonly startedAt: string;
  /** Of the run when it was claimed. @default 0 */
  readonly generation?: number;
}

/** A claim with the generation of the run in which it was made: an outcome of an earlier one is refused. */
export function claimIn(generation: number, claim: Claim): Claim {
  return generation === 0 ? claim : { ...claim, generation };
}

/** What the worker saw go wrong in an attempt. */
export interface AttemptFailure {
  /** The error, encoded. */
  readonly error: string;
  /** Whether the retry policy may grant another attempt. */
  readonly retryable: boolean;
  /** The delay that the error, or the policy's own function, asked for in place of the computed one, in milliseconds, or null. */
  readonly retryAfterMs: number | null;
  /** Whether the attempt ended because the run was stopped: its error is a consequence, not a cause. */
  readonly aborted: boolean;
  /** Whether it was given up before it ended: nobody knows whether it had its effect. */
  readonly inDoubt: boolean;
  /** In [0, 1): the jitter of the next delay. Comes in with the fact, because the engine draws no lots. */
  readonly random: number;
}

/** When a step that dies with its workers is tried no more. */
export interface Quarantine {
  /** The number of crashes that is too many, if the last of them happened while the step ran alone in its process. */
  readonly crashes: number;
  /** What then is the step's error, encoded. */
  readonly error: string;
}

/** Who asks something of a run, and why, as far as they say. */
export interface Asked {
  readonly by: string | null;
  readonly reason: string | null;
}

/** A step that has been ready for longer than it may be: where it still is, it fails with this error, encoded. */
export interface Unclaimed extends Pick<Claim, 'step' | 'attempt' | 'stage' | 'generation'> {
  readonly error: string;
}

/** What a wait for a signal comes to when its time is over. Texts are encoded. */
export type WaitEnd =
  | { readonly kind: 'fails'; readonly error: string }
  | { readonly kind: 'is skipped' }
  | { readonly kind: 'completes'; readonly result: string };

/** Something that happened and that a run has to be told. Time and chance come in with it. */
export type Fact =
  /** The run's time has come: its first steps may start. */
  | { readonly type: 'begun' }
  | { readonly type: 'step-completed'; readonly claim: Claim; readonly result: string }
  | { readonly type: 'step-failed'; readonly claim: Claim; readonly failure: AttemptFailure }
  /** The step's condition was met: it goes on. */
  | { readonly type: 'step-admitted'; readonly claim: Claim }
  /** The step's condition was not met. */
  | { readonly type: 'step-skipped'; readonly claim: Claim }
  /** A round of a step that is repeated has given this; whether it is enough is still to be said. */
  | { readonly type: 'step-tried'; readonly claim: Claim; readonly result: string }
  /** It was not enough. The encoded error is that of the last round that it may have. */
  | { readonly type: 'step-repeated'; readonly claim: Claim; readonly error: string }
  /** The step's code has said until when it waits (ISO 8601); its result is then this. */
  | { readonly type: 'step-parked'; readonly claim: Claim; readonly until: string; readonly result: string }
  /** So many items of a fan-out are stored: they may begin. */
  | { readonly type: 'step-expanded'; readonly claim: Claim; readonly count: number }
  /** The time of a step that waits for a signal is over: unless one has come, it ends so. */
  | { readonly type: 'wait-ended'; readonly claim: Claim; readonly end: WaitEnd }
  /** Signals may have come. */
  | { readonly type: 'signalled' }
  /** A step that waited for a time was claimed. */
  | { readonly type: 'step-awake'; readonly claim: Claim }
  /** No worker has taken these steps in the time that they have for that. */
  | { readonly type: 'steps-unclaimed'; readonly steps: readonly Unclaimed[] }
  /** A worker that shuts down hands the attempt over: neither a failure nor a crash. */
  | { readonly type: 'step-released'; readonly claim: Claim }
  /** These workers live no more: what they held or ran is free again. */
  | { readonly type: 'workers-lost'; readonly workers: ReadonlySet<string>; readonly quarantine: Quarantine }
  | ({ readonly type: 'cancel-requested' } & Asked)
  /** The run has taken longer than it may; the encoded error says so. */
  | { readonly type: 'deadline-passed'; readonly error: string }
  /** It ends now, whatever is under way, and nothing is undone. */
  | ({ readonly type: 'terminate-requested' } & Asked)
  /** Nothing new begins until it is resumed; what is under way may report. */
  | ({ readonly type: 'pause-requested' } & Asked)
  | ({ readonly type: 'resume-requested' } & Asked)
  /** What waits for a time waits no longer. */
  | ({ readonly type: 'wake-requested' } & Asked)
  /** A run that has failed goes on from what failed. */
  | ({ readonly type: 'retry-requested' } & Asked);
