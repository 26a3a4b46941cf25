import type pg from 'pg';

import type { CommitAnswer, LockedRun, RunWrite } from '../engine/ports.js';
import { toAnswer, type Lane, type LaneOutcome } from './lane.js';
import { lockRuns, pauseRows, renewRun } from './locked-runs.js';

/** Runs that one transaction locks and decides at most: it holds them for some milliseconds. */
const MAX_TOGETHER = 100;

/** A run that is to be decided under its lock. */
interface LockedItem {
  readonly runId: string;
  readonly decide: (locked: LockedRun | null) => RunWrite | null;
  readonly answer: (answer: CommitAnswer) => void;
  readonly fail: (error: unknown) => void;
}

/** What has been decided of an item, or what its decision threw; nothing where its run was left out. */
type Decided = { readonly write: RunWrite | null } | { readonly error: unknown };

export interface LockedCommitsPorts {
  readonly lane: Lane;
  readonly schema: string;
  /** Sends by the lane once that is free. */
  readonly takeTurn: <T>(send: () => Promise<T>) => Promise<T>;
  /** The same, again and again as long as somebody's lock is in the way. */
  readonly patiently: <T extends LaneOutcome | null>(send: () => Promise<T>) => Promise<T>;
}

/**
 * Commits of runs that must be locked and read first. Those that gather while the last one is on its way share the next: one that
 * somebody holds, or whose value the database refuses, is left to a commit of its own.
 */
export class LockedCommits {
  private waiting: LockedItem[] = [];

  constructor(private readonly ports: LockedCommitsPorts) {}

  submit(runId: string, decide: LockedItem['decide']): Promise<CommitAnswer> {
    return new Promise((answer, fail) => {
      this.waiting.push({ runId, decide, answer, fail });
      if (this.waiting.length === 1) this.flow();
    });
  }

  private flow(): void {
    void this.ports.takeTurn(async () => {
      const items = this.take();
      if (this.waiting.length > 0) this.flow();
      if (items.length === 1) return void this.commitAlone(items[0]!);
      await this.commitTogether(items);
    });
  }

  /** One run is decided once in a transaction: who comes for it again waits for the next. */
  private take(): LockedItem[] {
    const taken = new Map<string, LockedItem>();
    const left: LockedItem[] = [];
    for (const item of this.waiting) {
      if (taken.size < MAX_TOGETHER && !taken.has(item.runId)) taken.set(item.runId, item);
      else left.push(item);
    }
    this.waiting = left;
    return [...taken.values()];
  }

  private async commitTogether(items: readonly LockedItem[]): Promise<void> {
    let decided = new Map<LockedItem, Decided>();
    const outcome = await this.send(items, (latest) => (decided = latest)).catch((error: unknown) => {
      for (const { fail } of items) fail(error);
      return undefined;
    });
    if (outcome === undefined) return;
    const isWritten = outcome === null || outcome.kind === 'answered';
    for (const item of items) {
      const what = decided.get(item);
      if (isWritten && what) tell(item, what, outcome);
      else void this.commitAlone(item);
    }
  }

  private async commitAlone(item: LockedItem): Promise<void> {
    let decided = new Map<LockedItem, Decided>();
    const { patiently, takeTurn } = this.ports;
    try {
      const send = () => takeTurn(() => this.send([item], (latest) => (decided = latest)));
      const outcome = await patiently(send);
      tell(item, decided.get(item) ?? { write: null }, outcome);
    } catch (error) {
      item.fail(error);
    }
  }

  /** May decide several times: `onDecided` is given what counts in the end. */
  private send(
    items: readonly LockedItem[],
    onDecided: (decided: Map<LockedItem, Decided>) => void,
  ): Promise<LaneOutcome | null> {
    return this.ports.lane.sendLocked(async (client) => {
      const decided = await this.decideAll(client, items);
      onDecided(decided);
      const writes = [...decided.values()].flatMap((what) => ('write' in what && what.write ? [what.write] : []));
      for (const write of writes) {
        await renewRun(client, this.ports.schema, write);
        await pauseRows(client, this.ports.schema, write);
      }
      return writes.map((run) => ({ run }));
    });
  }

  private async decideAll(client: pg.Client, items: readonly LockedItem[]): Promise<Map<LockedItem, Decided>> {
    const locked = await lockRuns(
      client,
      this.ports.schema,
      items.map(({ runId }) => runId),
    );
    const decided = new Map<LockedItem, Decided>();
    for (const item of items) {
      const run = locked.get(item.runId) ?? null;
      // Whether there is no such run, or somebody holds it, is told only to who waits for it alone.
      if (run !== null || items.length === 1) decided.set(item, decide(item, run));
    }
    return decided;
  }
}

/** A mistake in deciding is not the database's: caught here, so that it is not taken for a broken connection. */
function decide(item: LockedItem, run: LockedRun | null): Decided {
  try {
    return { write: item.decide(run) };
  } catch (error) {
    return { error };
  }
}

function tell({ answer, fail }: LockedItem, decided: Decided, outcome: LaneOutcome | null): void {
  if ('error' in decided) fail(decided.error);
  else answer(decided.write === null ? { kind: 'nothing' } : toAnswer({ run: decided.write }, outcome));
}
