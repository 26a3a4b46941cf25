/** Statuses of a run, in the order in which a run may meet them. */
export const RUN_STATUSES = [
  'pending',
  'running',
  'failing',
  'cancelling',
  'completed',
  'failed',
  'cancelled',
] as const;

/**
 * What a run is doing.
 *
 * `pending` it waits for its start time · `running` · `failing` and `cancelling` it has been stopped and waits for the
 * attempts that were under way · `completed`, `failed`, `cancelled` it has ended.
 *
 * @publicApi
 */
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses of a step, in the order in which a step may meet them. */
export const STEP_STATUSES = [
  'pending',
  'ready',
  'running',
  'retrying',
  'completed',
  'failed',
  'cancelled',
  'quarantined',
] as const;

/**
 * What a step of a run is doing.
 *
 * `pending` it waits for other steps · `ready` it waits for a free slot of a worker · `running` an attempt is under way ·
 * `retrying` it waits for its next attempt · `completed`, `failed`, `cancelled` it has ended · `quarantined` it has ended
 * because it kept killing the process it ran in.
 *
 * @publicApi
 */
export type StepStatus = (typeof STEP_STATUSES)[number];

/** Where a run may go from each status. Everything that changes a run's status is checked against this table. */
export const RUN_MOVES: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  pending: ['running', 'cancelled'],
  running: ['completed', 'failing', 'cancelling'],
  failing: ['failed'],
  cancelling: ['cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
};

/** Where a step may go from each status. `running → ready` is an attempt handed over or lost with its worker. */
export const STEP_MOVES: Readonly<Record<StepStatus, readonly StepStatus[]>> = {
  pending: ['ready', 'running', 'cancelled'],
  ready: ['running', 'cancelled'],
  running: ['completed', 'failed', 'retrying', 'ready', 'cancelled', 'quarantined'],
  retrying: ['ready', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
  quarantined: [],
};

const ENDED: ReadonlySet<RunStatus> = new Set(RUN_STATUSES.filter((status) => RUN_MOVES[status].length === 0));

/** Whether a run in this status has ended: nothing will ever happen in it again. */
export function isEnded(status: RunStatus): boolean {
  return ENDED.has(status);
}

/** Whether a run in this status has been stopped: attempts under way may report, nothing new starts. */
export function isStopping(status: RunStatus): boolean {
  return status === 'failing' || status === 'cancelling';
}
