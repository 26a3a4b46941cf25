import type { BackoffFunction } from '../definition/retry-options.js';
import { show } from '../definition/option-readers.js';
import { DURATION_FORM, findDurationMs } from '../engine/duration.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Attempt } from './attempt.js';

/** What a policy's own backoff came to. */
export interface BackoffAnswer {
  /** Milliseconds, or null: as the policy's numbers say. */
  readonly delayMs: number | null;
  /** Why it was of no use. */
  readonly fault: OrchestrateFlowError | null;
}

const NOT_ASKED: BackoffAnswer = { delayMs: null, fault: null };

/**
 * Asks the step's own backoff how long it waits after this failure. Asked only where another attempt may follow, and where the
 * run's graph says so, which may be older than the code. Never throws.
 */
export function askBackoff({ run, node, claim }: Attempt, error: unknown): BackoffAnswer {
  const { backoff, attempts } = node.retry;
  const own = run.definition.code?.steps.get(node.item?.of ?? node.name)?.ownBackoff ?? null;
  const failures = claim.failures + 1;
  if (backoff !== 'own' || own === null || failures >= attempts) return NOT_ASKED;
  const subject = `Cannot wait for as long as the backoff of step "${node.name}" says`;
  const remedy = 'It waits as an exponential backoff says: correct the function.';
  try {
    const answer: unknown = callBackoff(own, failures, error);
    const delayMs = findDurationMs(answer);
    if (delayMs !== null) return { delayMs, fault: null };
    const got = `expected it to return ${DURATION_FORM}, got ${show(answer)}`;
    return { delayMs: null, fault: new OrchestrateFlowError('OF_BACKOFF_INVALID', `${subject}: ${got}. ${remedy}`) };
  } catch (cause) {
    const message = `${subject}: it threw ${show(cause)}. ${remedy}`;
    return { delayMs: null, fault: new OrchestrateFlowError('OF_BACKOFF_INVALID', message, { cause }) };
  }
}

function callBackoff(own: BackoffFunction, failures: number, error: unknown): unknown {
  const answer: unknown = own(failures, error);
  // A promise is no answer, and one that rejects with nobody listening would end the process.
  if (answer instanceof Promise) answer.catch(() => undefined);
  return answer;
}
