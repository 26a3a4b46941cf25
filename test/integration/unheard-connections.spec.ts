import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';

import { Database } from '../../lib/persistence/database.js';
import { BullQueues } from '../../lib/queue/bull-queues.js';
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

describe('a connection that ends in the moment in which nobody listens to it', () => {
  it('does not end the process: of the queue', async () => {
    const bull = new BullQueues(database.connection, () => {});
    await breakInBetween((bull as unknown as { pool: pg.Pool }).pool);
    await bull.close();
  });

  it("does not end the process: of the library's own DataSource", async () => {
    const own = await Database.ofUrl(database.url, 'orchestrate_flow');
    const { master } = own.dataSource.driver as unknown as { master: pg.Pool };
    // One has been idle since the DataSource was initialized, the other is opened now.
    await Promise.all([breakInBetween(master), breakInBetween(master)]);
    await own.close();
  });
});
