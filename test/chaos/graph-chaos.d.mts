import type { AuditFigures, Complaint } from './audit.mjs';

export interface DrawnGraph {
  readonly name: string;
  readonly steps: readonly { readonly name: string; readonly after: readonly string[] }[];
}

export interface GraphSettings {
  readonly seed: number;
  readonly runs?: number;
  readonly leaseMs?: number;
  readonly workers?: number;
  readonly workMs?: number;
}

export interface GraphFigures extends AuditFigures {
  readonly seed: number;
  readonly faults: number;
  readonly kills: number;
  /** Runs that have not ended. */
  readonly left: number;
}

export interface GraphSize {
  readonly name: string;
  readonly tasks: number;
  readonly edges: number;
  readonly widestJoin: number;
}

export function runGraphs(
  graphs: readonly DrawnGraph[],
  settings: GraphSettings,
): Promise<{
  readonly graphs: readonly GraphSize[];
  readonly figures: GraphFigures;
  readonly complaints: readonly Complaint[];
}>;
