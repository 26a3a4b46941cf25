import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { findPglite, openPglite, type Pglite } from '../../lib/persistence/pglite/pglite.js';
import { waitFor } from '../support/wait-for.js';

let folder: string;
let database: Pglite;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'of-pglite-'));
  database = await openPglite((await findPglite())!, folder);
});

afterAll(async () => {
  await database?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function withClients(
  count: number,
  use: (...clients: pg.Client[]) => Promise<void>,
  options = '',
): Promise<void> {
  const clients = Array.from({ length: count }, () => new pg.Client({ stream: database.connect, options }));
  for (const client of clients) client.on('error', () => {});
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await use(...clients);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

describe('clients of one PGlite', () => {
  it('get answers and errors, and go on after an error', () =>
    withClients(1, async (client) => {
      await expect(client.query('SELECT $1::int + 1 AS n', [41])).resolves.toMatchObject({ rows: [{ n: 42 }] });
      await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
      await expect(client.query('SELECT $1::int / 0', [1])).rejects.toMatchObject({ code: '22012' });
      await expect(client.query('SELECT 1 AS a; SELECT 2 AS b')).resolves.toHaveLength(2);
    }));

  it('have transactions of their own: what comes meanwhile waits', () =>
    withClients(2, async (one, other) => {
      await one.query('CREATE TABLE account (id int PRIMARY KEY, amount int)');
      await one.query('BEGIN');
      await one.query('INSERT INTO account VALUES (1, 10)');
      const seen = other.query('SELECT amount FROM account');
      await one.query('UPDATE account SET amount = 20');
      await one.query('COMMIT');
      expect((await seen).rows).toEqual([{ amount: 20 }]);
      // Whoever fails inside a transaction ends it, and keeps nobody waiting.
      await one.query('BEGIN');
      await expect(one.query('SELECT nonsense')).rejects.toThrow('nonsense');
      const next = other.query('SELECT count(*)::int AS n FROM account');
      await one.query('ROLLBACK');
      expect((await next).rows).toEqual([{ n: 1 }]);
    }));

  it('that go away in the middle of a transaction leave nothing behind', async () => {
    await withClients(2, async (one, other) => {
      await one.query('CREATE TABLE leaving (id int)');
      await one.query('BEGIN');
      await one.query('INSERT INTO leaving VALUES (1)');
      const next = other.query('SELECT count(*)::int AS n FROM leaving');
      (one as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      expect((await next).rows).toEqual([{ n: 0 }]);
    });
  });

  it('have prepared statements and settings of their own', async () => {
    await withClients(2, async (one, other) => {
      await one.query("SET application_name = 'one'; SET lock_timeout = 77");
      const show = `SELECT current_setting('application_name') AS name, current_setting('lock_timeout') AS lock`;
      expect((await one.query({ name: 'same', text: `${show}, 1 AS n` })).rows).toEqual([
        { name: 'one', lock: '77ms', n: 1 },
      ]);
      expect((await other.query({ name: 'same', text: `${show}, 2 AS n` })).rows).toEqual([
        { name: expect.not.stringContaining('one') as unknown, lock: '0', n: 2 },
      ]);
      expect((await one.query({ name: 'same', text: `${show}, 1 AS n` })).rows).toEqual([
        { name: 'one', lock: '77ms', n: 1 },
      ]);
    });
    await withClients(
      1,
      async (client) => {
        await client.query('CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.there (id int)');
        expect((await client.query('SELECT * FROM there')).rows).toEqual([]);
      },
      '-c search_path=elsewhere',
    );
  });

  it('hear what is notified on their channels, and only that', () =>
    withClients(3, async (one, other, third) => {
      const heard: string[] = [];
      const note = (who: string) => (message: pg.Notification) =>
        heard.push(`${who} ${message.channel} ${message.payload}`);
      for (const [name, client] of Object.entries({ one, other, third })) client.on('notification', note(name));
      await one.query('LISTEN alpha');
      await other.query('LISTEN alpha; LISTEN "beta"');
      await third.query(`SELECT pg_notify('alpha', '1')`);
      await third.query('BEGIN');
      await third.query(`SELECT pg_notify('beta', $1)`, ['2']);
      await third.query('COMMIT');
      await waitFor('they have heard', () => heard.length >= 3);
      expect([...heard].sort()).toEqual(['one alpha 1', 'other alpha 1', 'other beta 2']);
      // One that has heard enough does not silence the other.
      await one.query('UNLISTEN alpha');
      await third.query(`NOTIFY alpha, '3'`);
      await waitFor('the other still hears', () => heard.includes('other alpha 3'));
      expect(heard).not.toContain('one alpha 3');
    }));

  it('take turns fairly when there are many', () =>
    withClients(1, async (first) => {
      await first.query('CREATE TABLE tally (who int)');
      await withClients(10, async (...clients) => {
        await Promise.all(
          clients.map(async (client, who) => {
            for (let n = 0; n < 10; n++) {
              await client.query('BEGIN');
              await client.query('INSERT INTO tally VALUES ($1)', [who]);
              await client.query('COMMIT');
            }
          }),
        );
      });
      expect((await first.query('SELECT count(*)::int AS n FROM tally')).rows).toEqual([{ n: 100 }]);
    }));
});
