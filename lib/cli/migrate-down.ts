import { revertMigrations } from '../persistence/migrator.js';
import type { Run } from './commands.js';
import { withDataSource } from './connection.js';
import { OK, printJson } from './terminal.js';

/** Takes back the newest migrations. BullMQ's tables stay: BullMQ has no way back. */
export const run: Run = (options, terminal) =>
  withDataSource(options, terminal, async (dataSource) => {
    const { schema, steps, yes, json } = options;
    const reverted = await revertMigrations(dataSource, schema, { steps, loseRuns: yes });
    if (json) printJson(terminal, { schema, reverted });
    else if (reverted.length === 0) terminal.print(`There is nothing to take back in schema "${schema}".`);
    for (const name of json ? [] : reverted) terminal.print(`Took back ${name}.`);
    return OK;
  });
