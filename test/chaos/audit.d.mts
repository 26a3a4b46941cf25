import type { Fault } from './faults.mjs';
import type { LedgerLine, Posted, Rig } from './rig.mjs';

/** What an audit counts. */
export interface AuditFigures {
  readonly runs: number;
  readonly acknowledged: number;
  readonly completed: number;
  readonly lost: number;
  readonly refused: number;
  readonly stuck: number;
  readonly failed: number;
  readonly secondOutcomes: number;
  readonly earlySteps: number;
  readonly orphans: number;
  /** Effects that came again, for whatever reason. */
  readonly repeatedEffects: number;
  /** Those of them that no fault excuses; null where that is not known. */
  readonly doubledEffects: number | null;
  readonly crashes: number;
  readonly failures: number;
}

export interface Complaint {
  readonly kind?: string;
  readonly detail?: unknown;
}

export function audit(
  rig: Rig,
  posted: readonly Posted[],
  faults?: readonly Fault[] | null,
): Promise<{
  readonly complaints: readonly Complaint[];
  readonly figures: AuditFigures;
  readonly ledger: readonly LedgerLine[];
}>;
