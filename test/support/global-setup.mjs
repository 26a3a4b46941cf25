import { startPostgresServer } from './postgres-server.mjs';

/**
 * One PostgreSQL server for all test files. They may lose their data: no fsync. ORCHESTRATE_FLOW_TEST_BINARIES names a
 * package with other binaries than those of `npm test`.
 */
export default async function globalSetup() {
  const server = await startPostgresServer({
    binaries: process.env.ORCHESTRATE_FLOW_TEST_BINARIES || undefined,
    settings: { fsync: 'off', max_connections: 300 },
  });
  globalThis.stopTestServer = server.stop;
  // Over whatever was there: the tests never touch a server that they did not start.
  process.env.ORCHESTRATE_FLOW_TEST_CONNECTION = JSON.stringify(server.connection);
}
