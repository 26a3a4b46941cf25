import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

// When its standard input ends, and so when this process ends, however it ends: stops the server and removes its folder.
const KEEPER = `exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ cat <&3 >/dev/null; kill -KILL $server; rm -rf "$0"; } & watch=$!
wait $server
kill $watch`;

/**
 * Starts a Redis of one's own on a free port, which keeps nothing on disk and ends with this process. `settings` are further
 * arguments of redis-server.
 *
 * @param {{ settings?: string[] }} [options]
 */
export async function startRedisServer({ settings = [] } = {}) {
  const binary = findBinary();
  const folder = mkdtempSync(join(tmpdir(), 'of-redis-'));
  const [host, port] = ['127.0.0.1', await findFreePort()];
  const own = ['--bind', host, '--port', port, '--dir', folder, '--save', '', '--enable-debug-command', 'yes'];
  let keeper;
  let pid;

  const server = {
    host,
    port,
    /** Starts it again after `halt()`: empty. */
    async start() {
      keeper = spawn('/bin/sh', ['-c', KEEPER, folder, binary, ...own.map(String), ...settings], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      pid = await untilReady(server, keeper);
    },
    async halt(signal = 'SIGKILL') {
      if (keeper.exitCode !== null) return;
      const ended = once(keeper, 'exit');
      process.kill(pid, signal);
      await ended;
    },
    async command(name, ...words) {
      const client = new Redis({ host, port, retryStrategy: null, maxRetriesPerRequest: 0 });
      client.on('error', () => {});
      try {
        return await client.call(name, ...words);
      } finally {
        client.disconnect();
      }
    },
    async stop() {
      await server.halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** Debian's package, which root installs where it is missing: a suite that needs it is never skipped. */
function findBinary() {
  const isThere = () => spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!isThere() && process.getuid?.() === 0) {
    // Without starting the server that comes with the package.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    execFileSync('sh', ['-c', 'apt-get update -qq && apt-get install -qq -y redis-server'], { env, stdio: 'ignore' });
  }
  if (!isThere()) throw new Error('Cannot find redis-server. Install it: apt-get install redis-server.');
  return 'redis-server';
}

async function findFreePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @returns the server's process id */
async function untilReady(server, keeper) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return Number(/process_id:(\d+)/.exec(await server.command('INFO', 'server'))[1]);
    } catch (error) {
      if (keeper.exitCode !== null) throw new Error('Redis ended while it was starting.', { cause: error });
      if (Date.now() > deadline) throw new Error('Redis did not start in time.', { cause: error });
      await sleep(POLL_MS);
    }
  }
}
