import type { Decision, Place, RunFailure, RunView, StartHere, StepNews, StepWrite } from './decision.js';
import type { Claim } from './facts.js';
import type { GraphNode } from './graph.js';
import { MARK, type Hold, type Mark, type Tally } from './run-state.js';
import { RUN_MOVES, type RunStatus } from './words.js';

type RowChange = Partial<StepWrite> & Pick<StepWrite, 'status' | 'tally'>;

const NEVER_CLAIMED: Tally = { attempt: 0, failures: 0, crashes: 0 };

/** A decision in the making: facts are folded into it one after the other. Lives inside one call of `decide`. */
export class Draft {
  status: RunStatus;
  failure: RunFailure | null = null;
  cancelReason: string | null = null;
  readonly stale: Claim[] = [];
  private readonly marks: string[];
  private readonly holds: Map<string, Hold>;
  private readonly slots: Map<string, number>;
  private readonly writes = new Map<string, StepWrite>();
  private readonly started = new Map<string, Tally>();
  private readonly news: StepNews[] = [];
  private changed = false;

  constructor(
    readonly view: RunView,
    private readonly place: Place,
  ) {
    this.status = view.status;
    this.marks = [...view.state.marks];
    this.holds = new Map(view.state.holds);
    this.slots = new Map(place.slots);
  }

  node(position: number): GraphNode {
    return this.view.graph.nodes[position]!;
  }

  position(step: string): number | undefined {
    return this.view.graph.positions.get(step);
  }

  markOf(position: number): Mark {
    return this.marks[position] as Mark;
  }

  holdOf(step: string): Hold | undefined {
    return this.holds.get(step);
  }

  *heldSteps(): Generator<[string, Hold]> {
    yield* [...this.holds];
  }

  /** Positions of the steps that carry this mark. */
  positionsOf(mark: Mark): number[] {
    return this.marks.flatMap((other, position) => (other === mark ? [position] : []));
  }

  isEverythingCompleted(): boolean {
    return this.marks.every((mark) => mark === MARK.completed);
  }

  isAnythingOpen(): boolean {
    return this.marks.some((mark) => mark === MARK.held || mark === MARK.queued);
  }

  moveRun(to: RunStatus): void {
    if (!RUN_MOVES[this.status].includes(to)) throw new Error(`A run cannot go from ${this.status} to ${to}.`);
    this.status = to;
    this.changed = true;
  }

  /** The step starts: here where a slot is free, else as a ready row. */
  begin(position: number): void {
    const node = this.node(position);
    const free = this.slots.get(node.queue) ?? 0;
    if (free === 0) {
      this.write(position, { status: 'ready', tally: NEVER_CLAIMED }, false);
      return this.mark(position, MARK.queued);
    }
    this.slots.set(node.queue, free - 1);
    const tally = { ...NEVER_CLAIMED, attempt: 1 };
    this.started.set(node.name, tally);
    // Only the process named in the run may hold claims in its state; any other writes the step's row at the claim.
    if (this.view.worker === null || this.view.worker === this.place.worker) {
      this.mark(position, MARK.held);
      this.holds.set(node.name, tally);
    } else {
      this.mark(position, MARK.queued);
      this.write(position, { status: 'running', tally, worker: this.place.worker }, true);
    }
  }

  /** The attempt has ended without an outcome: the step waits for a free slot anywhere, in the place it had when it began. */
  release(position: number, tally: Tally, startedAt: string | null): void {
    this.end(position, MARK.queued, { status: 'ready', tally, startedAt });
  }

  /** The step waits for its next attempt. Holds no worker. */
  retry(position: number, tally: Tally, delayMs: number, error: string, startedAt: string): void {
    this.end(position, MARK.queued, { status: 'retrying', tally, delayMs, error, startedAt });
  }

  complete(position: number, tally: Tally, result: string, startedAt: string): void {
    this.end(position, MARK.completed, { status: 'completed', tally, result, startedAt });
  }

  fail(position: number, tally: Tally, error: string, startedAt: string): void {
    this.end(position, MARK.failed, { status: 'failed', tally, error, startedAt });
  }

  /** The step has died with its workers too often. Its mark is that of a failed one: its row tells the difference. */
  quarantine(position: number, tally: Tally, error: string): void {
    this.end(position, MARK.failed, { status: 'quarantined', tally, error });
  }

  /** An attempt under way has ended with its stopped run. */
  abort(position: number, tally: Tally, error: string | null, startedAt: string | null): void {
    this.end(position, MARK.cancelled, { status: 'cancelled', tally, error, startedAt });
  }

  /** What was to start here with this very commit does not, because a later fact has stopped its run. It leaves no row. */
  withdrawStarts(): void {
    for (const step of this.started.keys()) {
      this.holds.delete(step);
      this.writes.delete(step);
      this.mark(this.position(step)!, MARK.cancelled);
    }
    this.started.clear();
  }

  /** A step that never started ends with its stopped run. It leaves no row. */
  drop(position: number): void {
    this.mark(position, MARK.cancelled);
  }

  /** A step that waited in a row of its own ends with its stopped run. */
  cancelWaiting(position: number, tally: Tally): void {
    this.write(position, { status: 'cancelled', tally }, false);
    this.mark(position, MARK.cancelled);
  }

  /** Whether this very fold has already written the step. */
  wasWritten(step: string): boolean {
    return this.writes.has(step);
  }

  /** The counters of a step that waits, as its row or this very fold says; null while an attempt is under way. */
  findWaiting(position: number): Tally | null {
    const step = this.node(position).name;
    const row = this.writes.get(step) ?? this.view.rows?.get(step);
    if (!row || row.status === 'running') return null;
    return 'tally' in row ? row.tally : row;
  }

  announce(news: StepNews): void {
    this.news.push(news);
  }

  toDecision(): Decision {
    const starts: StartHere[] = [...this.started].map(([step, tally]) => ({ step, tally }));
    const writes = [...this.writes.values()];
    const ready = writes.filter((write) => write.status === 'ready');
    return {
      kind: 'decided',
      changed: this.changed,
      status: this.status,
      state: { marks: this.marks.join(''), holds: this.holds },
      worker: this.workerAfter(),
      writes,
      starts,
      rings: new Set(ready.map((write) => this.node(this.position(write.step)!).queue)),
      failure: this.failure,
      cancelReason: this.cancelReason,
      news: this.news,
      stale: this.stale,
    };
  }

  /** A run names a worker exactly as long as claims lie in its state. */
  private workerAfter(): string | null {
    return this.holds.size === 0 ? null : (this.view.worker ?? this.place.worker);
  }

  private end(position: number, mark: Mark, row: RowChange): void {
    const step = this.node(position).name;
    this.write(position, row, true);
    this.holds.delete(step);
    this.started.delete(step);
    this.mark(position, mark);
  }

  private mark(position: number, mark: Mark): void {
    this.marks[position] = mark;
    this.changed = true;
  }

  /** One row per step and commit: what a later fact of the same fold does to it is laid over the earlier. */
  private write(position: number, row: RowChange, running: boolean): void {
    const step = this.node(position).name;
    const earlier = this.writes.get(step);
    const hasRow = this.view.state.marks[position] === MARK.queued;
    const guard = hasRow ? { attempt: row.tally.attempt, running } : null;
    this.writes.set(step, {
      step,
      guard: earlier ? earlier.guard : guard,
      worker: null,
      result: null,
      delayMs: null,
      ...row,
      error: row.error ?? earlier?.error ?? null,
      startedAt: row.startedAt ?? earlier?.startedAt ?? null,
    });
  }
}
