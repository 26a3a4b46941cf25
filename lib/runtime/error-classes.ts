import { findDurationMs } from '../engine/duration.js';
import type { ErrorCode } from '../engine/errors.js';
import type { Attempt } from './attempt.js';

/** What an error means for the retries of its step. */
export interface ErrorClass {
  readonly retryable: boolean;
  /** Milliseconds the error asks to wait, or null: as the policy says. */
  readonly retryAfterMs: number | null;
}

/** Errors of ours that the same code and the same data would only meet again. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'OF_NON_RETRYABLE',
  'OF_VALUE_NOT_STORABLE',
  'OF_STATE_CORRUPT',
  'OF_WORKFLOW_UNKNOWN',
  'OF_CONDITION_INVALID',
  'OF_TIME_INVALID',
  'OF_VERDICT_INVALID',
  'OF_ITEMS_INVALID',
  'OF_CHILD_INVALID',
  'OF_CHILD_FAILED',
  'OF_CHILD_CANCELLED',
  'OF_TRANSACTION_ENDED',
]);

/** Classifies what a step threw: our own errors first, then what the step's policy names. Never throws. */
export function classifyError(error: unknown, attempt: Attempt): ErrorClass {
  // By code, not by class: the package may be there twice.
  const code = read(error, 'code') as ErrorCode | null;
  if (code !== null && FINAL.has(code)) return { retryable: false, retryAfterMs: null };
  if (code === 'OF_RETRY_AFTER') return { retryable: true, retryAfterMs: findDurationMs(read(error, 'delayMs')) };
  return { retryable: isRetryable(error, attempt), retryAfterMs: null };
}

function isRetryable(error: unknown, { node, run }: Attempt): boolean {
  const step = run.definition.code?.steps.get(node.item?.of ?? node.name);
  if (step?.doNotRetryOn.some((type) => isInstance(error, type))) return false;
  return step?.retryOn?.some((type) => isInstance(error, type)) ?? true;
}

// Whatever was thrown may be a Proxy, or have getters, that throw in their turn.

function isInstance(error: unknown, type: abstract new (...parameters: never[]) => unknown): boolean {
  try {
    return error instanceof type;
  } catch {
    return false;
  }
}

function read(error: unknown, key: string): unknown {
  try {
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[key] : null;
  } catch {
    return null;
  }
}
