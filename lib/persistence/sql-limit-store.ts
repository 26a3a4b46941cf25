import type { Admission, LimitStore, WorkflowLimits } from '../engine/limits.js';
import * as sql from './limit-statements.js';
import type { Ask } from './sql-schedule-store.js';

interface AdmissionRecord {
  readonly admitted: string[];
  readonly is_busy: boolean;
  readonly next_due_ms: number | null;
}

/** Limits on PostgreSQL. */
export class SqlLimitStore implements LimitStore {
  constructor(private readonly ask: Ask) {}

  async put(limits: readonly WorkflowLimits[], unlimited: readonly string[]): Promise<string[]> {
    const rows = await this.ask<{ workflow: string }>('put_limits', sql.PUT_LIMITS, [
      limits.map(({ workflow }) => workflow),
      limits.map(({ total }) => total),
      limits.map(({ perTenant }) => perTenant),
      unlimited,
    ]);
    return rows.map(({ workflow }) => workflow);
  }

  async admit(workflows: readonly string[], limit: number): Promise<Admission> {
    const [row] = await this.ask<AdmissionRecord>('admit_runs', sql.ADMIT_RUNS, [workflows, limit]);
    return { admitted: row!.admitted, isBusy: row!.is_busy, nextDueMs: row!.next_due_ms };
  }
}
