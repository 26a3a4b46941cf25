import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { parseJson, withoutComments } from './json.js';

/** As much of a package.json as is looked at. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly type?: string;
  readonly engines?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly eslintConfig?: unknown;
}

/** A package as it lies in a folder. */
export interface InstalledPackage {
  readonly dir: string;
  readonly version: string;
  readonly manifest: Manifest;
}

/** How many files are read in search of a word, at most. */
const MAX_FILES = 5_000;

const SOURCE = /\.[cm]?[jt]s$/;

const TEST = /[.-](?:spec|test)\.[cm]?[jt]s$/;

/** The folder of an app, looked at from outside. None of its code is run. */
export class AppFolder {
  constructor(
    readonly dir: string,
    readonly env: Readonly<Record<string, string | undefined>> = {},
  ) {}

  /** The app's own package.json, or null. */
  get manifest(): Manifest | null {
    return this.readJson('package.json');
  }

  /** A package as Node finds it from the app, by going up. Its `exports` may hide its package.json, so it is not asked. */
  find(name: string): InstalledPackage | null {
    for (const folder of this.packageFolders()) {
      const found = readPackage(join(folder, name));
      if (found) return found;
    }
    return null;
  }

  /** Every copy of a package that is installed for the app, or inside what is installed for it. */
  findCopies(name: string): InstalledPackage[] {
    const copies = new Map<string, InstalledPackage>();
    for (const folder of this.packageFolders()) {
      for (const dir of walkPackages(folder)) {
        const found = dir.endsWith(join('node_modules', name)) ? readPackage(dir) : null;
        if (found) copies.set(found.dir, found);
      }
    }
    return [...copies.values()];
  }

  /** The content of a file, or null where there is none. */
  read(file: string): string | null {
    const path = join(this.dir, file);
    return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : null;
  }

  has(file: string): boolean {
    return existsSync(join(this.dir, file));
  }

  /** Whether a word stands in one of the app's files of code, and not in a comment or a test; null where it has none. */
  mentions(word: string): boolean | null {
    let files = 0;
    for (const file of walkSources(this.dir)) {
      if (++files > MAX_FILES) return null;
      if (TEST.test(file)) continue;
      if (withoutComments(readFileSync(file, 'utf8')).includes(word)) return true;
    }
    return files === 0 ? null : false;
  }

  private readJson(file: string): Manifest | null {
    const text = this.read(file);
    return text === null ? null : (parseJson(text, join(this.dir, file)) as Manifest | null);
  }

  private *packageFolders(): Generator<string> {
    for (let dir = this.dir; ; dir = dirname(dir)) {
      const folder = join(dir, 'node_modules');
      if (existsSync(folder)) yield folder;
      if (dir === dirname(dir)) return;
    }
  }
}

function readPackage(dir: string): InstalledPackage | null {
  const path = join(dir, 'package.json');
  if (!existsSync(path)) return null;
  const manifest = parseJson(readFileSync(path, 'utf8'), path) as Manifest;
  return { dir: realpathSync(dir), version: manifest.version ?? '0.0.0', manifest };
}

/** The folders of all packages below a `node_modules`, also of those inside others, and of pnpm's store. */
function* walkPackages(folder: string): Generator<string> {
  for (const entry of list(folder)) {
    const dir = join(folder, entry.name);
    if (entry.name === '.pnpm') {
      for (const { name } of list(dir)) yield* walkPackages(join(dir, name, 'node_modules'));
    } else if (entry.name.startsWith('@')) {
      for (const inner of list(dir)) yield* walkPackage(join(dir, inner.name), inner.isSymbolicLink());
    } else if (!entry.name.startsWith('.')) yield* walkPackage(dir, entry.isSymbolicLink());
  }
}

/** Behind a link lies another project, or the store where it is found anyway. */
function* walkPackage(dir: string, isLink: boolean): Generator<string> {
  yield dir;
  if (!isLink) yield* walkPackages(join(dir, 'node_modules'));
}

/** The app's code: sources first, then what was made of them. */
function* walkSources(dir: string): Generator<string> {
  for (const entry of list(dir).sort((one, other) => Number(isOutput(one.name)) - Number(isOutput(other.name)))) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walkSources(path);
    else if (SOURCE.test(entry.name) && !entry.name.includes('.d.')) yield path;
  }
}

function isOutput(name: string): boolean {
  return ['dist', 'build', 'out', 'coverage'].includes(name);
}

function list(dir: string) {
  return existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : [];
}
