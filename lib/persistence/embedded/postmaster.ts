import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';

import { SUPERUSER } from './cluster.js';
import { type Folder, readIfExists } from './folder.js';
import { findIdentity, isLiving, isPostgres } from './process-identity.js';
import { unavailable } from './unavailable.js';
import { waitFor } from './wait.js';

/** How to reach the server: may be passed to `pg` as it is; TypeORM calls the user `username`. */
export interface EmbeddedConnection {
  /** The folder of the Unix socket. There is no TCP port. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** What a server says of itself in its postmaster.pid. */
export interface Postmaster {
  readonly connection: EmbeddedConnection;
  readonly ready: boolean;
}

/** The one database that every cluster has and that is meant to be used. */
const DATABASE = 'postgres';

/**
 * A fast shutdown writes a checkpoint; after this time it is made an immediate one, from which the next start recovers.
 */
const STOP_TIMEOUT_MS = 30_000;

/**
 * Notes which process serves the cluster. At once, not later: killed in between, the app would leave a server nobody
 * ends.
 */
export function recordServer(folder: Folder, pid: number): void {
  writeFileSync(folder.server, findIdentity(pid) ?? '');
}

/** The server of a folder if one is there, be it ready or not. What a crash left behind does not count. */
export async function findPostmaster(folder: Folder): Promise<Postmaster | null> {
  const [pid = '', , , port = '', host = '', , , status = ''] = (
    (await readIfExists(folder.postmasterPid)) ?? ''
  ).split('\n');
  if (!(await isServer(folder, Number(pid)))) return null;
  return {
    connection: { host, port: Number(port), user: SUPERUSER, database: DATABASE },
    ready: status.trim() === 'ready',
  };
}

/**
 * By the identity we recorded. The pid in postmaster.pid may be another process's by now, even that of another
 * PostgreSQL.
 */
async function isServer(folder: Folder, pid: number): Promise<boolean> {
  const recorded = (await readIfExists(folder.server)) ?? '';
  return recorded.startsWith(`${pid}-`) ? isLiving(recorded) : isPostgres(pid);
}

/**
 * Removes a postmaster.pid whose pid has passed to another process, which PostgreSQL would respect. Any other is left
 * to PostgreSQL: it tells from it whether backends of a server that was killed still write.
 */
export async function clearStalePostmaster(folder: Folder): Promise<void> {
  const pid = Number.parseInt((await readIfExists(folder.postmasterPid)) ?? '', 10);
  if (pid > 0 && findIdentity(pid) !== null) await rm(folder.postmasterPid, { force: true });
}

/** Ends the server of a folder, if it is ours, and waits until it is gone. */
export async function stopPostmaster(folder: Folder): Promise<void> {
  const identity = (await readIfExists(folder.server)) ?? '';
  const gone = () => (isLiving(identity) ? null : true);
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (gone() === true) return;
    signalLiving(identity, signal);
    if ((await waitFor(gone, STOP_TIMEOUT_MS)) !== null) return;
  }
  throw unavailable(`its process ${Number.parseInt(identity, 10)} does not end`, `Its log is ${folder.log}.`);
}

/** Sends a signal to a process that may end at the same time. */
export function signalLiving(identity: string, signal: NodeJS.Signals): void {
  try {
    process.kill(Number.parseInt(identity, 10), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
