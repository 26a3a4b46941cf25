import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { findIdentity, isLiving } from './process-identity.js';
import { unavailable } from './unavailable.js';

/**
 * Notes that this process uses the server of a folder, once more if it does already. Answers with the file that says
 * so.
 */
export async function register(clients: string): Promise<string> {
  const identity = findIdentity(process.pid);
  if (identity === null) {
    throw unavailable(
      `neither /proc nor \`ps\` tells when process ${process.pid} began`,
      'Make one of them available.',
    );
  }
  const file = join(clients, `${identity}-${randomBytes(4).toString('hex')}`);
  await writeFile(file, '');
  return file;
}

/** Takes a registration back. */
export async function unregister(file: string): Promise<void> {
  await rm(file, { force: true });
}

/** Whether any registration belongs to a living process. */
export async function hasLivingClients(clients: string): Promise<boolean> {
  const names = await readdir(clients);
  return names.some((name) => isLiving(name.slice(0, name.lastIndexOf('-'))));
}
