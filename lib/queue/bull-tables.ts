import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, runMigrations } from 'bullmq';
import * as pg from 'pg';

import { OrchestrateFlowError } from '../engine/errors.js';
import { BULL_SCHEMA } from './postgres-backend.js';

/** SQLSTATE of what a role may not do. */
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Creates or updates BullMQ's tables. Does nothing where they are up to date, so that a role which may only use them passes.
 *
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE` where the role may not
 */
export async function migrateBullTables(config: pg.ClientConfig): Promise<void> {
  await connected(config, async (client) => {
    if (await isUpToDate(client)) return;
    await runMigrations(client, BULL_SCHEMA).catch((error: unknown) => {
      throw explain(error);
    });
  });
}

/** Whether BullMQ's tables are there and as new as this BullMQ. */
export async function areBullTablesUpToDate(config: pg.ClientConfig): Promise<boolean> {
  return connected(config, isUpToDate);
}

async function isUpToDate(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('${BULL_SCHEMA}.migration') IS NOT NULL AS found`,
  );
  return rows[0]!.found && (await assertSchemaCompatibility(client, BULL_SCHEMA)) >= LATEST_SCHEMA_VERSION;
}

async function connected<T>(config: pg.ClientConfig, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...config, application_name: 'orchestrate-flow queue' });
  client.on('error', () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && error.code === INSUFFICIENT_PRIVILEGE)) return error;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot create or update BullMQ's tables in schema "${BULL_SCHEMA}": the database role lacks the right to (${error.message}). ` +
      'Let a role that has CREATE on the database, and owns the schema where it exists, call `migrate(dataSource)`, and grant this ' +
      'one USAGE on the schema and ALL on its tables and sequences.',
    { cause: error },
  );
}
