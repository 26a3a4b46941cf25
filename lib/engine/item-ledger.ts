import { isSettled, isTooMany, mayBegin, openItemsOf, type FanOut } from './fan-out.js';
import { baseOf, indexOfItem, type IndexedGraph } from './indexed-graph.js';
import { MARK, type Hold, type Mark, type RunState, type Tally } from './run-state.js';

/** The counts to which an item that ends is added, by its mark. */
const COUNTS: Readonly<Partial<Record<Mark, 'completed' | 'failed' | 'cancelled'>>> = {
  [MARK.completed]: 'completed',
  [MARK.late]: 'completed',
  [MARK.failed]: 'failed',
  [MARK.failedInDoubt]: 'failed',
  [MARK.cancelled]: 'cancelled',
  [MARK.cancelledInDoubt]: 'cancelled',
};

const DOUBTFUL: ReadonlySet<Mark> = new Set([MARK.failedInDoubt, MARK.cancelledInDoubt]);

/** What a decision in the making knows of fan-outs and their items. Positions are those of `findPosition`. */
export class ItemLedger {
  private readonly fanOuts: Map<string, FanOut>;
  /** Items that this very fold has moved. */
  private readonly moved = new Map<number, Mark>();

  constructor(
    private readonly graph: IndexedGraph,
    private readonly before: RunState,
  ) {
    this.fanOuts = new Map(before.fanOuts);
  }

  isItem(position: number): boolean {
    return position >= this.graph.nodes.length;
  }

  /** The fan-out to which a position belongs. Its items must be on their way. */
  get(position: number): FanOut {
    return this.fanOuts.get(this.nameOf(position))!;
  }

  has(position: number): boolean {
    return this.fanOuts.has(this.nameOf(position));
  }

  /** Of an item: as a step's, but that only its row knows whether one that has begun has ended. */
  markOf(item: number, base: Mark, holds: ReadonlyMap<string, Hold>, name: string): Mark {
    const moved = this.moved.get(item);
    if (moved !== undefined) return moved;
    // Also where an outcome that came twice, and that the commit's guard refuses, has seemed to be the last.
    if (!this.has(item)) return MARK.completed;
    if (holds.has(name)) return MARK.held;
    if (indexOfItem(this.graph, item) >= this.get(item).next) return MARK.pending;
    return base === MARK.aborting ? MARK.aborting : MARK.queued;
  }

  /** Whether an item's row was more than its payload before this fold. */
  hadBegun(item: number, name: string): boolean {
    const fanOut = this.before.fanOuts?.get(this.nameOf(item));
    return fanOut !== undefined && indexOfItem(this.graph, item) < fanOut.next && !this.before.holds.has(name);
  }

  open(position: number, tally: Tally, total: number): void {
    this.set(position, { tally, total, next: 0, completed: 0, failed: 0, cancelled: 0 });
  }

  /** @returns the index of the item that begins now, or null */
  beginNext(position: number): number | null {
    const fanOut = this.get(position);
    if (!mayBegin(fanOut, this.graph.nodes[baseOf(this.graph, position)]!)) return null;
    this.set(position, { ...fanOut, next: fanOut.next + 1 });
    return fanOut.next;
  }

  /** Notes what has become of an item. */
  move(item: number, mark: Mark): void {
    this.moved.set(item, mark);
    const count = COUNTS[mark];
    if (count === undefined) return;
    const fanOut = this.get(item);
    const doubt = DOUBTFUL.has(mark) ? { isDoubtful: true as const } : {};
    this.set(item, { ...fanOut, [count]: fanOut[count] + 1, ...doubt });
  }

  /** No more of its items begin. What it ends as is said by the first who says so. */
  close(position: number, end: NonNullable<FanOut['end']>): void {
    this.set(position, { end, ...this.get(position) });
  }

  /** Whether one failure more is more than it tolerates. */
  isLastStraw(position: number): boolean {
    const fanOut = this.get(position);
    return isTooMany(fanOut.failed + 1, fanOut, this.graph.nodes[baseOf(this.graph, position)]!);
  }

  isSettled(position: number): boolean {
    return isSettled(this.get(position));
  }

  isAnyOpen(position: number): boolean {
    return openItemsOf(this.get(position)) > 0;
  }

  forget(position: number): void {
    this.fanOuts.delete(this.nameOf(position));
  }

  toState(): Pick<RunState, 'fanOuts'> {
    return this.fanOuts.size === 0 ? {} : { fanOuts: this.fanOuts };
  }

  private set(position: number, fanOut: FanOut): void {
    this.fanOuts.set(this.nameOf(position), fanOut);
  }

  private nameOf(position: number): string {
    return this.graph.nodes[baseOf(this.graph, position)]!.name;
  }
}
