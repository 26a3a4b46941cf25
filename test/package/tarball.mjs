import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

const ALLOWED = /^(?:dist\/.+\.(?:js|cjs|d\.ts|d\.cts)|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
const FORBIDDEN = /\.spec\.|\.tsbuildinfo$/;

/** Packs the package, which the caller has built: its scripts would build it again. */
export function pack(folder) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  // npm 12 answers with an object by name, older ones with a list.
  const [report] = Object.values(JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' })));
  return { path: join(folder, report.filename), files: report.files.map(({ path }) => path), size: report.size };
}

export function findMissing({ files }) {
  const papers = ['README.md', 'CHANGELOG.md', 'LICENSE', 'package.json'];
  const targets = [MANIFEST.main, MANIFEST.types, ...targetsOf(MANIFEST.exports), ...targetsOf(MANIFEST.bin ?? {})];
  const needed = new Set([...papers, ...targets.map((target) => target.replace(/^\.\//, ''))]);
  return [...needed].filter((file) => !files.includes(file));
}

export function findUnexpected({ files }) {
  return files.filter((file) => !ALLOWED.test(file) || FORBIDDEN.test(file));
}

/** What a user may import by name, all but the manifest. */
export function entryNames() {
  return Object.keys(MANIFEST.exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => MANIFEST.name + entry.slice(1));
}

/** The programs, as paths inside the package. */
export function programs() {
  return targetsOf(MANIFEST.bin ?? {});
}

/** Every path in an `exports` or `bin` of any depth. */
function targetsOf(entry) {
  return typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(targetsOf);
}
