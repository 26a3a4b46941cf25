import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { Client } from 'pg';

import type { DatabaseConnection } from './create-database.js';
import { findFreePort } from './free-port.js';
import { findOwner } from './postgres-server.mjs';
import { waitFor } from './wait-for.js';

export interface PgBouncer {
  /** What a client names instead of the server. */
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  readonly mode: 'transaction' | 'session';
  /** As whom it connects to the server, whoever comes. */
  readonly role: string;
  /** Connections to the server, per database. */
  readonly size: number;
}

// When its standard input ends, and so when this process ends, however it ends: ends PgBouncer.
const KEEPER = `exec 3<&0
"$@" </dev/null 3<&- & pooler=$!
cat <&3 >/dev/null; kill -INT $pooler; wait $pooler`;

/** Starts a PgBouncer of one's own, on a free port, before the server of a connection. Debian has it in /usr/sbin. */
export async function startPgBouncer(to: DatabaseConnection, options: PgBouncerOptions): Promise<PgBouncer> {
  const program = findProgram();
  const folder = mkdtempSync(join(tmpdir(), 'of-pgbouncer-'));
  const address = { host: '127.0.0.1', port: await findFreePort() };
  const files = {
    'users.txt': `"${to.user}" ""\n`,
    'pgbouncer.ini': `[databases]
* = host=${to.host} port=${to.port} user=${options.role}
[pgbouncer]
listen_addr = ${address.host}
listen_port = ${address.port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = ${options.mode}
default_pool_size = ${options.size}
`,
  };
  // It refuses to run as root, as PostgreSQL does.
  const owner = findOwner();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  if (owner) chownSync(folder, owner.uid, owner.gid);
  chmodSync(folder, 0o755);
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'pgbouncer', program, '-q', join(folder, 'pgbouncer.ini')], {
    ...owner,
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await waitFor('PgBouncer answers', () => answers({ ...to, ...address }));
  return {
    address,
    stop: async () => {
      await end(keeper);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findProgram(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('PgBouncer is not installed. Run `apt-get install pgbouncer`.');
  return found;
}

async function answers(connection: DatabaseConnection): Promise<boolean> {
  const client = new Client(connection);
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function end(keeper: ChildProcess): Promise<void> {
  if (keeper.exitCode !== null) return;
  const exit = once(keeper, 'exit');
  keeper.stdin!.end();
  await exit;
}
