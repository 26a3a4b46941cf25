import type { LoggerService } from '@nestjs/common';

/** The logger of a step: Nest's, with every level present. */
export type StepLogger = Required<Pick<LoggerService, 'log' | 'error' | 'warn' | 'debug' | 'verbose'>>;

/**
 * What a step is told about the attempt it runs in; given by `@Ctx()`.
 *
 * @publicApi
 */
export interface StepContext {
  /** The id of the run. */
  readonly runId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** Whose run it is, as `start()` was told; else null. */
  readonly tenant: string | null;
  /** The name of the step. */
  readonly step: string;
  /**
   * The number of this attempt, from 1. Counts every time the step was taken up, also attempts that ended with their
   * process; so it may exceed the `attempts` of the retry policy, which counts failures.
   */
  readonly attempt: number;
  /** The number of this round, from 1, in a step with `@Repeat`. Else 1. */
  readonly round: number;
  /**
   * The same on every attempt of this step (with `@Repeat` of this round of it) in this run, and of no other. Pass it to outside services: an attempt
   * that did its work and crashed before its outcome was stored is run again, and only the key tells them so.
   */
  readonly idempotencyKey: string;
  /** In a step that waited for a signal: the name of the one that came. Else null. */
  readonly signalName: string | null;
  /**
   * In a compensation: whether the step that it undoes has completed, or nobody knows because its attempt timed out, was
   * aborted or ended with its process. Else null.
   */
  readonly outcome: 'completed' | 'unknown' | null;
  /**
   * In a step with the option `heartbeat`: says that this attempt lives and, where it is given something, how far it is. Call it as
   * often as you like: what was told last is stored once in a second, and before the attempt is given up or fails.
   *
   * @param details any value that can be stored; without one it stays as it was
   * @throws OrchestrateFlowError `OF_VALUE_NOT_STORABLE`; `OF_ARGUMENT_INVALID` where the step has no such option
   * @example
   * for (let row = (step.lastHeartbeat as number) ?? 0; row < rows.length; row++) {
   *   await this.import(rows[row]);
   *   step.heartbeat(row + 1);
   * }
   */
  heartbeat(this: void, details?: unknown): void;
  /**
   * What an earlier attempt of this step has told last by `heartbeat()`: also one that has died with its process, as far as it had
   * been stored by then. Undefined where there is none, and in a run that was retried.
   */
  readonly lastHeartbeat: unknown;
  /** Aborted when the attempt's timeout has passed or its run has been stopped. Pass it to whatever accepts one. */
  readonly signal: AbortSignal;
  /** A logger that names workflow, step and run. */
  readonly logger: StepLogger;
}
