import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A build of one's own, for processes that are not Jest's. `remove()` takes it away again. */
export function buildLibrary() {
  // Below node_modules, so that the packages are found and no other build wipes it away under our feet.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const build = mkdtempSync(join(cache, 'build-'));
  copyFileSync(join(root, 'package.json'), join(build, 'package.json'));
  const dist = join(build, 'dist');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(
    process.execPath,
    [tsc, '-p', join(root, 'tsconfig.build.json'), '--noCheck', '--declaration', 'false', '--outDir', dist],
    { stdio: 'inherit' },
  );
  const paths = (folder) => ({ library: join(folder, 'index.js'), program: join(folder, 'cli', 'main.js') });
  return {
    ...paths(dist),
    /** The same library a version later, whose tables have a column more. */
    makeNewer: () => paths(copyWithMigration(dist, join(build, 'newer'))),
    remove: () => rmSync(build, { recursive: true, force: true }),
  };
}

const NEXT = `export class Next1999000000000 {
  name = 'Next1999000000000';
  async up(runner) {
    await runner.query("ALTER TABLE workflow_step ADD COLUMN note text NOT NULL DEFAULT 'none'");
    await runner.query('ALTER TABLE workflow_run ADD COLUMN note text');
    await runner.query('CREATE INDEX workflow_run_note ON workflow_run (note) WHERE note IS NOT NULL');
  }
  async down(runner) {
    await runner.query('ALTER TABLE workflow_run DROP COLUMN note');
    await runner.query('ALTER TABLE workflow_step DROP COLUMN note');
  }
}
`;

function copyWithMigration(dist, copy) {
  cpSync(dist, copy, { recursive: true });
  const folder = join(copy, 'persistence', 'migrations');
  writeFileSync(join(folder, 'next.js'), NEXT);
  const index = join(folder, 'index.js');
  const written = readFileSync(index, 'utf8');
  const next = "    { migration: new Next1999000000000(), servesFrom: '0.1.0' },\n];";
  const patched = written.replace(/^\];/m, next);
  if (patched === written) throw new Error(`There is no end of a list of migrations in ${index}.`);
  writeFileSync(index, `import { Next1999000000000 } from './next.js';\n${patched}`);
  return copy;
}
