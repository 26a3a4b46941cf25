import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';

import { replace } from './folder-lock.js';
import { type Folder, readIfExists } from './folder.js';
import { signalLiving } from './postmaster.js';
import { findIdentity, isLiving } from './process-identity.js';
import { waitFor } from './wait.js';
import { WATCHDOG_SCRIPT } from './watchdog-script.js';

/** Longer than the watchdog gives a server to end. */
const CLOSING_TIMEOUT_MS = 60_000;

/** To end `sh` takes no time. */
const ENDING_TIMEOUT_MS = 5_000;

/** Waits until no watchdog is ending the server. After this process has registered: from then on none begins to. */
export async function waitUntilClosed(folder: Folder): Promise<void> {
  await waitFor(async () => ((await isLivingIn(folder.closing)) ? null : true), CLOSING_TIMEOUT_MS);
  // Of a watchdog that was killed.
  await rm(folder.closing, { force: true });
}

/** Sees to it that a watchdog lives. Under the folder's lock. */
export async function ensureWatchdog(folder: Folder, socketDir: string): Promise<void> {
  if (!(await isLivingIn(folder.watchdog))) await startWatchdog(folder, socketDir);
}

async function startWatchdog(folder: Folder, socketDir: string): Promise<void> {
  // In a session of its own: Ctrl-C in the app's terminal does not reach it.
  const child = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'orchestrate-flow-watchdog', folder.path, socketDir], {
    cwd: '/',
    env: { PATH: process.env['PATH'] },
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  await replace(folder.watchdog, findIdentity(child.pid ?? 0) ?? '');
}

/**
 * Ends the watchdog when there is nothing left to watch, so that nobody touches the folder any more. Under the folder's
 * lock.
 */
export async function stopWatchdog(folder: Folder): Promise<void> {
  const identity = (await readIfExists(folder.watchdog)) ?? '';
  if (isLiving(identity)) {
    signalLiving(identity, 'SIGKILL');
    await waitFor(() => (isLiving(identity) ? null : true), ENDING_TIMEOUT_MS);
  }
  for (const file of [folder.watchdog, folder.closing]) await rm(file, { force: true });
}

async function isLivingIn(file: string): Promise<boolean> {
  return isLiving((await readIfExists(file)) ?? '');
}
