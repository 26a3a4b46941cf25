import { setTimeout as sleep } from 'node:timers/promises';

import type { CommitAnswer, LockedRun, NewRun, RunDoor, RunWrite } from '../engine/ports.js';
import { Batcher, type BatchItem } from './batcher.js';
import type { ConnectionConfig } from './connection.js';
import { Lane, toAnswer, type LaneOutcome, type LaneWrite } from './lane.js';
import { LockedCommits } from './locked-commits.js';

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
  private readonly locked: LockedCommits;
  /** The side lane sends one at a time; its connection is one conversation. */
  private side: Promise<unknown> = Promise.resolve();
  /** Starts under held names take turns before they queue there: a run that stands alone waits for one of them at most. */
  private held: Promise<unknown> = Promise.resolve();

  constructor(config: ConnectionConfig, options: CommitterOptions) {
    const lane = (name: string, lockTimeoutMs: number) =>
      new Lane(config, { ...options, name: `orchestrate-flow ${name}`, lockTimeoutMs });
    this.sharedLane = lane('commits', options.leaseMs / 4);
    this.secondLane = lane('second commits', SECOND_LOCK_TIMEOUT_MS);
    this.sideLane = lane('single commits', SIDE_LOCK_TIMEOUT_MS);
    this.second = new Batcher(this.secondLane);
    this.shared = new Batcher(this.sharedLane, this.second);
    this.locked = new LockedCommits({
      lane: this.sideLane,
      schema: options.schema,
      takeTurn: (send) => this.afterSide(send),
      patiently: (send) => this.patiently(send),
    });
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

  submitLocked(runId: string, decide: (locked: LockedRun | null) => RunWrite | null): Promise<CommitAnswer> {
    return this.locked.submit(runId, decide);
  }

  /** Resolves when nothing is waiting or on its way. */
  async settled(): Promise<void> {
    // In the order in which what is held up goes from the one to the other.
    await this.shared.settled();
    await this.second.settled();
    for (let last: Promise<unknown> | null = null; last !== this.side;) {
      last = this.side;
      await last.catch(() => undefined);
    }
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

  /** Whoever is held up by a lock waits off the lane and comes again. */
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
}
