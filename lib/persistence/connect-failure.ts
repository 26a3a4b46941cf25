import * as pg from 'pg';

import { messageOf, OrchestrateFlowError } from '../engine/errors.js';
import type { ConnectionConfig } from './connection.js';
import { sqlStateOf } from './database-failure.js';

/** What to do, by SQLSTATE. */
const BY_STATE: Readonly<Record<string, string>> = {
  '28P01': 'Correct the user and the password.',
  '28000':
    "Correct the user, or let the server's pg_hba.conf admit it; where that asks for TLS, set `ssl` or ?sslmode=.",
  '3D000': 'Create the database, or name another one.',
  '42501': 'Grant the role CONNECT on the database.',
  '53300':
    'Raise max_connections, or run fewer processes: each needs five to eight connections beside the pool of the app.',
  '57P03': 'The server is starting or stopping: try again once it is up.',
};

/** What to do, by what a socket, TLS or the client says. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [/password must be a/, 'Give a password.'],
  [/does not support SSL/, 'Turn TLS on in the server, or leave `ssl` and ?sslmode= out.'],
  [
    /certificate|issuer|altname|self.signed|ERR_TLS|ERR_SSL|SSL alert/i,
    'Give TLS what it lacks: `ssl: { ca, cert, key }`, or ?sslrootcert=.',
  ],
  [
    /Invalid URL|URI malformed/i,
    'Write it as postgres://user:password@host:port/database, with special characters percent-encoded.',
  ],
  [
    /ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN|timeout|ETIMEDOUT|UNREACH/,
    'See that the server runs there, and that host and port are right.',
  ],
];

const OTHERWISE = 'See that the server runs, and that host, user, password and database are right.';

/**
 * A connection that could not be made, at boot: where it was to go, who said so, why it failed and what to do. Shows no
 * password and no url.
 *
 * @param source who named the database, as in "the option `url`"
 */
export function cannotConnect(config: ConnectionConfig, source: string, cause: unknown): OrchestrateFlowError {
  const reason = reasonOf(cause);
  const remedy =
    BY_STATE[sqlStateOf(cause) ?? ''] ?? BY_TEXT.find(([pattern]) => pattern.test(reason))?.[1] ?? OTHERWISE;
  return new OrchestrateFlowError(
    'OF_DATABASE_UNAVAILABLE',
    `Cannot connect to ${describe(config)}, given by ${source}: ${reason}. ${remedy}`,
    { cause },
  );
}

/** As node-postgres understands it, with what it takes from its url and from the environment. */
function describe(config: ConnectionConfig): string {
  try {
    const { host, port, user, database } = new pg.Client(config);
    return `database "${database}" on ${host}:${port} as user "${user}"`;
  } catch {
    return 'the database';
  }
}

/** A name with several addresses fails with an error that has no message, but one for each. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const text = messageOf(error).replace(/\.$/, '') || code || 'no reason given';
  return code === '' || text.includes(code) || sqlStateOf(error) !== null ? text : `${text} (${code})`;
}
