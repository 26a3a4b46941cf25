import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { canReach, giveTo, type ServerUser } from './server-user.js';
import { unavailable } from './unavailable.js';

/**
 * The longest path of a folder for sockets: a socket's own path may have 103 bytes (macOS), and `/.s.PGSQL.5432` comes
 * after.
 */
const MAX_SOCKET_DIR_LENGTH = 88;

/** Characters of the hash that tells the sockets of one folder from those of another. */
const HASH_LENGTH = 16;

/** A folder for temporary files, short enough for a socket, in which the server's user finds what we put. */
export function findScratchDir(user: ServerUser): string {
  const candidates = [tmpdir(), '/tmp', '/var/tmp'];
  const found = candidates.find((path) => nameIn(path, '').length <= MAX_SOCKET_DIR_LENGTH && canReach(user, path));
  if (found !== undefined) return found;
  throw unavailable(
    `its user can reach none of ${candidates.join(', ')}`,
    'Set TMPDIR to a folder with a short path that all users can enter.',
  );
}

/** The path of the folder for the socket of a server; it may not exist. */
export function findSocketDir(scratchDir: string, dataDir: string): string {
  return nameIn(scratchDir, createHash('sha256').update(dataDir).digest('hex').slice(0, HASH_LENGTH));
}

/**
 * Makes the folder for the socket, which its mode keeps everybody from but the server's user (and root): the server
 * itself trusts whoever gets through to it.
 */
export async function makeSocketDir(path: string, user: ServerUser): Promise<void> {
  await mkdir(path, { mode: 0o700 }).then(
    () => giveTo(user, path),
    () => undefined,
  );
  const { uid, mode } = await lstat(path);
  // Made earlier by us, or by somebody who knew its name and would listen in our place.
  const expected = user?.uid ?? process.geteuid?.();
  if (uid !== expected || (mode & 0o170077) !== 0o040000) {
    throw unavailable(
      `${path} belongs to another user (${uid}, not ${expected}) or is open to others`,
      'Remove it, or set TMPDIR to another folder.',
    );
  }
}

function nameIn(path: string, hash: string): string {
  return join(path, `of-${hash.padEnd(HASH_LENGTH, '0')}`);
}
