import { types } from 'node:util';

import { readTags, readTenant, show } from '../definition/option-readers.js';
import { DURATION_FORM, findDurationMs } from '../engine/duration.js';
import type { AuditQuery, PurgeRequest, RunPosition, RunQuery } from '../engine/ports.js';
import { END_STATUSES, RUN_STATUSES, type RunStatus } from '../engine/words.js';
import type { AuditOptions, ListOptions, PurgeOptions, RunAddress } from './orchestrator-options.js';
import { invalid, isRunId, readAudited, reading, readListed, readPurged } from './start-options.js';

const DEFAULT_LIMIT = 50;
/** The most entries of any page. */
const MAX_LIMIT = 1_000;
const EARLIEST_MS = Date.UTC(-4_000);

/** As PostgreSQL writes a timestamptz: to the microsecond, which a Date would lose. */
const TIMESTAMP =
  /^(\d{4})-(\d\d)-(\d\d) (?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,6})?[-+](?:0\d|1[0-5])(?::[0-5]\d){0,2}$/;

/** Reads the options of `list()`. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` */
export function readListOptions(
  written: unknown,
  nameOf: (workflow: NonNullable<ListOptions['workflow']>) => string,
): Omit<RunQuery, 'parentId'> & { readonly parent?: RunAddress } {
  const {
    workflow,
    status,
    blocked,
    tags,
    tenant,
    parent,
    from,
    to,
    cursor,
    limit = DEFAULT_LIMIT,
  } = readListed(written);
  assertLimit(limit);
  if (blocked !== undefined && typeof blocked !== 'boolean')
    throw invalid(`Expected blocked to be true or false, got ${show(blocked)}.`);
  return {
    isBlocked: blocked === true,
    workflow: workflow === undefined ? null : nameOf(workflow),
    statuses: status === undefined ? null : reading('the status of list()', () => readStatuses(status, RUN_STATUSES)),
    tags: tags === undefined ? null : reading('the tags of list()', () => readListedTags(tags)),
    tenant: readListedTenant(tenant),
    ...(parent !== undefined && { parent }),
    from: readDate('from', from),
    to: readDate('to', to),
    after: cursor === undefined ? null : readCursor(cursor),
    limit,
  };
}

/** Reads the options of `audit()`. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` */
export function readAuditOptions(
  written: unknown,
  nameOf: (workflow: NonNullable<AuditOptions['workflow']>) => string,
): Omit<AuditQuery, 'runId'> & { readonly run?: RunAddress } {
  const { run, workflow, by = null, cursor = null, limit = DEFAULT_LIMIT } = readAudited(written);
  assertLimit(limit);
  if (cursor !== null && !isEntryId(cursor))
    throw invalid(`Expected cursor to be the nextCursor of an earlier page, got ${show(cursor)}.`);
  const query = { workflow: workflow === undefined ? null : nameOf(workflow), by, before: cursor, limit };
  return run === undefined ? query : { ...query, run };
}

/** Within what a bigint holds. */
function isEntryId(cursor: unknown): boolean {
  return typeof cursor === 'string' && /^\d{1,18}$/.test(cursor);
}

/** @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` where a page may not have so many entries */
export function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return;
  throw invalid(`Expected limit to be a whole number from 1 to ${MAX_LIMIT}, got ${show(limit)}.`);
}

/** Reads the options of `purge()`. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` */
export function readPurgeOptions(
  written: unknown,
  nameOf: (workflow: NonNullable<PurgeOptions['workflow']>) => string,
): Omit<PurgeRequest, 'limit'> {
  const { workflow, status = END_STATUSES, tags, olderThan } = readPurged(written);
  const ageMs = findDurationMs(olderThan);
  if (ageMs === null) throw invalid(`Expected olderThan to be ${DURATION_FORM}, got ${show(olderThan)}.`);
  const statuses = reading('the status of purge()', () => readStatuses(status, END_STATUSES));
  return {
    rules: [...new Set(statuses)].map((word) => ({ status: word, ageMs })),
    workflow: workflow === undefined ? null : nameOf(workflow),
    tags: tags === undefined ? null : reading('the tags of purge()', () => readListedTags(tags)),
  };
}

/** A place in the list as text that a caller passes on. */
export function writeCursor({ createdAt, id }: RunPosition): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

function readCursor(cursor: string): RunPosition {
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, string];
    if (isRunId(id) && isTimestamp(createdAt)) return { createdAt, id };
  } catch {
    // Not ours: said below.
  }
  throw invalid(`Expected cursor to be the nextCursor of an earlier page, got ${show(cursor)}.`);
}

/** Also a day that the month has: PostgreSQL would refuse any other, as it does the year 0. */
function isTimestamp(text: string): boolean {
  const [year, month, day] = TIMESTAMP.exec(text)?.slice(1).map(Number) ?? [0];
  return (
    year! > 0 && new Date(Date.UTC(2000 + (year! % 400), month! - 1, day)).getUTCMonth() === month! - 1 && day! > 0
  );
}

function readStatuses<S extends RunStatus>(status: S | readonly S[], words: readonly S[]): readonly S[] {
  const statuses = Array.isArray(status) ? Array.from(status as readonly S[]) : [status as S];
  const unknown = statuses.find((word) => !words.includes(word));
  if (statuses.length === 0 || !statuses.every((word) => words.includes(word))) {
    throw invalid(
      `Expected status to be of ${words.join(', ')}, got ${statuses.length === 0 ? 'an empty list' : show(unknown)}.`,
    );
  }
  return statuses;
}

function readListedTags(written: unknown): readonly string[] {
  const faults: string[] = [];
  const tags = readTags(written, (fault) => faults.push(fault));
  if (tags !== undefined && tags.length > 0) return tags;
  throw invalid(faults[0] ?? 'Expected tags to be a list of at least one, got an empty list.');
}

function readListedTenant(written: unknown): string | null {
  const tenant = readTenant(written, (fault) => {
    throw invalid(fault);
  });
  return tenant ?? null;
}

function readDate(name: string, date: Date | undefined): Date | null {
  if (date === undefined) return null;
  // PostgreSQL knows no earlier one.
  const time = types.isDate(date) ? Date.prototype.getTime.call(date) : Number.NaN;
  if (!Number.isNaN(time)) return new Date(Math.max(time, EARLIEST_MS));
  throw invalid(`Expected ${name} to be a Date, got ${show(date)}.`);
}
