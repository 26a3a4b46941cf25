import type { Clock } from '../engine/ports.js';

/** Waits for a promise, but no longer than so many milliseconds. Rejects as the promise does. */
export async function within(clock: Clock, timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let callOff = () => {};
  const timeout = new Promise<void>((resolve) => (callOff = clock.after(timeoutMs, resolve)));
  await Promise.race([promise, timeout]).finally(() => callOff());
}
