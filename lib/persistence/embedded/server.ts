import { setTimeout as sleep } from 'node:timers/promises';

import * as pg from 'pg';

import type { Binaries } from './binaries.js';
import type { Folder } from './folder.js';
import { readLogTail, withNewLog } from './log.js';
import { clearStalePostmaster, type EmbeddedConnection, findPostmaster, recordServer } from './postmaster.js';
import { type End, endOf, failed, startProgram } from './program.js';
import type { ServerUser } from './server-user.js';
import { unavailable } from './unavailable.js';
import { waitFor } from './wait.js';

/** Recovery after a crash may take a while. */
const START_TIMEOUT_MS = 60_000;

const PING_TIMEOUT_MS = 5_000;

/** Backends of a server that was killed live on for a moment, and keep the next one from starting. */
const START_ATTEMPTS = 20;
const START_PAUSE_MS = 250;
const LEFTOVERS = /still in use|lock file "postmaster.pid" already exists/;

/** Names the socket's file; nothing listens on a port. */
const PORT = '5432';

/** Given as arguments, which outrank configuration files. As durable as the database this stands in for. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_checkpoints: 'off',
  jit: 'off',
  cluster_name: 'orchestrate-flow',
};

/** What a start needs. */
export interface ServerStart {
  readonly folder: Folder;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly socketDir: string;
}

/**
 * The connection of the server of a folder once it answers; null if there is none, or it ends. Under the folder's lock.
 */
export async function findAnswering(folder: Folder): Promise<EmbeddedConnection | null> {
  const found = await waitFor(() => lookFor(folder), START_TIMEOUT_MS);
  if (found === null) {
    throw unavailable(
      `a server runs on ${folder.cluster} and does not answer`,
      `Its log is ${folder.log}. End it and try again.`,
    );
  }
  return found === 'none' ? null : found;
}

/** Starts the server and waits until it answers. Under the folder's lock, where there is none. */
export async function startServer(start: ServerStart): Promise<EmbeddedConnection> {
  await clearStalePostmaster(start.folder);
  for (let attempt = 1; ; attempt += 1) {
    const result = await withNewLog(start.folder.log, (log) => tryStart(start, log));
    if (!('end' in result)) return result;
    const tail = await readLogTail(start.folder.log);
    if (attempt === START_ATTEMPTS || !LEFTOVERS.test(tail)) throw failed('postgres', result.end, tail);
    await sleep(START_PAUSE_MS);
  }
}

async function tryStart(
  { folder, binaries, user, socketDir }: ServerStart,
  log: number,
): Promise<EmbeddedConnection | { readonly end: End }> {
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = startProgram({
    path: binaries.postgres,
    cluster: folder.cluster,
    args: ['-k', socketDir, '-p', PORT, ...settings],
    user,
    log,
  });
  if (child.pid !== undefined) recordServer(folder, child.pid);
  const ended: { end?: End } = {};
  void endOf(child).then((end) => (ended.end = end));
  const found = await waitFor(async () => {
    const running = await lookFor(folder);
    if (running !== null && running !== 'none') return running;
    return ended.end === undefined ? null : { end: ended.end };
  }, START_TIMEOUT_MS);
  return found ?? { end: `no answer within ${START_TIMEOUT_MS / 1000} s` };
}

async function lookFor(folder: Folder): Promise<EmbeddedConnection | 'none' | null> {
  const postmaster = await findPostmaster(folder);
  if (postmaster === null) return 'none';
  return postmaster.ready && (await answers(postmaster.connection)) ? postmaster.connection : null;
}

/** Whether a server takes connections: while it starts or ends it refuses them. */
async function answers(connection: EmbeddedConnection): Promise<boolean> {
  const client = new pg.Client({ ...connection, ssl: false, connectionTimeoutMillis: PING_TIMEOUT_MS });
  // A server that ends meanwhile is no concern of the app's.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
