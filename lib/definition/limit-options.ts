import type { WorkflowLimits } from '../engine/limits.js';
import { readOptions, show, type Say } from './option-readers.js';

/** What counts what is under way reads as many rows. */
const MAX_RUNS = 100_000;

/**
 * How many runs of a workflow may be under way at once: in all, of each `tenant`, or both.
 *
 * @publicApi
 */
export interface MaxRuns {
  /** Of all tenants together, from 1 to 100,000. @default no limit */
  readonly total?: number;
  /** Of each tenant; runs without one share a place of their own. From 1 to 100,000. @default no limit */
  readonly perTenant?: number;
}

/** The limits that `@Workflow` sets, or null. */
export function readMaxRuns(written: unknown, say: Say): Omit<WorkflowLimits, 'workflow'> | null {
  if (written === undefined) return null;
  if (typeof written !== 'object') return { total: readCount(written, 'maxRuns', say), perTenant: null };
  const { total, perTenant } = readOptions(written, 'maxRuns', ['total', 'perTenant'], say);
  if (total === undefined && perTenant === undefined)
    say('Expected maxRuns to be a number, or to have total or perTenant, got neither.');
  return {
    total: total === undefined ? null : readCount(total, 'total of maxRuns', say),
    perTenant: perTenant === undefined ? null : readCount(perTenant, 'perTenant of maxRuns', say),
  };
}

function readCount(value: unknown, what: string, say: Say): number | null {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_RUNS) return value as number;
  say(`Expected ${what} to be a whole number from 1 to 100,000, got ${show(value)}.`);
  return null;
}
