import { startPostgresServer } from './postgres-server.mjs';

/** One PostgreSQL server for all test files. They may lose their data: no fsync. */
export default async function globalSetup() {
  const server = await startPostgresServer({ settings: { fsync: 'off', max_connections: 300 } });
  globalThis.stopTestServer = server.stop;
  // Over whatever was there: the tests never touch a server that they did not start.
  process.env.ORCHESTRATE_FLOW_TEST_CONNECTION = JSON.stringify(server.connection);
}
