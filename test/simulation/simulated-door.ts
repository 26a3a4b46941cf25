import type { CommitAnswer, LockedRun, NewRun, RunDoor, RunWrite } from '../../lib/engine/ports.js';
import type { LaneWrite } from '../../lib/persistence/lane.js';
import { Refusal, type BatchOutcome, type Holder, type Tables } from './tables.js';
import type { Wire } from './wire.js';

/** Milliseconds before an item that somebody's lock held up is tried again: doubled each time, up to the last. */
const HELD_UP_MS = { first: 50, last: 1_000 } as const;

const NOTHING: CommitAnswer = { kind: 'nothing' };

interface Item {
  readonly prepare: () => readonly LaneWrite[];
  /** Its writes are starts under names: all or none. */
  readonly isGroup: boolean;
  readonly answer: (answers: readonly CommitAnswer[]) => void;
  readonly heldUp: () => void;
  readonly fail: (error: unknown) => void;
}

interface Prepared {
  readonly item: Item;
  readonly writes: readonly LaneWrite[];
}

/** Commits that leave one after the other; what gathers while one is on its way is the next. */
class SimulatedLane {
  private waiting: Item[] = [];
  private isFlowing = false;
  private readonly settledListeners: (() => void)[] = [];

  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  add(item: Item): void {
    this.waiting.push(item);
    if (this.isFlowing) return;
    this.isFlowing = true;
    this.wire.after(0, () => void this.drain());
  }

  settled(): Promise<void> {
    return new Promise((resolve) => (this.isFlowing ? this.settledListeners.push(resolve) : resolve()));
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) await this.send(this.take());
    this.isFlowing = false;
    for (const listener of this.settledListeners.splice(0)) listener();
  }

  private take(): Prepared[] {
    const taken: Prepared[] = [];
    while (this.waiting.length > 0) {
      if (this.waiting[0]!.isGroup && taken.length > 0) break;
      const item = this.waiting.shift()!;
      const writes = prepare(item);
      if (writes.length === 0) continue;
      taken.push({ item, writes });
      if (item.isGroup) break;
    }
    return taken;
  }

  private async send(items: readonly Prepared[]): Promise<void> {
    if (items.length === 0) return;
    const writes = items.flatMap((item) => item.writes);
    try {
      const outcome = await this.wire.send(`commit ${writes.map(nameOf).join(' ')}`, () =>
        items[0]!.item.isGroup ? this.tables.commitGroup(startsOf(writes)) : this.commit(writes),
      );
      this.settle(items, outcome);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (items.length === 1) return items[0]!.item.answer(items[0]!.writes.map(() => ({ kind: 'refused', error })));
      await this.send(items.slice(0, items.length / 2));
      await this.send(items.slice(items.length / 2));
    }
  }

  private commit(writes: readonly LaneWrite[]): BatchOutcome {
    const skipped = new Set(writes.filter((write) => 'run' in write && this.wire.skipsRow()));
    const outcome = this.tables.commit(writes.filter((write) => !skipped.has(write)));
    if (outcome === 'held') return outcome;
    const answers = [...outcome];
    return writes.map((write) => (skipped.has(write) ? { kind: 'stale' } : answers.shift()!));
  }

  private settle(items: readonly Prepared[], outcome: BatchOutcome): void {
    if (outcome === 'held') {
      for (const { item } of items) this.wire.after(HELD_UP_MS.first, item.heldUp);
      return;
    }
    let next = 0;
    for (const { item, writes } of items) item.answer(outcome.slice(next, (next += writes.length)));
  }
}

/** The door on the simulated tables: as the committer does it, a shared lane, a second for names, and single commits. */
export class SimulatedDoor implements RunDoor {
  private readonly shared: SimulatedLane;
  private readonly second: SimulatedLane;
  private side: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
    private readonly leaseMs: number,
  ) {
    this.shared = new SimulatedLane(tables, wire);
    this.second = new SimulatedLane(tables, wire);
  }

  submit(prepareRun: () => RunWrite | null): Promise<CommitAnswer> {
    return new Promise((resolve, fail) => {
      const item: Item = {
        prepare: () => {
          const run = prepareRun();
          return run === null ? [] : [{ run }];
        },
        isGroup: false,
        answer: ([answer = NOTHING]) => resolve(answer),
        heldUp: () => this.shared.add(item),
        fail,
      };
      this.shared.add(item);
    });
  }

  start(prepareRuns: (held: boolean) => readonly NewRun[], named: boolean): Promise<readonly CommitAnswer[]> {
    return new Promise((resolve, fail) => {
      (named ? this.second : this.shared).add({
        prepare: () => prepareRuns(false).map((start) => ({ start })),
        isGroup: named,
        answer: resolve,
        heldUp: () => resolve(this.startPatiently(prepareRuns(true))),
        fail,
      });
    });
  }

  submitLocked(runId: string, decide: (locked: LockedRun | null) => RunWrite | null): Promise<CommitAnswer> {
    return this.patiently(() => this.commitAlone(runId, decide));
  }

  async settled(): Promise<void> {
    await this.shared.settled();
    await this.second.settled();
    await this.side.catch(() => undefined);
  }

  private async startPatiently(starts: readonly NewRun[]): Promise<readonly CommitAnswer[]> {
    try {
      return await this.patiently((): Promise<BatchOutcome> =>
        this.wire.send('commit held names', () => this.tables.commitGroup(starts)),
      );
    } catch (error) {
      if (error instanceof Refusal) return starts.map(() => ({ kind: 'refused', error }));
      throw error;
    }
  }

  /** Lock → read → decide → write. A transaction that is left open for too long, or whose process dies, is rolled back. */
  private async commitAlone(
    runId: string,
    decide: (locked: LockedRun | null) => RunWrite | null,
  ): Promise<CommitAnswer | 'held'> {
    const holder: Holder = {};
    const locked = await this.wire.send(`lock ${short(runId)}`, () => {
      const read = this.tables.lock(runId, holder);
      this.wire.atDatabase(this.leaseMs / 4, () => this.tables.release(holder));
      return read;
    });
    if (locked === 'held') return 'held';
    let run: RunWrite | null;
    try {
      run = decide(locked);
    } catch (error) {
      await this.wire.send(`unlock ${short(runId)}`, () => this.tables.release(holder));
      throw error;
    }
    try {
      return await this.wire.send(`commit alone ${short(runId)}`, () => this.write(runId, run, holder));
    } catch (error) {
      if (error instanceof Refusal) return { kind: 'refused', error };
      throw error;
    }
  }

  private write(runId: string, run: RunWrite | null, holder: Holder): CommitAnswer | 'held' {
    try {
      if (run === null) return NOTHING;
      // The transaction was ended meanwhile: all of it comes again.
      if (!this.tables.holds(holder, runId)) return 'held';
      return (this.tables.commit([{ run }], holder) as readonly CommitAnswer[])[0]!;
    } finally {
      this.tables.release(holder);
    }
  }

  /** One at a time; whoever is held up waits off the lane and comes again. */
  private async patiently<T>(send: () => Promise<T | 'held'>): Promise<T> {
    for (let waitMs: number = HELD_UP_MS.first; ; waitMs = Math.min(waitMs * 2, HELD_UP_MS.last)) {
      const sent = this.side.then(send, send);
      this.side = sent;
      const outcome = await sent;
      if (outcome !== 'held') return outcome;
      await new Promise<void>((resolve) => this.wire.after(waitMs, resolve));
    }
  }
}

function prepare(item: Item): readonly LaneWrite[] {
  try {
    const writes = item.prepare();
    if (writes.length === 0) item.answer([]);
    return writes;
  } catch (error) {
    item.fail(error);
    return [];
  }
}

function startsOf(writes: readonly LaneWrite[]): NewRun[] {
  return writes.flatMap((write) => ('start' in write ? [write.start] : []));
}

function nameOf(write: LaneWrite): string {
  return 'run' in write ? `${short(write.run.id)}@${write.run.revision}` : `+${short(write.start.id)}`;
}

/** The part of an id that tells it from others in a trace. */
export function short(id: string): string {
  return id.slice(-4);
}
