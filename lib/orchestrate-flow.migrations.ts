import type { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import type { ResolvedOptions } from './orchestrate-flow.options.js';
import { connectionConfigOf, type Database } from './persistence/database.js';
import { guarded, writeMigrationScript } from './persistence/migration-sql.js';
import { assertRights } from './persistence/rights.js';
import { assertServed, findPending, migrateWorkflowTables } from './persistence/migrator.js';
import { DEFAULT_SCHEMA } from './persistence/schema.js';
import { writeBullScript } from './queue/bull-migration-sql.js';
import { areBullTablesUpToDate, migrateBullTables } from './queue/bull-tables.js';
import { BULL_SCHEMA } from './queue/postgres-backend.js';

/**
 * Creates or updates all tables that the library needs in a database: its own, and those of BullMQ in the schema `bullmq`.
 * Safe to call from many processes at once. For deployments that do not let the app do it (`migrations: 'check'`).
 *
 * @example
 * await migrate(await new DataSource({ type: 'postgres', url }).initialize());
 *
 * @param schema the PostgreSQL schema of the library's own tables. @default 'orchestrate_flow'
 * @param queue what BullMQ runs on: with 'redis' it needs no tables. @default 'postgres'
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE` for a database older than PostgreSQL 13, or a role without the right;
 *   `OF_DATABASE_UNAVAILABLE` where others keep the tables locked for a minute
 *
 * @publicApi
 */
export async function migrate(
  dataSource: DataSource,
  schema: string = DEFAULT_SCHEMA,
  queue: 'postgres' | 'redis' = 'postgres',
): Promise<void> {
  await migrateWorkflowTables(dataSource, schema);
  if (queue === 'postgres') await migrateBullTables(connectionConfigOf(dataSource));
}

/**
 * What `migrate()` does, as SQL for `psql` or for whoever must read it first: the library's tables, and those of BullMQ in the
 * schema `bullmq`. Each migration looks whether it has been applied, so the script serves new databases and old ones.
 *
 * @param schema the PostgreSQL schema of the library's own tables. @default 'orchestrate_flow'
 * @param queue what BullMQ runs on: with 'redis' its tables are left out. @default 'postgres'
 *
 * @publicApi
 */
export async function migrationSql(
  schema: string = DEFAULT_SCHEMA,
  queue: 'postgres' | 'redis' = 'postgres',
): Promise<string> {
  const own = await writeMigrationScript(schema);
  return queue === 'postgres' ? `${own}\n${await writeBullScript(BULL_SCHEMA, guarded)}` : own;
}

/** Brings the tables up to date at boot, or refuses to start where they are behind or may not be used. @internal */
export async function prepareSchema(
  database: Database,
  { migrations, schema, queue: { backend } }: Pick<ResolvedOptions, 'migrations' | 'schema' | 'queue'>,
): Promise<void> {
  const bull = backend === 'postgres' ? [BULL_SCHEMA] : [];
  await database.directly(async (dataSource) => {
    // BullMQ makes a sequence for each queue, at its first job.
    await assertRights(dataSource, [schema, ...bull], bull);
    await assertServed(dataSource, schema);
    if (migrations === 'run') await migrate(dataSource, schema, backend);
    else await assertUpToDate(dataSource, schema, backend);
  });
  // Behind a pooler the app may have another role, which has nothing to do with the queue.
  await assertRights(database.dataSource, [schema]);
}

async function assertUpToDate(dataSource: DataSource, schema: string, queue: 'postgres' | 'redis'): Promise<void> {
  const pending = await findPending(dataSource, schema);
  const isBullBehind = queue === 'postgres' && !(await areBullTablesUpToDate(connectionConfigOf(dataSource)));
  if (pending.length === 0 && !isBullBehind) return;
  const own = pending.length > 0 ? [`the tables in schema "${schema}" lack ${pending.join(', ')}`] : [];
  const bull = isBullBehind ? [`those of BullMQ in schema "${BULL_SCHEMA}" are missing or behind`] : [];
  throw new OrchestrateFlowError(
    'OF_SCHEMA_OUTDATED',
    `Cannot start: ${[...own, ...bull].join(', and ')}. ` +
      "Run `npx orchestrate-flow migrate up` when you deploy, or set `migrations: 'run'`.",
  );
}
