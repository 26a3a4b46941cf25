import { findTooNew, listMigrations, type MigrationStatus } from '../persistence/migrator.js';
import { BULL_SCHEMA } from '../queue/postgres-backend.js';
import { type BullSchema, readBullSchema } from '../queue/bull-schema.js';
import type { Run } from './commands.js';
import { withDataSource } from './connection.js';
import { writeTable } from './table.js';
import { FAULT, OK, printJson } from './terminal.js';

/** Lists the migrations as they stand in the database. */
export const run: Run = (options, terminal) =>
  withDataSource(options, terminal, async (dataSource) => {
    const { schema, queue, json } = options;
    const migrations = await listMigrations(dataSource, schema);
    const bullmq = queue === 'postgres' ? await readBullSchema(dataSource, BULL_SCHEMA) : null;
    const faults = [...findFaults(migrations), ...(bullmq ? findBullFaults(bullmq) : [])];
    if (json) printJson(terminal, { schema, migrations, bullmq, faults });
    else {
      terminal.print(writeTable(['migration', 'state', 'serves from', 'applied'], rowsOf(migrations, bullmq)));
      terminal.print(['', ...(faults.length === 0 ? ['Everything is up to date.'] : faults)].join('\n'));
    }
    return faults.length === 0 ? OK : FAULT;
  });

function rowsOf(migrations: readonly MigrationStatus[], bullmq: BullSchema | null): string[][] {
  const own = migrations.map(({ name, state, servesFrom, appliedAt }) => [
    ...[name, state, servesFrom],
    appliedAt?.toISOString() ?? '',
  ]);
  if (!bullmq) return own;
  return [...own, [`BullMQ, ${bullmq.version} of ${bullmq.latest}`, bullmq.state, `BullMQ ${bullmq.servesFrom}`, '']];
}

function findFaults(migrations: readonly MigrationStatus[]): string[] {
  const pending = migrations.filter(({ state }) => state === 'pending').length;
  const beyond = findTooNew(migrations).length;
  return [
    ...(pending > 0 ? [`${pending} pending: run \`orchestrate-flow migrate up\`.`] : []),
    ...(beyond > 0
      ? [
          `${beyond} of a newer version, which this one does not work with: update the package, or run \`migrate down\` with the newer one.`,
        ]
      : []),
  ];
}

function findBullFaults({ state, servesFrom }: BullSchema): string[] {
  switch (state) {
    case 'current':
      return [];
    case 'missing':
    case 'behind':
      return [`BullMQ's tables are ${state}: run \`orchestrate-flow migrate up\`.`];
    case 'too new':
      return [`BullMQ's tables need BullMQ ${servesFrom} or later: update the package.`];
  }
}
