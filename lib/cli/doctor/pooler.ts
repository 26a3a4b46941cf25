import { randomUUID } from 'node:crypto';
import type pg from 'pg';

import { messageOf } from '../../engine/errors.js';
import { type Check, fail, ok } from './check.js';
import type { DatabaseSession } from './database-session.js';

/** Milliseconds that an answer, or a notification, is waited for. */
const PATIENCE_MS = 3_000;

const REMEDY =
  'Give the library a connection to the server itself: the option `directUrl`, or `url` past the pooler; or let the pooler pool sessions.';

/**
 * What a pooler takes away that hands a connection of the server's to somebody else after each transaction. To see it,
 * somebody else must take the connection that was just used: a second client holds it in a transaction.
 */
export const NOTIFICATIONS: Check<DatabaseSession> = {
  name: 'notifications',
  async run(database) {
    const [listener, sender] = [await database.connect(), await database.connect()];
    const channel = `of_doctor_${randomUUID().replaceAll('-', '')}`;
    const heard = new Promise<boolean>((resolve) => {
      listener.on('notification', (message) => message.channel === channel && resolve(true));
      setTimeout(() => resolve(false), PATIENCE_MS).unref();
    });
    await listener.query(`LISTEN ${channel}`);
    await sender.query('SELECT pg_notify($1, $2)', [channel, '']);
    if (await heard) return ok('what one connection tells, another one hears.');
    return fail('LISTEN hears nothing on this connection: a pooler that pools transactions?', REMEDY);
  },
};

export const PREPARED_STATEMENTS: Check<DatabaseSession> = {
  name: 'prepared statements',
  async run(database) {
    const client = await database.connect();
    const statement = { name: `of_doctor_${randomUUID()}`, text: 'SELECT 1' };
    await client.query(statement);
    try {
      await whileAnotherIsInTransaction(database, () => client.query(statement));
      return ok('they outlast their transaction.');
    } catch (error) {
      return fail(
        `they do not outlast their transaction (${messageOf(error)}): a pooler that pools transactions?`,
        REMEDY,
      );
    }
  },
};

export const SESSION_SETTINGS: Check<DatabaseSession> = {
  name: 'session settings',
  async run(database) {
    const client = await database.connect();
    const value = randomUUID();
    await client.query(`SET orchestrate_flow.doctor = '${value}'`);
    const read = () =>
      client.query<{ value: string | null }>(`SELECT current_setting('orchestrate_flow.doctor', true) AS value`);
    try {
      const { rows } = await whileAnotherIsInTransaction(database, read);
      if (rows[0]?.value === value) return ok('they outlast their transaction.');
      return fail('SET does not outlast its transaction: a pooler that pools transactions?', REMEDY);
    } catch (error) {
      return fail(`SET cannot be relied on (${messageOf(error)}): a pooler that pools transactions?`, REMEDY);
    }
  },
};

async function whileAnotherIsInTransaction<T>(database: DatabaseSession, use: () => Promise<T>): Promise<T> {
  const other: pg.Client = await database.connect();
  await other.query('BEGIN');
  let timer: NodeJS.Timeout | undefined;
  // A pooler with a single connection lets one wait for the end of the other's transaction.
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer while another connection is in a transaction')), PATIENCE_MS);
  });
  try {
    await other.query('SELECT 1');
    return await Promise.race([use(), patience]);
  } finally {
    clearTimeout(timer);
    await other.query('ROLLBACK');
  }
}
