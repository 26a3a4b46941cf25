import type * as pg from 'pg';

/** Lets the process end though this connection is open: what an app that failed to boot has left must not keep Jest waiting. */
export function keepNobodyWaiting(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { unref?(): void } } }).connection;
  // That of PGlite holds nothing open.
  stream.unref?.();
}
