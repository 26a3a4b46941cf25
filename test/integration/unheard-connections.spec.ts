import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';

import { Connection } from '../../lib/persistence/connection.js';
import { Database } from '../../lib/persistence/database.js';
import { PostgresBackend } from '../../lib/queue/postgres-backend.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database?.drop());

/** A pool takes its listener away when it gives a connection out; whoever asked for it listens a moment later. */
async function breakInBetween(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  expect(() => client.emit('error', new Error('Terminated.'))).not.toThrow();
  client.release(true);
}

describe('a connection whose event loop stood still', () => {
  it('reads the answer that has arrived meanwhile before it gives it up as late', async () => {
    const options = { name: 'a test', settings: {}, answerWithinMs: 300 };
    const connection = new Connection(database.connection, options);
    await connection.open();
    const answer = connection.query({ name: 'sleep', text: 'SELECT 1 AS one, pg_sleep(0.05)' }, []);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // What is run here comes right before the timers.
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 600;
    while (performance.now() < until);
    await expect(answer).resolves.toMatchObject([{ one: 1 }]);
    const unanswered = connection.query({ name: 'long', text: 'SELECT pg_sleep(5)' }, []);
    await expect(unanswered).rejects.toThrow('did not answer the connection "a test" within 300 ms');
    await connection.close();
  });
});

describe('a connection that ends in the moment in which nobody listens to it', () => {
  it('does not end the process: of the queue', async () => {
    const bull = new PostgresBackend(database.connection, () => {});
    await breakInBetween((bull as unknown as { pool: pg.Pool }).pool);
    await bull.close();
  });

  it("does not end the process: of the library's own DataSource", async () => {
    const own = await Database.ofUrl({ text: database.url, source: 'the test' }, 'orchestrate_flow');
    const { master } = own.dataSource.driver as unknown as { master: pg.Pool };
    // One has been idle since the DataSource was initialized, the other is opened now.
    await Promise.all([breakInBetween(master), breakInBetween(master)]);
    await own.close();
  });
});
