import { DataSource } from 'typeorm';

import { cannotConnect } from '../persistence/connect-failure.js';
import type { CommandOptions } from './options.js';
import { clientConfigOf, getTarget } from './target.js';
import type { Terminal } from './terminal.js';

/** Opens the database that is meant, for as long as it is used. */
export async function withDataSource<T>(
  options: CommandOptions,
  terminal: Terminal,
  use: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const target = await getTarget(options, terminal);
  const dataSource = new DataSource(target.options);
  try {
    await dataSource.initialize();
  } catch (error) {
    throw cannotConnect(clientConfigOf(target), target.source, error);
  }
  try {
    return await use(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
