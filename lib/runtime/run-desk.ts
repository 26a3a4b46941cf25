import type { Decision, StepWrite } from '../engine/decision.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { claimIn, type Claim, type Fact } from '../engine/facts.js';
import type { ClaimedStep, LockedRun, NewRun, RunDoor, RunStore } from '../engine/ports.js';
import { findPosition, nodeOf } from '../engine/indexed-graph.js';
import { MARK } from '../engine/run-state.js';
import { isEnded, isStopping } from '../engine/words.js';
import type { EventHub } from '../events/event-hub.js';
import type { GraphNode } from '../engine/graph.js';
import { Attempt } from './attempt.js';
import type { DefinitionShelf, ShelvedDefinition } from './definition-shelf.js';
import { Folder, nothingFolded, NO_SLOTS, type Folded } from './folder.js';
import { Herald } from './herald.js';
import { OpenRun, type PendingFact } from './open-run.js';
import { toNewRun, type StartRequest } from './run-writes.js';
import type { SlotOffice } from './slot-office.js';
import type { StepRunner } from './step-runner.js';
import type { WorkerSelf } from './worker-self.js';

export interface RunDeskPorts {
  readonly door: RunDoor;
  readonly store: RunStore;
  readonly shelf: DefinitionShelf;
  readonly slots: SlotOffice;
  readonly self: WorkerSelf;
  readonly codec: PayloadCodec;
  readonly events: EventHub;
  readonly runner: StepRunner;
  /** A run ended in this process. */
  readonly onEnded: (run: OpenRun) => void;
  /** A run of this workflow waits for its turn. */
  readonly onWaits: (workflow: string) => void;
  /** A timer was set, for a step of this queue, that is due in so many milliseconds. */
  readonly onTimer: (delayMs: number, queue: string) => void;
}

/**
 * Where runs are worked on: facts come in, are folded into a decision, committed through the door, and only then acted
 * upon. Holds the runs that have attempts or facts in this process, and forgets them when they have none.
 */
export class RunDesk {
  private readonly runs = new Map<string, OpenRun>();
  private readonly quietListeners: (() => void)[] = [];
  /** Starts whose answers are awaited, by run: what they claim here begins with the answer, and is nobody's to give back. */
  private readonly starting = new Map<string, number>();
  /** Running steps have been handed over: none begins any more. */
  private isLeaving = false;

  private readonly folder: Folder;
  private readonly herald: Herald;

  constructor(private readonly ports: RunDeskPorts) {
    this.folder = new Folder(ports.slots, ports.self);
    this.herald = new Herald(ports.events, ports.codec);
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts runs in one commit. @returns for each whether it was created; false: an id or key among them is taken */
  async start(requests: readonly StartRequest[], named: boolean): Promise<boolean[]> {
    const count = (by: number) => {
      for (const { id } of requests) {
        const left = (this.starting.get(id) ?? 0) + by;
        if (left > 0) this.starting.set(id, left);
        else this.starting.delete(id);
      }
    };
    count(1);
    try {
      return await this.startNow(requests, named);
    } finally {
      count(-1);
      this.tellIfQuiet();
    }
  }

  private async startNow(requests: readonly StartRequest[], named: boolean): Promise<boolean[]> {
    let folds: Folded[] = [];
    const undoAll = () => {
      for (const fold of folds.splice(0)) this.folder.undo(fold);
    };
    const prepare = (held: boolean) => {
      undoAll();
      folds = requests.map((request) => this.folder.foldStart(request, held));
      return requests.map((request, index) => toNewRun(request, folds[index]!.decision));
    };
    const answers = await this.ports.door.start(prepare, named).catch((error: unknown) => {
      undoAll();
      throw error;
    });
    answers.forEach((answer, index) => {
      if (answer.kind === 'applied') this.adoptStart(requests[index]!, folds[index]!, answer.at);
      else this.folder.undo(folds[index]!);
    });
    for (const answer of answers) if (answer.kind === 'refused') throw answer.error;
    return answers.map(({ kind }) => kind === 'applied');
  }

  /** What a run looks like when it is started by somebody else's transaction: ready rows, and nothing claimed here. */
  draftStart(request: StartRequest): NewRun {
    return toNewRun(request, this.folder.foldStart(request, true).decision);
  }

  /**
   * Takes up a step that this worker has claimed from the step table. Its slot has been taken. `onSettled` is called when
   * its outcome has been dealt with.
   */
  async admit(
    { step, tally, startedAt, run: stored }: ClaimedStep,
    worker: string,
    onSettled?: () => void,
  ): Promise<void> {
    const definition = await this.ports.shelf.get(stored.definition, stored.workflow);
    const run = this.runs.get(stored.id) ?? OpenRun.from(stored, definition);
    this.runs.set(run.id, run);
    if (!run.isCommitting && run.revision < stored.revision) run.refresh(stored);
    const claim = claimIn(stored.generation, { step, startedAt, ...tally });
    this.begin(run, claim, { worker, marks: marksOf(stored.state), onSettled });
    this.rouse(run, claim);
  }

  /** The run only waited, and from now on it runs; where all that is left is to end the wait, that says as much. */
  private rouse(run: OpenRun, claim: Claim): void {
    const { graph } = run.definition;
    const position = findPosition(graph, claim.step)!;
    if (endsWait(nodeOf(graph, claim.step), claim) || run.state.marks[position] !== MARK.waiting) return;
    run.facts.push({ fact: { type: 'step-awake', claim }, slot: null });
    this.work(run);
  }

  /** Tells a run something that did not happen in an attempt of this process. @returns false where there is no such run */
  async tell(runId: string, fact: Fact): Promise<boolean> {
    const opened = this.runs.get(runId) ?? (await this.open(runId));
    if (!opened) return false;
    // Somebody else may have opened it meanwhile: there is one desk entry per run.
    await this.put(this.runs.get(runId) ?? opened, fact);
    return true;
  }

  /**
   * Frees what a run holds in this worker's name although nobody works on it here: the answer that gave it was lost. The
   * worker lives, and so it is no crash.
   */
  async releaseHolds(runId: string): Promise<void> {
    const run = this.isOpen(runId) ? null : await this.open(runId);
    if (!run || this.isOpen(runId) || run.worker !== this.ports.self.id) return;
    const lost = [...run.state.holds].map(([step, hold]) =>
      claimIn(run.generation, { step, startedAt: hold.since!, ...hold }),
    );
    await Promise.all(lost.map((claim) => this.put(run, { type: 'step-released', claim })));
  }

  private put(run: OpenRun, fact: Fact): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const settle = (error?: Error) => (error ? reject(error) : resolve());
      run.facts.push({ fact, slot: null, settle });
      // Beginning needs no more than the run's revision, and a thousand runs may be due in one moment.
      if (fact.type !== 'begun') run.mustLock = true;
      this.work(run);
    });
  }

  // ── attempts ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Attempts under way in this process. */
  get attempts(): Attempt[] {
    return [...this.runs.values()].flatMap((run) => [...run.attempts.values()]);
  }

  /** Whether this claim runs here, or may have an outcome that is being committed. */
  isRunning(runId: string, claim: Claim): boolean {
    const run = this.runs.get(runId);
    return run !== undefined && (run.isCommitting || run.isRunning(claim));
  }

  /** Raises the AbortSignal of a run's attempts. They may still report. */
  abort(runId: string): void {
    for (const attempt of this.runs.get(runId)?.attempts.values() ?? []) attempt.abort('stopped');
  }

  /** Raises the AbortSignal of one attempt: its step has lost a join. It may still report. */
  abortStep(runId: string, { step, attempt }: Claim): void {
    const running = this.runs.get(runId)?.attempts.get(step);
    if (running?.claim.attempt === attempt) running.abort('unwanted');
  }

  /** Hands all running steps over: to others where the store can be told, for nothing if it cannot. */
  handOver(): number {
    this.isLeaving = true;
    const attempts = this.attempts.filter((attempt) => !attempt.hasReported);
    for (const attempt of attempts) {
      attempt.abort('handed-over');
      this.report(attempt, { type: 'step-released', claim: attempt.claim });
    }
    return attempts.length;
  }

  /** This process was declared dead: its claims are others' now, and its attempts report nothing any more. */
  dropClaims(): void {
    for (const attempt of this.attempts) {
      if (attempt.hasReported) continue;
      attempt.abort('lost');
      attempt.hasReported = true;
      attempt.run.attempts.delete(attempt.node.name);
      attempt.onSettled?.();
      this.ports.slots.release(attempt.node.queue, 1);
      this.forgetIfIdle(attempt.run);
    }
  }

  /** Runs that have attempts here. */
  get openRuns(): string[] {
    return [...this.runs.values()].flatMap((run) => (run.attempts.size > 0 ? [run.id] : []));
  }

  /** Whether this process works on the run. */
  isOpen(runId: string): boolean {
    return this.runs.has(runId) || this.starting.has(runId);
  }

  /** Whether no attempt runs here, no fact waits and no start is under way. */
  get isQuiet(): boolean {
    return this.runs.size === 0 && this.starting.size === 0;
  }

  /** Calls back once when it is quiet. */
  onQuiet(listener: () => void): void {
    this.quietListeners.push(listener);
  }

  /** Resolves when it is quiet. */
  settled(): Promise<void> {
    return new Promise((resolve) => (this.isQuiet ? resolve() : this.onQuiet(resolve)));
  }

  /** An attempt that had already reported, by its timeout, has settled after all. */
  announceLate({ run, claim }: Attempt): void {
    this.herald.announceStep(run, 'step.stale', claim);
  }

  /**
   * Begins an attempt that was claimed under this worker's id, unless that id is dead by now or the process is leaving. Who
   * has been standing still for longer than a lease does not know yet whether it is: the claim may be another's already.
   */
  private begin(run: OpenRun, claim: Claim, { worker, marks, onSettled }: Beginning): void {
    const node = nodeOf(run.definition.graph, claim.step);
    if (this.isLeaving || worker !== this.ports.self.id || !this.ports.slots.holdsLease()) {
      run.facts.push({ fact: { type: 'step-released', claim }, slot: node.queue, settle: onSettled });
      return this.work(run);
    }
    const attempt = new Attempt(run, node, claim, marks, onSettled);
    run.attempts.set(claim.step, attempt);
    if (isStopping(run.status)) attempt.abort('stopped');
    if (runsOwnCode(node, claim)) this.herald.announceStep(run, 'step.started', claim);
    void this.ports.runner.run(attempt).then((fact) => this.report(attempt, fact));
  }

  private report(attempt: Attempt, fact: Fact): void {
    if (attempt.hasReported) return;
    attempt.hasReported = true;
    const { run, node } = attempt;
    run.attempts.delete(node.name);
    run.facts.push({ fact, slot: node.queue, settle: attempt.onSettled });
    this.work(run);
  }

  // ── commit ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private work(run: OpenRun): void {
    if (run.isCommitting) return;
    run.isCommitting = true;
    this.runs.set(run.id, run);
    void this.commitAll(run)
      .catch((error: unknown) => this.fail(run, error))
      .finally(() => {
        run.isCommitting = false;
        if (run.facts.length > 0) this.work(run);
        else this.forgetIfIdle(run);
      });
  }

  private async commitAll(run: OpenRun): Promise<void> {
    while (run.facts.length > 0) {
      if (run.mustLock) await this.commitAlone(run);
      else await this.commitShared(run);
    }
  }

  /** Decides when the commit is about to leave, so that all facts that have come by then are in it. */
  private async commitShared(run: OpenRun): Promise<void> {
    let folded: Folded | null = null;
    const answer = await this.ports.door.submit(() => {
      // Asked again where somebody's lock held the commit up: the same facts, and those that have come since.
      if (folded) this.takeBack(run, folded);
      folded = null;
      folded = this.foldAll(run);
      return folded.write;
    });
    const fold = folded as Folded | null;
    if (!fold) return;
    if (answer.kind === 'applied') return this.adopt(run, fold, answer.at);
    if (answer.kind === 'refused') return this.replaceRefused(run, fold, answer.error);
    if (answer.kind === 'nothing' && fold.decision) return this.finish(run, fold);
    // Missed, or the engine has to see the rows: once more, alone.
    this.takeBack(run, fold);
    run.mustLock = true;
  }

  private async commitAlone(run: OpenRun): Promise<void> {
    const facts = run.takeFacts();
    let folded: Folded | null = null;
    let isGone = false;
    const answer = await this.ports.door
      .submitLocked(run.id, (locked: LockedRun | null) => {
        if (folded) this.folder.undo(folded);
        folded = null;
        isGone = locked === null;
        if (!locked) return null;
        run.refresh(locked.run);
        folded = this.folder.fold(run, facts, locked);
        return folded.write;
      })
      .catch((error: unknown) => {
        run.returnFacts(facts);
        throw error;
      });
    const fold = (folded as Folded | null) ?? nothingFolded(facts);
    if (answer.kind === 'stale') {
      this.folder.undo(fold);
      return run.returnFacts(facts);
    }
    run.mustLock = false;
    if (answer.kind === 'applied') this.adopt(run, fold, answer.at);
    else if (answer.kind === 'refused') this.replaceRefused(run, fold, answer.error);
    else this.finish(run, fold);
    if (isGone || isStopping(run.status) || isEnded(run.status)) this.abort(run.id);
  }

  private foldAll(run: OpenRun): Folded {
    const facts = run.takeFacts();
    try {
      return this.folder.fold(run, facts, null);
    } catch (error) {
      run.returnFacts(facts);
      throw error;
    }
  }

  private takeBack(run: OpenRun, fold: Folded): void {
    this.folder.undo(fold);
    run.returnFacts(fold.facts);
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  private adopt(run: OpenRun, fold: Folded, at: string): void {
    const decision = fold.decision!;
    const wasStopping = isStopping(run.status);
    run.advance(decision, run.revision + 1, at);
    for (const { fact } of fold.facts) {
      // What came too late was not recorded, or is wanted by nobody: no step may go on from it.
      if (fact.type === 'step-completed' && !decision.stale.includes(fact.claim) && run.hasCompleted(fact.claim.step))
        run.results.set(fact.claim.step, fact.result);
    }
    this.finish(run, fold);
    this.beginAll(run, fold, at);
    if (isStopping(run.status) && !wasStopping) this.abort(run.id);
    this.follow(run.definition, decision, at);
    for (const { aborting, step, tally } of decision.writes) {
      if (aborting) this.abortStep(run.id, claimIn(run.generation, { step, startedAt: at, ...tally }));
    }
    if (isEnded(run.status)) this.ports.onEnded(run);
    if (run.gate === 'waits') this.ports.onWaits(run.workflow);
  }

  private beginAll(run: OpenRun, { decision, worker }: Folded, at: string): void {
    const { marks } = run.state;
    for (const { step, tally } of decision!.starts)
      this.begin(run, claimIn(run.generation, { step, startedAt: at, ...tally }), { worker, marks });
  }

  /** Rings for what is ready, and sees to it that somebody looks when what waits is due. */
  private follow(definition: ShelvedDefinition, decision: Decision, at: string): void {
    this.ringFor(decision);
    // Its start time may have come while it was paused.
    if (decision.pause === 'ends' && decision.status === 'pending')
      this.ports.onTimer(0, definition.graph.nodes[0]!.queue);
    for (const write of decision.writes) {
      const { queue, startWithinMs } = nodeOf(definition.graph, write.step);
      this.expect(write, at, queue);
      if (write.status === 'ready' && startWithinMs !== undefined) this.ports.onTimer(startWithinMs, queue);
    }
  }

  private expect({ delayMs, dueAt }: Pick<StepWrite, 'delayMs' | 'dueAt'>, at: string, queue: string): void {
    const dueMs = dueAt === null ? delayMs : Math.max(0, Date.parse(dueAt) - Date.parse(at));
    if (dueMs !== null) this.ports.onTimer(dueMs, queue);
  }

  /** The facts have been dealt with, whether or not they changed anything. */
  private finish(run: OpenRun, { facts, decision, own, used }: Folded): void {
    this.ports.slots.giveBack(own, used);
    for (const { settle } of facts) settle?.();
    if (decision) this.herald.announce(run, decision);
  }

  private ringFor(decision: Decision): void {
    if (decision.rings.size === 0) return;
    // How much has become ready while it was paused only the rows know.
    const ready = decision.pause === 'ends' ? Infinity : countReady(decision);
    for (const queue of decision.rings) this.ports.slots.ring(queue, ready);
  }

  private adoptStart(request: StartRequest, fold: Folded, at: string): void {
    const { id, definition, key } = request;
    this.ports.events.announce({ type: 'run.started', runId: id, workflow: definition.graph.graph.workflow, key });
    this.expect(request, at, definition.graph.nodes[0]!.queue);
    if (request.isGated) this.ports.onWaits(definition.graph.graph.workflow);
    const { decision } = fold;
    if (!decision) return;
    this.follow(definition, decision, at);
    const run = this.runs.get(id) ?? new OpenRun(definition, request);
    this.herald.announce(run, decision);
    if (decision.starts.length === 0) return;
    // Unless somebody had to tell it something before this answer came: then what is known of it is newer.
    if (!this.runs.has(id)) run.advance(decision, 0, at);
    this.runs.set(id, run);
    this.beginAll(run, fold, at);
  }

  /** The database refuses a value of these facts, whoever sends it: the step that brought it fails, and only that. */
  private replaceRefused(run: OpenRun, fold: Folded, error: Error): void {
    this.folder.undo(fold);
    if (fold.facts.length > 1) {
      run.apart = fold.facts.length;
      return run.returnFacts(fold.facts);
    }
    const isOurs = fold.facts.every(({ slot, replaced }) => slot !== null && !replaced);
    if (!isOurs) return this.giveUp(fold, error);
    const message = `Cannot store the outcome of a step of run ${run.id}: ${error.message}`;
    const refusal = new OrchestrateFlowError('OF_VALUE_NOT_STORABLE', message, { cause: error });
    run.returnFacts(fold.facts.map((pending) => this.toRefusal(pending, refusal)));
  }

  private toRefusal(pending: PendingFact, refusal: Error): PendingFact {
    const { fact } = pending;
    const hasEnded = fact.type === 'step-completed' || fact.type === 'step-tried';
    if (!hasEnded && fact.type !== 'step-failed') return { ...pending, replaced: true };
    const error = this.ports.codec.encodeError(refusal);
    // What has completed has had its effect, though its result is lost.
    const inDoubt = hasEnded || fact.failure.inDoubt;
    const failure = { error, retryable: false, retryAfterMs: null, aborted: false, inDoubt, random: 0 };
    return { ...pending, replaced: true, fact: { type: 'step-failed', claim: fact.claim, failure } };
  }

  private giveUp({ facts, own }: Folded, error: unknown): void {
    this.ports.slots.giveBack(own, NO_SLOTS);
    this.ports.events.announceFailure('committing a decision', error);
    const reason = error instanceof Error ? error : new Error(String(error));
    for (const { settle } of facts) settle?.(reason);
  }

  private fail(run: OpenRun, error: unknown): void {
    run.apart = 0;
    this.giveUp(nothingFolded(run.takeFacts()), error);
  }

  private async open(runId: string): Promise<OpenRun | null> {
    const stored = await this.ports.store.findRun(runId);
    if (!stored) return null;
    const definition = await this.ports.shelf.get(stored.definition, stored.workflow);
    return OpenRun.from(stored, definition);
  }

  private forgetIfIdle(run: OpenRun): void {
    if (run.isIdle && this.runs.get(run.id) === run) this.runs.delete(run.id);
    this.tellIfQuiet();
  }

  private tellIfQuiet(): void {
    if (this.isQuiet) for (const listener of this.quietListeners.splice(0)) listener();
  }
}

function countReady({ writes }: Decision): number {
  return writes.filter(({ status }) => status === 'ready').length;
}

/** With what an attempt begins. */
interface Beginning {
  /** As whom this process claimed it. */
  readonly worker: string;
  /** What had become of the other steps by then. */
  readonly marks: string;
  readonly onSettled?: (() => void) | undefined;
}

/** The marks of an encoded state. */
function marksOf(state: string): string {
  return state.split(';', 1)[0]!;
}

/** Whether this claim only ends a wait. */
function endsWait({ kind }: GraphNode, { stage }: Claim): boolean {
  return kind === 'sleep' || stage === 'parked';
}

/** Whether this claim is for the step's own code, and not for its condition or the end of its wait. */
function runsOwnCode(node: GraphNode, claim: Claim): boolean {
  return !endsWait(node, claim) && claim.stage !== 'tried' && (node.when === undefined || claim.stage !== undefined);
}
