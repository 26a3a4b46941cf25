import { VERSION } from '../../engine/version.js';
import { findTooNew, listMigrations } from '../../persistence/migrator.js';
import { findMissingRights } from '../../persistence/rights.js';
import { BULL_SCHEMA } from '../../queue/postgres-backend.js';
import { readBullSchema } from '../../queue/bull-schema.js';
import { type Check, fail, type Finding, ok, skip, warn } from './check.js';
import type { DatabaseSession } from './database-session.js';

const MIGRATE = 'Run `npx orchestrate-flow migrate up`.';

/** Whether the role may create what a migration creates. */
const MAY_MIGRATE = `
SELECT coalesce(
  has_schema_privilege(to_regnamespace($1)::oid, 'CREATE'),
  has_database_privilege(current_database(), 'CREATE')) AS may`;

/** @param isQueueHere whether BullMQ's tables are in the same database: BullMQ makes a sequence for each queue, at its first job */
export function rights(isQueueHere: boolean): Check<DatabaseSession> {
  const ofQueue = isQueueHere ? [BULL_SCHEMA] : [];
  return {
    name: 'rights',
    async run(database) {
      const schemas = [database.schema, ...ofQueue];
      const missing = await findMissingRights(database, schemas, ofQueue);
      if (missing)
        return fail(`role "${missing.role}" lacks ${missing.rights}.`, `Let their owner run: ${missing.grants}`);
      const answers = await Promise.all(schemas.map((schema) => database.ask<{ may: boolean }>(MAY_MIGRATE, [schema])));
      if (answers.every(({ may }) => may)) return ok('the role may use the tables, and migrate them.');
      return warn(
        'the role may use the tables, and not migrate them.',
        "Run `migrate up` as another role when you deploy, and leave `migrations: 'check'` as production has it.",
      );
    },
  };
}

export const TABLES: Check<DatabaseSession> = {
  name: 'tables',
  async run(database) {
    if (await isHidden(database, database.schema)) return skip('the role may not look into their schema.');
    const migrations = await listMigrations(database, database.schema);
    const [beyond] = findTooNew(migrations);
    if (beyond)
      return fail(
        `${beyond.name} needs version ${beyond.servesFrom} or later, and this is ${VERSION}.`,
        'Update the package, or take the migration back with the version that brought it: `npx orchestrate-flow migrate down`.',
      );
    const pending = migrations.filter(({ state }) => state === 'pending').map(({ name }) => name);
    if (pending.length === migrations.length) return fail(`there are none in schema "${database.schema}".`, MIGRATE);
    if (pending.length > 0) return fail(`${pending.join(', ')} pending in schema "${database.schema}".`, MIGRATE);
    const gone = await findGone(database);
    if (gone.length > 0)
      return fail(
        `${gone.join(', ')} gone from schema "${database.schema}", though its migrations were applied.`,
        `Restore the schema from a backup. Where there is nothing to keep: DROP SCHEMA ${database.schema} CASCADE, and \`npx orchestrate-flow migrate up\`.`,
      );
    const newer = migrations.filter(({ state }) => state === 'unknown').length;
    return ok(newer === 0 ? 'up to date.' : `of a newer version, which still serves ${VERSION}.`);
  },
};

export const BULL_TABLES: Check<DatabaseSession> = {
  name: "BullMQ's tables",
  async run(database): Promise<Finding> {
    if (await isHidden(database, BULL_SCHEMA)) return skip('the role may not look into their schema.');
    const { state, version, latest, servesFrom } = await readBullSchema(database, BULL_SCHEMA);
    switch (state) {
      case 'current':
        return ok(`at version ${version}.`);
      case 'missing':
        return fail(`there are none in schema "${BULL_SCHEMA}".`, MIGRATE);
      case 'behind':
        return fail(`at version ${version} of ${latest}.`, MIGRATE);
      case 'too new':
        return fail(`they need BullMQ ${servesFrom} or later.`, 'Update the package bullmq.');
    }
  },
};

/** What the migrations make. */
const MADE = [
  'workflow_run',
  'workflow_step',
  'workflow_signal',
  'workflow_schedule',
  'workflow_worker',
  'workflow_definition',
  'workflow_lane',
  'workflow_event',
  'orphans',
];

/** What of it is there no more. */
async function findGone(database: DatabaseSession): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT name FROM unnest($2::text[]) name WHERE to_regclass($1 || '.' || name) IS NULL`,
    [database.schema, MADE],
  );
  return rows.map(({ name }) => name);
}

/** Whether there is such a schema, closed to the role. */
async function isHidden(database: DatabaseSession, schema: string): Promise<boolean> {
  const { found } = await database.ask<{ found: boolean }>('SELECT to_regnamespace($1) IS NOT NULL AS found', [schema]);
  return found && !(await database.mayUse(schema));
}
