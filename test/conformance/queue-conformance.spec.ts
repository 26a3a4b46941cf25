import { migrateBullTables } from '../../lib/queue/bull-tables.js';
import { PostgresBackend } from '../../lib/queue/postgres-backend.js';
import { startPostgresServer } from '../support/postgres-server.mjs';
import { describeQueue, memberOn, type QueueUnderTest } from './queue-conformance.js';

describeQueue('BullMQ on PostgreSQL', openPostgres);

async function openPostgres(): Promise<QueueUnderTest> {
  const server = await startPostgresServer();
  await migrateBullTables(server.connection);
  return {
    join: async () => memberOn(new PostgresBackend(server.connection, () => {})),
    cut: () => server.halt('SIGQUIT'),
    mend: () => server.start(),
    close: () => server.stop(),
  };
}
