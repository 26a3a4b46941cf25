import { createRequire } from 'node:module';
import { join } from 'node:path';

import { messageOf } from '../../engine/errors.js';
import { type Check, fail, ok, warn } from './check.js';
import { isInRange } from './version-range.js';

/** A Redis as the doctor looks at it: what it says about itself. */
export type RedisInfo = ReadonlyMap<string, string>;

/** As much of ioredis as is used. */
interface RedisClient {
  connect(): Promise<void>;
  info(): Promise<string>;
  disconnect(): void;
  on(event: 'error', listener: () => void): void;
}

type RedisClass = new (url: string, options: object) => RedisClient;

/** What BullMQ refuses, and what it warns of. */
const LEAST_VERSION = '5.0.0';
const GOOD_VERSION = '6.2.0';

const CONNECT_WITHIN_MS = 5_000;

const REDIS_VERSION: Check<RedisInfo> = {
  name: 'Redis',
  run(info) {
    const version = info.get('redis_version') ?? 'of unknown version';
    if (isInRange(version, `>=${GOOD_VERSION}`)) return ok(`${version}.`);
    const remedy = `Update it to ${GOOD_VERSION} or later.`;
    if (isInRange(version, `>=${LEAST_VERSION}`)) return warn(`${version}; BullMQ asks for ${GOOD_VERSION}.`, remedy);
    return fail(`${version}; BullMQ refuses what is older than ${LEAST_VERSION}.`, remedy);
  },
};

const REDIS_POLICY: Check<RedisInfo> = {
  name: 'Redis eviction',
  run(info) {
    const policy = info.get('maxmemory_policy') ?? 'unknown';
    if (policy === 'noeviction') return ok('noeviction.');
    return warn(
      `maxmemory-policy is ${policy}: under pressure Redis drops jobs, which delays steps.`,
      'Set maxmemory-policy to noeviction.',
    );
  },
};

export const REDIS_CHECKS: readonly Check<RedisInfo>[] = [REDIS_VERSION, REDIS_POLICY];

/** The class of ioredis, as the app has it; null where it has none. */
export function loadRedis(dir: string): RedisClass | null {
  const require = createRequire(join(dir, 'package.json'));
  try {
    const { Redis } = require('ioredis') as { Redis: RedisClass };
    return Redis;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/** Asks a Redis about itself. Throws without the url, which may hold a password. */
export async function readRedisInfo(Redis: RedisClass, url: string): Promise<RedisInfo> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: CONNECT_WITHIN_MS });
  // The reason comes with the first error, while connect() only says that the connection is closed.
  let reason: unknown;
  client.on('error', (...[error]: unknown[]) => (reason ??= error));
  try {
    await client.connect();
    return parseInfo(await client.info());
  } catch (error) {
    throw new Error(messageOf(reason ?? error).replaceAll(url, 'the url'), { cause: error });
  } finally {
    client.disconnect();
  }
}

function parseInfo(text: string): RedisInfo {
  const lines = text.split('\n').map((line) => line.trim().split(':', 2));
  return new Map(lines.filter((pair): pair is [string, string] => pair.length === 2));
}
