// Takes the safeguards away one at a time and proves that the test named for each notices.
//
//   npm run mutants                      all of them
//   npm run mutants -- --only revision   that of one name
//   npm run mutants -- --part 5          a fifth of them, of each commit another, as in CI
import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

import { startPostgresServer } from '../support/postgres-server.mjs';
import { MUTANTS } from './list.mjs';
import { Workshop } from './workshop.mjs';

/** So many copies of the tree are worked in at a time. */
const WORKSHOPS = 2;

const root = new URL('../..', import.meta.url).pathname;
const { values } = parseArgs({ options: { only: { type: 'string' }, part: { type: 'string', default: '1' } } });
const chosen = choose();
if (chosen.length === 0) {
  console.error(`There is no mutant "${values.only}". There are: ${MUTANTS.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}

const began = performance.now();
const server = await startPostgresServer({ settings: { fsync: 'off', max_connections: 300 } });
const workshops = await Promise.all(Array.from({ length: WORKSHOPS }, () => Workshop.open(root, server.connection)));
const failed = [];
try {
  const broken = await proveTests();
  await share(chosen, (mutant, workshop) => tryMutant(mutant, workshop, broken));
} finally {
  await Promise.all(workshops.map((workshop) => workshop.close()));
  await server.stop();
}
const seconds = Math.round((performance.now() - began) / 1000);
console.log(`${chosen.length - failed.length} of ${chosen.length} mutants caught in ${seconds} s`);
if (failed.length > 0) console.error(`Not caught: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;

function choose() {
  if (values.only !== undefined) return MUTANTS.filter(({ name }) => name === values.only);
  const parts = Number(values.part);
  const share = Number.parseInt(findCommit(), 16) % parts;
  return MUTANTS.filter((_, index) => index % parts === share);
}

function findCommit() {
  try {
    return execFileSync('git', ['rev-parse', '--short=8', 'HEAD'], { cwd: root, encoding: 'utf8' });
  } catch {
    return '0'; // An export of the tree has no commits.
  }
}

/** Each named test passes as long as nothing is taken away. @returns those that do not */
async function proveTests() {
  const files = new Map();
  for (const mutant of chosen) {
    const { file } = mutant.caughtBy;
    files.set(file, [...(files.get(file) ?? []), mutant]);
  }
  const broken = new Set();
  await share([...files], async ([file, mutants], workshop) => {
    const tests = [...new Set(mutants.map(({ caughtBy }) => caughtBy.test))];
    const { results, output } = await workshop.run(file, tests);
    for (const test of tests) {
      if (results.get(test) === 'passed') continue;
      broken.add(`${file} ${test}`);
      console.log(`not ok - ${file}: "${test}" ${results.get(test) ?? 'is not there'} although nothing is taken away`);
      console.error(output.slice(-4_000));
    }
  });
  return broken;
}

async function tryMutant({ name, safeguard, caughtBy, ...change }, workshop, broken) {
  const { file, test } = caughtBy;
  const verdict = broken.has(`${file} ${test}`) ? 'its test fails anyhow' : await judge(change, caughtBy, workshop);
  if (verdict !== null) failed.push(name);
  console.log(
    verdict === null
      ? `ok - ${name}: without it (${safeguard}) "${test}" fails`
      : `not ok - ${name}: ${safeguard}: ${verdict}`,
  );
}

/** @returns what is wrong, or null where the test has noticed */
async function judge(change, { file, test }, workshop) {
  let undo;
  try {
    undo = await workshop.change(change);
  } catch (error) {
    return `stale: ${error.message}`;
  }
  try {
    const { results, output } = await workshop.run(file, [test]);
    const status = results.get(test);
    if (status === 'failed') return null;
    // A mutant that does not even load proves nothing.
    return status === 'passed' ? `survives "${test}"` : `"${test}" was not run: ${output.slice(-1_000)}`;
  } finally {
    await undo();
  }
}

/** Does something with each, in every workshop one at a time. */
async function share(items, use) {
  const waiting = [...items];
  await Promise.all(
    workshops.map(async (workshop) => {
      while (waiting.length > 0) await use(waiting.shift(), workshop);
    }),
  );
}
