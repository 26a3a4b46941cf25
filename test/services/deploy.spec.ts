import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { MIGRATIONS } from '../../lib/persistence/migrations/index.js';
import { audit } from '../chaos/audit.mjs';
import { openRig, until, type Rig } from '../chaos/rig.mjs';
import { buildLibrary, type LibraryBuild } from '../support/build-library.mjs';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';

const run = promisify(execFile);

/** What `migrate` of a build's command line prints. */
async function migrate(program: string, words: readonly string[], url: string): Promise<string> {
  const { stdout } = await run(process.execPath, [program, 'migrate', ...words], {
    env: { ...process.env, DATABASE_URL: url },
  });
  return stdout;
}

describe('a deployment', () => {
  let rig: Rig;

  beforeEach(async () => {
    rig = await openRig({ workMs: 40 });
  });

  afterEach(() => rig.close());

  it('of a version with other tables, and its rollback, lose no run while both versions work side by side', async () => {
    const { library: older } = rig.build;
    const { library: newer, program } = rig.build.makeNewer();
    const isNoted = () =>
      rig
        .query(
          `SELECT 1 FROM information_schema.columns WHERE table_schema = 'orchestrate_flow' AND column_name = 'note'`,
        )
        .then((rows) => rows.length === 2);
    const ended = () => rig.ledger().filter(({ event }) => event === 'end').length;
    /** So much more work has been done: whoever has just come has had a share in it. */
    const untilMore = async (steps: number) => {
      const before = ended();
      await until(() => ended() >= before + steps, 60_000);
    };

    const poster = await rig.startProcess('poster', older);
    const old = [await rig.startProcess('worker', older), await rig.startProcess('worker', older)];
    poster.child.send({ type: 'post', everyMs: 50, mix: ['sequence', 'fan'] });
    await untilMore(100);

    // The first new process brings the tables up to date while all others work on them.
    const young = [await rig.startProcess('worker', newer)];
    expect(await isNoted()).toBe(true);
    await untilMore(200);
    young.push(await rig.startProcess('worker', newer));
    for (const worker of old) await rig.terminate(worker);
    await untilMore(200);

    // Back again: the older version says that the newer tables serve it.
    old.push(await rig.startProcess('worker', older), await rig.startProcess('worker', older));
    for (const worker of young) await rig.terminate(worker);
    await untilMore(200);
    expect(await migrate(program, ['down', '--steps', '1'], rig.url)).toContain('Next1999000000000');
    expect(await isNoted()).toBe(false);
    await untilMore(200);

    const { runs } = await rig.ask(poster, { type: 'stop-posting' }, 'posted');
    expect(await rig.untilEnded(60_000)).toBe(0);
    const { figures, complaints } = await audit(rig, runs, []);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(complaints).toEqual([]);
    expect(figures).toMatchObject({ completed: runs.length, lost: 0, refused: 0, crashes: 0 });
    expect(rig.reports.filter(({ event }) => event?.type !== 'worker.drained')).toEqual([]);
    // Each wait in it is bounded by its progress.
  }, 600_000);
});

describe('eight processes that migrate at once', () => {
  let build: LibraryBuild;
  let database: TestDatabase;
  let db: TestConnection;
  const migrators = new Set<ChildProcess>();

  beforeAll(() => {
    build = buildLibrary();
  });

  afterAll(() => build.remove());

  beforeEach(async () => {
    database = await createDatabase();
    db = await connect(database);
    // Long enough to be killed inside.
    await db.query(
      `CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); END'`,
    );
    await db.query('CREATE EVENT TRIGGER dawdle ON ddl_command_end EXECUTE FUNCTION dawdle()');
  });

  afterEach(async () => {
    for (const migrator of migrators) migrator.kill('SIGKILL');
    await db.close();
    await database.drop();
  });

  function startMigrator(program: string): { child: ChildProcess; code: Promise<unknown> } {
    const child = spawn(process.execPath, [program, 'migrate', 'up'], {
      env: { ...process.env, DATABASE_URL: database.url },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    migrators.add(child);
    const code = once(child, 'exit').then(([given]: unknown[]) => {
      migrators.delete(child);
      return given;
    });
    return { child, code };
  }

  /** Whether a statement of some migrator is under way that is no wait for another. */
  async function isMigrating(): Promise<boolean> {
    const [row] = await db.query<{ active: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         AND query ~* '^(CREATE|ALTER)' AND state = 'active') AS active`,
    );
    return row!.active;
  }

  const applied = async () => {
    const rows = await db.query<{ name: string }>('SELECT name FROM orchestrate_flow.workflow_migration ORDER BY 1');
    return rows.map(({ name }) => name);
  };

  it('make the tables once, whichever of them are killed inside', async () => {
    const all = Array.from({ length: 8 }, () => startMigrator(build.program));
    // One after the other, each in the middle of a statement of some migration.
    for (const { child } of all.slice(0, 4)) {
      await until(async () => child.exitCode !== null || (await isMigrating()), 60_000);
      await sleep(randomInt(60));
      child.kill('SIGKILL');
    }
    const codes = await Promise.all(all.map(({ code }) => code));
    expect(codes.slice(4)).toEqual([0, 0, 0, 0]);
    expect(await applied()).toEqual(MIGRATIONS.map(({ migration }) => migration.name).sort());
    expect(await migrate(build.program, ['status'], database.url)).not.toMatch(/pending/);
  });

  it('bring older tables up to date once', async () => {
    expect(await startMigrator(build.program).code).toBe(0);
    const { program } = build.makeNewer();
    const all = Array.from({ length: 8 }, () => startMigrator(program));
    await until(isMigrating, 60_000);
    all[0]!.child.kill('SIGKILL');
    const codes = await Promise.all(all.map(({ code }) => code));
    expect(codes.slice(1)).toEqual(Array(7).fill(0));
    expect(await applied()).toEqual([...MIGRATIONS.map(({ migration }) => migration.name), 'Next1999000000000'].sort());
  });
});
