const POLL_MS = 10;

/** Long, because machines are shared; shorter where it is known to be in vain. */
const PATIENCE_MS = Number(process.env['ORCHESTRATE_FLOW_TEST_PATIENCE_MS'] ?? 30_000);

/** Waits until `condition` gives something truthy and returns it. Fails with `what` after `timeoutMs`. */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = PATIENCE_MS } = {},
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
