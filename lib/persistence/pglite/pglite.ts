import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import { openFolder, readIfExists } from '../embedded/folder.js';
import { replace, withFolderLock } from '../embedded/folder-lock.js';
import { findIdentity, isLiving } from '../embedded/process-identity.js';
import { unavailable } from '../embedded/unavailable.js';
import { ClientStream } from './client-stream.js';
import { SharedBackend } from './shared-backend.js';

type Package = typeof import('@electric-sql/pglite');

/** PostgreSQL as WebAssembly, in this process alone. */
export interface Pglite {
  /** The absolute path of its folder. */
  readonly dataDir: string;
  /** A new connection, as `pg` takes it: `new Client({ stream: pglite.connect })`. */
  readonly connect: () => Duplex;
  /** Takes this share back. With the last one the database is closed. */
  stop(): Promise<void>;
}

interface Opened {
  shares: number;
  readonly ready: Promise<{ readonly connect: () => Duplex; readonly close: () => Promise<void> }>;
}

/** What this process has opened, by folder: a second module on the same folder shares it. */
const opened = new Map<string, Opened>();

/** The package, where it is installed. */
export async function findPglite(): Promise<Package | null> {
  return import('@electric-sql/pglite').catch(() => null);
}

/**
 * Opens the database of a folder in this process: where no PostgreSQL binaries exist for the platform. One process at a
 * time, because two would destroy it: a second one is refused.
 *
 * @throws OrchestrateFlowError OF_DATABASE_UNAVAILABLE where another process uses the folder, or it cannot be used
 */
export async function openPglite(pglite: Package, dataDir: string): Promise<Pglite> {
  const folder = await openFolder(dataDir);
  const entry: Opened = opened.get(folder.path) ?? { shares: 0, ready: open(pglite, folder) };
  opened.set(folder.path, entry);
  entry.shares += 1;
  const leave = async () => {
    entry.shares -= 1;
    if (entry.shares > 0) return;
    opened.delete(folder.path);
    await (await entry.ready).close();
  };
  const { connect } = await entry.ready.catch((error: unknown) => {
    opened.delete(folder.path);
    throw error;
  });
  let left: Promise<void> | undefined;
  return { dataDir: folder.path, connect, stop: () => (left ??= leave()) };
}

async function open({ PGlite }: Package, folder: { path: string; lock: string }) {
  const owner = join(folder.path, 'pglite.owner');
  await withFolderLock(folder.lock, () => takeOver(owner, folder.path));
  try {
    const cluster = join(folder.path, 'pglite');
    await mkdir(cluster, { recursive: true });
    const database = await PGlite.create(cluster);
    const { rows } = await database.query<{ server_version: string }>('SHOW server_version');
    const shared = new SharedBackend(database);
    const parameters = { ...PARAMETERS, server_version: rows[0]!.server_version };
    const close = async () => {
      await database.close();
      await rm(owner, { force: true });
    };
    return { connect: () => new ClientStream(shared, parameters), close };
  } catch (error) {
    await rm(owner, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw unavailable(`PGlite cannot open ${folder.path}: ${reason}`, 'Set another `dataDir`.', error);
  }
}

/** What a server tells its clients about itself when they connect. */
const PARAMETERS = {
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  integer_datetimes: 'on',
  standard_conforming_strings: 'on',
  TimeZone: 'UTC',
};

/** The folder is this process's from now on, unless a living process has it. */
async function takeOver(owner: string, path: string): Promise<void> {
  const holder = await readIfExists(owner);
  if (holder !== null && isLiving(holder)) {
    throw unavailable(
      `process ${Number.parseInt(holder, 10)} uses the folder ${path}, and PGlite serves one process only`,
      'End that process, set another `dataDir`, or use a PostgreSQL server.',
    );
  }
  await replace(owner, findIdentity(process.pid) ?? String(process.pid));
}
