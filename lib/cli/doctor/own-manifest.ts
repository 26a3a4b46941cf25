import { readFileSync } from 'node:fs';

import type { Manifest } from './app-folder.js';

/** The package.json of this library: what it says about versions is said there only. */
export function readOwnManifest(): Manifest {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as Manifest;
}
