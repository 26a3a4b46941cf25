/** How many runs of a workflow may be under way at once; null: as many as there are. */
export interface WorkflowLimits {
  readonly workflow: string;
  readonly total: number | null;
  readonly perTenant: number | null;
}

/** Whether a run that has limits waits for its turn, or has had it. */
export type Gate = 'waits' | 'passed';

/** What came of a look at the runs that wait for their turn. */
export interface Admission {
  /** Runs that have had their turn with this look: each is due now. */
  readonly admitted: readonly string[];
  /** Whether somebody else was at it at the same time, who may not have seen what this look was for. */
  readonly isBusy: boolean;
  /** Milliseconds until the next of those that have a start time may have its turn, or null. */
  readonly nextDueMs: number | null;
}

/** Who lets runs begin whose workflows have limits. */
export interface LimitStore {
  /**
   * Writes the limits of these workflows, in place of those that are there; a workflow without any is in `unlimited`.
   * @returns those of all these workflows of which runs may wait
   */
  put(limits: readonly WorkflowLimits[], unlimited: readonly string[]): Promise<readonly string[]>;
  /** Lets as many runs of these workflows have their turn as there is room for, at most so many of each. */
  admit(workflows: readonly string[], limit: number): Promise<Admission>;
}
