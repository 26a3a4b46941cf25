import { readFileSync, readdirSync } from 'node:fs';

import pg from 'pg';

import { startPostgresServer } from '../../test/support/postgres-server.mjs';

// Linux counts CPU time in hundredths of a second.
const MS_PER_TICK = 10;

/** A private server as Debian ships it: durable, default settings. Counts statements where pg_stat_statements is there. */
export async function startMeasuredServer() {
  const { server, countsStatements } = await startCounting();
  const admin = new pg.Client(server.connection);
  await admin.connect();
  if (countsStatements) await admin.query('CREATE EXTENSION pg_stat_statements');

  return {
    version: server.version,
    countsStatements,
    async createDatabase(name) {
      await admin.query(`CREATE DATABASE ${name}`);
      const { host, port, user } = server.connection;
      // The real host, the folder of a socket, stands in the query part; `localhost` is for those who parse it as a URL.
      return `postgres://${user}:none@localhost:${port}/${name}?host=${encodeURIComponent(host)}`;
    },
    async dropDatabase(name) {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
    /** What the server has done so far. Subtract two of these. */
    async readCounters(database) {
      const { rows } = await admin.query('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next_transaction');
      return {
        cpuMs: readCpuMs(server.getPid()),
        writeTransactions: Number(rows[0].next_transaction),
        statements: countsStatements ? await readStatements(admin, database) : null,
      };
    },
    /** Brings what the last run left dirty to disk, so that the next one does not pay for it. */
    async settle() {
      await admin.query('CHECKPOINT');
    },
    async stop() {
      await admin.end();
      await server.stop();
    },
  };
}

async function startCounting() {
  try {
    const settings = { shared_preload_libraries: 'pg_stat_statements' };
    return { server: await startPostgresServer({ binaries: 'system', settings }), countsStatements: true };
  } catch {
    return { server: await startPostgresServer({ binaries: 'system' }), countsStatements: false };
  }
}

async function readStatements(admin, database) {
  const { rows } = await admin.query(
    'SELECT sum(calls)::bigint AS calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = $1',
    [database],
  );
  return Number(rows[0].calls);
}

/** Of the postmaster, of its children that have ended, and of those that live. Null where there is no /proc. */
function readCpuMs(postmaster) {
  try {
    const [own, ...others] = [readProcess(postmaster), ...readProcesses()];
    const children = others.filter(({ parent }) => parent === postmaster);
    const ticks = own.ticks + own.endedChildrenTicks + children.reduce((sum, { ticks }) => sum + ticks, 0);
    return ticks * MS_PER_TICK;
  } catch {
    return null;
  }
}

function readProcesses() {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.flatMap((id) => {
    try {
      return [readProcess(id)];
    } catch {
      return []; // It has just ended.
    }
  });
}

function readProcess(id) {
  const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
  // The name in parentheses may hold anything; the fields after it are numbers, the state being the first.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((index) => Number(fields[index]));
  return { parent, ticks: user + system, endedChildrenTicks: endedUser + endedSystem };
}
