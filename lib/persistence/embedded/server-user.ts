import { spawnSync } from 'node:child_process';
import { chown, readFile, stat } from 'node:fs/promises';

import { unavailable } from './unavailable.js';

/** Whom a root process runs the server as, by preference: PostgreSQL refuses to run as root. */
const SYSTEM_USERS = ['postgres', 'nobody'];

/** The OS user of the server; null if it is who runs the app. */
export type ServerUser = { readonly uid: number; readonly gid: number } | null;

/**
 * Who is to run the server of a cluster: whoever runs the app, unless that is root; then whom the cluster belongs to,
 * if it exists.
 */
export async function findServerUser(cluster: string): Promise<ServerUser> {
  if (process.geteuid?.() !== 0) return null;
  const owner = await stat(cluster).catch(() => null);
  return owner !== null && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : findSystemUser();
}

async function findSystemUser(): Promise<ServerUser> {
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of SYSTEM_USERS) {
    const [, , uid, gid] = entries.find(([user]) => user === name) ?? [];
    if (Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  throw unavailable(
    `it must not run as root, and there is neither a user ${SYSTEM_USERS.join(' nor ')} to run it as`,
    'Run the app as an ordinary user, or add such a user.',
  );
}

/** Gives a path to the server's user, if that is another one than ours. */
export async function giveTo(user: ServerUser, path: string): Promise<void> {
  if (user !== null) await chown(path, user.uid, user.gid);
}

/**
 * Whether the server's user gets at a path and may enter or execute it. Asked by trying: modes alone do not tell (ACLs,
 * mounts).
 */
export function canReach(user: ServerUser, path: string): boolean {
  if (user === null) return true;
  const { status, error } = spawnSync('/bin/sh', ['-c', '[ -x "$1" ]', 'sh', path], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  });
  if (error === undefined) return status === 0;
  throw unavailable(
    `this root may start nothing as another user (uid ${user.uid}), and it must not run as root`,
    'Run the app as an ordinary user.',
    error,
  );
}
