import { readFileSync } from 'node:fs';

// node .ci/counts.mjs failed <report>            the files of which something failed, a line each
// node .ci/counts.mjs sum <report> [<report>]    passed, failed and skipped, of a file that was run again what it came to then
const [what, ...paths] = process.argv.slice(2);
const reports = paths.map((path) => JSON.parse(readFileSync(path, 'utf8')));
const files = new Map(reports.flatMap(({ testResults }) => testResults.map((file) => [file.name, file])));

if (what === 'failed') for (const { name, status } of files.values()) if (status === 'failed') console.log(name);
if (what === 'sum') {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of files.values()) {
    const failed = assertionResults.filter((test) => test.status === 'failed').length;
    // A file that could not even be loaded has no test that failed.
    counts.failed += status === 'failed' ? Math.max(failed, 1) : 0;
    counts.passed += assertionResults.filter((test) => test.status === 'passed').length;
    counts.skipped += assertionResults.filter((test) => ['pending', 'todo', 'skipped'].includes(test.status)).length;
  }
  console.log(counts.passed, counts.failed, counts.skipped);
}
