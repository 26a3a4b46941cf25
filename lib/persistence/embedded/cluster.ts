import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Binaries } from './binaries.js';
import { type Folder, readIfExists } from './folder.js';
import { readLogTail, withNewLog } from './log.js';
import { endOf, failed, startProgram } from './program.js';
import { giveTo, type ServerUser } from './server-user.js';
import { unavailable } from './unavailable.js';

/** The major version of the binaries we pin; a cluster of another one cannot be opened with them. */
const MAJOR_VERSION = '18';

/** The superuser of a new cluster. */
export const SUPERUSER = 'postgres';

/** Whoever gets through to the socket is trusted; text is compared by bytes, whatever the machine's locale. */
const INITDB_ARGS = [
  `--username=${SUPERUSER}`,
  '--auth=trust',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-instructions',
];

/** Makes the cluster unless it exists. Under the folder's lock. */
export async function ensureCluster(folder: Folder, binaries: Binaries, user: ServerUser): Promise<void> {
  const version = await readVersion(folder);
  if (version === null) return initialise(folder, binaries, user);
  if (version !== MAJOR_VERSION) {
    throw unavailable(
      `${folder.cluster} was made by PostgreSQL ${version}, and the installed binaries are version ${MAJOR_VERSION}`,
      'Move the folder away to begin anew, or dump it with the older version first.',
    );
  }
}

async function readVersion(folder: Folder): Promise<string | null> {
  try {
    return (await readIfExists(join(folder.cluster, 'PG_VERSION')))?.trim() ?? null;
  } catch (cause) {
    throw unavailable(
      `${folder.cluster} belongs to another user`,
      'Run the app as that user, or set another `dataDir`.',
      cause,
    );
  }
}

/** In a folder beside it, renamed when done: a process that is killed leaves no half of a cluster. */
async function initialise(folder: Folder, { initdb }: Binaries, user: ServerUser): Promise<void> {
  const draft = `${folder.cluster}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await giveTo(user, draft);
  const end = await withNewLog(folder.log, async (log) => {
    const child = startProgram({ path: initdb, cluster: draft, args: INITDB_ARGS, user, log });
    // Nothing else keeps this process alive until it is done.
    child.ref();
    return endOf(child);
  });
  if (end !== 0) throw failed('initdb', end, await readLogTail(folder.log));
  await rename(draft, folder.cluster);
}
