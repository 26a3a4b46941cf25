import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

import { parseJson, withoutComments } from './json.js';

/** As much of a tsconfig.json as is looked at. */
interface TsConfig {
  readonly extends?: string | readonly string[];
  readonly references?: readonly unknown[];
  readonly files?: readonly string[];
  readonly compilerOptions?: Readonly<Record<string, unknown>>;
}

/** How far `extends` is followed. */
const MAX_DEPTH = 20;

/** The compiler options of a tsconfig.json with what it extends; null where it only refers to others. */
export function readCompilerOptions(path: string): Readonly<Record<string, unknown>> | null {
  const { files, references } = readConfig(path);
  if (references && files?.length === 0) return null;
  return gather(path, 0);
}

function gather(path: string, depth: number): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new Error(`${path} extends more than ${MAX_DEPTH} others in a row`);
  const config = readConfig(path);
  const bases = [config.extends ?? []].flat().map((name) => gather(locate(name, path), depth + 1));
  return Object.assign({}, ...bases, config.compilerOptions) as Record<string, unknown>;
}

function locate(name: string, from: string): string {
  if (!name.startsWith('.') && !name.startsWith('/')) return locatePackage(name, from);
  const path = resolve(dirname(from), name);
  const found = [path, `${path}.json`].find((candidate) => candidate.endsWith('.json') && existsSync(candidate));
  if (found === undefined) throw new Error(`${from} extends "${name}", which is not there`);
  return found;
}

function locatePackage(name: string, from: string): string {
  const require = createRequire(from);
  for (const candidate of [name, `${name}.json`, join(name, 'tsconfig.json')]) {
    try {
      const path = require.resolve(candidate);
      if (path.endsWith('.json')) return path;
    } catch {
      // It may be one of the others.
    }
  }
  throw new Error(`${from} extends "${name}", which is not installed`);
}

function readConfig(path: string): TsConfig {
  return parseJson(withoutTrailingCommas(withoutComments(readFileSync(path, 'utf8'))), path) as TsConfig;
}

function withoutTrailingCommas(text: string): string {
  return text.replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, string: string | undefined) => string ?? '');
}
