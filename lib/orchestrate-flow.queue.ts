import type { ConnectionOptions } from 'bullmq';
import type { ClientConfig } from 'pg';

import { OrchestrateFlowError } from './engine/errors.js';
import type { EventHub } from './events/event-hub.js';
import type { ResolvedOptions } from './orchestrate-flow.options.js';
import type { BullBackend } from './queue/bull-backend.js';
import { PostgresBackend } from './queue/postgres-backend.js';
import { RedisBackend, type RedisBackendOptions } from './queue/redis-backend.js';
import { findConnectionFault } from './queue/redis-connection.js';

/** Under which token @nestjs/bullmq provides what the app gave to `BullModule.forRoot()`. */
export const BULL_MODULE_CONFIG = 'BULLMQ_CONFIG(default)';

/** What is read of it. */
export interface BullModuleConfig {
  readonly connection?: unknown;
  readonly prefix?: string;
}

/** What a backend may be made of. */
export interface QueueSources {
  readonly connectionConfig: ClientConfig;
  readonly appConfig: BullModuleConfig | undefined;
  readonly events: EventHub;
}

/** What BullMQ runs on: the database of the runs, or the Redis of the options, or that of the app's BullModule. */
export async function openBullBackend(
  queue: ResolvedOptions['queue'],
  { connectionConfig, appConfig, events }: QueueSources,
): Promise<BullBackend> {
  const onError = (error: unknown) => events.announceQueueFailure('*', error);
  if (queue.backend === 'postgres') return new PostgresBackend(connectionConfig, onError);
  return RedisBackend.open(chooseRedis(queue, appConfig), onError);
}

/** The options win. Where they name a connection the app's module is not looked at: its prefix is meant for its own. */
function chooseRedis(
  { connection, prefix }: { readonly connection: ConnectionOptions | null; readonly prefix: string | null },
  app: BullModuleConfig | undefined,
): RedisBackendOptions {
  if (connection !== null) return { connection, prefix };
  const fault = app?.connection === undefined ? 'missing' : findConnectionFault(app.connection);
  if (fault === null)
    return { connection: app!.connection as ConnectionOptions, prefix: prefix ?? app!.prefix ?? null };
  const found = app ? 'BullModule.forRoot() of this app names no Redis' : 'this app has no BullModule.forRoot()';
  throw new OrchestrateFlowError(
    'OF_QUEUE_UNSUITABLE',
    `Cannot find a Redis for the queue: \`queue.connection\` is not given, and ${found}. ` +
      "Give one: OrchestrateFlowModule.forRoot({ queue: { backend: 'redis', connection: { host, port } } }).",
  );
}
