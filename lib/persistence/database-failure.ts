import { messageOf, OrchestrateFlowError } from '../engine/errors.js';

/** What a failed statement means for those who sent it. */
export type DatabaseFailure =
  /** A race between transactions was lost: nothing was written, send it again. */
  | 'race'
  /** Somebody else holds a lock for longer than we wait: nothing was written. */
  | 'lock-timeout'
  /** One of the values sent cannot be stored, whoever sends it. */
  | 'data'
  /** The database answered that it cannot serve now: nothing was written, send it again later. */
  | 'refused'
  /** The connection broke before the answer came: the statement may have been carried out. */
  | 'unknown';

const CLASSES: Readonly<Record<string, DatabaseFailure>> = {
  // The same row twice in one statement.
  '21': 'data',
  '22': 'data',
  '23': 'data',
  '54': 'data',
  '40': 'race',
};

/**
 * Classifies what a database client threw, by SQLSTATE (PostgreSQL manual, appendix A). An error without one is a broken
 * socket. A FATAL error ends the connection, and may reach us after the commit it seems to speak of.
 */
export function classifyFailure(error: unknown): DatabaseFailure {
  const code = sqlStateOf(error);
  if (code === null || code.startsWith('08') || code === '40003' || isFatal(error)) return 'unknown';
  if (code === '55P03') return 'lock-timeout';
  return CLASSES[code.slice(0, 2)] ?? 'refused';
}

// No class of SQLSTATE begins with E, every code of a Node socket error does.
const SQLSTATE = /^[0-9FHPX][0-9A-Z]{4}$/;

/** The SQLSTATE of an error, or null where it has none. */
export function sqlStateOf(error: unknown): string | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && SQLSTATE.test(code) ? code : null;
}

/** Whether a role may not do what it was asked to. */
export function isForbidden(error: unknown): boolean {
  return sqlStateOf(error) === '42501';
}

/** Whether it ends the connection. */
export function isFatal(error: unknown): boolean {
  const severity = typeof error === 'object' && error !== null && 'severity' in error ? error.severity : null;
  return severity === 'FATAL' || severity === 'PANIC';
}

/** What a caller is told whose question the database did not answer. */
export function unreadable(cause: unknown): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNAVAILABLE',
    `Cannot read runs: the database does not answer as it should (${messageOf(cause)}). Nothing is lost: ask again once it does.`,
    { cause },
  );
}
