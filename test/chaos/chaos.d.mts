import type { AuditFigures, Complaint } from './audit.mjs';

export interface ChaosSettings {
  readonly seed: number;
  readonly seconds: number;
  readonly leaseMs: number;
}

export interface ChaosFigures extends AuditFigures, ChaosSettings {
  readonly faults: number;
  readonly stopsInside: number;
  readonly leakedSlots: number;
  readonly openRuns: number;
  readonly unhandled: number;
  readonly internalErrors: number;
  readonly recoveryP50Ms: number | null;
  readonly recoveryP99Ms: number | null;
  readonly recoveryMaxMs: number | null;
}

export function runChaos(
  settings: ChaosSettings,
): Promise<{ readonly figures: ChaosFigures; readonly complaints: readonly Complaint[] }>;
