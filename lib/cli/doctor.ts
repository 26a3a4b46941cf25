import { messageOf } from '../engine/errors.js';
import type { Run } from './commands.js';
import { AppFolder } from './doctor/app-folder.js';
import { APP_CHECKS } from './doctor/app-checks.js';
import { type Diagnosis, examine } from './doctor/check.js';
import { loadRedis, readRedisInfo, REDIS_CHECKS } from './doctor/redis.js';
import { isRedisUrl } from '../queue/redis-connection.js';
import type { CommandOptions } from './options.js';
import { findTarget } from './target.js';
import { FAULT, OK, printJson, type Terminal, UsageError } from './terminal.js';

/** Finds what is wrong with the app in this folder, its database and its Redis. */
export const run: Run = async (options, terminal) => {
  const diagnoses = [
    ...(await examine(APP_CHECKS, new AppFolder(terminal.cwd, terminal.env))),
    ...(await examineDatabase(options, terminal)),
    ...(await examineRedis(options, terminal)),
  ];
  if (options.json) printJson(terminal, { diagnoses });
  else terminal.print([...diagnoses.map(writeLine), '', writeSum(diagnoses)].join('\n'));
  return diagnoses.some(({ state }) => state === 'fail') ? FAULT : OK;
};

async function examineDatabase(options: CommandOptions, terminal: Terminal): Promise<readonly Diagnosis[]> {
  const target = await findTarget(options, terminal);
  if (!target) return [skipped('database', 'none was named: give --url, --data-source or DATABASE_URL.')];
  try {
    // Only now: without the packages it needs all that comes before can still be told.
    const { diagnoseDatabase } = await import('./doctor/database.js');
    return await diagnoseDatabase(target, options);
  } catch (error) {
    return [{ check: 'database', state: 'fail', says: `could not be looked at: ${messageOf(error)}` }];
  }
}

async function examineRedis({ redis, queue }: CommandOptions, { cwd, env }: Terminal): Promise<readonly Diagnosis[]> {
  const url = redis ?? env['REDIS_URL'];
  if (!url) return queue === 'redis' ? [skipped('Redis', 'none was named: give --redis or REDIS_URL.')] : [];
  if (!isRedisUrl(url))
    throw new UsageError(
      'Expected --redis or REDIS_URL to be of the form redis://user:password@host:port, got something else.',
    );
  const Redis = loadRedis(cwd);
  if (!Redis) {
    const without = skipped('Redis', 'ioredis is not installed in this app: `npm install ioredis@5`.');
    return [queue === 'redis' ? { ...without, state: 'fail' } : without];
  }
  try {
    return await examine(REDIS_CHECKS, await readRedisInfo(Redis, url));
  } catch (error) {
    const reason = messageOf(error).replace(/\.+$/, '');
    return [{ check: 'Redis', state: 'fail', says: `cannot be reached: ${reason}.`, remedy: remedyFor(reason, url) }];
  }
}

function remedyFor(reason: string, url: string): string {
  if (/NOAUTH|WRONGPASS|NOPERM/.test(reason)) return 'Correct user and password: redis://user:password@host:port.';
  if (/Invalid URL/i.test(reason)) return 'Percent-encode what is special in it, and see that the port is one.';
  const tls = url.startsWith('rediss:') ? ' rediss:// speaks TLS: a server without it answers to redis:// only.' : '';
  return `See that the server runs, and that host and port are right.${tls}`;
}

function skipped(check: string, says: string): Diagnosis {
  return { check, state: 'skip', says };
}

function writeLine({ check, state, says, remedy }: Diagnosis): string {
  return `${state.padEnd(5)} ${check}: ${says}${remedy === undefined ? '' : ` ${remedy}`}`;
}

function writeSum(diagnoses: readonly Diagnosis[]): string {
  const count = (wanted: Diagnosis['state']) => diagnoses.filter(({ state }) => state === wanted).length;
  return `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail, ${count('skip')} skip`;
}
