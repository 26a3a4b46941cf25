import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { APPS, askDoctor, compile, installApp, openEveryEntry, runJest, runQuickStart } from './app.mjs';
import { installNodes, NODE_VERSIONS } from './nodes.mjs';
import { driveShop } from './shop.mjs';
import { findMissing, findUnexpected, pack } from './tarball.mjs';

// What users do: install the packed package in an application of every supported Nest, compile it, and on every supported
// Node import all there is, run the application and run its unit tests.

const folder = mkdtempSync(join(tmpdir(), 'of-package-'));
const began = performance.now();
let faults = 0;
try {
  await main();
} finally {
  // The last databases may still be about to end.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
if (faults > 0) process.exitCode = 1;

async function main() {
  const tarball = pack(folder);
  console.log(`${tarball.files.length} files, ${tarball.size} bytes packed`);
  await check('the tarball holds everything it must', () => failIfAny(findMissing(tarball), 'Missing'));
  await check('the tarball holds nothing else', () => failIfAny(findUnexpected(tarball), 'Unexpected'));

  // Downloads wait for the network, the applications' compilers for a core.
  const nodes = installNodes(join(folder, 'nodes'));
  await Promise.all([nodes, ...APPS.map((app) => prepare(app, tarball))]);
  await inPairs(await nodes);
}

async function prepare(app, { path }) {
  const name = nameOf(app);
  await check(`${name}: installs without a conflict of peers or an install script`, () =>
    installApp(app, folderOf(app), path),
  );
  await check(`${name}: compiles`, () => compile(folderOf(app)));
  await check(`${name}: the doctor finds nothing wrong`, () => askDoctor(folderOf(app)));
  await check(`${name}: runs the README's quick start`, () => runQuickStart(process.execPath, folderOf(app)));
}

/** Cell by cell in each application, the applications side by side: so they find their own compiled files again. */
async function inPairs(nodes) {
  const column = async (app) => {
    for (const version of NODE_VERSIONS) await checkCell(app, version, nodes.get(version));
  };
  await Promise.all(APPS.map(column));
}

async function checkCell(app, version, node) {
  const name = `${nameOf(app)} on Node ${version}`;
  const dataDir = join(folder, `data-${app.nest}-${version}`);
  await check(`${name}: every entry and program of the package opens`, () => openEveryEntry(node, folderOf(app)));
  await check(`${name}: takes orders, retries, ends in order and goes on`, () =>
    driveShop(node, folderOf(app), dataDir),
  );
  for (const config of app.jests) {
    await check(`${name}: a workflow's unit test and its run in virtual time pass with ${config}`, () =>
      runJest(node, folderOf(app), config),
    );
  }
}

function nameOf({ nest, modules }) {
  return `Nest ${nest} (${modules})`;
}

function folderOf({ nest }) {
  return join(folder, `nest-${nest}`);
}

function failIfAny(files, word) {
  if (files.length > 0) throw new Error(`${word}: ${files.join(', ')}`);
}

async function check(name, action) {
  try {
    await action();
    console.log(`ok - ${name} (at ${Math.round((performance.now() - began) / 1000)} s)`);
  } catch (error) {
    faults += 1;
    console.log(`not ok - ${name}\n${error.stack}`);
  }
}
