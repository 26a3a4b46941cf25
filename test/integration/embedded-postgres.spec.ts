import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';

import { type EmbeddedPostgres, openEmbeddedPostgres } from '../../lib/persistence/embedded/embedded-postgres.js';
import { findIdentity, isLiving } from '../../lib/persistence/embedded/process-identity.js';

const IS_ROOT = process.geteuid?.() === 0;
const CLIENT = join(import.meta.dirname, 'embedded-client.mjs');
const NOBODY = { uid: 65_534, gid: 65_534 };

/** How long after the last process was killed its server may live: a second to be noticed, and time to shut down on a busy disk. */
const ORPHAN_MS = 30_000;

/** The watchdog asks a server to end, and makes it after 30 s. */
const CLOSED_WITHIN_MS = 45_000;

jest.setTimeout(60_000);

let root: string;
let dataDir: string;
let opened: EmbeddedPostgres[];
let clients: ChildProcess[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'of embedded '));
  dataDir = join(root, 'data dir');
  [opened, clients] = [[], []];
});

afterEach(async () => {
  clients.forEach((client) => client.kill('SIGKILL'));
  await Promise.all(opened.map((server) => server.stop()));
  await waitUntil(() => livingIn('server') === null && livingIn('watchdog') === null, CLOSED_WITHIN_MS);
  rmSync(root, { recursive: true, force: true });
});

async function open(path = dataDir): Promise<EmbeddedPostgres> {
  const server = await openEmbeddedPostgres({ dataDir: path });
  opened.push(server);
  return server;
}

interface Client {
  readonly process: ChildProcess;
  readonly answer: {
    connection: EmbeddedPostgres['connection'];
    dataDir: string;
    error?: { code: string; message: string };
  };
  readonly output: () => string;
}

async function startClient(
  path: string | null = dataDir,
  options: { cwd?: string; uid?: number; gid?: number } = {},
): Promise<Client> {
  const client = fork(CLIENT, path === null ? [] : [path], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
  });
  clients.push(client);
  let output = '';
  for (const stream of [client.stdout, client.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  const gone = once(client, 'exit').then(([code]) =>
    Promise.reject(new Error(`The client ended with ${String(code)}: ${output}`)),
  );
  gone.catch(() => undefined);
  const [answer] = (await Promise.race([once(client, 'message'), gone])) as [Client['answer']];
  return { process: client, answer, output: () => output };
}

async function kill(client: Client): Promise<void> {
  client.process.kill('SIGKILL');
  await once(client.process, 'exit');
}

async function query<Row>(connection: EmbeddedPostgres['connection'], sql: string): Promise<Row[]> {
  const client = new pg.Client({ ...connection });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}

/** The identity in a file of the folder, if that process lives. */
function livingIn(file: 'server' | 'watchdog'): string | null {
  const path = join(dataDir, file);
  const identity = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return isLiving(identity) ? identity : null;
}

function pidOf(identity: string | null): number {
  expect(identity).not.toBeNull();
  return Number.parseInt(identity ?? '', 10);
}

async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(20);
  }
}

async function waitUntilGone(identity: string | null, timeoutMs = ORPHAN_MS): Promise<void> {
  await waitUntil(() => !isLiving(identity ?? ''), timeoutMs);
}

describe('an embedded server', () => {
  it('is durable, speaks UTF-8 in UTC and listens on a socket only', async () => {
    const { connection } = await open();
    const settings = [
      'fsync',
      'synchronous_commit',
      'full_page_writes',
      'listen_addresses',
      'server_encoding',
      'timezone',
    ];
    const rows = await query<{ name: string; setting: string }>(
      connection,
      `SELECT name, setting FROM pg_settings WHERE lower(name) = ANY ('{${settings.join(',')}}') UNION ALL SELECT 'collate', datcollate FROM pg_database WHERE datname = current_database()`,
    );
    expect(Object.fromEntries(rows.map(({ name, setting }) => [name.toLowerCase(), setting]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      listen_addresses: '',
      server_encoding: 'UTF8',
      timezone: 'UTC',
      collate: 'C',
    });
    expect(join(connection.host, '.s.PGSQL.5432').length).toBeLessThanOrEqual(103);
  });

  it('is gone when it was stopped, with its watchdog and its socket, and comes back with its data', async () => {
    const first = await open();
    await query(first.connection, 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)');
    const [server, watchdog] = [livingIn('server'), livingIn('watchdog')];
    expect([server, watchdog]).not.toContain(null);
    await first.stop();
    await first.stop();
    expect([server, watchdog].map((identity) => isLiving(identity ?? ''))).toEqual([false, false]);
    expect(existsSync(first.connection.host)).toBe(false);
    expect(readdirSync(dataDir).sort()).toEqual(['.gitignore', 'clients', 'cluster', 'lock', 'postgres.log']);
    const second = await open();
    expect(await query(second.connection, 'SELECT id FROM kept')).toEqual([{ id: 7 }]);
  });

  it('lives until the last of those who opened it in one process stops it', async () => {
    const [first, second] = await Promise.all([open(), open()]);
    expect(second.connection).toEqual(first.connection);
    await first.stop();
    expect(await query(second.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const server = livingIn('server');
    await second.stop();
    expect(isLiving(server ?? '')).toBe(false);
  });

  it('is one for two processes that begin at once on an empty folder', async () => {
    const [first, second] = await Promise.all([startClient(), startClient()]);
    expect(second.answer.connection).toEqual(first.answer.connection);
    expect((await query(first.answer.connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
    expect(readdirSync(join(dataDir, 'clients'))).toHaveLength(2);
  });

  it('ends soon after its only process was killed', async () => {
    const client = await startClient();
    const server = livingIn('server');
    await kill(client);
    await waitUntilGone(server);
    await waitUntil(() => !existsSync(client.answer.connection.host), ORPHAN_MS);
  });

  it('outlives the process that started it as long as another one uses it', async () => {
    const starter = await startClient();
    const joiner = await startClient();
    const [server, watchdog] = [livingIn('server'), livingIn('watchdog')];
    await kill(starter);
    // The watchdog takes the dead one off its list: it has looked.
    await waitUntil(
      () => readdirSync(join(dataDir, 'clients')).length === 1 || livingIn('server') === null,
      ORPHAN_MS,
    ).catch(() => undefined);
    expect(livingIn('server')).toBe(server);
    expect((await query(joiner.answer.connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
    await kill(joiner);
    await waitUntilGone(server);
    await waitUntilGone(watchdog);
  });

  it('is started again for whoever opens it after it was killed, with what was committed', async () => {
    const { connection } = await open();
    await query(connection, 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)');
    process.kill(pidOf(livingIn('server')), 'SIGKILL');
    const again = await open();
    expect(await query(again.connection, 'SELECT id FROM kept')).toEqual([{ id: 7 }]);
  });

  it('is watched again by whoever opens it after its watchdog was killed', async () => {
    await open();
    const watchdog = livingIn('watchdog');
    process.kill(pidOf(watchdog), 'SIGKILL');
    await waitUntilGone(watchdog);
    const client = await startClient();
    expect(livingIn('watchdog')).not.toBeNull();
    const server = livingIn('server');
    await opened[0]?.stop();
    await kill(client);
    await waitUntilGone(server);
  });

  it('stays for a process that comes while the watchdog is about to end it', async () => {
    for (let round = 0; round < 3; round += 1) {
      const client = await startClient();
      const server = livingIn('server');
      await kill(client);
      // As late as possible: at the first sign that it ends.
      await waitUntil(() => existsSync(join(dataDir, 'closing')) || !isLiving(server ?? ''), ORPHAN_MS);
      const next = await open();
      expect((await query(next.connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
      expect([livingIn('server'), livingIn('watchdog')]).not.toContain(null);
      await next.stop();
    }
  });

  it('prints nothing to the app and does not keep it alive, and ends with it', async () => {
    const client = await startClient();
    const server = livingIn('server');
    const ended = once(client.process, 'exit');
    client.process.send('leave');
    expect(await ended).toEqual([0, null]);
    expect(client.output()).toBe('');
    await waitUntilGone(server);
  });

  it('works under folders that only their owner may enter, from a working directory of that kind', async () => {
    const secret = join(root, 'secret folder');
    mkdirSync(secret, { mode: 0o700 });
    const client = await startClient(null, { cwd: secret });
    dataDir = client.answer.dataDir;
    expect(dataDir).toBe(join(secret, '.orchestrate-flow', 'postgres'));
    await query(client.answer.connection, 'CREATE TABLE kept (id int); CHECKPOINT');
    const server = livingIn('server');
    await kill(client);
    await waitUntilGone(server);
    expect((await open()).connection).toEqual(client.answer.connection);
  });
});

describe('what an earlier process left behind', () => {
  it('may be half a cluster', async () => {
    mkdirSync(join(dataDir, 'cluster.new', 'base'), { recursive: true });
    expect((await query((await open()).connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
  });

  it('may be a pid that has passed to another process, which is left alone', async () => {
    await (await open()).stop();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      writeFileSync(
        join(dataDir, 'cluster', 'postmaster.pid'),
        `${stranger.pid}\n${dataDir}\n1700000000\n5432\n/tmp/none\n\n\nready   \n`,
      );
      for (const file of ['server', 'watchdog', 'closing']) writeFileSync(join(dataDir, file), `${stranger.pid}-1`);
      writeFileSync(join(dataDir, 'clients', `${stranger.pid}-1-abcd`), '');
      writeFileSync(join(dataDir, 'lock', '99'), `${stranger.pid}-1`);
      const server = await open();
      expect((await query(server.connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
      await server.stop();
      expect(findIdentity(stranger.pid ?? 0)).not.toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});

describe('a folder that cannot serve', () => {
  it('is refused if its cluster is of another version', async () => {
    mkdirSync(join(dataDir, 'cluster'), { recursive: true });
    writeFileSync(join(dataDir, 'cluster', 'PG_VERSION'), '15\n');
    await expect(open()).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringContaining('made by PostgreSQL 15'),
    });
    expect(readdirSync(join(dataDir, 'clients'))).toEqual([]);
  });

  it('is refused if it cannot be written', async () => {
    writeFileSync(join(root, 'file'), '');
    await expect(open(join(root, 'file', 'data'))).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringContaining('cannot be written'),
    });
  });

  it('is refused with the log if the server does not start', async () => {
    await (await open()).stop();
    writeFileSync(join(dataDir, 'cluster', 'postgresql.conf'), 'no_such_setting = on\n');
    await expect(open()).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringMatching(/ended with 1.*no_such_setting/s),
    });
  });
});

(IS_ROOT ? describe : describe.skip)('as root', () => {
  it('runs as another user, and no third one gets at it', async () => {
    const { connection } = await open();
    expect(readFileSync(`/proc/${pidOf(livingIn('server'))}/status`, 'utf8')).not.toMatch(/^Uid:\t0\t/m);
    const script = `require('net').connect(${JSON.stringify(join(connection.host, '.s.PGSQL.5432'))}).on('connect', () => process.exit(1)).on('error', (e) => process.exit(e.code === 'EACCES' ? 0 : 2))`;
    expect(
      await once(spawn(process.execPath, ['-e', script], { ...NOBODY, cwd: '/', stdio: 'ignore' }), 'exit'),
    ).toEqual([0, null]);
  });

  it('serves an ordinary user too, in a folder of their own', async () => {
    chmodSync(root, 0o755);
    mkdirSync(dataDir);
    chownSync(dataDir, NOBODY.uid, NOBODY.gid);
    const client = await startClient(dataDir, { ...NOBODY, cwd: '/' });
    expect(client.answer.error).toBeUndefined();
    expect((await query(client.answer.connection, 'SELECT 1 AS one'))[0]).toEqual({ one: 1 });
    const server = livingIn('server');
    await kill(client);
    await waitUntilGone(server);
  });

  it('tells an ordinary user that the folder is not theirs', async () => {
    chmodSync(root, 0o755);
    await (await open()).stop();
    const client = await startClient(dataDir, { ...NOBODY, cwd: '/' });
    expect(client.answer.error).toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringContaining('cannot be written'),
    });
  });
});
