import { type ChildProcess, spawn } from 'node:child_process';

import type { OrchestrateFlowError } from '../../engine/errors.js';
import { canReach, type ServerUser } from './server-user.js';
import { unavailable } from './unavailable.js';

/**
 * Of our environment, what a program of PostgreSQL gets: no PG… that would change it, no secrets that are not its
 * business.
 */
const ENVIRONMENT = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH'];

/** Leads to the folder a process works in, whoever may see the folders above it. */
const OWN_FOLDER = '/proc/self/cwd';

/** A program of PostgreSQL to run on a data directory. */
export interface Program {
  readonly path: string;
  readonly cluster: string;
  readonly args: readonly string[];
  readonly user: ServerUser;
  /** The descriptor of the file it prints to: never to the app's output. */
  readonly log: number;
}

/**
 * Starts a program in a session of its own: Ctrl-C in the app's terminal does not reach it, and it does not keep the
 * app alive.
 */
export function startProgram({ path, cluster, args, user, log }: Program): ChildProcess {
  const dataDir = findDataDirFor(user, cluster);
  const child = spawn(path, ['-D', dataDir, ...args], {
    ...user,
    // libuv enters the folder before it changes the user, so that this works under a folder that only root may enter.
    cwd: dataDir === OWN_FOLDER ? cluster : '/',
    env: { ...Object.fromEntries(ENVIRONMENT.map((name) => [name, process.env[name]])), LC_ALL: 'C', TZ: 'UTC' },
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  return child;
}

function findDataDirFor(user: ServerUser, cluster: string): string {
  if (canReach(user, cluster)) return cluster;
  if (process.platform === 'linux') return OWN_FOLDER;
  throw unavailable(
    `its user cannot enter ${cluster}`,
    'Run the app as an ordinary user, or set a `dataDir` that all users can enter.',
  );
}

/** How a program ended: its exit code, its signal, or why it could not start. */
export type End = number | string | Error;

/** Waits until a program has ended. Never rejects. */
export function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

/** Why a program did not do what it was started for, with the end of the log. */
export function failed(name: string, end: End, log: string): OrchestrateFlowError {
  if (end instanceof Error && (end as NodeJS.ErrnoException).code === 'ENOENT') {
    return unavailable(
      `${name} cannot be run here`,
      'Its binaries need glibc 2.27 or newer; Alpine Linux has none. Use an image based on Debian.',
      end,
    );
  }
  const how = end instanceof Error ? `could not be started (${end.message})` : `ended with ${end}`;
  return unavailable(`${name} ${how}`, `Its log says: ${log === '' ? 'nothing' : log}`, end);
}
