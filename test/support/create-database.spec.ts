import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import type { TestDatabase } from './create-database.js';
import { createDatabase } from './create-database.js';
import { waitFor } from './wait-for.js';

describe('a test database', () => {
  let first: TestDatabase;
  let second: TestDatabase;

  beforeAll(async () => {
    first = await createDatabase();
    second = await createDatabase();
  });

  afterAll(async () => {
    await first.drop();
    await second.drop();
  });

  it('is reached by its URL and shares nothing with another', async () => {
    await run(first.url, 'CREATE TABLE mark (id int)');
    expect(await run(first.url, `SELECT to_regclass('mark') IS NOT NULL AS found`)).toEqual([{ found: true }]);
    expect(await run(second.url, `SELECT to_regclass('mark') IS NOT NULL AS found`)).toEqual([{ found: false }]);
  });

  it('is gone once dropped, also with somebody still connected', async () => {
    const database = await createDatabase();
    const client = new Client(database.connection);
    let lost = false;
    client.on('error', () => (lost = true));
    await client.connect();
    await database.drop();
    await waitFor('the connection is closed', () => lost);
    const name = database.connection.database;
    expect(await run(first.url, `SELECT 1 FROM pg_database WHERE datname = '${name}'`)).toEqual([]);
  });
});

async function run(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
