import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type pg from 'pg';
import type { DataSource, DataSourceOptions } from 'typeorm';

import { messageOf, OrchestrateFlowError } from '../engine/errors.js';
import { isPostgresUrl } from '../persistence/given-url.js';
import type { CommandOptions } from './options.js';
import { type Terminal, UsageError } from './terminal.js';

export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** A database that somebody has named. */
export interface Target {
  readonly options: PostgresOptions;
  /** Who named it, in the words of an error. */
  readonly source: string;
}

/** Milliseconds after which a server that does not answer is given up. */
const CONNECT_WITHIN_MS = 10_000;

/** With one of these in the environment node-postgres knows where to go. */
const PG_VARIABLES = ['PGHOST', 'PGDATABASE', 'PGUSER', 'PGPORT'];

/** The database of the command line, or else of the environment; null where neither names one. */
export async function findTarget(options: CommandOptions, { cwd, env }: Terminal): Promise<Target | null> {
  const { url, dataSource } = options;
  if (url !== undefined && dataSource !== undefined)
    throw new UsageError('Expected --url or --data-source, got both of them.');
  if (dataSource !== undefined) return readDataSource(resolve(cwd, dataSource), dataSource);
  if (url !== undefined) return targetOf({ url: readable(url, '--url') }, 'the option --url');
  const inherited = env['DATABASE_URL'];
  if (inherited) return targetOf({ url: readable(inherited, 'DATABASE_URL') }, 'the environment variable DATABASE_URL');
  const variable = PG_VARIABLES.find((name) => env[name]);
  return variable === undefined ? null : targetOf({}, `the environment variable ${variable}`);
}

/** The same, for commands that can do nothing without. */
export async function getTarget(options: CommandOptions, terminal: Terminal): Promise<Target> {
  const target = await findTarget(options, terminal);
  if (target) return target;
  throw new UsageError(
    'Cannot tell which database is meant. Give --url postgres://user@host/database or --data-source <file>, or set ' +
      'DATABASE_URL, or PGHOST and the other variables of PostgreSQL.',
  );
}

/** How node-postgres reaches it. */
export function clientConfigOf({ options }: Target): pg.ClientConfig {
  const { replication, ...plain } = options;
  const extra = (options.extra ?? {}) as object;
  const { url, host, port, username, password, database, ssl } = replication?.master ?? plain;
  const named = { connectionString: url, host, port, user: username, password, database, ssl };
  // What is undefined must not hide what the url or the environment says.
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { connectionTimeoutMillis: CONNECT_WITHIN_MS, ...extra, ...Object.fromEntries(given) };
}

/** Never shown: where it is wrong, nobody can tell which part of it is the password. */
function readable(url: string, name: string): string {
  if (isPostgresUrl(url)) return url;
  throw new UsageError(
    `Expected ${name} to be of the form postgres://user:password@host:port/database, got something else.`,
  );
}

function targetOf(reach: Omit<PostgresOptions, 'type'>, source: string): Target {
  return { options: { ...reach, type: 'postgres', connectTimeoutMS: CONNECT_WITHIN_MS }, source };
}

async function readDataSource(path: string, shown: string): Promise<Target> {
  if (/^\.[cm]?tsx?$/.test(extname(path)))
    throw new UsageError(
      `Cannot load ${shown}: TypeScript is not compiled here. Build it, and name the JavaScript file.`,
    );
  const dataSource = await loadDataSource(path, shown);
  const { options } = dataSource;
  if (dataSource.isInitialized) await dataSource.destroy();
  if (options.type !== 'postgres')
    throw new OrchestrateFlowError(
      'OF_DATABASE_UNSUITABLE',
      `Cannot use the DataSource of ${shown}: it is of type "${options.type}", and PostgreSQL is needed.`,
    );
  return { options: harmless(options), source: `the DataSource of ${shown}` };
}

async function loadDataSource(path: string, shown: string): Promise<DataSource> {
  const module = await importModule(path, shown);
  const values = await Promise.all(
    Object.values(module.default instanceof Object ? { ...module.default, ...module } : module),
  );
  const found = [...new Set(values.filter(isDataSource))];
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? 'no DataSource' : `${found.length} of them`;
  throw new UsageError(`Expected ${shown} to export one TypeORM DataSource, got ${what}.`);
}

async function importModule(path: string, shown: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`Cannot load ${shown}: ${withoutPasswords(messageOf(error))}`, { cause: error });
  }
}

/** What a module of the app's throws may show where it wanted to go. */
function withoutPasswords(text: string): string {
  return text.replace(/:\/\/[^\s@]*@/g, '://…@');
}

/** By its shape: the app may have another copy of TypeORM than the one seen from here. */
function isDataSource(value: unknown): value is DataSource {
  return value instanceof Object && 'isInitialized' in value && 'driver' in value && 'createQueryRunner' in value;
}

/** How the app reaches its database, and nothing of what it would do there: it may synchronize, migrate or even drop. */
function harmless(options: PostgresOptions): PostgresOptions {
  return {
    ...options,
    ...{ entities: [], subscribers: [], migrations: [] },
    ...{ synchronize: false, migrationsRun: false, dropSchema: false, installExtensions: false },
    ...{ cache: false, logging: false },
    connectTimeoutMS: options.connectTimeoutMS ?? CONNECT_WITHIN_MS,
  };
}
