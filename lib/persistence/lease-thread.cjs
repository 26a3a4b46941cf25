// The thread that renews a worker's lease while the main thread cannot. Plain JavaScript, because a thread starts from a
// file that must be there as it is: in `dist`, in the sources, and below a test runner that transforms everything else.
const { parentPort, workerData } = require('node:worker_threads');

if (workerData?.isLeaseThread) guard(workerData);

exports.leaseThread = __filename;

/**
 * Looks several times a lease whether the main thread has renewed, and does it in its place where it is late. Connects
 * only then: as long as all is well it costs nothing. Gives up where the main thread has not moved for `patienceMs`.
 */
function guard({ config, hold, renew, leaseMs, patienceMs, renewals }) {
  const { Client } = require('pg');
  let worker = null;
  let seen = -1;
  let movedAt = performance.now();
  let renewedAt = movedAt;
  let client = null;
  let isRenewing = false;

  // A worker that was declared dead never lives again: until the main thread has another id there is nothing to renew.
  parentPort.on('message', ({ worker: id, password }) => {
    if (password !== undefined) {
      config.password = password;
      return;
    }
    worker = id;
    disconnect();
    renewedAt = performance.now();
  });
  setInterval(look, leaseMs / 10);

  function look() {
    const now = performance.now();
    const count = Atomics.load(renewals, 0);
    if (count !== seen) {
      seen = count;
      movedAt = renewedAt = now;
      disconnect();
      return;
    }
    if (worker === null || isRenewing || now - renewedAt < leaseMs / 2 || now - movedAt > patienceMs) return;
    isRenewing = true;
    renewLease(now)
      .catch(disconnect)
      .finally(() => (isRenewing = false));
  }

  async function renewLease(now) {
    client ??= await connect();
    const { rowCount } = await client.query(renew, [worker, leaseMs]);
    if (rowCount === 0) worker = null;
    else renewedAt = now;
  }

  async function connect() {
    const application_name = 'orchestrate-flow lease';
    const opened = new Client({ ...config, application_name, connectionTimeoutMillis: leaseMs / 4 });
    opened.on('error', disconnect);
    await opened.connect();
    const limitMs = Math.round(leaseMs / 4);
    await opened.query(`SET lock_timeout = ${limitMs}; SET statement_timeout = ${limitMs}`);
    await opened.query(hold, [worker]);
    return opened;
  }

  function disconnect() {
    const closing = client;
    client = null;
    closing?.end().catch(() => {});
  }
}
