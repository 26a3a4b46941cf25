import type { QueryRunner } from 'typeorm';

import { VERSION } from '../engine/version.js';
import { CREATE_LEDGER, LOCK_KEY } from './migrator.js';
import { MIGRATIONS, type SchemaMigration } from './migrations/index.js';
import { DEFAULT_SCHEMA, qualify } from './schema.js';

/**
 * The migrations as a script for `psql`: one transaction, and safe to run again, because each looks whether it has been
 * applied.
 */
export async function writeMigrationScript(schema: string = DEFAULT_SCHEMA): Promise<string> {
  const parts = [
    `-- The tables of orchestrate-flow ${VERSION}, in schema "${schema}".`,
    'BEGIN;',
    `SELECT pg_advisory_xact_lock(${LOCK_KEY}, hashtext('${schema}'));`,
    `CREATE SCHEMA IF NOT EXISTS ${schema};`,
    `SET LOCAL search_path TO ${schema};`,
    `${qualify(CREATE_LEDGER, schema).trim()};`,
  ];
  for (const migration of MIGRATIONS) parts.push(await writeMigration(migration));
  return [...parts, 'COMMIT;', ''].join('\n\n');
}

async function writeMigration({ migration, servesFrom }: SchemaMigration): Promise<string> {
  const statements: string[] = [];
  await migration.up(recorder(statements));
  const { name } = migration;
  return guarded(
    `NOT EXISTS (SELECT 1 FROM workflow_migration WHERE name = '${name}')`,
    [...statements, `INSERT INTO workflow_migration (name, serves_from) VALUES ('${name}', '${servesFrom}')`],
    name,
  );
}

/** Statements that run only where a condition holds. */
export function guarded(condition: string, statements: readonly string[], title: string): string {
  const lines = statements.map((statement) => `  EXECUTE $sql$${statement}$sql$;`);
  return [`-- ${title}`, `DO $of$ BEGIN IF ${condition} THEN`, ...lines, 'END IF; END $of$;'].join('\n');
}

/** A runner that runs nothing and writes down what it is given. */
function recorder(statements: string[]): QueryRunner {
  const query = (statement: string) => Promise.resolve(void statements.push(statement));
  return { query } as Partial<QueryRunner> as QueryRunner;
}
