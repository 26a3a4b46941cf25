import type { DataSource, QueryRunner } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import { sqlStateOf } from './database-failure.js';
import { MIGRATIONS } from './migrations/index.js';
import { DEFAULT_SCHEMA, qualify } from './schema.js';

/** First half of the advisory lock that makes migrators wait for each other; the second is a hash of the schema. "OFLO". */
const LOCK_KEY = 0x4f464c4f;

/** SQLSTATE of what a role may not do. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** The oldest PostgreSQL the statements are written for. */
const MINIMUM_SERVER = 130_000;

const CREATE_LEDGER = `
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
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE` for a database older than PostgreSQL 13
 */
export async function migrateWorkflowTables(dataSource: DataSource, schema: string = DEFAULT_SCHEMA): Promise<void> {
  await locked(dataSource, schema, async (runner) => {
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
    }
  });
}

/** Takes the library's tables away again, with every run in them. */
export async function revertMigrations(dataSource: DataSource, schema: string = DEFAULT_SCHEMA): Promise<void> {
  await locked(dataSource, schema, async (runner) => {
    const applied = await findApplied(runner, schema);
    for (const { migration } of [...MIGRATIONS].reverse()) {
      if (!applied.has(migration.name)) continue;
      await migration.down(runner);
      await runner.query(qualify('DELETE FROM orchestrate_flow.workflow_migration WHERE name = $1', schema), [
        migration.name,
      ]);
    }
  });
}

/** Names of the migrations that are still to be run. */
export async function findPending(dataSource: DataSource, schema: string = DEFAULT_SCHEMA): Promise<string[]> {
  return withRunner(dataSource, async (runner) => {
    const [ledger] = (await runner.query('SELECT to_regclass($1) AS name', [`${schema}.workflow_migration`])) as {
      name: string | null;
    }[];
    const applied = ledger?.name ? await findApplied(runner, schema) : new Set<string>();
    return MIGRATIONS.map(({ migration }) => migration.name).filter((name) => !applied.has(name));
  });
}

async function findApplied(runner: QueryRunner, schema: string): Promise<Set<string>> {
  const rows = (await runner.query(qualify('SELECT name FROM orchestrate_flow.workflow_migration', schema))) as {
    name: string;
  }[];
  return new Set(rows.map(({ name }) => name));
}

/** One transaction under an advisory lock: a migrator that dies leaves nothing behind and blocks nobody. */
async function locked(
  dataSource: DataSource,
  schema: string,
  use: (runner: QueryRunner) => Promise<void>,
): Promise<void> {
  await withRunner(dataSource, async (runner) => {
    await assertServer(runner);
    await runner.startTransaction();
    try {
      await runner.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK_KEY, schema]);
      await runner.query(qualify('SET LOCAL search_path TO orchestrate_flow.', schema).replace(/\.$/, ''));
      await use(runner);
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction().catch(() => undefined);
      throw explain(error, schema);
    }
  });
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

function explain(error: unknown, schema: string): unknown {
  if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) return error;
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
