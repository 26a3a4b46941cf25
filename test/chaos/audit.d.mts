import type { LedgerLine, Posted, Rig } from './rig.mjs';

/** What may be said against a run of chaos. All but the last three and the first two should be zero. */
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
  readonly doubledEffects: number;
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
): Promise<{
  readonly complaints: readonly Complaint[];
  readonly figures: AuditFigures;
  readonly ledger: readonly LedgerLine[];
}>;
