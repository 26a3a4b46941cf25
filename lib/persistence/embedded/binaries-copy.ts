import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

import { unavailable } from './unavailable.js';

/** How often a copy tries to take its place while others do the same. */
const MAX_MOVES = 5;

/** A link to make, in the folder that is copied. */
interface Link {
  readonly path: string;
  readonly to: string;
}

/** A file to copy, relative to the folder, with its size in bytes. */
interface SourceFile {
  readonly path: string;
  readonly size: number;
}

/**
 * A copy of the binaries that every user can run, made once: the copy appears by a rename, hence complete, and is made
 * anew if a cleaner of temporary files has taken some of it since.
 */
export async function copyBinaries(root: string, cache: string, links: readonly Link[]): Promise<string> {
  const files = await findFiles(root);
  if (await isComplete(cache, files)) return cache;
  const draft = `${cache}.${randomUUID()}`;
  try {
    await copyFiles(root, draft, files);
    for (const { path, to } of links) await symlink(to, join(draft, relative(root, path)));
    await moveInto(draft, cache, files);
    return cache;
  } catch (cause) {
    throw unavailable(
      `its binaries in ${root} cannot be used from there, nor be copied to ${cache}`,
      'See the cause.',
      cause,
    );
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function findFiles(root: string): Promise<SourceFile[]> {
  const entries = await readdir(join(root, 'native'), { withFileTypes: true, recursive: true });
  return Promise.all(entries.filter(isNeeded).map((entry) => measure(root, join(entry.parentPath, entry.name))));
}

/** Links are made apart, and archives are for those who compile. */
function isNeeded(entry: Dirent): boolean {
  return entry.isFile() && !entry.name.endsWith('.a');
}

async function measure(root: string, path: string): Promise<SourceFile> {
  return { path: relative(root, path), size: (await stat(path)).size };
}

/**
 * @throws if what lies there is not ours: in a folder that everybody may write, somebody else may have put programs
 * there
 */
async function isComplete(cache: string, files: readonly SourceFile[]): Promise<boolean> {
  const found = await lstat(cache).catch(() => null);
  if (found === null) return false;
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw unavailable(
      `${cache} belongs to somebody else, so that its programs cannot be trusted`,
      'Remove it, or set TMPDIR to another folder.',
    );
  }
  const sizes = await Promise.all(
    files.map(({ path }) =>
      stat(join(cache, path)).then(
        ({ size }) => size,
        () => -1,
      ),
    ),
  );
  return files.every(({ size }, index) => sizes[index] === size);
}

async function copyFiles(root: string, draft: string, files: readonly SourceFile[]): Promise<void> {
  for (const folder of new Set(files.map(({ path }) => dirname(path))))
    await mkdir(join(draft, folder), { recursive: true });
  await Promise.all(files.map(({ path }) => copyFor(join(root, path), join(draft, path))));
  await openUp(draft);
}

/** Readable for everybody, whatever the umask was when the package was installed or is now. */
async function copyFor(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, basename(dirname(to)) === 'bin' ? 0o755 : 0o644);
}

async function openUp(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(folder, entry.name));
  }
}

async function moveInto(draft: string, cache: string, files: readonly SourceFile[]): Promise<void> {
  for (let attempt = 1; attempt <= MAX_MOVES; attempt += 1) {
    if (await tryRename(draft, cache)) return;
    // Another process was faster, or a cleaner left only some of it, which makes way. Never removed in place: it might
    // be the complete copy of somebody who came in between.
    if (await isComplete(cache, files)) return;
    const aside = `${cache}.${randomUUID()}`;
    await rename(cache, aside);
    await rm(aside, { recursive: true, force: true });
  }
  throw new Error(`${cache} is being replaced by other processes again and again.`);
}

/** A folder takes the name of another one only if that is empty. */
async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}
