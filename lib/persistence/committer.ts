import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

import type { InboxSignal, OpenRow } from '../engine/decision.js';
import type { CommitAnswer, LockedRun, NewRun, RunDoor, RunWrite } from '../engine/ports.js';
import { Batcher, type BatchItem } from './batcher.js';
import { doubted, staged } from '../engine/run-state.js';
import { LOCK_OPEN_ROWS, LOCK_RUN, READ_INBOX, RENEW_RUN } from './commit-statement.js';
import type { ConnectionConfig } from './connection.js';
import { answerFor, Lane, type LaneOutcome, type LaneWrite } from './lane.js';
import { toStoredRun, type RunRecord } from './records.js';
import { qualify } from './schema.js';

/** Milliseconds the lanes wait for locks that others hold: 50 where many wait behind, more where one run stands alone. */
const SECOND_LOCK_TIMEOUT_MS = 50;
const SIDE_LOCK_TIMEOUT_MS = 250;

/** Milliseconds before an item that somebody's lock held up is tried again: doubled each time, up to the last. */
const HELD_UP_MS = { first: 50, last: 1_000 } as const;

const NOTHING: CommitAnswer = { kind: 'nothing' };

export interface CommitterOptions {
  readonly schema: string;
  readonly leaseMs: number;
  readonly onHealth: (error: unknown) => void;
}

/**
 * The door. Three lanes: one shared by all runs; a second for what would hold the others up there, because it is large or
 * inserts under a name that a user's transaction may hold; and one at the side, for runs that must be locked and read first and for names that are held just now.
 */
export class Committer implements RunDoor {
  private readonly sharedLane: Lane;
  private readonly secondLane: Lane;
  private readonly sideLane: Lane;
  private readonly shared: Batcher;
  private readonly second: Batcher;
  /** The side lane sends one at a time; its connection is one conversation. */
  private side: Promise<unknown> = Promise.resolve();
  /** Starts under held names take turns before they queue there: a run that stands alone waits for one of them at most. */
  private held: Promise<unknown> = Promise.resolve();

  constructor(
    config: ConnectionConfig,
    private readonly options: CommitterOptions,
  ) {
    const lane = (name: string, lockTimeoutMs: number) =>
      new Lane(config, { ...options, name: `orchestrate-flow ${name}`, lockTimeoutMs });
    this.sharedLane = lane('commits', options.leaseMs / 4);
    this.secondLane = lane('second commits', SECOND_LOCK_TIMEOUT_MS);
    this.sideLane = lane('single commits', SIDE_LOCK_TIMEOUT_MS);
    this.second = new Batcher(this.secondLane);
    this.shared = new Batcher(this.sharedLane, this.second);
  }

  submit(prepare: () => RunWrite | null): Promise<CommitAnswer> {
    return new Promise((resolve, fail) => {
      const item: BatchItem = {
        prepare: () => {
          const run = prepare();
          return run === null ? [] : [{ run }];
        },
        answer: ([answer = NOTHING]) => resolve(answer),
        heldUp: () => this.shared.add(item),
        fail,
      };
      this.shared.add(item);
    });
  }

  start(prepare: (held: boolean) => readonly NewRun[], named: boolean): Promise<readonly CommitAnswer[]> {
    const toWrites = (held: boolean) => prepare(held).map((start) => ({ start }));
    return new Promise((resolve, fail) => {
      this.batcher(named).add({
        prepare: () => toWrites(false),
        isGroup: named,
        answer: resolve,
        heldUp: () => resolve(this.startPatiently(toWrites(true))),
        fail,
      });
    });
  }

  async submitLocked(runId: string, decide: (locked: LockedRun | null) => RunWrite | null): Promise<CommitAnswer> {
    let write: { readonly run: RunWrite } | null = null;
    let failure: Error | null = null;
    const lockAndDecide = async (client: pg.Client) => {
      const locked = await this.lockRun(client, runId);
      // A mistake in deciding is not the database's: caught here, so that it is not taken for a broken connection.
      try {
        const run = decide(locked);
        write = run && { run };
      } catch (error) {
        failure = error as Error;
        write = null;
      }
      if (write) await this.renew(client, write.run);
      return write;
    };
    const outcome = await this.patiently(() => this.afterSide(() => this.sideLane.sendLocked(lockAndDecide)));
    if (failure) throw failure as Error;
    if (outcome === null || write === null) return NOTHING;
    return toAnswer(write, outcome);
  }

  /** Resolves when nothing is waiting or on its way. */
  async settled(): Promise<void> {
    // In the order in which what is held up goes from the one to the other.
    await this.shared.settled();
    await this.second.settled();
    await this.side.catch(() => undefined);
  }

  /** Closes the lanes: what is still waiting for the database is told that it was given up. */
  async close(): Promise<void> {
    await Promise.all([this.sharedLane.close(), this.secondLane.close(), this.sideLane.close()]);
  }

  private batcher(named: boolean): Batcher {
    return named ? this.second : this.shared;
  }

  private async startPatiently(writes: readonly LaneWrite[]): Promise<readonly CommitAnswer[]> {
    const lane = this.sideLane;
    const send = () => (writes.length > 1 ? lane.sendGroup(writes) : lane.send(writes));
    const outcome = await this.patiently(() => this.afterHeld(send));
    return writes.map((write) => toAnswer(write, outcome));
  }

  /** Sends by the side lane, behind what is there. Whoever is held up by a lock waits off the lane and comes again. */
  private async patiently<T extends LaneOutcome | null>(send: () => Promise<T>): Promise<T> {
    for (let waitMs: number = HELD_UP_MS.first; ; waitMs = Math.min(waitMs * 2, HELD_UP_MS.last)) {
      const outcome = await send();
      if (outcome?.kind !== 'locked') return outcome;
      await sleep(waitMs);
    }
  }

  private afterSide<T>(send: () => Promise<T>): Promise<T> {
    const sent = this.side.then(send, send);
    this.side = sent;
    return sent;
  }

  private afterHeld<T>(send: () => Promise<T>): Promise<T> {
    const sendNext = () => this.afterSide(send);
    const sent = this.held.then(sendNext, sendNext);
    this.held = sent;
    return sent;
  }

  /** What a new generation keeps goes on into it, before the commit writes what begins anew. */
  private async renew(client: pg.Client, { id, generation, renewal }: RunWrite): Promise<void> {
    if (!renewal) return;
    const { keeps, keepsItemsOf, forgetsFailure } = renewal;
    const parameters = [id, generation, keeps, keepsItemsOf, forgetsFailure];
    await client.query(qualify(RENEW_RUN, this.options.schema), parameters);
  }

  private async lockRun(client: pg.Client, runId: string): Promise<LockedRun | null> {
    const run = await client.query<RunRecord>(qualify(LOCK_RUN, this.options.schema), [runId]);
    const record = run.rows[0];
    if (!record) return null;
    type Row = Omit<OpenRow, 'stage' | 'inDoubt'> & { name: string; stage: string | null; inDoubt: boolean };
    const open = await client.query<Row>(qualify(LOCK_OPEN_ROWS, this.options.schema), [runId, record.generation]);
    const inbox = await client.query<InboxSignal>(qualify(READ_INBOX, this.options.schema), [runId]);
    const rows = open.rows.map(
      ({ stage, inDoubt, ...row }) => [row.name, { ...row, ...staged(stage), ...doubted(inDoubt) }] as const,
    );
    return { run: toStoredRun(record), rows: new Map(rows), inbox: inbox.rows };
  }
}

function toAnswer(write: LaneWrite, outcome: LaneOutcome | null): CommitAnswer {
  switch (outcome?.kind) {
    case 'answered':
      return answerFor(write, outcome.answer);
    case 'culprit':
      return { kind: 'refused', error: outcome.error };
    case 'taken':
      return { kind: 'stale' };
    default:
      return NOTHING;
  }
}
