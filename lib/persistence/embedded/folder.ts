import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { unavailable } from './unavailable.js';

/** Where the server lives unless said otherwise, under the working directory. */
const DEFAULT_DATA_DIR = join('.orchestrate-flow', 'postgres');

/** What lies in the folder of an embedded server. */
export interface Folder {
  readonly path: string;
  /** PostgreSQL's own data directory. Exists only complete. */
  readonly cluster: string;
  /** Written by PostgreSQL: who serves the cluster, and where it listens. */
  readonly postmasterPid: string;
  /** The identity of the process that serves the cluster, as we started it. */
  readonly server: string;
  /**
   * A file for each `open()` that has not been stopped; the server ends when none of them belongs to a living process.
   */
  readonly clients: string;
  /** Who may look after the server. */
  readonly lock: string;
  /** The identity of the watchdog. */
  readonly watchdog: string;
  /** The identity of the watchdog too, while it ends the server. */
  readonly closing: string;
  readonly log: string;
}

/** The folder, with what has to exist in it. */
export async function openFolder(dataDir: string = DEFAULT_DATA_DIR): Promise<Folder> {
  const folder = layOut(resolve(dataDir));
  try {
    for (const path of [folder.clients, folder.lock]) await mkdir(path, { recursive: true });
    await writeFile(join(folder.path, '.gitignore'), '*\n');
  } catch (cause) {
    throw unavailable(
      `the folder ${folder.path} cannot be written`,
      'Give it to the user who runs the app, or set another `dataDir`.',
      cause,
    );
  }
  return folder;
}

function layOut(path: string): Folder {
  const cluster = join(path, 'cluster');
  return {
    path,
    cluster,
    postmasterPid: join(cluster, 'postmaster.pid'),
    server: join(path, 'server'),
    clients: join(path, 'clients'),
    lock: join(path, 'lock'),
    watchdog: join(path, 'watchdog'),
    closing: join(path, 'closing'),
    log: join(path, 'postgres.log'),
  };
}

/** The content of a file, or null if there is none. */
export async function readIfExists(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
