import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { buildLibrary } from '../support/build-library.mjs';
import { startPostgresServer } from '../support/postgres-server.mjs';
import { nowMs, readLedger } from './ledger.mjs';
import { dependencies } from './workflows.mjs';

// Jest reads what this process writes, and takes these words for those of its own worker, which it then gives up.
const OUT_OF_MEMORY = /heap out of memory|allocation failure;|Last few GCs/g;

/** Milliseconds for an answer of a process, and for its exit: whoever takes longer hangs. */
const PATIENCE_MS = 60_000;

const here = dirname(fileURLToPath(import.meta.url));

/** A private durable server, a build of one's own, and processes that work on them. Everything ends with `close()`. */
export async function openRig({
  lease = '10s',
  shutdownTimeout = '20s',
  workMs = 15,
  execArgv = [],
  graphs = [],
} = {}) {
  const build = buildLibrary();
  const ledger = mkdtempSync(join(tmpdir(), 'of-ledger-'));
  const graphFile = join(ledger, 'graphs.json');
  writeFileSync(graphFile, JSON.stringify(graphs));
  const server = await startPostgresServer({ binaries: 'system' });
  const { host, port, user, database } = server.connection;
  const url = `postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;

  const all = new Set();
  const reports = [];
  const rig = {
    server,
    url,
    /** For each workflow its steps, and for each step those that must have ended before it. */
    dependencies: {
      ...dependencies,
      ...Object.fromEntries(
        graphs.map(({ name, steps }) => [name, Object.fromEntries(steps.map(({ name, after }) => [name, after]))]),
      ),
    },
    /** Every fault, every unhandled rejection and exit nobody asked for, in order. */
    reports,
    ledger: () => readLedger(ledger),
    build,
    async startProcess(role, library = build.library) {
      const settings = JSON.stringify({
        library,
        url,
        lease,
        ledger,
        role,
        shutdownTimeout,
        workMs,
        graphs: graphFile,
      });
      const child = fork(join(here, 'process.mjs'), [settings], {
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
        execArgv,
      });
      const tell = (text) => process.stderr.write(text.replace(OUT_OF_MEMORY, (words) => words.replaceAll(' ', '_')));
      child.stderr.setEncoding('utf8').on('data', tell);
      const member = { child, pid: child.pid, role, expectsExit: false, isReady: false };
      all.add(member);
      child.on('error', () => {});
      child.on('message', (message) => {
        if (message.type === 'ready') member.isReady = true;
        if (message.type === 'unhandled' || message.type === 'event')
          reports.push({ ...message, pid: child.pid, role });
      });
      child.on('exit', (code, signal) => {
        all.delete(member);
        if (!member.expectsExit) reports.push({ type: 'exit', pid: child.pid, role, code, signal });
      });
      await Promise.race([until(() => member.isReady, 180_000), once(child, 'exit')]);
      return member;
    },
    async ask(member, message, answer) {
      let fail;
      const answered = new Promise((resolve, reject) => {
        fail = (how) => reject(new Error(`The ${member.role} ${member.pid} ${how} "${message.type}".`));
        member.child.on('message', (other) => other.type === answer && resolve(other));
        member.child.once('exit', () => fail('ended before it answered'));
      });
      const timer = setTimeout(() => fail(`took longer than ${PATIENCE_MS} ms to answer`), PATIENCE_MS);
      member.child.send(message);
      return answered.finally(() => clearTimeout(timer));
    },
    kill(member) {
      member.expectsExit = true;
      member.child.kill('SIGKILL');
    },
    /** Resolves when the process is gone, with how long that took. */
    async terminate(member) {
      const at = nowMs();
      member.expectsExit = true;
      const exit = once(member.child, 'exit');
      member.child.kill('SIGTERM');
      const timer = setTimeout(() => {
        reports.push({ type: 'exit', pid: member.pid, role: member.role, code: null, signal: 'SIGTERM, in vain' });
        member.child.kill('SIGKILL');
      }, PATIENCE_MS);
      await exit;
      clearTimeout(timer);
      return nowMs() - at;
    },
    /** A statement over a connection that is opened for it. */
    async query(sql, values = []) {
      const client = new pg.Client(server.connection);
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end().catch(() => {});
      }
    },
    /** Waits until no run is open, or so long; answers with how many are left. */
    /** Waits until no run is open, or until none has ended for so long. @returns how many are open, -1 where nobody can tell */
    async untilEnded(timeoutMs) {
      let deadline = nowMs() + timeoutMs;
      for (let least = Infinity; ;) {
        const [{ open }] = await rig
          .query('SELECT count(*)::int AS open FROM orchestrate_flow.workflow_run WHERE ended_at IS NULL')
          .catch(() => [{ open: -1 }]);
        if (open === 0 || nowMs() > deadline) return open;
        if (open >= 0 && open < least) {
          least = open;
          deadline = nowMs() + timeoutMs;
        }
        await sleep(250);
      }
    },
    async close() {
      for (const member of all) {
        rig.kill(member);
        if (member.child.exitCode === null && member.child.signalCode === null) await once(member.child, 'exit');
      }
      await server.stop();
      build.remove();
      rmSync(ledger, { recursive: true, force: true });
    },
  };
  return rig;
}

export async function until(condition, timeoutMs) {
  const deadline = nowMs() + timeoutMs;
  while (!(await condition())) {
    if (nowMs() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain.`);
    await sleep(20);
  }
}
