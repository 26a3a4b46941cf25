import type { EntityManager } from 'typeorm';

import type { WorkflowClass } from '../definition/workflow-class.js';
import type { Duration } from '../engine/duration.js';
import type { OrchestrateFlowError } from '../engine/errors.js';
import type { AuditEntry } from '../engine/ports.js';
import type { EndStatus, RunStatus } from '../engine/words.js';

/**
 * How to start a run.
 *
 * @publicApi
 */
export interface StartOptions {
  /** The id of the run, a UUID. The same id twice is `OF_RUN_EXISTS`. @default a new UUIDv7 */
  readonly id?: string;
  /**
   * Idempotency key, at most 500 characters: one run per workflow and key. Used again, it gives the same run with
   * `created: false`; with other input it is `OF_KEY_CONFLICT`.
   */
  readonly key?: string;
  /** The EntityManager of your own open transaction: the run exists if and only if that transaction commits. */
  readonly manager?: EntityManager;
  /** How long to wait before the first step. @default 0 */
  readonly delay?: Duration;
  /** When to begin, in place of `delay`; a time that has passed is now. From year 1 to 9999. @default at once */
  readonly startAt?: Date;
  /**
   * How long after its beginning the run may take, waits included: then it fails, and undoes what it did. More than 0, at most
   * 10 years.
   * @default the workflow's
   */
  readonly deadline?: Duration;
  /** Added to the priorities of the run's steps; lower runs first, from 0 to 1,000,000. @default 0 */
  readonly priority?: number;
  /**
   * Words by which `list()` finds the run, beside those of its workflow: at most 20, each at most 100 characters.
   * @default none
   */
  readonly tags?: readonly string[];
  /**
   * Whose run it is, at most 200 characters: `list({ tenant })` finds it, and its steps are told.
   * @default nobody's
   */
  readonly tenant?: string;
}

/**
 * A run's id, or its workflow and the key it was started with.
 *
 * @publicApi
 */
export type RunAddress = string | { readonly workflow: WorkflowClass | string; readonly key: string };

/** @publicApi */
export interface ResultOptions {
  /** How long to wait at most. @default no limit */
  readonly timeout?: Duration;
}

/**
 * How to send a signal.
 *
 * @publicApi
 */
export interface SignalOptions {
  /** Idempotency key, at most 500 characters: the same run, name and key again is the same signal, and is not sent twice. */
  readonly key?: string;
  /** The EntityManager of your own open transaction: the signal exists if and only if that transaction commits. */
  readonly manager?: EntityManager;
}

/**
 * The signal of `signalOrStart()`.
 *
 * @publicApi
 */
export interface SignalToSend<Name extends string = string, Payload = unknown> {
  readonly name: Name;
  readonly payload?: Payload;
  /** Idempotency key of the signal, as in `signal()`. */
  readonly key?: string;
}

/**
 * Who asks something of a run, and why: kept in the audit log, in the commit that does it.
 *
 * @publicApi
 */
export interface ControlOptions {
  /** Who asks, as your app calls them; the first 200 characters are kept. @default nobody is named */
  readonly by?: string;
  /** Why; the first 1,000 characters are kept. `RunCancelledError` and `RunTerminatedError` give it too. @default none */
  readonly reason?: string;
}

/**
 * Which runs are meant, of those that can be asked: `{}` means all of them.
 *
 * @publicApi
 */
export type RunFilter = Omit<ListOptions, 'status' | 'cursor' | 'limit'>;

/**
 * A run that could not, and why.
 *
 * @publicApi
 */
export interface BulkRefusal {
  readonly runId: string;
  /** What the call for this run alone would have thrown. */
  readonly error: OrchestrateFlowError;
}

/**
 * What has become of runs that were asked the same.
 *
 * @publicApi
 */
export interface BulkOutcome {
  /** How many did. */
  readonly count: number;
  /** How many could not: what had become of them since they were read, or what they had done, was in the way. */
  readonly refusedCount: number;
  /** Up to 1,000 of those, and why. */
  readonly refused: readonly BulkRefusal[];
}

/**
 * Which entries of the audit log to read.
 *
 * @publicApi
 */
export interface AuditOptions {
  /** Of this run alone. */
  readonly run?: RunAddress;
  /** Of runs of this workflow. */
  readonly workflow?: WorkflowClass | string;
  /** Of what this caller asked for, by the name that was kept. */
  readonly by?: string;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** From 1 to 1,000. @default 50 */
  readonly limit?: number;
}

/**
 * A page of the audit log, newest first.
 *
 * @publicApi
 */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Pass it on as `cursor` for the next page; null on the last. */
  readonly nextCursor: string | null;
}

/**
 * Which runs to list.
 *
 * @publicApi
 */
export interface ListOptions {
  readonly workflow?: WorkflowClass | string;
  readonly status?: RunStatus | readonly RunStatus[];
  /** Only runs that bear all of these. */
  readonly tags?: readonly string[];
  /** `true`: only runs that wait until a person says whether a step has been done. @default all */
  readonly blocked?: boolean;
  /** Only runs that were started with this `tenant`. */
  readonly tenant?: string;
  /** Only runs that steps of this one have begun. */
  readonly parent?: RunAddress;
  /** Created at or after. */
  readonly from?: Date;
  /** Created before. */
  readonly to?: Date;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** From 1 to 1,000. @default 50 */
  readonly limit?: number;
}

/**
 * Which runs that have ended to delete.
 *
 * @publicApi
 */
export interface PurgeOptions {
  /** How long ago they have ended at the least; `0` means all that have. */
  readonly olderThan: Duration;
  readonly workflow?: WorkflowClass | string;
  /** @default all of these */
  readonly status?: EndStatus | readonly EndStatus[];
  /** Only runs that bear all of these. */
  readonly tags?: readonly string[];
}
