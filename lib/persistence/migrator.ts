import { setTimeout as sleep } from 'node:timers/promises';

import type { DataSource, QueryRunner } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import { isAtLeast, VERSION } from '../engine/version.js';
import { classifyFailure, isForbidden } from './database-failure.js';
import { MIGRATIONS } from './migrations/index.js';
import { DEFAULT_SCHEMA, qualify } from './schema.js';

/** First half of the advisory lock that makes migrators wait for each other; the second is a hash of the schema. "OFLO". */
export const LOCK_KEY = 0x4f464c4f;

/** Milliseconds a migration waits for a table that others use; what they are asked for meanwhile waits behind it. */
const TABLE_LOCK_MS = 1_000;

/** Milliseconds between two tries, in which the others go on. */
const HELD_UP_PAUSE_MS = 500;

/** Milliseconds after which no further try begins. */
const TABLES_WITHIN_MS = 60_000;

/** The oldest PostgreSQL the statements are written for. */
const MINIMUM_SERVER = 130_000;

export const CREATE_LEDGER = `
CREATE TABLE IF NOT EXISTS orchestrate_flow.workflow_migration (
  name text PRIMARY KEY,
  serves_from text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

/**
 * Creates or updates the library's tables. Safe to call from many processes at once: one does it, the others wait.
 *
 * @param schema the PostgreSQL schema to keep them in
 * @default schema `orchestrate_flow`
 * @returns the names of the migrations that this call has applied
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE` for a database older than PostgreSQL 13, or a role without the right;
 *   `OF_DATABASE_UNAVAILABLE` where others keep the tables locked for a minute
 */
export async function migrateWorkflowTables(
  dataSource: DataSource,
  schema: string = DEFAULT_SCHEMA,
): Promise<string[]> {
  return locked(dataSource, schema, async (runner) => {
    const done: string[] = [];
    await createSchema(runner, schema);
    const applied = await findApplied(runner, schema);
    for (const { migration, servesFrom } of MIGRATIONS) {
      if (applied.has(migration.name)) continue;
      await migration.up(runner);
      const ledger = qualify(
        'INSERT INTO orchestrate_flow.workflow_migration (name, serves_from) VALUES ($1, $2)',
        schema,
      );
      await runner.query(ledger, [migration.name, servesFrom]);
      done.push(migration.name);
    }
    return done;
  });
}

/** What to take back. */
export interface RevertOptions {
  /** How many migrations. @default all */
  readonly steps?: number;
  /** Whether runs may be deleted with the tables that hold them. @default false */
  readonly loseRuns?: boolean;
}

/**
 * Takes back the newest migrations. With the first of all go the tables, and every run in them.
 *
 * @returns their names
 * @throws OrchestrateFlowError `OF_SCHEMA_TOO_NEW` where a newer version of the library has added to the tables;
 *   `OF_RUNS_AT_STAKE` where runs would be deleted and nobody has said that they may be
 */
export async function revertMigrations(
  dataSource: DataSource,
  schema: string = DEFAULT_SCHEMA,
  { steps = MIGRATIONS.length, loseRuns = false }: RevertOptions = {},
): Promise<string[]> {
  return locked(dataSource, schema, async (runner) => {
    const reverted: string[] = [];
    const applied = (await hasLedger(runner, schema)) ? await findApplied(runner, schema) : new Map<string, Applied>();
    const unknown = findUnknown(applied);
    if (unknown.length > 0) throw newerThanThis(schema, unknown);
    const known = [...MIGRATIONS].reverse().filter(({ migration }) => applied.has(migration.name));
    for (const { migration } of known.slice(0, steps)) {
      if (migration === MIGRATIONS[0]!.migration && !loseRuns) await assertNoRuns(runner, schema);
      await migration.down(runner);
      const erase = qualify('DELETE FROM orchestrate_flow.workflow_migration WHERE name = $1', schema);
      await runner.query(erase, [migration.name]);
      reverted.push(migration.name);
    }
    return reverted;
  });
}

/** Under the lock that dropping the table takes: no run begins between the look and the end. */
async function assertNoRuns(runner: QueryRunner, schema: string): Promise<void> {
  await runner.query('LOCK TABLE workflow_run IN ACCESS EXCLUSIVE MODE');
  const [{ runs, open }] = (await runner.query(
    'SELECT count(*)::int AS runs, (count(*) FILTER (WHERE ended_at IS NULL))::int AS open FROM workflow_run',
  )) as [{ runs: number; open: number }];
  if (runs === 0) return;
  throw new OrchestrateFlowError(
    'OF_RUNS_AT_STAKE',
    `Cannot drop the tables in schema "${schema}": ${runs} ${runs === 1 ? 'run' : 'runs'}, ${open} of them not ended, would be ` +
      'deleted for good. Say that they may be: `npx orchestrate-flow migrate down --steps … --yes`.',
  );
}

/** Names of the migrations that are still to be run. */
export async function findPending(dataSource: DataSource, schema: string = DEFAULT_SCHEMA): Promise<string[]> {
  const all = await listMigrations(dataSource, schema);
  return all.filter(({ state }) => state === 'pending').map(({ name }) => name);
}

/** What answers questions: a DataSource, one of its runners, or a connection of another kind. */
export interface SqlReader {
  /** The rows. */
  query(sql: string, values?: unknown[]): Promise<unknown>;
}

/** A migration as it stands in a database. */
export interface MigrationStatus {
  readonly name: string;
  /** `unknown`: applied by a version of the library that is newer than this one. */
  readonly state: 'applied' | 'pending' | 'unknown';
  /** The oldest version of the library that works with it. */
  readonly servesFrom: string;
  readonly appliedAt: Date | null;
}

/** All migrations that this version or the database knows, oldest first. */
export async function listMigrations(reader: SqlReader, schema: string = DEFAULT_SCHEMA): Promise<MigrationStatus[]> {
  const applied = (await hasLedger(reader, schema)) ? await findApplied(reader, schema) : new Map<string, Applied>();
  const own = MIGRATIONS.map(({ migration: { name }, servesFrom }): MigrationStatus => {
    const at = applied.get(name)?.appliedAt ?? null;
    return { name, servesFrom, state: at === null ? 'pending' : 'applied', appliedAt: at };
  });
  return [...own, ...findUnknown(applied).map((migration) => ({ ...migration, state: 'unknown' as const }))];
}

/** Those that this version does not know and that say it does not understand what they left. */
export function findTooNew(migrations: readonly MigrationStatus[]): MigrationStatus[] {
  return migrations.filter(({ state, servesFrom }) => state === 'unknown' && !isAtLeast(VERSION, servesFrom));
}

/**
 * Refuses a database that a newer version of the library has changed in a way that this one does not understand.
 *
 * @throws OrchestrateFlowError `OF_SCHEMA_TOO_NEW`
 */
export async function assertServed(dataSource: DataSource, schema: string): Promise<void> {
  const beyond = findTooNew(await listMigrations(dataSource, schema));
  if (beyond.length === 0) return;
  const [first] = [...beyond].sort((one, other) => (isAtLeast(one.servesFrom, other.servesFrom) ? -1 : 1));
  throw new OrchestrateFlowError(
    'OF_SCHEMA_TOO_NEW',
    `Cannot start orchestrate-flow ${VERSION}: the tables in schema "${schema}" have ${namesOf(beyond)}, which needs version ` +
      `${first!.servesFrom} or later. Update the package, or take the migration back with the version that brought it: ` +
      '`npx orchestrate-flow migrate down`.',
  );
}

interface Applied {
  readonly name: string;
  readonly servesFrom: string;
  readonly appliedAt: Date;
}

async function hasLedger(reader: SqlReader, schema: string): Promise<boolean> {
  const rows = (await reader.query('SELECT to_regclass($1) AS name', [`${schema}.workflow_migration`])) as {
    name: string | null;
  }[];
  return rows[0]?.name != null;
}

async function findApplied(reader: SqlReader, schema: string): Promise<Map<string, Applied>> {
  const select = 'SELECT name, serves_from, applied_at FROM orchestrate_flow.workflow_migration ORDER BY name';
  const rows = (await reader.query(qualify(select, schema))) as {
    name: string;
    serves_from: string;
    applied_at: Date;
  }[];
  return new Map(
    rows.map((row) => [row.name, { name: row.name, servesFrom: row.serves_from, appliedAt: row.applied_at }]),
  );
}

/** What is applied and not known here: a newer version did it. */
function findUnknown(applied: ReadonlyMap<string, Applied>): Applied[] {
  const own = new Set(MIGRATIONS.map(({ migration }) => migration.name));
  return [...applied.values()].filter(({ name }) => !own.has(name));
}

function newerThanThis(schema: string, unknown: readonly Applied[]): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SCHEMA_TOO_NEW',
    `Cannot take back migrations of schema "${schema}": a newer version of orchestrate-flow than ${VERSION} has added ` +
      `${namesOf(unknown)}. Use that version.`,
  );
}

function namesOf(migrations: readonly { readonly name: string }[]): string {
  return migrations.map(({ name }) => name).join(', ');
}

/**
 * One transaction under an advisory lock: a migrator that dies leaves nothing behind and blocks nobody. Others work on the
 * tables meanwhile. It waits for a lock of theirs for a moment only, because whoever comes later waits behind it, and then
 * begins anew.
 */
async function locked<T>(dataSource: DataSource, schema: string, use: (runner: QueryRunner) => Promise<T>): Promise<T> {
  return withRunner(dataSource, async (runner) => {
    await assertServer(runner);
    const deadline = performance.now() + TABLES_WITHIN_MS;
    for (;;) {
      try {
        return await lockedOnce(runner, schema, use);
      } catch (error) {
        const isHeldUp = ['race', 'lock-timeout'].includes(classifyFailure(error));
        if (!isHeldUp) throw explain(error, schema);
        if (performance.now() > deadline) throw heldUp(schema, error);
        await sleep(HELD_UP_PAUSE_MS);
      }
    }
  });
}

async function lockedOnce<T>(
  runner: QueryRunner,
  schema: string,
  use: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  await runner.startTransaction();
  try {
    await runner.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK_KEY, schema]);
    await runner.query(`SET LOCAL search_path TO ${schema}; SET LOCAL lock_timeout = ${TABLE_LOCK_MS}`);
    const result = await use(runner);
    await runner.commitTransaction();
    return result;
  } catch (error) {
    await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  }
}

/** Only where something is missing: a role may use tables that it may not create. */
async function createSchema(runner: QueryRunner, schema: string): Promise<void> {
  const [found] = (await runner.query('SELECT to_regnamespace($1) AS schema, to_regclass($2) AS ledger', [
    schema,
    `${schema}.workflow_migration`,
  ])) as { schema: string | null; ledger: string | null }[];
  if (!found?.schema) await runner.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  if (!found?.ledger) await runner.query(qualify(CREATE_LEDGER, schema));
}

function heldUp(schema: string, cause: unknown): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNAVAILABLE',
    `Cannot update the tables in schema "${schema}": others have held them locked for ${TABLES_WITHIN_MS / 1000} s. ` +
      'Look in pg_stat_activity for transactions that stay open, end them, and try again. Nothing was changed.',
    { cause },
  );
}

function explain(error: unknown, schema: string): unknown {
  if (!isForbidden(error)) return error;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot create or update the tables in schema "${schema}": the database role lacks the right to. ` +
      'Let a role that has it call `migrate(dataSource)` and grant this one USAGE on the schema and ALL on its tables and sequences.',
    { cause: error },
  );
}

async function assertServer(runner: QueryRunner): Promise<void> {
  const [{ version }] = (await runner.query(`SELECT current_setting('server_version_num')::int AS version`)) as [
    { version: number },
  ];
  if (version >= MINIMUM_SERVER) return;
  throw new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot keep workflows in PostgreSQL ${Math.floor(version / 10_000)}: version 13 or later is needed. Update the server.`,
  );
}

async function withRunner<T>(dataSource: DataSource, use: (runner: QueryRunner) => Promise<T>): Promise<T> {
  const runner = dataSource.createQueryRunner('master');
  try {
    return await use(runner);
  } finally {
    await runner.release();
  }
}
