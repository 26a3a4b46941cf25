import { randomUUID } from 'node:crypto';

import type { ConnectionConfig } from '../../lib/persistence/connection.js';
import { LeaseKeeper } from '../../lib/persistence/lease-keeper.js';
import type { TestConnection } from './connect.js';
import { waitFor } from './wait-for.js';

/**
 * Lets a thread keep the lease of a worker that nobody else renews, until `look` gives something: then it has stepped in.
 *
 * @param config how the thread reaches the database
 * @param db the same database, with the tables in it
 */
export async function untilThreadStepsIn<T>(
  config: ConnectionConfig,
  db: TestConnection,
  look: () => Promise<T>,
): Promise<NonNullable<T>> {
  const keeper = new LeaseKeeper(config, { schema: 'orchestrate_flow', leaseMs: 500, onUnavailable: () => {} });
  const id = randomUUID();
  await db.query(
    `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
     VALUES ($1, 'alive', 'here', 1, '{q}', now())`,
    [id],
  );
  await keeper.keep(id);
  const found = await waitFor('it has stepped in', look);
  await keeper.stop();
  await db.query('DELETE FROM orchestrate_flow.workflow_worker WHERE id = $1', [id]);
  return found;
}
