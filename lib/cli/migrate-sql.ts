import { migrationSql } from '../orchestrate-flow.migrations.js';
import type { Run } from './commands.js';
import { OK } from './terminal.js';

/** Prints what `migrate up` does. */
export const run: Run = async ({ schema, queue }, terminal) => {
  terminal.print((await migrationSql(schema, queue)).trimEnd());
  return OK;
};
