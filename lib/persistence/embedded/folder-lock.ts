import { randomUUID } from 'node:crypto';
import { link, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readIfExists } from './folder.js';
import { findIdentity, isLiving } from './process-identity.js';
import { unavailable } from './unavailable.js';
import { waitFor } from './wait.js';

/** The longest wait for another process that starts or stops the server: longer than either may take. */
const LOCK_TIMEOUT_MS = 180_000;

/** What a lock says that its holder has left. */
const FREE = 'free';

/**
 * Does something while no other process, and nothing else in this one, does anything under the same lock.
 *
 * A lock that is one file cannot be taken from a dead holder without a race: who found it dead may remove the lock of
 * who found it dead earlier. So the lock is a folder of numbered files, and the highest number holds. Who finds the
 * highest free or dead creates the next one, which only one can; nobody removes the highest.
 */
export async function withFolderLock<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const lock = await waitFor(() => tryLock(folder), LOCK_TIMEOUT_MS);
  if (lock === null) {
    throw unavailable(
      `another process holds the lock ${folder} since more than ${LOCK_TIMEOUT_MS / 1000} s`,
      'End that process and try again.',
    );
  }
  try {
    return await action();
  } finally {
    await replace(lock, FREE);
  }
}

/** The file that was created, or null if the lock is held or somebody was faster. */
async function tryLock(folder: string): Promise<string | null> {
  const highest = Math.max(0, ...(await findNumbers(folder)));
  const holder = await readIfExists(join(folder, String(highest)));
  if (holder !== null && holder !== FREE && isLiving(holder)) return null;
  const mine = join(folder, String(highest + 1));
  if (!(await createWith(mine, findIdentity(process.pid) ?? ''))) return null;
  const numbers = await findNumbers(folder);
  // What was seen was old: the lock has moved on, and the file just created filled a gap behind it.
  if (Math.max(...numbers) > highest + 1) return removeLock(mine);
  for (const older of numbers.filter((number) => number <= highest))
    await rm(join(folder, String(older)), { force: true });
  return mine;
}

async function removeLock(path: string): Promise<null> {
  await rm(path, { force: true });
  return null;
}

async function findNumbers(folder: string): Promise<number[]> {
  return (await readdir(folder)).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Creates a file that has its content from the first moment. False if it exists. */
async function createWith(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Gives a file another content in one go: nobody reads half of it. */
export async function replace(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, path);
}
