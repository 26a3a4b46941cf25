import { randomUUID } from 'node:crypto';

import { Client } from 'pg';

/** How to reach a database: what `pg` and TypeORM take. The host is the folder of a Unix socket. */
export interface DatabaseConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** An empty database on the server of this test run. */
export interface TestDatabase {
  readonly connection: DatabaseConnection;
  /** The same as a connection string, for `forRoot({ url })` and for child processes. */
  readonly url: string;
  /** Ends whoever is still connected. */
  drop(): Promise<void>;
}

/** Creates a database for one test file, which drops it in `afterAll`. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = getServerConnection();
  const database = `test_${randomUUID().replaceAll('-', '')}`;
  await query(server, `CREATE DATABASE ${database}`);
  const connection = { ...server, database };
  return {
    connection,
    url: urlOf(connection),
    drop: () => query(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  };
}

function getServerConnection(): DatabaseConnection {
  const connection = process.env['ORCHESTRATE_FLOW_TEST_CONNECTION'];
  if (connection === undefined) throw new Error('No test server is running. Start the tests with `npm test`.');
  return JSON.parse(connection) as DatabaseConnection;
}

async function query(connection: DatabaseConnection, sql: string): Promise<void> {
  const client = new Client(connection);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A folder as host goes into the query part, where slashes are allowed. */
function urlOf({ host, port, user, database }: DatabaseConnection): string {
  return `postgres://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}
