import { type Check, fail, type Finding, ok, warn } from './check.js';
import type { DatabaseSession } from './database-session.js';

const MINIMUM_MAJOR = 13;

export const SERVER_VERSION: Check<DatabaseSession> = {
  name: 'PostgreSQL',
  async run(database) {
    const { version, number } = await database.ask<{ version: string; number: number }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number`,
    );
    if (number >= MINIMUM_MAJOR * 10_000) return ok(`${version}.`);
    return fail(`${version}; ${MINIMUM_MAJOR} or later is needed.`, 'Update the server.');
  },
};

export const PRIMARY: Check<DatabaseSession> = {
  name: 'primary',
  async run(database) {
    const { replica, readonly } = await database.ask<{ replica: boolean; readonly: boolean }>(
      `SELECT pg_is_in_recovery() AS replica, current_setting('default_transaction_read_only')::bool AS readonly`,
    );
    if (replica) return fail('this is a replica, which cannot be written to.', 'Name the primary.');
    if (!readonly) return ok('it can be written to.');
    return fail(
      'transactions are read-only by default here.',
      'Set default_transaction_read_only to off for this role and database.',
    );
  },
};

/** Seconds by which clocks may differ before it is worth a word. */
const SKEW_SECONDS = 30;

/** All times are the database's: another clock here is harmless, but what is read in logs is not what happened. */
export const CLOCK: Check<DatabaseSession> = {
  name: 'clock',
  async run(database) {
    const before = Date.now();
    const { now } = await database.ask<{ now: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
    );
    return judgeClock(now - (before + Date.now()) / 2);
  },
};

/** @param aheadMs by how much the database's clock is ahead of this machine's */
export function judgeClock(aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (seconds <= SKEW_SECONDS) return ok(`within ${seconds} s of the clock here.`);
  return warn(
    `the clock of the database is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the one here.`,
    'Set the clocks by NTP. Nothing breaks, since all times are those of the database, but logs are hard to compare.',
  );
}

/** Connections that one more process of the app, and somebody who looks what is wrong, will want. */
const ROOM_WANTED = 15;

export const CONNECTIONS: Check<DatabaseSession> = {
  name: 'connections',
  async run(database) {
    const { used, all } = await database.ask<{ used: number; all: number }>(
      `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS all`,
    );
    if (all - used >= ROOM_WANTED) return ok(`${used} of ${all} in use.`);
    return warn(
      `${used} of ${all} are in use: a process takes five to eight beside the pool of the app.`,
      'Raise max_connections, make pools smaller, or run fewer processes.',
    );
  },
};

interface Timeout {
  readonly name: string;
  readonly ms: number;
}

/** Below these milliseconds a time limit of the server's ends what the library, or BullMQ, must be able to do. */
const TIMEOUTS = {
  statement_timeout: 10_000,
  lock_timeout: 1_000,
  idle_in_transaction_session_timeout: 1_000,
  transaction_timeout: 10_000,
  // A connection that listens is idle for as long as there is nothing to hear.
  idle_session_timeout: Infinity,
};

export const TIME_LIMITS: Check<DatabaseSession> = {
  name: 'time limits',
  async run(database) {
    const rows = await database.query<Timeout>(
      `SELECT name, setting::int AS ms FROM pg_settings WHERE name = ANY ($1) AND setting::int > 0`,
      [Object.keys(TIMEOUTS)],
    );
    const short = rows.filter(({ name, ms }) => ms < TIMEOUTS[name as keyof typeof TIMEOUTS]);
    if (short.length === 0) return ok('none that is short.');
    return short.map(({ name, ms }) =>
      warn(
        `${name} is ${ms} ms for this role and database.`,
        `Let the library's role be free of it: ALTER ROLE … SET ${name} = 0.`,
      ),
    );
  },
};

const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes'];

export const DURABLE: Check<DatabaseSession> = {
  name: 'durability',
  async run(database) {
    const off = await database.query<{ name: string }>(
      `SELECT name FROM pg_settings WHERE name = ANY ($1) AND setting = 'off'`,
      [DURABILITY],
    );
    if (off.length === 0) return ok('what is committed is on disk.');
    return off.map(({ name }) =>
      warn(`${name} is off: a crash of the server may lose outcomes that were committed.`, `Set ${name} to on.`),
    );
  },
};
