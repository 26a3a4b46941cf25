/** Statuses of a run, in the order in which a run may meet them. */
export const RUN_STATUSES = [
  'pending',
  'running',
  'waiting',
  'paused',
  'failing',
  'cancelling',
  'compensating',
  'completed',
  'failed',
  'cancelled',
  'terminated',
] as const;

/**
 * What a run is doing.
 *
 * `pending` it waits for its start time, or for its turn · `running` · `waiting` nothing in it is ready or running, it waits for a time
 * or a signal · `paused` nothing in it begins until it is resumed · `failing` and `cancelling` it has been stopped and waits for the attempts that were under way ·
 * `compensating` what it had done is being undone · `completed`, `failed`, `cancelled`, `terminated` it has ended.
 *
 * @publicApi
 */
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses with which a run has ended. */
export const END_STATUSES = ['completed', 'failed', 'cancelled', 'terminated'] as const;

/**
 * How a run has ended.
 *
 * @publicApi
 */
export type EndStatus = (typeof END_STATUSES)[number];

/** What people ask of a run beside its start and its signals. */
export const CONTROL_ACTIONS = [
  'cancel',
  'terminate',
  'pause',
  'resume',
  'wake',
  'retry',
  'resolve',
  'delete',
] as const;

/**
 * What somebody asked of a run: each leaves an entry in the audit log.
 *
 * @publicApi
 */
export type ControlAction = (typeof CONTROL_ACTIONS)[number];

/** Statuses of a step, in the order in which a step may meet them. */
export const STEP_STATUSES = [
  'pending',
  'ready',
  'running',
  'retrying',
  'waiting',
  'completed',
  'failed',
  'skipped',
  'cancelled',
  'quarantined',
] as const;

/**
 * What a step of a run is doing.
 *
 * `pending` it waits for other steps · `ready` it waits for a free slot of a worker · `running` an attempt is under way ·
 * `retrying` it waits for its next attempt · `waiting` it waits for a time, a signal or a person · `completed`, `failed`, `cancelled` it has
 * ended · `skipped` it has ended without having run · `quarantined` it has ended because it kept killing the process it
 * ran in.
 *
 * @publicApi
 */
export type StepStatus = (typeof STEP_STATUSES)[number];

/** Where a run may go from each status. Everything that changes a run's status is checked against this table. */
export const RUN_MOVES: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  pending: ['running', 'paused', 'cancelling', 'cancelled', 'terminated'],
  running: ['waiting', 'paused', 'completed', 'failing', 'cancelling', 'terminated'],
  waiting: ['running', 'paused', 'completed', 'failing', 'cancelling', 'terminated'],
  // What has not begun waits for its start time again; whatever waited does so again by way of running.
  paused: ['pending', 'running', 'completed', 'failing', 'cancelling', 'terminated'],
  failing: ['compensating', 'failed', 'terminated'],
  cancelling: ['compensating', 'cancelled', 'terminated'],
  compensating: ['failed', 'cancelled', 'terminated'],
  completed: [],
  // Only by a retry, which begins a new generation: at once, or when it has its turn.
  failed: ['pending', 'running', 'compensating'],
  cancelled: [],
  terminated: [],
};

/** Where a step may go from each status. `running → ready` is an attempt handed over or lost with its worker. */
export const STEP_MOVES: Readonly<Record<StepStatus, readonly StepStatus[]>> = {
  pending: ['ready', 'running', 'waiting', 'skipped', 'cancelled'],
  ready: ['running', 'failed', 'cancelled'],
  running: ['completed', 'failed', 'retrying', 'ready', 'waiting', 'skipped', 'cancelled', 'quarantined'],
  retrying: ['ready', 'cancelled'],
  waiting: ['ready', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  skipped: [],
  cancelled: [],
  quarantined: [],
};

const ENDED: ReadonlySet<RunStatus> = new Set<RunStatus>(['completed', 'failed', 'cancelled', 'terminated']);

/** Those of runs that have not ended. */
export const OPEN_RUN_STATUSES: readonly RunStatus[] = RUN_STATUSES.filter((status) => !ENDED.has(status));

/** Whether a run in this status has ended: nothing happens in it any more, unless it has failed and somebody retries it. */
export function isEnded(status: RunStatus): boolean {
  return ENDED.has(status);
}

/** Whether a run in this status has been stopped: attempts under way may report, nothing new starts. */
export function isStopping(status: RunStatus): boolean {
  return status === 'failing' || status === 'cancelling';
}
