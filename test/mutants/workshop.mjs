import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';

/** What a copy needs to run tests. */
const COPIED = ['lib', 'test', 'sample-app', 'package.json', 'jest.config.js', 'tsconfig.json', 'README.md'];

/** Milliseconds after which tests that do not end are given up. */
const PATIENCE_MS = 120_000;

/** A private copy of the tree, in which things are broken on purpose. The work tree is never written. */
export class Workshop {
  /** @param root the tree to be copied @param connection of the server that the tests use */
  static async open(root, connection) {
    const folder = await mkdtemp(join(tmpdir(), 'orchestrate-flow-mutants-'));
    for (const name of COPIED) await cp(join(root, name), join(folder, name), { recursive: true });
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'jest.mutants.config.js'), CONFIG);
    return new Workshop(folder, connection);
  }

  constructor(folder, connection) {
    this.folder = folder;
    this.connection = connection;
  }

  /** Replaces a text that must be there exactly once. @returns what undoes it */
  async change({ file, from, to }) {
    const path = join(this.folder, file);
    const original = await readFile(path, 'utf8');
    const count = original.split(from).length - 1;
    if (count !== 1) throw new Error(`"${from}" is ${count} times in ${file} and must be there once.`);
    // A function, because `$` in a replacement has a meaning of its own.
    await writeFile(
      path,
      original.replace(from, () => to),
    );
    return () => writeFile(path, original);
  }

  /** Runs tests of one file. @returns the status of each by its full name */
  async run(file, tests) {
    const report = join(this.folder, 'report.json');
    await rm(report, { force: true });
    const pattern = `^(${tests.map(escape).join('|')})$`;
    const output = await this.jest(['--json', '--outputFile', report, '--testNamePattern', pattern, file]);
    const text = await readFile(report, 'utf8').catch(() => null);
    if (text === null) return { results: new Map(), output };
    const results = new Map();
    for (const { assertionResults } of JSON.parse(text).testResults)
      for (const { fullName, status } of assertionResults) results.set(fullName, status);
    return { results, output };
  }

  async close() {
    await rm(this.folder, { recursive: true, force: true });
  }

  jest(parameters) {
    const jest = join(this.folder, 'node_modules/jest/bin/jest.js');
    const fixed = ['--config', 'jest.mutants.config.js', '--runInBand', '--forceExit', '--silent'];
    const child = spawn(process.execPath, ['--experimental-vm-modules', jest, ...fixed, ...parameters], {
      cwd: this.folder,
      // What a mutant keeps from happening is not waited for as long as elsewhere.
      env: {
        ...process.env,
        ORCHESTRATE_FLOW_TEST_CONNECTION: JSON.stringify(this.connection),
        ORCHESTRATE_FLOW_TEST_PATIENCE_MS: '10000',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', () => (clearTimeout(timer), resolve(output)));
    });
  }
}

/** All tests as one project, on a server that is there already. */
const CONFIG = `import config from './jest.config.js';
const { displayName, globalSetup, globalTeardown, testMatch, testPathIgnorePatterns, ...project } = config.projects[0];
export default {
  ...project,
  testMatch: ['<rootDir>/{lib,test}/**/*.spec.ts'],
  testTimeout: 30_000,
};
`;

function escape(text) {
  return text.replaceAll(/[.*+?^$()|[\]{}\\]/g, String.raw`\$&`);
}
