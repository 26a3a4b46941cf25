import type { QueueFault } from './bull-backend.js';

/** BullMQ's scripts need it. */
const LEAST_VERSION = [6, 2] as const;

/** What is wrong with a Redis as the queue, by what it answers to INFO. Empty where nothing is. */
export function findRedisFaults(info: string): readonly QueueFault[] {
  return [findVersionFault(info), findPolicyFault(info)].filter((fault) => fault !== null);
}

function findVersionFault(info: string): QueueFault | null {
  // Valkey and Dragonfly also name the version of Redis that they stand for.
  const version = find(info, 'redis_version');
  if (version === null) return null;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_VERSION;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return null;
  const fault = `Redis ${version} is too old for BullMQ.`;
  return { fault, remedy: `Use Redis ${LEAST_VERSION.join('.')} or later.` };
}

function findPolicyFault(info: string): QueueFault | null {
  const policy = find(info, 'maxmemory_policy');
  if (policy === null || policy === 'noeviction') return null;
  return {
    fault: `Redis may evict keys of the queue when its memory is full (maxmemory-policy ${policy}): bells are lost, and steps then wait for the next beat.`,
    remedy: 'Set `maxmemory-policy noeviction`, or give the queue a Redis of its own.',
  };
}

function find(info: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
}
