import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as pg from 'pg';

import { Database } from '../persistence/database.js';
import type { EmbeddedEngine } from '../persistence/given-url.js';
import { hasBinaries } from '../persistence/embedded/binaries.js';
import { openEmbeddedPostgres } from '../persistence/embedded/embedded-postgres.js';
import { findPglite } from '../persistence/pglite/pglite.js';
import { keepNobodyWaiting } from './idle-connection.js';

/** Where the server for tests keeps its data unless said otherwise, below the working directory. */
const DEFAULT_TEST_DIR = join('.orchestrate-flow', 'test');

const PREFIX = 'orchestrate_flow_test_';

/** Advisory lock of whoever creates a database, so that nobody takes it for one that is left over. "OFTD". */
const CREATION_LOCK = 0x4f465444;

/** Databases that nobody is connected to: their test was killed before it could drop them. */
const FIND_LEFT_OVER = `
SELECT datname AS name FROM pg_database d
WHERE starts_with(datname, '${PREFIX}') AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid)`;

/**
 * Where the databases for tests lie.
 *
 * @publicApi
 */
export interface TestDatabaseOptions {
  /** The folder of the server that all tests share. @default '.orchestrate-flow/test' under the working directory */
  readonly dataDir?: string;
}

/**
 * An empty database for one test file. `host`, `port`, `username` and `database` are what TypeORM takes.
 *
 * @publicApi
 */
export interface TestDatabase {
  readonly url: string;
  /** The folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  /** Drops it, whoever is still connected, and ends the server where nobody else uses it. */
  drop(): Promise<void>;
}

/**
 * Creates a database on the embedded PostgreSQL server that all test processes of a project share, for an app under test
 * that sets up TypeORM itself. Drop it after the app is closed. A test that is killed leaves nothing: the server ends with
 * the last process that uses it, and the next test drops the database.
 *
 * Needs the package `embedded-postgres`. Its commits do not wait for the disk.
 *
 * @example
 * const database = await createTestDatabase();
 * TypeOrmModule.forRoot({ type: 'postgres', url: database.url, autoLoadEntities: true })
 *
 * @throws OrchestrateFlowError OF_DATABASE_UNAVAILABLE where the package is missing or the server does not start
 *
 * @publicApi
 */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = await openEmbeddedPostgres({ dataDir: resolve(options.dataDir ?? DEFAULT_TEST_DIR) });
  const { host, port, user: username } = server.connection;
  const database = `${PREFIX}${randomBytes(8).toString('hex')}`;
  try {
    const guest = await withClient(server.connection, (client) => create(client, server.connection, database));
    keepNobodyWaiting(guest);
    const drop = async () => {
      await withClient(server.connection, async (client) => {
        await guest.end();
        await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      });
      await server.stop();
    };
    let dropped: Promise<void> | undefined;
    const url = `postgres://${username}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
    return { url, host, port, username, database, drop: () => (dropped ??= drop()) };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * Where the database of a test lies that brings none.
 *
 * @publicApi
 */
export interface TestHomeOptions extends TestDatabaseOptions {
  /** As in the module's `embedded`. @default 'postgres', or 'pglite' where there are no binaries for the platform */
  readonly engine?: EmbeddedEngine;
}

/** A database for an app that has none. @internal */
export async function openTestHome(schema: string, { engine, ...options }: TestHomeOptions): Promise<Database> {
  const isPglite = engine === undefined ? !hasBinaries() && (await findPglite()) !== null : engine === 'pglite';
  if (isPglite) return openPgliteHome(schema);
  const test = await createTestDatabase(options);
  try {
    const source = 'createTestDatabase() of orchestrate-flow/testing';
    return (await Database.ofUrl({ text: test.url, source }, schema)).whenClosed(() => test.drop());
  } catch (error) {
    await test.drop();
    throw error;
  }
}

async function openPgliteHome(schema: string): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), 'orchestrate-flow-test-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    return (await Database.ofFolder(folder, 'pglite', schema)).whenClosed(remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** @returns a connection to the new database, which shows that it is in use */
async function create(admin: pg.Client, server: pg.ClientConfig, database: string): Promise<pg.Client> {
  await admin.query('SELECT pg_advisory_lock($1)', [CREATION_LOCK]);
  const { rows } = await admin.query<{ name: string }>(FIND_LEFT_OVER);
  for (const { name } of rows) await admin.query(`DROP DATABASE IF EXISTS ${name}`);
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
  return connect({ ...server, database, application_name: 'orchestrate-flow test database' });
}

async function withClient<T>(server: pg.ClientConfig, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(server);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ ...config, ssl: false });
  // Without a listener a connection that breaks while idle would end the test's process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
