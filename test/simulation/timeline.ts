import { setImmediate } from 'node:timers';

/** Whose callbacks an event belongs to. What a dead process waited for never happens; a stopped one finds it when it goes on. */
export interface Owner {
  readonly isDead: boolean;
  readonly isStopped: boolean;
}

interface TimedEvent {
  at: number;
  readonly order: number;
  readonly owner: Owner | null;
  readonly happen: () => void;
  isOff: boolean;
}

/**
 * Simulated time: the only source of time and order. One event happens after the other, each with everything that follows
 * from it at once; between two of them time jumps.
 */
export class Timeline {
  now = 0;
  /** Events that have happened. */
  count = 0;
  private readonly heap: TimedEvent[] = [];
  private readonly parked = new Map<Owner, TimedEvent[]>();
  private order = 0;

  /** Lets something happen in so many milliseconds. @returns what calls it off */
  after(delayMs: number, owner: Owner | null, happen: () => void): () => void {
    const event = { at: this.now + Math.max(0, delayMs), order: this.order++, owner, happen, isOff: false };
    this.push(event);
    return () => (event.isOff = true);
  }

  /** A stopped owner goes on: what has come meanwhile happens now, in its order. */
  release(owner: Owner): void {
    const events = this.parked.get(owner) ?? [];
    this.parked.delete(owner);
    for (const { owner: whose, happen, isOff } of events) if (!isOff) this.after(0, whose, happen);
  }

  /** Plays events until there is none, or the condition holds. */
  async playUntil(isOver: () => boolean): Promise<void> {
    while (!isOver() && this.heap.length > 0) {
      const event = this.pop();
      if (event.isOff || event.owner?.isDead) continue;
      // Also what is off by then has its time: it is asked again when its owner goes on.
      this.now = Math.max(this.now, event.at);
      if (event.owner?.isStopped) this.park(event.owner, event);
      else await this.happen(event);
    }
  }

  private async happen({ happen }: TimedEvent): Promise<void> {
    this.count += 1;
    happen();
    // All promises that settle with this event are dealt with before the next: nothing else than events takes a turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  private park(owner: Owner, event: TimedEvent): void {
    const events = this.parked.get(owner);
    if (events) events.push(event);
    else this.parked.set(owner, [event]);
  }

  private push(event: TimedEvent): void {
    const { heap } = this;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  private pop(): TimedEvent {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(event: TimedEvent): void {
    const { heap } = this;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (isBefore(event, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = event;
  }
}

function isBefore(one: TimedEvent, other: TimedEvent): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
