import { resolve } from 'node:path';
import type { ModulesContainer } from '@nestjs/core';
import { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import type { ResolvedOptions } from './orchestrate-flow.options.js';
import { Database, DEFAULT_DATA_DIR } from './persistence/database.js';

/** Under which token @nestjs/typeorm provides a DataSource. Its own function would make it a required package. */
export function dataSourceToken(name: string): string | typeof DataSource {
  return name === 'default' ? DataSource : `${name}DataSource`;
}

/** What the app itself offers. */
export interface AppDatabases {
  /** The DataSource asked for by name, or the default one; undefined where the app provides none. */
  readonly injected: DataSource | undefined;
  readonly modules: ModulesContainer;
}

/**
 * The database to keep workflows in: the DataSource of the options or the app's default one; only for an app without
 * TypeORM the url, then DATABASE_URL, then embedded PostgreSQL.
 */
export async function openDatabase(options: ResolvedOptions, { injected, modules }: AppDatabases): Promise<Database> {
  const { dataSource, url, embedded, schema } = options;
  if (dataSource instanceof DataSource) return Database.ofApp(dataSource, schema);
  if (injected) return Database.ofApp(injected, schema);
  const names = findDataSourceNames(modules);
  if (typeof dataSource === 'string') throw unknownDataSource(dataSource, names);
  if (names.length > 0) throw noDefault(names);
  if (url !== null) return Database.ofUrl(url, schema);
  if (embedded.allowed) return Database.ofFolder(resolve(embedded.dataDir ?? DEFAULT_DATA_DIR), schema);
  throw noDatabase();
}

/** Names of the DataSources that the app provides, as @nestjs/typeorm names their tokens. */
function findDataSourceNames(modules: ModulesContainer): string[] {
  const names = new Set<string>();
  for (const { providers } of modules.values()) {
    for (const token of providers.keys()) {
      if (token === DataSource) names.add('default');
      const name = typeof token === 'string' ? /^(.+)DataSource$/.exec(token)?.[1] : undefined;
      if (name !== undefined) names.add(name);
    }
  }
  return [...names];
}

function unknownDataSource(name: string, names: readonly string[]): OrchestrateFlowError {
  if (names.includes(name)) {
    return new OrchestrateFlowError(
      'OF_DATABASE_UNSUITABLE',
      `Cannot use the DataSource "${name}" named by the factory of forRootAsync(): Nest must know it before the factory runs. ` +
        `Put \`dataSource: '${name}'\` beside the factory.`,
    );
  }
  const known = names.length === 0 ? 'it has none' : `it has ${quote(names)}`;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot find the DataSource "${name}" in this app: ${known}. Give it that name in TypeOrmModule.forRoot({ name: '${name}' }), or name another.`,
  );
}

function noDefault(names: readonly string[]): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot choose a DataSource: this app has ${quote(names)} and none of them is its default. ` +
      `Name one: OrchestrateFlowModule.forRoot({ dataSource: '${names[0]}' }).`,
  );
}

function noDatabase(): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    'Cannot find a database: this app has no TypeORM DataSource, no `url` and no DATABASE_URL, and embedded PostgreSQL is not ' +
      'used in production unless asked for. Import TypeOrmModule, give a `url`, or set `embedded: true`.',
  );
}

function quote(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
