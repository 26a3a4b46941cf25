import type { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import { connectionConfigOf, type Database } from './persistence/database.js';
import { findPending, migrateWorkflowTables } from './persistence/migrator.js';
import { DEFAULT_SCHEMA } from './persistence/schema.js';
import { BullQueues } from './queue/bull-queues.js';

/**
 * Creates or updates all tables that the library needs in a database: its own, and those of BullMQ in the schema `bullmq`.
 * Safe to call from many processes at once. For deployments that do not let the app do it (`migrations: 'check'`).
 *
 * @example
 * await migrate(await new DataSource({ type: 'postgres', url }).initialize());
 *
 * @param schema the PostgreSQL schema of the library's own tables. @default 'orchestrate_flow'
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE` for a database older than PostgreSQL 13
 *
 * @publicApi
 */
export async function migrate(dataSource: DataSource, schema: string = DEFAULT_SCHEMA): Promise<void> {
  await migrateWorkflowTables(dataSource, schema);
  const bull = new BullQueues(connectionConfigOf(dataSource), () => {});
  try {
    await bull.migrate();
  } finally {
    await bull.close();
  }
}

/** Brings the tables up to date at boot, or refuses to start where they are behind. @internal */
export async function prepareSchema(
  { dataSource }: Database,
  migrations: 'run' | 'check',
  schema: string,
): Promise<void> {
  if (migrations === 'run') return migrate(dataSource, schema);
  const pending = await findPending(dataSource, schema);
  if (pending.length === 0) return;
  throw new OrchestrateFlowError(
    'OF_SCHEMA_OUTDATED',
    `Cannot start: the tables in schema "${schema}" lack ${pending.join(', ')}. ` +
      "Call `migrate(dataSource)` of 'orchestrate-flow' when you deploy, or set `migrations: 'run'`.",
  );
}
