import { randomUUID } from 'node:crypto';
import * as pg from 'pg';

import { OrchestrateFlowError } from '../engine/errors.js';
import { cannotConnect } from './connect-failure.js';
import type { ConnectionConfig } from './connection.js';

/** Milliseconds within which a connection has to stand. */
const CONNECT_WITHIN_MS = 10_000;

/** How often two connections are compared before they are believed to be sessions. */
const PID_ROUNDS = 10;

/** How often a session that was listened in is looked for again. */
const UNDO_TRIES = 200;

/**
 * Refuses a way to the database on which a connection is no session: behind a pooler in transaction mode each statement may
 * go to another one. There nothing is heard that is listened for, and settings, advisory locks and prepared statements end
 * up in sessions of others. Told at boot, because all of it would fail later, and differently each time.
 *
 * @param source who named the database, as in "the option `url`"
 * @throws OrchestrateFlowError `OF_SESSION_NEEDED`; `OF_DATABASE_UNAVAILABLE` where there is no connection at all
 */
export async function assertSessions(config: ConnectionConfig, source: string): Promise<void> {
  const clients = [open(config), open(config)] as const;
  try {
    try {
      for (const client of clients) await client.connect();
    } catch (error) {
      throw cannotConnect(config, source, error);
    }
    const lost = await findLost(...clients);
    if (lost !== null) throw sessionNeeded(source, lost);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}

function open(config: ConnectionConfig): pg.Client {
  const client = new pg.Client({
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    ...config,
    application_name: 'orchestrate-flow check',
  });
  client.on('error', () => {});
  return client;
}

/**
 * What is missing to be a session, or null. Whom the server answers is asked first, several times, because behind a busy
 * pooler the same session may answer twice by chance.
 */
async function findLost(one: pg.Client, other: pg.Client): Promise<string | null> {
  const own = await pidOf(one);
  for (let round = 0; round < PID_ROUNDS; round += 1) {
    await other.query('BEGIN');
    const isShared = (await pidOf(other)) === own || (await pidOf(one)) !== own;
    await other.query('COMMIT');
    if (isShared) return 'two statements of one connection are not sure to reach the same session';
  }
  return (await hears(one, own, other)) ? null : 'LISTEN hears nothing';
}

async function pidOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
}

/** The server hands out what was notified before the end of the next statement, so that there is no time to be waited. */
async function hears(listener: pg.Client, pid: number, speaker: pg.Client): Promise<boolean> {
  const channel = `orchestrate_flow_check_${randomUUID().replaceAll('-', '')}`;
  let isHeard = false;
  listener.on('notification', (message) => (isHeard ||= message.channel === channel));
  if (!(await doIn(pid, listener, `LISTEN ${channel}`))) return false;
  await speaker.query(`SELECT pg_notify($1, '')`, [channel]);
  let tries = 0;
  // Behind a pooler it may be another client's turn in that session: it is left as it was, once it is ours again.
  do tries += 1;
  while (!(await doIn(pid, listener, `UNLISTEN ${channel}`)) && tries < UNDO_TRIES);
  return isHeard && tries === 1;
}

/** Does something in the session of that pid, or nothing where the client's next transaction reaches another. */
async function doIn(pid: number, client: pg.Client, statement: string): Promise<boolean> {
  await client.query('BEGIN');
  const isThere = (await pidOf(client)) === pid;
  if (isThere) await client.query(statement);
  await client.query('COMMIT');
  return isThere;
}

function sessionNeeded(source: string, lost: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SESSION_NEEDED',
    `Cannot keep workflows over the connection given by ${source}: ${lost}, as behind a pooler in transaction mode. LISTEN, ` +
      'session settings, advisory locks and prepared statements need a session. Give a way past the pooler, or to a pooler in ' +
      "session mode, by the module's option `directUrl`; your own queries stay on the pooled one.",
  );
}
