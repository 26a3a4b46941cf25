import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Where the kernel tells about processes: Linux. Elsewhere `ps` is asked. */
const HAS_PROC = existsSync('/proc/self/stat');

/**
 * In /proc/<pid>/stat after the name, which ends with the last `)`: the state first, the time of the start twentieth.
 */
const STATE = 0;
const STARTED_AT = 19;

/**
 * `<pid>-<time of its start>` of a living process, or null. A pid alone may have passed to another process since; a
 * zombie, which nobody may ever reap in a container, is dead. The watchdog's script computes the same.
 */
export function findIdentity(pid: number): string | null {
  const startedAt = HAS_PROC ? findStartInProc(pid) : findStartByPs(pid);
  return startedAt === null ? null : `${pid}-${startedAt}`;
}

/** Whether the process of an identity lives. */
export function isLiving(identity: string): boolean {
  const pid = Number.parseInt(identity, 10);
  return pid > 0 && findIdentity(pid) === identity;
}

/** Whether some process of this pid lives, and, where that can be told, is a PostgreSQL server. */
export function isPostgres(pid: number): boolean {
  if (findIdentity(pid) === null) return false;
  return !HAS_PROC || readFile(`/proc/${pid}/comm`)?.trim() === 'postgres';
}

function findStartInProc(pid: number): string | null {
  const stat = readFile(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return /^[ZX]/.test(fields[STATE] ?? 'Z') ? null : (fields[STARTED_AT] ?? null);
}

function findStartByPs(pid: number): string | null {
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    return started.replace(/[^A-Za-z0-9]+/g, '_');
  } catch {
    return null;
  }
}

function readFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
