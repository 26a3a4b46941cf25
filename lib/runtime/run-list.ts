import { OrchestrateFlowError } from '../engine/errors.js';
import type { RunPosition, RunQuery } from '../engine/ports.js';
import { RUN_STATUSES, type RunStatus } from '../engine/words.js';
import type { ListOptions } from './orchestrator-options.js';
import { isRunId } from './start-options.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

/** As PostgreSQL writes a timestamptz: to the microsecond, which a Date would lose. */
const TIMESTAMP = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[-+]\d\d(:\d\d){0,2}$/;

/** Reads the options of `list()`. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` */
export function readListOptions(
  { status, from, to, cursor, limit = DEFAULT_LIMIT }: ListOptions,
  workflow: string | null,
): RunQuery {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw invalid(`Expected limit to be a whole number from 1 to ${MAX_LIMIT}, got ${String(limit)}.`);
  }
  return {
    workflow,
    statuses: status === undefined ? null : readStatuses(status),
    from: readDate('from', from),
    to: readDate('to', to),
    after: cursor === undefined ? null : readCursor(cursor),
    limit,
  };
}

/** A place in the list as text that a caller passes on. */
export function writeCursor({ createdAt, id }: RunPosition): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

function readCursor(cursor: string): RunPosition {
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, string];
    if (isRunId(id) && TIMESTAMP.test(createdAt) && !Number.isNaN(Date.parse(createdAt))) return { createdAt, id };
  } catch {
    // Not ours: said below.
  }
  throw invalid(`Expected cursor to be the nextCursor of an earlier page, got "${String(cursor).slice(0, 100)}".`);
}

function readStatuses(status: RunStatus | readonly RunStatus[]): readonly RunStatus[] {
  const statuses = typeof status === 'string' ? [status] : status;
  const unknown = statuses.find((word) => !RUN_STATUSES.includes(word));
  if (unknown !== undefined || statuses.length === 0) {
    throw invalid(
      `Expected status to be of ${RUN_STATUSES.join(', ')}, got ${unknown === undefined ? 'an empty list' : `"${String(unknown)}"`}.`,
    );
  }
  return statuses;
}

function readDate(name: string, date: Date | undefined): Date | null {
  if (date === undefined) return null;
  if (date instanceof Date && !Number.isNaN(date.getTime())) return date;
  throw invalid(`Expected ${name} to be a Date, got ${String(date)}.`);
}

function invalid(message: string): OrchestrateFlowError {
  return new OrchestrateFlowError('OF_ARGUMENT_INVALID', message);
}
