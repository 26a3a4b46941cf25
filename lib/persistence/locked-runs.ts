import type pg from 'pg';

import type { InboxSignal, OpenRow } from '../engine/decision.js';
import type { LockedRun, RunWrite } from '../engine/ports.js';
import { doubted, repeated, staged } from '../engine/run-state.js';
import { LOCK_FREE_RUNS, LOCK_OPEN_ROWS, LOCK_RUNS, PAUSE_ROWS, READ_INBOXES, RENEW_RUN } from './commit-statement.js';
import { toStoredRun, type RunRecord } from './records.js';
import { qualify } from './schema.js';

type OpenRowRecord = Omit<OpenRow, 'stage' | 'inDoubt'> & {
  readonly runId: string;
  readonly name: string;
  readonly stage: string | null;
  readonly inDoubt: boolean;
};

type InboxRecord = InboxSignal & { readonly runId: string };

/**
 * Locks runs and reads them, with their open rows and their inboxes: the beginning of a commit that must see them. One run is waited
 * for; of several those that somebody holds are left out, as are those that do not exist.
 */
export async function lockRuns(
  client: pg.Client,
  schema: string,
  ids: readonly string[],
): Promise<Map<string, LockedRun>> {
  const lock = ids.length === 1 ? LOCK_RUNS : LOCK_FREE_RUNS;
  const { rows: records } = await client.query<RunRecord>(qualify(lock, schema), [ids]);
  const runs = new Map<string, { run: LockedRun['run']; rows: Map<string, OpenRow>; inbox: InboxSignal[] }>();
  if (records.length === 0) return runs;
  for (const record of records) runs.set(record.id, { run: toStoredRun(record), rows: new Map(), inbox: [] });
  const locked = records.map(({ id }) => id);
  const generations = records.map(({ generation }) => generation);
  const open = await client.query<OpenRowRecord>(qualify(LOCK_OPEN_ROWS, schema), [locked, generations]);
  for (const { runId, name, stage, inDoubt, rounds, ...row } of open.rows)
    runs.get(runId)!.rows.set(name, { ...row, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) });
  const inboxes = await client.query<InboxRecord>(qualify(READ_INBOXES, schema), [locked]);
  for (const { runId, ...signal } of inboxes.rows) runs.get(runId)!.inbox.push(signal);
  return runs;
}

/** What a new generation keeps goes on into it, before the commit writes what begins anew. */
export async function renewRun(client: pg.Client, schema: string, write: RunWrite): Promise<void> {
  const { id, generation, renewal } = write;
  if (!renewal) return;
  const { keeps, keepsItemsOf, forgetsFailure } = renewal;
  await client.query(qualify(RENEW_RUN, schema), [id, generation, keeps, keepsItemsOf, forgetsFailure]);
}

/** What waits is passed by from now on, or no longer, before the commit writes what it changes. */
export async function pauseRows(client: pg.Client, schema: string, { id, generation, pause }: RunWrite): Promise<void> {
  if (pause !== null) await client.query(qualify(PAUSE_ROWS, schema), [id, generation, pause === 'begins']);
}
