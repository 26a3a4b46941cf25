import { resolve } from 'node:path';
import type { ModulesContainer } from '@nestjs/core';
import { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import { URL_OPTION, type ResolvedOptions } from './orchestrate-flow.options.js';
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
 * TypeORM the url, then DATABASE_URL, then what `openHome` opens.
 */
export async function openDatabase(
  options: ResolvedOptions,
  { injected, modules }: AppDatabases,
  openHome: (options: ResolvedOptions) => Promise<Database>,
): Promise<Database> {
  const { dataSource, url, directUrl, schema } = options;
  if (dataSource instanceof DataSource) return Database.ofApp(dataSource, schema, directUrl);
  const offered = findDataSources(modules);
  if (url?.source === URL_OPTION && (injected ?? offered.length > 0)) throw urlBesideTypeOrm(offered);
  if (injected) {
    if (injected.options.type !== 'postgres') throw noPostgres(offered, nameOf(options));
    return Database.ofApp(injected, schema, directUrl);
  }
  if (typeof dataSource === 'string') throw unknownDataSource(dataSource, offered);
  if (offered.length > 0) throw noDefault(offered);
  const pooled = url ?? directUrl;
  return pooled === null ? openHome(options) : Database.ofUrl(pooled, schema, directUrl);
}

/** Embedded PostgreSQL, where it is allowed. */
export async function openEmbedded({ embedded, schema }: ResolvedOptions): Promise<Database> {
  if (!embedded.allowed) throw noDatabase();
  return Database.ofFolder(resolve(embedded.dataDir ?? DEFAULT_DATA_DIR), embedded.engine, schema);
}

/**
 * Refuses a DataSource that is no PostgreSQL before it is made. Made it would fail, again and again, because our entities,
 * which `autoLoadEntities` gives it, have columns that its database does not know.
 */
export function assertSuitable(options: ResolvedOptions, modules: ModulesContainer): void {
  if (options.dataSource instanceof DataSource) return;
  const offered = findDataSources(modules);
  const chosen = offered.find(({ name }) => name === nameOf(options));
  if (chosen?.type !== undefined && chosen.type !== 'postgres') throw noPostgres(offered, chosen.name);
}

/** A DataSource that the app provides. */
interface OfferedDataSource {
  readonly name: string;
  /** What kind of database it is; undefined where that is not known before it is made. */
  readonly type: string | undefined;
}

/** The DataSources that the app provides, as @nestjs/typeorm names their tokens. */
function findDataSources(modules: ModulesContainer): OfferedDataSource[] {
  const types = new Map<string, string | undefined>();
  for (const { providers } of modules.values()) {
    const given = providers.get('TypeOrmModuleOptions')?.instance as { type?: string } | null | undefined;
    for (const token of providers.keys()) {
      const name = token === DataSource ? 'default' : /^(.+)DataSource$/.exec(String(token))?.[1];
      if (name === undefined || typeof token === 'symbol') continue;
      const made = providers.get(token)?.instance as Partial<DataSource> | null | undefined;
      types.set(name, made?.options?.type ?? given?.type);
    }
  }
  return [...types].map(([name, type]) => ({ name, type }));
}

function nameOf({ dataSource }: ResolvedOptions): string {
  return typeof dataSource === 'string' ? dataSource : 'default';
}

function noPostgres(offered: readonly OfferedDataSource[], name: string): OrchestrateFlowError {
  const fit = offered.find(({ type }) => type === 'postgres');
  const remedy = fit
    ? `Name another: OrchestrateFlowModule.forRoot({ dataSource: '${fit.name}' }).`
    : "Add one of type \"postgres\", say TypeOrmModule.forRoot({ name: 'flows', type: 'postgres', … autoLoadEntities: true }), " +
      "and name it: OrchestrateFlowModule.forRoot({ dataSource: 'flows' }).";
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot keep workflows in the DataSource "${name}": PostgreSQL is needed, and this app has ${quote(offered)}. ${remedy}`,
  );
}

function urlBesideTypeOrm(offered: readonly OfferedDataSource[]): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_OPTIONS_INVALID',
    `Cannot use the option \`url\`: it is for an app without TypeORM, and this one has ${quote(offered)}, so that runs can be started ` +
      'in its own transactions. Leave `url` out, or name the DataSource by `dataSource`.',
  );
}

function unknownDataSource(name: string, offered: readonly OfferedDataSource[]): OrchestrateFlowError {
  if (offered.some((one) => one.name === name)) {
    return new OrchestrateFlowError(
      'OF_DATABASE_UNSUITABLE',
      `Cannot use the DataSource "${name}" named by the factory of forRootAsync(): Nest must know it before the factory runs. ` +
        `Put \`dataSource: '${name}'\` beside the factory.`,
    );
  }
  const known = offered.length === 0 ? 'it has none' : `it has ${quote(offered)}`;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot find the DataSource "${name}" in this app: ${known}. Give it that name in TypeOrmModule.forRoot({ name: '${name}' }), or name another.`,
  );
}

function noDefault(offered: readonly OfferedDataSource[]): OrchestrateFlowError {
  const fit = offered.find(({ type }) => type === 'postgres') ?? offered[0]!;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot choose a DataSource: this app has ${quote(offered)} and none of them is its default. ` +
      `Name one: OrchestrateFlowModule.forRoot({ dataSource: '${fit.name}' }).`,
  );
}

function noDatabase(): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    'Cannot find a database: this app has no TypeORM DataSource, no `url` and no DATABASE_URL, and embedded PostgreSQL is not ' +
      'used in production unless asked for. Import TypeOrmModule, give a `url`, or set `embedded: true`.',
  );
}

function quote(offered: readonly OfferedDataSource[]): string {
  return offered.map(({ name, type }) => (type === undefined ? `"${name}"` : `"${name}" (${type})`)).join(', ');
}
