/** Waits for a promise, but no longer than so many milliseconds. Rejects as the promise does. */
export async function within(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
