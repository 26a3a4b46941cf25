import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two looks at files that another process writes. */
const PAUSE_MS = 5;

/** Looks again and again until there is something, or the time is up: then null. */
export async function waitFor<T>(look: () => Promise<T | null> | T | null, timeoutMs: number): Promise<T | null> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null || performance.now() > deadline) return found;
    await sleep(PAUSE_MS);
  }
}
