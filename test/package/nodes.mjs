import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './commands.mjs';
import { MANIFEST } from './tarball.mjs';

/** The oldest Node of every line that `engines` allows: what runs there runs on its successors. */
export const NODE_VERSIONS = MANIFEST.engines.node.match(/\d+\.\d+\.\d+/g);

/** Installs them side by side; the path of each binary by its version. */
export async function installNodes(folder) {
  // The package `node` fetches this one in an install script, which npm 12 does not run.
  const binaries = `node-${process.platform}-${process.arch}`;
  const dependencies = Object.fromEntries(
    NODE_VERSIONS.map((version) => [`node-${version}`, `npm:${binaries}@${version}`]),
  );
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts'], { cwd: folder });
  return new Map(
    NODE_VERSIONS.map((version) => [version, join(folder, 'node_modules', `node-${version}`, 'bin', 'node')]),
  );
}
