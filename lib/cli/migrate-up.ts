import { connectionConfigOf } from '../persistence/database.js';
import { assertServed, migrateWorkflowTables } from '../persistence/migrator.js';
import { BULL_SCHEMA } from '../queue/postgres-backend.js';
import { readBullSchema } from '../queue/bull-schema.js';
import { migrateBullTables } from '../queue/bull-tables.js';
import type { Run } from './commands.js';
import { withDataSource } from './connection.js';
import { OK, printJson } from './terminal.js';

/** Creates the tables, or brings them up to date. */
export const run: Run = (options, terminal) =>
  withDataSource(options, terminal, async (dataSource) => {
    const { schema, queue, json } = options;
    await assertServed(dataSource, schema);
    const applied = await migrateWorkflowTables(dataSource, schema);
    if (queue === 'postgres') await migrateBullTables(connectionConfigOf(dataSource));
    const bullmq = queue === 'postgres' ? await readBullSchema(dataSource, BULL_SCHEMA) : null;
    if (json) printJson(terminal, { schema, applied, bullmq });
    else {
      for (const name of applied) terminal.print(`Applied ${name}.`);
      terminal.print(`The tables in schema "${schema}" are up to date.`);
      if (bullmq) terminal.print(`BullMQ's tables in schema "${BULL_SCHEMA}" are at version ${bullmq.version}.`);
    }
    return OK;
  });
