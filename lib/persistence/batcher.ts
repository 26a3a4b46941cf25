import { setImmediate } from 'node:timers';

import type { CommitAnswer } from '../engine/ports.js';
import { answerFor, type Lane, type LaneOutcome, type LaneWrite } from './lane.js';

/** Bounds of one commit. The bytes are those of its texts, roughly. */
const MAX_ITEMS = 1_000;
const MAX_CHARACTERS = 4_000_000;

/** Characters from which an item is large: what waits behind it would notice. */
const LARGE_CHARACTERS = 65_536;

/** Something to be written with the next commit. */
export interface BatchItem {
  /** Called when the commit is about to leave: what is to be written together, or nothing. */
  readonly prepare: () => readonly LaneWrite[];
  /** Whether its writes, starts under names, are written all or none. Such an item has a commit to itself. */
  readonly isGroup?: boolean;
  /** Given an answer per write, in their order. */
  readonly answer: (answers: readonly CommitAnswer[]) => void;
  /** Somebody held a lock that this item needs for longer than the lane waits. */
  readonly heldUp: () => void;
  /** It could not be prepared, or the lane was closed before it was known what became of it. */
  readonly fail: (error: unknown) => void;
}

interface PreparedItem {
  readonly item: BatchItem;
  readonly writes: readonly LaneWrite[];
}

/** Gathers what comes while the last commit is on its way and sends it as the next one. Alone, an item waits for nobody. */
export class Batcher {
  private waiting: BatchItem[] = [];
  /** Prepared, but of a run that the commit on its way writes already: they come with the next. */
  private postponed: PreparedItem[] = [];
  private isFlowing = false;
  private readonly settledListeners: (() => void)[] = [];

  /** @param large where large items go; without one they stay here */
  constructor(
    private readonly lane: Lane,
    private readonly large: Batcher | null = null,
  ) {}

  add(item: BatchItem): void {
    this.waiting.push(item);
    this.flow();
  }

  private addPrepared(prepared: PreparedItem): void {
    this.postponed.push(prepared);
    this.flow();
  }

  private flow(): void {
    if (this.isFlowing) return;
    this.isFlowing = true;
    // setImmediate, not a microtask: all that arrived with this turn of the event loop shares the commit.
    setImmediate(() => void this.drain());
  }

  /** Resolves when nothing is waiting or on its way. */
  settled(): Promise<void> {
    return new Promise((resolve) => (this.isFlowing ? this.settledListeners.push(resolve) : resolve()));
  }

  private async drain(): Promise<void> {
    while (this.waiting.length + this.postponed.length > 0) await this.send(this.take());
    // In the same turn as the check above: an item that comes later must find that nothing flows.
    this.isFlowing = false;
    for (const listener of this.settledListeners.splice(0)) listener();
  }

  private take(): PreparedItem[] {
    const taken: PreparedItem[] = [];
    const ids = new Set<string>();
    let count = 0;
    let characters = 0;
    let next = 0;
    const isFull = () => count >= MAX_ITEMS || characters >= MAX_CHARACTERS;
    const add = (prepared: PreparedItem) => {
      if (isFull() || (isAlone(prepared) && count > 0)) return this.postponed.push(prepared);
      // A statement cannot write a row twice, nor tell two starts with one id which of them came first.
      if (prepared.writes.some((write) => ids.has(idOf(write)))) return this.postponed.push(prepared);
      for (const write of prepared.writes) {
        ids.add(idOf(write));
        characters += sizeOf(write);
      }
      count += isAlone(prepared) ? MAX_ITEMS : prepared.writes.length;
      return taken.push(prepared);
    };
    for (const prepared of this.postponed.splice(0)) add(prepared);
    while (next < this.waiting.length && !isFull()) {
      const item = this.waiting[next++]!;
      const writes = prepare(item);
      if (this.large && isLarge(writes)) this.large.addPrepared({ item, writes });
      else if (writes.length > 0) add({ item, writes });
    }
    this.waiting = this.waiting.slice(next);
    return taken;
  }

  private async send(items: readonly PreparedItem[]): Promise<void> {
    if (items.length === 0) return;
    try {
      const writes = items.flatMap((item) => item.writes);
      await this.settle(items, await (isAlone(items[0]!) ? this.lane.sendGroup(writes) : this.lane.send(writes)));
    } catch (error) {
      for (const { item } of items) item.fail(error);
    }
  }

  private async settle(items: readonly PreparedItem[], outcome: LaneOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'answered':
        for (const { item, writes } of items) {
          item.answer(writes.map((write) => answerFor(write, outcome.answer)));
        }
        return;
      case 'taken':
        for (const { item, writes } of items) item.answer(writes.map(() => ({ kind: 'stale' })));
        return;
      case 'locked':
        for (const { item } of items) item.heldUp();
        return;
      case 'culprit':
        if (items.length === 1) return refuse(items[0]!, outcome.error);
        // Halved until the culprit stands alone, so that it alone fails.
        await this.send(items.slice(0, items.length / 2));
        await this.send(items.slice(items.length / 2));
    }
  }
}

/** What an item wants written; nothing where it has nothing to write, or failed to say. */
function prepare(item: BatchItem): readonly LaneWrite[] {
  try {
    const writes = item.prepare();
    if (writes.length === 0) item.answer([]);
    return writes;
  } catch (error) {
    item.fail(error);
    return [];
  }
}

function refuse({ item, writes }: PreparedItem, error: Error): void {
  item.answer(writes.map(() => ({ kind: 'refused', error })));
}

function isAlone({ item, writes }: PreparedItem): boolean {
  return item.isGroup === true && writes.length > 1;
}

function isLarge(writes: readonly LaneWrite[]): boolean {
  let characters = 0;
  for (const write of writes) characters += sizeOf(write);
  return characters > LARGE_CHARACTERS;
}

function idOf(write: LaneWrite): string {
  return 'run' in write ? write.run.id : write.start.id;
}

function sizeOf(write: LaneWrite): number {
  const run = 'run' in write ? write.run : write.start;
  let characters = run.state.length + ('input' in run ? run.input.length : (run.failure?.length ?? 0));
  if ('births' in run) for (const child of run.births) characters += child.state.length + child.input.length;
  for (const step of run.steps) characters += 200 + (step.result?.length ?? 0) + (step.error?.length ?? 0);
  return characters;
}
