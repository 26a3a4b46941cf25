import pg from 'pg';

import type { TestDatabase } from './create-database.js';

/** A connection of the test's own. */
export interface TestConnection {
  /** The rows that a statement gives. */
  query<Row extends object = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Connects to a test database. */
export async function connect(database: Pick<TestDatabase, 'connection'>): Promise<TestConnection> {
  const client = new pg.Client(database.connection);
  // A test may terminate every connection, and this one ends with its database at the latest.
  client.on('error', () => {});
  await client.connect();
  return {
    query: async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(sql, [...values])).rows,
    close: () => client.end(),
  };
}
