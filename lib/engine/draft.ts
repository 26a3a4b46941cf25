import type {
  AuditNote,
  Decision,
  Place,
  Renewal,
  RowGuard,
  RunFailure,
  RunView,
  StartHere,
  StepNews,
  StepWrite,
} from './decision.js';
import type { Asked, Claim } from './facts.js';
import { baseOf, findPosition, nodeAt, positionOfItem, type StepNode } from './indexed-graph.js';
import { ItemLedger } from './item-ledger.js';
import type { Anew } from './renewal.js';
import { doubted, MARK, repeated, staged, type Hold, type Mark, type Stage, type Tally } from './run-state.js';
import { RUN_MOVES, type ControlAction, type RunStatus } from './words.js';

type RowChange = Partial<StepWrite> & Pick<StepWrite, 'status' | 'tally'>;

/** Marks of steps that have an open row. */
const HAS_OPEN_ROW: ReadonlySet<string> = new Set([MARK.queued, MARK.waiting, MARK.aborting, MARK.fanned]);
/** Marks of steps that are more than waits for a time. */
const ACTIVE: ReadonlySet<string> = new Set([MARK.held, MARK.queued, MARK.aborting, MARK.fanned]);

/** Marks of items that may have an attempt, now or later. */
const IS_OPEN: ReadonlySet<string> = new Set([MARK.held, MARK.queued, MARK.aborting]);

const NEVER_CLAIMED: Tally = { attempt: 0, failures: 0, crashes: 0 };
const RECEIVED: Tally = { ...NEVER_CLAIMED, stage: 'received' };

const FAILED = [MARK.failed, MARK.failedInDoubt] as const;
const CANCELLED = [MARK.cancelled, MARK.cancelledInDoubt] as const;

/** The counters alone, of whatever has them. */
export function tallyOf({ attempt, failures, crashes, stage, rounds, inDoubt }: Tally): Tally {
  return { attempt, failures, crashes, ...staged(stage), ...repeated(rounds), ...doubted(inDoubt) };
}

/** What starts here once the commit has answered: as what, and as what it waits for a worker where it does not. */
interface Started {
  readonly tally: Tally;
  readonly waits: Tally;
  readonly startedAt: string | null;
}

/** A decision in the making: facts are folded into it one after the other. Lives inside one call of `decide`. */
export class Draft {
  status: RunStatus;
  failure: RunFailure | null = null;
  cancelReason: string | null = null;
  readonly stale: Claim[] = [];
  readonly items: ItemLedger;
  private readonly marks: string[];
  private readonly holds: Map<string, Hold>;
  private readonly slots: Map<string, number>;
  private readonly writes = new Map<string, StepWrite>();
  private readonly started = new Map<string, Started>();
  private readonly news: StepNews[] = [];
  private readonly audit: AuditNote[] = [];
  /** Signals that were looked at, each with the step that takes it. */
  private readonly signals = new Map<string, string | null>();
  private renewal: Renewal | null = null;
  /** Queues of rows that are ready already, and from now on for somebody. */
  private readonly freed = new Set<string>();
  private expectsNoSignals = false;
  private hurries = false;
  private changed = false;

  constructor(
    readonly view: RunView,
    private readonly place: Place,
  ) {
    this.status = view.status;
    this.items = new ItemLedger(view.graph, view.state);
    this.marks = [...view.state.marks];
    this.holds = new Map(view.state.holds);
    this.slots = new Map(place.slots);
  }

  /** Whether the claim was made in the generation in which the run is now. */
  isOfNow({ generation = 0 }: Pick<Claim, 'generation'>): boolean {
    return generation === this.view.generation && !this.hasBegunAnew;
  }

  get hasBegunAnew(): boolean {
    return this.renewal !== null;
  }

  /** Whether it is in a later generation than its first. */
  get isRetried(): boolean {
    return this.view.generation > 0 || this.hasBegunAnew;
  }

  /** Whether it is pending because of the limits of its workflow. */
  get waitsForTurn(): boolean {
    return this.view.gate === 'waits' || (this.view.gate !== null && this.hasBegunAnew);
  }

  /** The run that had failed begins a new generation. @returns false where it has to wait for its turn first */
  renew({ status, positions, renewal }: Anew): boolean {
    const waits = status === 'running' && this.view.gate !== null;
    this.moveRun(waits ? 'pending' : status);
    this.renewal = renewal;
    for (const position of positions) this.mark(position, MARK.pending);
    return !waits;
  }

  /** What a step has failed with for good while the run was paused: it stops with that once it is resumed. */
  get notedFailure(): RunFailure | null {
    return this.failure ?? (this.view.status === 'paused' ? this.view.failure : null);
  }

  /** Whether no step of it has had its turn. */
  get isUntouched(): boolean {
    return this.marks.every((mark) => mark === MARK.pending || mark === MARK.dormant);
  }

  /** The run goes on: what has become ready meanwhile is somebody's to claim. */
  freeRows(): void {
    for (const [step, { status }] of this.view.rows!) {
      const position = this.position(step);
      if (status === 'ready' && position !== undefined && !this.writes.has(step))
        this.freed.add(this.node(position).queue);
    }
  }

  node(position: number): StepNode {
    return nodeAt(this.view.graph, position);
  }

  position(step: string): number | undefined {
    return findPosition(this.view.graph, step);
  }

  markOf(position: number): Mark {
    if (!this.items.isItem(position)) return this.marks[position] as Mark;
    const base = this.marks[baseOf(this.view.graph, position)] as Mark;
    return this.items.markOf(position, base, this.holds, this.node(position).name);
  }

  /** Items of a fan-out, or of all, that have an open row or a hold, as far as the rows are shown. */
  openItems(fanOut?: number): number[] {
    const { graph, rows } = this.view;
    const names = new Set([...(rows?.keys() ?? []), ...this.writes.keys(), ...this.holds.keys()]);
    const positions = [...names].map((name) => findPosition(graph, name)!);
    return positions.filter(
      (position) =>
        this.items.isItem(position) &&
        (fanOut === undefined || baseOf(graph, position) === fanOut) &&
        IS_OPEN.has(this.markOf(position)),
    );
  }

  /** The items of the fan-out are stored: as many as may be begin. */
  expand(position: number, tally: Tally, count: number, startedAt: string): void {
    const expanded: Tally = { ...tally, stage: 'expanded' };
    this.end(position, MARK.fanned, { status: 'waiting', tally: expanded, startedAt }, tally);
    this.items.open(position, expanded, count);
    this.beginItems(position);
  }

  /** As one item of a fan-out ends, the next begins. */
  beginItems(position: number): void {
    if (this.status === 'paused') return;
    const { graph } = this.view;
    const fanOut = baseOf(graph, position);
    for (let next = this.items.beginNext(fanOut); next !== null; next = this.items.beginNext(fanOut))
      this.start(positionOfItem(graph, fanOut, next));
  }

  /** Too many of its items have failed: the fan-out has, as soon as nothing of it is under way. */
  blame(fanOut: number, error: string): void {
    const { tally } = this.items.get(fanOut);
    this.items.close(fanOut, 'fails');
    this.write(fanOut, { status: 'waiting', tally, error }, false);
    this.changed = true;
  }

  /** Nothing of the fan-out is under way, and nothing more begins: it has ended. @returns how */
  settleFanOut(fanOut: number): 'completed' | 'failed' | 'cancelled' {
    const { tally, end, completed, isDoubtful } = this.items.get(fanOut);
    const status = end === undefined ? 'completed' : end === 'fails' ? 'failed' : 'cancelled';
    const isDone = completed > 0 || isDoubtful === true;
    const ended: Tally = { ...tally, ...doubted(tally.inDoubt || (end !== undefined && isDone)) };
    this.write(fanOut, { status, tally: ended }, false, tally);
    if (end === undefined) this.mark(fanOut, MARK.completed);
    else this.mark(fanOut, this.markOfEnd(fanOut, ended, end === 'fails' ? FAILED : CANCELLED));
    this.items.forget(fanOut);
    return status;
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

  /** Whether an attempt is under way or waited for. */
  isAnythingOpen(): boolean {
    return this.marks.some((mark) => mark === MARK.held || HAS_OPEN_ROW.has(mark));
  }

  isAnythingPending(): boolean {
    return this.marks.includes(MARK.pending);
  }

  moveRun(to: RunStatus): void {
    if (!RUN_MOVES[this.status].includes(to)) throw new Error(`A run cannot go from ${this.status} to ${to}.`);
    this.status = to;
    this.changed = true;
  }

  /** The step has its turn: it starts, or waits first. Its condition is asked before it waits. */
  begin(position: number): void {
    const { delayMs, when, kind } = this.node(position);
    if (when !== undefined) this.start(position);
    else if (kind === 'signal') this.awaitSignal(position);
    else if (delayMs !== undefined) this.park(position, NEVER_CLAIMED, { delayMs });
    else this.start(position);
  }

  /** The step takes the first signal that is there for it, or waits for one. */
  private awaitSignal(position: number): void {
    if (this.takeSignal(position)) this.start(position, RECEIVED);
    else this.parkForSignal(position, NEVER_CLAIMED);
  }

  /** The step waits for a signal, as long as it may. */
  parkForSignal(position: number, tally: Tally): void {
    const { waitMs } = this.node(position);
    if (this.view.inbox === null) this.expectsNoSignals = true;
    this.park(position, tally, { stage: 'parked', ...(waitMs === undefined ? {} : { delayMs: waitMs }) });
  }

  /** Gives the step the first signal that is there for it. @returns whether there is one */
  takeSignal(position: number): boolean {
    // In a new generation those are looked at that have been taken before, too: once it has begun.
    if (this.renewal !== null) return false;
    const { name: step, signals = [] } = this.node(position);
    const isFree = (id: string) => (this.signals.get(id) ?? null) === null;
    const signal = this.view.inbox?.find(({ id, name }) => signals.includes(name) && isFree(id));
    if (!signal) return false;
    this.signals.set(signal.id, step);
    this.changed = true;
    return true;
  }

  /** Notes that all signals that are there, which must be shown, have been looked at. */
  lookAtSignals(): void {
    for (const { id, seen } of this.view.inbox!) {
      if (seen || this.signals.has(id)) continue;
      this.signals.set(id, null);
      this.changed = true;
    }
  }

  /** The signal that the waiting step has just taken is handled: here where a slot is free, else by whoever claims the row. */
  receive(position: number, was: Tally): void {
    const { name, queue } = this.node(position);
    const received: Tally = { ...was, stage: 'received' };
    if (!this.takeSlot(queue)) {
      this.write(position, { status: 'ready', tally: received }, false, was);
    } else {
      const tally = { ...received, attempt: was.attempt + 1 };
      this.started.set(name, { tally, waits: received, startedAt: null });
      this.write(position, { status: 'running', tally, worker: this.place.worker }, false, was);
    }
    this.mark(position, MARK.queued);
  }

  /** The step starts: here where a slot is free, else as a ready row. */
  private start(position: number, earlier: Tally = NEVER_CLAIMED): void {
    const node = this.node(position);
    if (!this.takeSlot(node.queue)) {
      this.write(position, { status: 'ready', tally: earlier }, false);
      return this.mark(position, MARK.queued);
    }
    const tally = { ...earlier, attempt: 1 };
    this.started.set(node.name, { tally, waits: earlier, startedAt: null });
    // Only the process named in the run may hold claims in its state; any other writes the step's row at the claim. So does
    // whoever begins a step that is to mark its row in a transaction of its own.
    const mayHold = this.view.worker === null || this.view.worker === this.place.worker;
    if (mayHold && !node.transactional) {
      this.mark(position, MARK.held);
      this.holds.set(node.name, tally);
    } else {
      this.mark(position, MARK.queued);
      this.write(position, { status: 'running', tally, worker: this.place.worker }, true);
    }
  }

  /** The attempt goes on with the step's own code: here where a slot is free (its own is), else as a ready row. */
  resume(position: number, tally: Tally, startedAt: string, stage: Stage = 'admitted'): void {
    const later: Tally = { ...tally, stage };
    const { name, queue } = this.node(position);
    const isHeld = this.markOf(position) === MARK.held;
    // What another process holds, or this one held under an id that is dead, does not go on here.
    const isElsewhere = isHeld && this.view.worker !== this.place.worker;
    if (isElsewhere || !this.takeSlot(queue))
      return this.end(position, MARK.queued, { status: 'ready', tally: later, startedAt }, tally);
    this.started.set(name, { tally: later, waits: later, startedAt });
    this.changed = true;
    if (isHeld) this.holds.set(name, later);
    else this.write(position, { status: 'running', tally: later, worker: this.place.worker }, true, tally);
  }

  /** What a round of the step has given is in its row from now on, and its attempt goes on: here where a slot is free (its own is). */
  record(position: number, tally: Tally, result: string, startedAt: string): void {
    this.takeUp(position, { ...tally, stage: 'tried' }, { result, startedAt }, tally);
  }

  /** The next round of a step begins: with an attempt of its own, as none of the last round may speak for it, and failures of its own. */
  beginRound(position: number, last: Claim, { rounds, everyMs }: { rounds: number; everyMs: number }): void {
    const next: Tally = { attempt: last.attempt, failures: 0, crashes: 0, stage: 'admitted', rounds };
    const was = tallyOf(last);
    if (everyMs === 0) return this.takeUp(position, next, {}, was, 1);
    this.write(position, { status: 'waiting', tally: next, delayMs: everyMs }, true, was);
    this.mark(position, MARK.waiting);
    this.announce({ step: last.step, status: 'waiting', attempt: last.attempt, error: null, delayMs: everyMs });
  }

  /** The step goes on in a row of its own. @param anew 1: with another attempt */
  private takeUp(position: number, tally: Tally, row: Partial<StepWrite>, was: Tally, anew: 0 | 1 = 0): void {
    const { name, queue } = this.node(position);
    // What another process holds, or this one held under an id that is dead, does not go on here.
    const isElsewhere = this.markOf(position) === MARK.held && this.view.worker !== this.place.worker;
    if (isElsewhere || !this.takeSlot(queue))
      return this.end(position, MARK.queued, { ...row, status: 'ready', tally }, was);
    const here = { ...tally, attempt: tally.attempt + anew };
    this.end(position, MARK.queued, { ...row, status: 'running', tally: here, worker: this.place.worker }, was);
    this.started.set(name, { tally: here, waits: tally, startedAt: row.startedAt ?? null });
  }

  /** The step waits for a time. Holds no worker. */
  park(
    position: number,
    tally: Tally,
    { stage, ...row }: { stage?: Stage; delayMs?: number; dueAt?: string; result?: string },
  ): void {
    const isRunning = this.markOf(position) !== MARK.pending;
    const parked = { ...tally, ...staged(stage) };
    this.write(position, { status: 'waiting', tally: parked, ...row }, isRunning, tally);
    const { name: step } = this.node(position);
    this.holds.delete(step);
    this.mark(position, MARK.waiting);
    const { attempt } = tally;
    this.announce({ step, status: 'waiting', attempt, error: null, delayMs: row.delayMs ?? null });
  }

  /** The row of a step that waited is being run, or is about to be. */
  rouse(position: number): void {
    this.mark(position, MARK.queued);
  }

  /** What waited for a time waits for a worker. */
  wake(position: number, tally: Tally): void {
    this.write(position, { status: 'ready', tally }, false);
    this.mark(position, MARK.queued);
  }

  /** The attempt has ended without an outcome: the step waits for a free slot anywhere, in the place it had when it began. */
  release(position: number, tally: Tally, startedAt: string | null): void {
    this.end(position, MARK.queued, { status: 'ready', tally, startedAt });
  }

  /** The step waits for its next attempt. Holds no worker. */
  retry(position: number, tally: Tally, delayMs: number, error: string, startedAt: string): void {
    this.end(position, MARK.queued, { status: 'retrying', tally, delayMs, error, startedAt });
  }

  /** The compensation is called for, and waits for its turn. */
  awaken(position: number): void {
    this.mark(position, MARK.pending);
  }

  /** @param result null where its row has it already */
  complete(position: number, tally: Tally, result: string | null, startedAt: string | null): void {
    const aborting = this.markOf(position) === MARK.aborting;
    this.end(position, aborting ? MARK.late : MARK.completed, {
      ...{ status: 'completed', tally, result, startedAt, aborting },
    });
  }

  fail(position: number, tally: Tally, error: string, startedAt: string): void {
    this.end(position, this.markOfEnd(position, tally, FAILED), { status: 'failed', tally, error, startedAt });
  }

  /** No worker has taken the step in time. Its attempts, if it had any, are as they were. */
  failReady(position: number, tally: Tally, error: string): void {
    this.write(position, { status: 'failed', tally, error }, false);
    this.mark(position, this.markOfEnd(position, tally, FAILED));
  }

  /** The step has died with its workers too often. Its mark is that of a failed one: its row tells the difference. */
  quarantine(position: number, tally: Tally, error: string): void {
    this.end(position, this.markOfEnd(position, tally, FAILED), { status: 'quarantined', tally, error });
  }

  /** Its condition was not met. */
  skipClaimed(position: number, tally: Tally, startedAt: string): void {
    this.end(position, MARK.skipped, { status: 'skipped', tally, startedAt });
  }

  /** What it needs is missing. It leaves no row. */
  skip(position: number): void {
    this.mark(position, MARK.skipped);
  }

  /** An attempt under way has ended with its stopped run, or after its join was won by others. */
  abort(position: number, tally: Tally, error: string | null, startedAt: string | null): void {
    this.end(position, this.markOfEnd(position, tally, CANCELLED), { status: 'cancelled', tally, error, startedAt });
  }

  /** What was to start here with this very commit does not, because a later fact has stopped its run. It leaves no row. */
  withdrawStarts(): void {
    for (const step of [...this.started.keys()]) this.withdraw(step);
  }

  /** What was to start here with this very commit waits for a worker, because a later fact has paused its run. */
  postponeStarts(): void {
    for (const [step, { waits, startedAt }] of [...this.started]) {
      const position = this.position(step)!;
      this.started.delete(step);
      this.holds.delete(step);
      this.write(position, { status: 'ready', tally: waits, startedAt }, false);
      this.mark(position, MARK.queued);
    }
  }

  private withdraw(step: string): void {
    const position = this.position(step)!;
    const { tally } = this.started.get(step)!;
    this.started.delete(step);
    this.holds.delete(step);
    // What a round has given is kept, and undone.
    const hasRounds = tally.rounds !== undefined || tally.stage === 'tried';
    if (hasRounds || this.hadRow(position)) this.write(position, { status: 'cancelled', tally }, true);
    else this.writes.delete(step);
    this.mark(position, hasRounds ? this.markOfEnd(position, tally, CANCELLED) : MARK.cancelled);
  }

  /** Ends everything that is open, also what runs: its outcome will be stale. @returns what was open, with its last attempt */
  cancelOpen(): { readonly position: number; readonly attempt: number }[] {
    const steps = this.marks.flatMap((mark, position) =>
      mark === MARK.held || HAS_OPEN_ROW.has(mark) ? [position] : [],
    );
    // Items before their fan-outs, which count them.
    return [...this.openItems(), ...steps].map((position) => {
      if (this.items.has(position) && !this.items.isItem(position)) {
        this.items.close(position, 'cancelled');
        const { attempt } = this.items.get(position).tally;
        this.settleFanOut(position);
        return { position, attempt };
      }
      const { name } = this.node(position);
      const hold = this.holds.get(name);
      const row = this.findRow(position);
      const tally = hold ? tallyOf(hold) : row!.tally;
      if (hold) this.abort(position, tally, null, sinceOf(hold));
      else if (row!.status === 'running') this.abort(position, tally, null, null);
      else this.cancelWaiting(position, tally);
      return { position, attempt: tally.attempt };
    });
  }

  /** Whether only the step's row, which is not shown, knows what giving it up means. */
  needsRowOf(position: number): boolean {
    const { name } = this.node(position);
    return this.view.rows === null && this.hadRow(position) && !this.writes.has(name);
  }

  /** Nobody wants the step any more: what has not begun does not, what waits is cancelled, what runs may still report. @returns its last attempt */
  giveUp(position: number): number {
    const { name } = this.node(position);
    const mark = this.markOf(position);
    if (mark === MARK.fanned) return this.giveUpItems(position);
    if (this.started.has(name)) {
      const { attempt } = this.started.get(name)!.tally;
      this.withdraw(name);
      return attempt;
    }
    if (mark === MARK.pending) {
      this.drop(position);
      return 0;
    }
    const waiting = this.findWaiting(position);
    if (waiting) {
      this.cancelWaiting(position, waiting);
      return waiting.attempt;
    }
    return this.abortRunning(position);
  }

  private giveUpItems(fanOut: number): number {
    const { attempt } = this.items.get(fanOut).tally;
    this.items.close(fanOut, 'cancelled');
    for (const item of this.openItems(fanOut)) this.giveUp(item);
    if (this.items.isAnyOpen(fanOut)) this.mark(fanOut, MARK.aborting);
    else this.settleFanOut(fanOut);
    return attempt;
  }

  /** An attempt under way is no longer wanted. It has a row from now on, also where it was held in the run's state. */
  private abortRunning(position: number): number {
    const { name } = this.node(position);
    const hold = this.holds.get(name);
    const row = this.view.rows?.get(name);
    const tally = tallyOf((hold ?? row)!);
    const { attempt } = tally;
    const worker = hold ? this.view.worker : row!.worker;
    this.write(position, { status: 'running', tally, worker, aborting: true, startedAt: sinceOf(hold) }, true);
    this.holds.delete(name);
    this.mark(position, MARK.aborting);
    return attempt;
  }

  /** A step that never started ends with its stopped run. It leaves no row. */
  drop(position: number): void {
    this.mark(position, MARK.cancelled);
  }

  /** A step that waited in a row of its own ends with its stopped run. */
  cancelWaiting(position: number, tally: Tally): void {
    this.write(position, { status: 'cancelled', tally }, false);
    this.mark(position, this.markOfEnd(position, tally, CANCELLED));
  }

  /** Without a result; where the step can be compensated the mark tells whether it may have had its effect. */
  private markOfEnd(position: number, tally: Tally, [plain, doubtful]: readonly [Mark, Mark]): Mark {
    const { crashes, inDoubt, rounds, stage } = tally;
    const { transactional } = this.node(position);
    const isDoubtful = inDoubt === true || (crashes > 0 && !transactional) || rounds !== undefined || stage === 'tried';
    return isDoubtful && this.isUndone(position) ? doubtful : plain;
  }

  /** Whether there is a compensation of the step. */
  isUndone(position: number): boolean {
    return this.view.graph.undoneBy[baseOf(this.view.graph, position)] !== undefined;
  }

  /** Whether this very fold has already written the step. */
  wasWritten(step: string): boolean {
    return this.writes.has(step);
  }

  /** What this very fold writes of the step. */
  findWritten(step: string): StepWrite | undefined {
    return this.writes.get(step);
  }

  /** The counters of a step that waits, as its row or this very fold says; null while an attempt is under way. */
  findWaiting(position: number): Tally | null {
    const row = this.findRow(position);
    return row && row.status !== 'running' ? row.tally : null;
  }

  /** The counters of a step that waits for its time or for that of its next attempt, else null. */
  findWaitForTime(position: number): Tally | null {
    const row = this.findRow(position);
    if (row?.status === 'retrying') return row.tally;
    const isSignal = this.node(position).kind === 'signal';
    return row?.status === 'waiting' && !isSignal ? row.tally : null;
  }

  /** The counters of a step that waits for a signal, also where its time is over and nobody has ended it yet; else null. */
  findWaitForSignal(position: number): Tally | null {
    const tally = this.node(position).kind === 'signal' ? this.findWaiting(position) : null;
    return tally?.stage === 'parked' ? tally : null;
  }

  /** A step's open row, as this very fold or the view says. */
  private findRow(position: number): Pick<StepWrite, 'status' | 'tally'> | null {
    const step = this.node(position).name;
    const row = this.view.rows?.get(step);
    if (this.writes.has(step)) return this.writes.get(step)!;
    if (!row) return null;
    return { status: row.status, tally: tallyOf(row) };
  }

  /** A run that waits for its turn does so from now on. */
  hurry(): void {
    this.hurries = true;
    this.changed = true;
  }

  /** Notes who asked for what is being done, and why. */
  note(action: ControlAction, { by, reason }: Asked): void {
    this.audit.push({ action, by, reason });
  }

  announce(news: StepNews): void {
    this.news.push(news);
  }

  toDecision(): Decision {
    this.tellWhetherItWaits();
    const starts: StartHere[] = [...this.started].map(([step, { tally }]) => ({ step, tally }));
    const writes = [...this.writes.values()];
    const ready = writes.filter((write) => write.status === 'ready');
    return {
      kind: 'decided',
      changed: this.changed,
      status: this.status,
      state: { marks: this.marks.join(''), holds: this.holds, ...this.items.toState() },
      worker: this.workerAfter(),
      writes,
      starts,
      rings: new Set([...ready.map((write) => this.node(this.position(write.step)!).queue), ...this.freed]),
      failure: this.failure,
      cancelReason: this.cancelReason,
      expectsNoSignals: this.expectsNoSignals,
      signals: [...this.signals].map(([id, step]) => ({ id, step })),
      audit: this.audit,
      renewal: this.renewal,
      pause: this.pauseAfter(),
      hurries: this.hurries,
      news: this.news,
      stale: this.stale,
    };
  }

  /** A run in which nothing is ready or running, and something waits for a time, is one that waits. */
  private tellWhetherItWaits(): void {
    if (!this.changed || (this.status !== 'running' && this.status !== 'waiting')) return;
    const isActive = this.marks.some((mark) => ACTIVE.has(mark));
    const status = !isActive && this.marks.includes(MARK.waiting) ? 'waiting' : 'running';
    if (status !== this.status) this.moveRun(status);
  }

  private pauseAfter(): Decision['pause'] {
    if (this.status === 'paused') return this.view.status === 'paused' ? null : 'begins';
    const isOpen = this.status === 'pending' || this.status === 'running' || this.status === 'waiting';
    // What has been stopped has no row left that waits.
    return this.view.status === 'paused' && isOpen ? 'ends' : null;
  }

  /** A run names a worker exactly as long as claims lie in its state. */
  private workerAfter(): string | null {
    return this.holds.size === 0 ? null : (this.view.worker ?? this.place.worker);
  }

  private end(position: number, mark: Mark, row: RowChange, was: Tally = row.tally): void {
    const step = this.node(position).name;
    this.write(position, row, true, was);
    this.holds.delete(step);
    this.started.delete(step);
    this.mark(position, mark);
  }

  /** @returns false where none is free, or nothing begins */
  private takeSlot(queue: string): boolean {
    if (this.status === 'paused') return false;
    const free = this.slots.get(queue) ?? 0;
    if (free > 0) this.slots.set(queue, free - 1);
    return free > 0;
  }

  /** Whether the step had an open row before this fold. */
  private hadRow(position: number): boolean {
    if (this.items.isItem(position)) return this.items.hadBegun(position, this.node(position).name);
    return HAS_OPEN_ROW.has(this.view.state.marks[position]!);
  }

  private mark(position: number, mark: Mark): void {
    if (this.items.isItem(position)) this.items.move(position, mark);
    else this.marks[position] = mark;
    this.changed = true;
  }

  private guardOfNew(position: number): RowGuard | null {
    return this.items.isItem(position) ? UNTOUCHED : null;
  }

  /** One row per step and commit: what a later fact of the same fold does to it is laid over the earlier. */
  private write(position: number, row: RowChange, running: boolean, was: Tally = row.tally): void {
    const step = this.node(position).name;
    const earlier = this.writes.get(step);
    const guard = this.hadRow(position)
      ? { attempt: was.attempt, running, ...staged(was.stage) }
      : this.guardOfNew(position);
    this.writes.set(step, {
      step,
      guard: earlier ? earlier.guard : guard,
      worker: null,
      delayMs: null,
      dueAt: null,
      aborting: false,
      ...row,
      result: row.result ?? earlier?.result ?? null,
      error: row.error ?? earlier?.error ?? null,
      startedAt: row.startedAt ?? earlier?.startedAt ?? null,
    });
  }
}

/** The row of an item that has not begun, or is held, holds its payload and has never been claimed. */
const UNTOUCHED: RowGuard = { attempt: 0, running: false };

/** The database's time of a claim that lies in the run's state, where there is one and it is known. */
export function sinceOf(hold: Hold | undefined): string | null {
  return hold?.since ?? null;
}
