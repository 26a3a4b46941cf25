import { DURATION_FORM, findDurationMs, type Duration } from './duration.js';

/** The stable codes of the errors this library throws. */
export type ErrorCode =
  | 'OF_DEFINITION_INVALID'
  | 'OF_OPTIONS_INVALID'
  | 'OF_DATABASE_UNSUITABLE'
  | 'OF_DATABASE_UNAVAILABLE'
  | 'OF_QUEUE_UNSUITABLE'
  | 'OF_SESSION_NEEDED'
  | 'OF_SCHEMA_OUTDATED'
  | 'OF_SCHEMA_TOO_NEW'
  | 'OF_RUNS_AT_STAKE'
  | 'OF_RUNS_BLOCKED'
  | 'OF_INPUT_INVALID'
  | 'OF_WORKFLOW_UNKNOWN'
  | 'OF_RUN_UNKNOWN'
  | 'OF_RUN_EXISTS'
  | 'OF_RUN_ENDED'
  | 'OF_RUN_NOT_FAILED'
  | 'OF_RUN_UNDONE'
  | 'OF_RUN_OPEN'
  | 'OF_RUN_PAUSED'
  | 'OF_RUN_NOT_PAUSED'
  | 'OF_KEY_CONFLICT'
  | 'OF_RUN_FAILED'
  | 'OF_RUN_CANCELLED'
  | 'OF_RUN_TERMINATED'
  | 'OF_RESULT_TIMEOUT'
  | 'OF_RESULT_IN_TRANSACTION'
  | 'OF_NOT_IN_TRANSACTION'
  | 'OF_TRANSACTION_ENDED'
  | 'OF_TRANSACTION_IDLE'
  | 'OF_VALUE_NOT_STORABLE'
  | 'OF_ARGUMENT_INVALID'
  | 'OF_STEP_TIMEOUT'
  | 'OF_REPEAT_EXHAUSTED'
  | 'OF_HEARTBEAT_TIMEOUT'
  | 'OF_SCHEDULE_TO_START_TIMEOUT'
  | 'OF_DEADLINE_PASSED'
  | 'OF_SIGNAL_TIMEOUT'
  | 'OF_SIGNAL_UNKNOWN'
  | 'OF_SIGNAL_INVALID'
  | 'OF_CONDITION_INVALID'
  | 'OF_CONTEXT_INVALID'
  | 'OF_TIME_INVALID'
  | 'OF_VERDICT_INVALID'
  | 'OF_BACKOFF_INVALID'
  | 'OF_ITEMS_INVALID'
  | 'OF_STEP_ABORTED'
  | 'OF_STEP_QUARANTINED'
  | 'OF_NON_RETRYABLE'
  | 'OF_RETRY_AFTER'
  | 'OF_SCHEDULE_UNKNOWN'
  | 'OF_SCHEDULE_DECLARED'
  | 'OF_SCHEDULE_BUSY'
  | 'OF_STOPPED'
  | 'OF_STATE_CORRUPT'
  | 'OF_TEST_SETUP'
  | 'OF_TEST_NOT_DRAINED';

/** What an error says; of anything else that was thrown, how it reads. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    const message = typeof thrown === 'object' && thrown !== null ? (thrown as { message?: unknown }).message : null;
    return typeof message === 'string' ? message : String(thrown);
  } catch {
    return 'something that cannot be read';
  }
}

/**
 * Every error this library throws: `code` is stable, the message says what, why and what to do, `cause` is kept.
 *
 * @publicApi
 */
export class OrchestrateFlowError extends Error {
  override readonly name: string = 'OrchestrateFlowError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One fault in a definition: where it stands, what it is and what to do. */
export interface DefinitionFault {
  /** `Class.method`, or `Class` where the fault is the class's. */
  readonly where: string;
  readonly fault: string;
}

/**
 * The workflows of this app cannot run as they are written. Lists every fault of every workflow, found at boot.
 *
 * @publicApi
 */
export class DefinitionError extends OrchestrateFlowError {
  override readonly name = 'DefinitionError';

  constructor(readonly faults: readonly DefinitionFault[]) {
    const lines = faults.map(({ where, fault }) => `  - ${where}: ${fault}`);
    super('OF_DEFINITION_INVALID', `Cannot run the workflows of this app as they are written:\n${lines.join('\n')}`);
  }
}

/** One fault of an input: the path of the value, and what is wrong with it. */
export interface InputFault {
  /** Dotted, as in `items.0.quantity`; empty for the input itself. */
  readonly path: string;
  readonly message: string;
}

/**
 * The input given to `start()` is not what the workflow's `static input` describes. Lists every fault with its path.
 *
 * @publicApi
 */
export class InputInvalidError extends OrchestrateFlowError {
  override readonly name = 'InputInvalidError';

  constructor(
    readonly workflow: string,
    readonly faults: readonly InputFault[],
    options?: ErrorOptions,
  ) {
    const lines = faults.map(({ path, message }) => `  - ${path === '' ? 'input' : path}: ${message}`);
    super(
      'OF_INPUT_INVALID',
      `Cannot start workflow "${workflow}": its input is invalid.\n${lines.join('\n')}`,
      options,
    );
  }
}

/**
 * A value cannot be stored: it holds something that is neither JSON nor one of the types added to it, or is too large.
 *
 * @publicApi
 */
export class ValueNotStorableError extends OrchestrateFlowError {
  override readonly name = 'ValueNotStorableError';

  constructor(
    readonly what: string,
    /** Dotted path of the culprit inside the value; empty for the value itself. */
    readonly path: string,
    readonly reason: string,
  ) {
    super('OF_VALUE_NOT_STORABLE', `Cannot store ${what}${path === '' ? '' : ` at "${path}"`}: ${reason}`);
  }
}

/**
 * Throw it in a step to end its retries: the step fails at once, whatever its retry policy.
 *
 * @publicApi
 */
export class NonRetryableError extends OrchestrateFlowError {
  override readonly name = 'NonRetryableError';

  constructor(message: string, options?: ErrorOptions) {
    super('OF_NON_RETRYABLE', message, options);
  }
}

/**
 * Throw it in a step to say when to try again, as after HTTP 429 with `Retry-After`. Counts as a failure; where the policy
 * grants no further attempt the step fails.
 *
 * @example
 * throw new RetryAfterError('30s', 'The carrier asks to wait.');
 *
 * @publicApi
 */
export class RetryAfterError extends OrchestrateFlowError {
  override readonly name = 'RetryAfterError';
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;

  constructor(delay: Duration, message = `Try again in ${delay}.`, options?: ErrorOptions) {
    super('OF_RETRY_AFTER', message, options);
    const delayMs = findDurationMs(delay);
    if (delayMs === null) {
      throw new OrchestrateFlowError(
        'OF_ARGUMENT_INVALID',
        `Expected the delay of RetryAfterError to be ${DURATION_FORM}, got ${String(delay)}.`,
      );
    }
    this.delayMs = delayMs;
  }
}

/**
 * The run ended in failure: `cause` is the error of the step that failed.
 *
 * @publicApi
 */
export class RunFailedError extends OrchestrateFlowError {
  override readonly name = 'RunFailedError';

  constructor(
    readonly runId: string,
    readonly workflow: string,
    readonly step: string,
    cause: unknown,
  ) {
    const message = `Run ${runId} of workflow "${workflow}" failed in step "${step}": ${messageOf(cause)}`;
    super('OF_RUN_FAILED', message, { cause });
  }
}

/**
 * The run was cancelled, so it has no result.
 *
 * @publicApi
 */
export class RunCancelledError extends OrchestrateFlowError {
  override readonly name = 'RunCancelledError';

  constructor(
    readonly runId: string,
    readonly workflow: string,
    readonly reason: string | null,
  ) {
    super(
      'OF_RUN_CANCELLED',
      `Run ${runId} of workflow "${workflow}" was cancelled${reason === null ? '.' : `: ${reason}`}`,
    );
  }
}

/**
 * The run was terminated, so it has no result and nothing of it was undone.
 *
 * @publicApi
 */
export class RunTerminatedError extends OrchestrateFlowError {
  override readonly name = 'RunTerminatedError';

  constructor(
    readonly runId: string,
    readonly workflow: string,
    readonly reason: string | null,
  ) {
    super(
      'OF_RUN_TERMINATED',
      `Run ${runId} of workflow "${workflow}" was terminated${reason === null ? '.' : `: ${reason}`}`,
    );
  }
}

/**
 * The run had not ended when the time given to `result()` was over. It goes on.
 *
 * @publicApi
 */
export class ResultTimeoutError extends OrchestrateFlowError {
  override readonly name = 'ResultTimeoutError';

  constructor(
    readonly runId: string,
    readonly timeoutMs: number,
  ) {
    super(
      'OF_RESULT_TIMEOUT',
      `Run ${runId} has not ended within ${timeoutMs} ms. It goes on: ask again, or give it more time.`,
    );
  }
}
