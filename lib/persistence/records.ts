import type { RunFailure } from '../engine/decision.js';
import type { StoredRun } from '../engine/ports.js';

/** The run that waits for the end of this one, or null. */
export const REPORTS_TO = `CASE WHEN parent_notice IS NOT NULL THEN parent_id END AS "reportsTo"`;

/** A row of the run table as our statements read it. Times as text: an app may have changed how its driver parses them. */
export interface RunRecord extends Omit<StoredRun, 'failure' | 'cancelReason' | 'updatedAt'> {
  readonly failed_step: string | null;
  readonly failure: string | null;
  readonly cancel_reason: string | null;
  readonly updated_at: string;
}

export function toStoredRun({ updated_at, failed_step, failure, cancel_reason, ...record }: RunRecord): StoredRun {
  return {
    ...record,
    failure: toFailure(failed_step, failure),
    cancelReason: cancel_reason,
    updatedAt: updated_at,
  };
}

export function toFailure(step: string | null, error: string | null): RunFailure | null {
  return step === null || error === null ? null : { step, error };
}
