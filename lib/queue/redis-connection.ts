import type { ConnectionOptions } from 'bullmq';

import { OrchestrateFlowError } from '../engine/errors.js';

/** What of an ioredis client, single or Cluster, is used here. Structural, so that any copy of ioredis will do. */
export interface RedisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  on(event: 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  info(): Promise<string>;
  disconnect(): void;
}

/** A client that the app has made, single or Cluster. */
interface GivenClient extends RedisClient {
  duplicate(...args: unknown[]): RedisClient;
}

type Settings = Readonly<Record<string, unknown>>;
type LoadIoredis = () => Promise<{ readonly Redis: new (...args: never[]) => unknown }>;

/** The longest pause between two tries to connect: with BullMQ's own of 20 s bells would stay away long after Redis is back. */
const MAX_RECONNECT_MS = 2_000;

/** Whether a text is the address of a Redis. */
export function isRedisUrl(text: unknown): boolean {
  return typeof text === 'string' && /^rediss?:\/\//.test(text);
}

/**
 * What is wrong with `queue.connection`, as "expected …" sentences would go on. Never shows a value: it may hold a password.
 *
 * @returns null where nothing is
 */
export function findConnectionFault(connection: unknown): string | null {
  if (typeof connection !== 'object' || connection === null || Array.isArray(connection)) {
    return 'the options of ioredis, such as { host, port } or { url }, or an ioredis client';
  }
  if (isClient(connection)) {
    return connection.options?.['keyPrefix'] ? 'without `keyPrefix`, which BullMQ cannot use: say `prefix`' : null;
  }
  const { url, port, keyPrefix } = connection as Settings;
  if ('connect' in connection || 'connectionString' in connection) {
    return 'the options of ioredis or an ioredis client, and no other kind of client';
  }
  if (url !== undefined && !isRedisUrl(url)) {
    return 'with a `url` that begins with redis:// or rediss://';
  }
  if (port !== undefined && !(Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536)) {
    return 'with a `port` from 1 to 65535';
  }
  return keyPrefix ? 'without `keyPrefix`, which BullMQ cannot use: say `prefix`' : null;
}

/**
 * A client of our own: made from options, or a copy of the one the app has made, whose settings for lost connections need not
 * suit a worker.
 *
 * @throws OrchestrateFlowError `OF_QUEUE_UNSUITABLE` where ioredis is needed and not installed
 */
export async function connectRedis(
  connection: ConnectionOptions,
  load: LoadIoredis = () => import('ioredis'),
): Promise<RedisClient> {
  if (isClient(connection)) return copyOf(connection);
  const { url, ...settings } = connection as Settings;
  const { Redis } = await load().catch((cause: unknown) => {
    throw new OrchestrateFlowError(
      'OF_QUEUE_UNSUITABLE',
      'Cannot use Redis as the queue: the package ioredis is not installed. Run `npm install ioredis@5` (TypeORM 1 takes no newer one).',
      { cause },
    );
  });
  const Client = Redis as new (...args: unknown[]) => RedisClient;
  const all = { retryStrategy, ...settings, maxRetriesPerRequest: null };
  return url === undefined ? new Client(all) : new Client(url, all);
}

function copyOf(client: GivenClient): RedisClient {
  // Null: a command waits for Redis to come back, as BullMQ demands of its workers' connections.
  const patient = { maxRetriesPerRequest: null };
  return client.isCluster ? client.duplicate([], { redisOptions: patient }) : client.duplicate(patient);
}

function retryStrategy(times: number): number {
  return Math.min(times * 100, MAX_RECONNECT_MS);
}

function isClient(value: object): value is GivenClient & { readonly options?: Settings } {
  const { duplicate, disconnect, defineCommand } = value as Record<string, unknown>;
  return [duplicate, disconnect, defineCommand].every((method) => typeof method === 'function');
}
