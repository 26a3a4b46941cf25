import { decide } from '../../../lib/engine/decide.js';
import type { Decision, OpenRow, Renewal, RunFailure, RunView, StepWrite } from '../../../lib/engine/decision.js';
import { claimIn, type Claim, type Fact, type Quarantine, type WaitEnd } from '../../../lib/engine/facts.js';
import type { Gate } from '../../../lib/engine/limits.js';
import { findItem, nameOfItem, nodeOf, type IndexedGraph } from '../../../lib/engine/indexed-graph.js';
import { openItemsOf, type FanOut } from '../../../lib/engine/fan-out.js';
import {
  decodeRunState,
  encodeRunState,
  MARK,
  newRunState,
  doubted,
  repeated,
  staged,
  type RunState,
  type Stage,
  type Tally,
} from '../../../lib/engine/run-state.js';
import {
  isEnded,
  isStopping,
  RUN_MOVES,
  STEP_MOVES,
  type RunStatus,
  type StepStatus,
} from '../../../lib/engine/words.js';

/** Two crashes, the last of them alone: few, so that short runs come to it. */
export const QUARANTINE: Quarantine = { crashes: 2, error: 'poison' };

/** A row of the step table, with the columns that decisions and claims write. */
export interface StepRow {
  readonly status: StepStatus;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly worker: string | null;
  readonly alone: boolean;
  readonly aborting: boolean;
  /** Claims pass it by. */
  readonly paused: boolean;
  readonly stage?: Stage;
  readonly rounds?: number;
  readonly inDoubt?: true;
  readonly result: string | null;
  readonly errors: readonly string[];
  readonly startedAt: string | null;
}

/** The row of the run. */
export interface RunRow {
  readonly status: RunStatus;
  readonly revision: number;
  readonly generation: number;
  readonly gate: Gate | null;
  readonly state: string;
  readonly worker: string | null;
  readonly failure: RunFailure | null;
  readonly cancelReason: string | null;
  readonly updatedAt: string;
}

/** A process: what it believes of the run, what it runs, and what it has not yet committed. */
interface Process {
  worker: string;
  readonly slots: ReadonlyMap<string, number>;
  known: KnownRun;
  attempts: Claim[];
  facts: Fact[];
  mustLock: boolean;
}

type KnownRun = Pick<RunView, 'status' | 'state' | 'generation' | 'gate' | 'worker'> & { readonly revision: number };

/** What may happen in a simulation beside steps that complete. */
export interface Chaos {
  /** Attempts fail, for now or for good. */
  readonly failures?: boolean;
  /** Processes die, and outcomes of the dead may still arrive; attempts are handed over. */
  readonly crashes?: boolean;
  readonly cancels?: boolean;
  /** The run is paused, and resumed, a few times. */
  readonly pauses?: boolean;
  /** Whoever sees that the run has failed retries it, a few times. */
  readonly retries?: boolean;
  /** It has to wait for its turn, also where it is retried. */
  readonly limits?: boolean;
  /** Facts come twice, late and by way of other processes. */
  readonly doubles?: boolean;
}

type Action = () => void;

/** The name of a condition that is met; any other is not. */
export const MET = 'isMet';

const GOOD: readonly string[] = [MARK.completed, MARK.failed, MARK.failedInDoubt];
const MAY_BE_DONE: readonly string[] = [MARK.completed, MARK.late, MARK.failedInDoubt, MARK.cancelledInDoubt];
const UNDECIDED: readonly string[] = [MARK.pending, MARK.held, MARK.queued, MARK.waiting, MARK.fanned];
/** A run with limits that had failed waits for its turn again. */
function isRetriedToWait({ status }: Decision, before: RunRow): boolean {
  return (status === 'pending' || status === 'paused') && before.status === 'failed' && before.gate !== null;
}

/** What becomes of a run that never has its turn. */
const BEFORE_ITS_TURN: ReadonlySet<string> = new Set([
  ...['pending', 'paused', 'cancelling', 'cancelled', 'compensating', 'failing', 'failed', 'terminated'],
]);
const WAITS: ReadonlySet<string> = new Set(['retrying', 'waiting']);

/** Of so many choices one makes mischief, where there is any. */
const MISCHIEF_EVERY = 4;
const MAX_KILLS = 4;
const MAX_SIGNALS = 6;
const MAX_RETRIES = 2;
const MAX_PAUSES = 3;
/** A run of twelve steps, each tried and lost a few times, ends long before. */
const MAX_ACTIONS = 2_000;

/**
 * A run between several processes on one database, both in memory. Decisions are committed as `commit-statement.ts` does
 * it, guards and all; ready rows are claimed as `store-statements.ts` does it. Throws as soon as anything is not as it
 * must be, so that whoever simulates need only say what may happen.
 */
export class RunSimulation {
  run: RunRow;
  readonly rows = new Map<string, StepRow>();
  /** Every attempt that ever started. */
  readonly started = new Set<string>();
  /** For each attempt that started, what of it started: its condition, its own code. */
  private readonly stages = new Map<string, Set<Stage | undefined>>();
  private readonly isPlain: boolean;
  /** Signals that were sent, with the step that took each. */
  readonly signals: { readonly id: string; readonly name: string; seen: boolean; step: string | null }[] = [];
  /** Transactional steps whose transaction has come in. */
  private readonly effects = new Set<string>();
  /** Every run status that was ever written. */
  readonly statuses: RunStatus[] = ['pending'];
  /** Outcomes that were refused. */
  staleCount = 0;
  /** Misses of a guard or needs for rows, after which a commit went alone. */
  lockedCount = 0;
  private readonly processes: Process[];
  private readonly dead = new Set<string>();
  private read: { readonly run: RunRow; readonly state: RunState } | null = null;
  private echoes: Fact[] = [];
  private ticks = 0;
  private kills = 0;
  private isCancelled = false;
  private pauses = 0;
  /** Statuses and results of the steps that had ended when the run was last retried. */
  retried: { readonly rows: ReadonlyMap<string, StepRow>; readonly marks: string } | null = null;

  /** @param slots slots of each process by queue; the first process must have one in every queue, or nothing ends */
  constructor(
    readonly graph: IndexedGraph,
    slots: readonly ReadonlyMap<string, number>[],
    private readonly chaos: Chaos = {},
  ) {
    this.isPlain = graph.nodes.every(({ kind, when, join, delayMs, onFailure, fanOut }) => {
      return [kind, when, join, delayMs, onFailure, fanOut].every((said) => said === undefined);
    });
    const state = encodeRunState(newRunState(graph.nodes));
    this.run = {
      status: 'pending',
      revision: 0,
      generation: 0,
      gate: chaos.limits ? 'waits' : null,
      state,
      worker: null,
      failure: null,
      cancelReason: null,
      updatedAt: '',
    };
    this.processes = slots.map((own, index): Process => {
      return { worker: `p${index}`, slots: own, known: this.look(), attempts: [], facts: [], mustLock: false };
    });
  }

  get isEnded(): boolean {
    return isEnded(this.run.status);
  }

  get marks(): string {
    return this.state.marks;
  }

  /** Lets happen what the choices say, one thing each. */
  follow(choices: readonly number[]): this {
    for (const choice of choices) this.step(choice);
    return this;
  }

  /** Lets everything run its course without further mischief until the run ends. */
  finish(): this {
    for (let count = 0; !this.isEnded; count++) {
      if (count > MAX_ACTIONS)
        throw new Error(`The run has not ended after ${MAX_ACTIONS} actions: ${this.describe()}`);
      this.expectProgress()[0]!();
    }
    return this;
  }

  /** Delivers whatever is still on its way. */
  deliverAll(): this {
    for (const process of this.processes) {
      process.facts.push(...this.reported(process).map((claim) => this.endOf(claim)));
      process.attempts = [];
      if (process.facts.length > 0) this.commitAll(process);
    }
    for (const echo of this.echoes.splice(0)) this.tell(this.processes[0]!, echo);
    return this;
  }

  /** Facts that may come next: outcomes of attempts under way, of past ones, losses and a cancel. */
  possibleFacts(): Fact[] {
    const claims = this.processes.flatMap(({ attempts }) => attempts);
    const pending = this.processes.flatMap(({ facts }) => facts);
    return [
      { type: 'begun' },
      ...claims.flatMap((claim) => [this.endOf(claim), fail(claim, 1), fail(claim, 0), release(claim)]),
      ...pending,
      ...this.echoes,
      ...this.processes.map(({ worker }): Fact => ({
        type: 'workers-lost',
        workers: new Set([worker]),
        quarantine: QUARANTINE,
      })),
      { type: 'workers-lost', workers: new Set(this.dead), quarantine: QUARANTINE },
      { type: 'cancel-requested', by: 'me', reason: 'enough' },
      { type: 'pause-requested', by: 'me', reason: 'a fault' },
      { type: 'resume-requested', by: 'me', reason: null },
      { type: 'wake-requested', by: 'me', reason: null },
      { type: 'signalled' },
      ...this.hurried().map(([step, row]) => this.giveUpWaiting(step, row)),
      { type: 'terminate-requested', by: 'me', reason: null },
      { type: 'retry-requested', by: 'me', reason: 'again' },
    ];
  }

  /** The run under lock: as it lies in the store, with its open rows. */
  view(): RunView {
    const open = [...this.rows].filter(([, row]) => ['ready', 'running', 'retrying', 'waiting'].includes(row.status));
    return {
      graph: this.graph,
      ...this.look(),
      failure: this.run.failure,
      inbox: this.inbox,
      rows: new Map(open as [string, StepRow & OpenRow][]),
    };
  }

  copy(): RunSimulation {
    const copy = new RunSimulation(this.graph, []);
    copy.run = this.run;
    for (const [step, row] of this.rows) copy.rows.set(step, row);
    for (const start of this.started) copy.started.add(start);
    for (const effect of this.effects) copy.effects.add(effect);
    for (const [start, stages] of this.stages) copy.stages.set(start, new Set(stages));
    copy.signals.push(...this.signals.map((signal) => ({ ...signal })));
    copy.ticks = this.ticks;
    return copy;
  }

  /** Commits a decision made from what the store says now. @returns false where a guard refuses it */
  apply(decision: Decision, from: { readonly revision: number }, worker: string): boolean {
    if (!this.isGuarded(decision, from.revision)) return false;
    const before = this.statusesOfSteps();
    const earlier = this.run;
    this.ticks++;
    if (decision.renewal) this.renew(decision.renewal);
    if (decision.pause !== null) this.pauseRows(decision.pause === 'begins');
    for (const write of decision.writes) this.writeRow(write, decision.status);
    for (const { id, step } of decision.signals) this.takeSignal(id, step);
    this.run = {
      status: decision.status,
      revision: earlier.revision + 1,
      generation: earlier.generation + (decision.renewal ? 1 : 0),
      gate: isRetriedToWait(decision, earlier) ? 'waits' : earlier.gate,
      state: encodeRunState(decision.state),
      worker: decision.worker,
      failure: decision.failure ?? (decision.renewal?.forgetsFailure ? null : earlier.failure),
      cancelReason: decision.cancelReason ?? earlier.cancelReason,
      updatedAt: this.now,
    };
    this.statuses.push(decision.status);
    if (decision.renewal) this.expectRenewed(earlier.status);
    else this.expectMoves(earlier.status, before);
    this.expectSound();
    for (const { step, tally } of decision.starts) this.noteStart(step, tally, worker);
    return true;
  }

  /** What is kept goes on into the new generation: all else there begins anew. */
  private renew({ keeps, keepsItemsOf }: Renewal): void {
    this.retried = { rows: new Map(this.rows), marks: this.marks };
    for (const [name, row] of this.rows) {
      const base = findItem(this.graph, name)?.of ?? name;
      if (keeps.includes(base)) continue;
      const hasResult = base !== name && keepsItemsOf.includes(base) && row.result !== null;
      if (hasResult) this.rows.set(name, { ...ITEM, result: row.result });
      else this.rows.delete(name);
    }
    for (const signal of this.signals) {
      if (signal.step === null || !keeps.includes(signal.step)) Object.assign(signal, { step: null, seen: false });
    }
  }

  private pauseRows(paused: boolean): void {
    for (const [step, row] of this.rows) {
      if (row.status === 'ready' || WAITS.has(row.status)) this.rows.set(step, { ...row, paused });
    }
  }

  private resume(): void {
    this.tell(this.processes[0]!, { type: 'resume-requested', by: 'me', reason: null });
  }

  private get mayRetry(): boolean {
    return this.chaos.retries === true && this.run.status === 'failed' && this.run.generation < MAX_RETRIES;
  }

  private retry(): void {
    this.tell(this.processes[0]!, { type: 'retry-requested', by: 'me', reason: 'again' });
  }

  // ── what may happen ────────────────────────────────────────────────────────────────────────────────────────────────

  private step(choice: number): void {
    if (this.mayRetry) return this.retry();
    if (this.isEnded && this.echoes.length === 0) return;
    const progress = this.isEnded ? [] : this.expectProgress();
    const mischief = choice % MISCHIEF_EVERY === 0 ? this.mischief() : [];
    const actions = mischief.length > 0 ? mischief : progress;
    actions[Math.floor(choice / MISCHIEF_EVERY) % actions.length]?.();
  }

  /** What moves the run on. There is always something until it has ended: a run is never stuck. */
  private expectProgress(): Action[] {
    const actions = [
      ...(this.run.status === 'paused' ? [() => this.resume()] : []),
      ...(this.run.status === 'pending' ? this.beginning() : []),
      ...this.processes.flatMap((process) => this.progressOf(process)),
      ...[...this.rows].flatMap(([step, row]) => this.progressOfRow(step, row)),
      ...this.reaping(),
      ...this.signalling(),
    ];
    if (actions.length === 0) throw new Error(`The run is stuck: ${this.describe()}`);
    return actions;
  }

  /** It has its turn, which raises no revision; told that it may begin before, it does not. */
  private beginning(): Action[] {
    const begin = () => this.tell(this.processes[0]!, { type: 'begun' });
    const beginElsewhere = () => {
      this.processes.at(-1)!.facts.push({ type: 'begun' });
      this.commitAll(this.processes.at(-1)!);
    };
    if (this.run.gate !== 'waits') return [begin, beginElsewhere];
    return [() => (this.run = { ...this.run, gate: 'passed' }), begin, beginElsewhere];
  }

  /** Whoever waits for a signal is sent one; what was sent is looked at. */
  private signalling(): Action[] {
    const tell = () => this.tell(this.processes[0]!, { type: 'signalled' });
    const isUnseen = this.signals.some(({ seen }) => !seen);
    const waiting = this.graph.nodes.filter(({ name, kind }) => {
      return kind === 'signal' && this.rows.get(name)?.status === 'waiting';
    });
    return [
      ...(isUnseen ? [tell] : []),
      ...waiting.map(
        ({ signals }) =>
          () =>
            this.send(signals![0]!),
      ),
    ];
  }

  private send(name: string): void {
    this.signals.push({ id: `g${this.signals.length}`, name, seen: false, step: null });
  }

  private takeSignal(id: string, step: string | null): void {
    const signal = this.signals.find((other) => other.id === id)!;
    if (signal.step !== null) throw new Error(`Signal ${id} is taken twice.`);
    const node = this.graph.nodes.find(({ name }) => name === step);
    if (node && !node.signals!.includes(signal.name)) throw new Error(`Step ${step} takes a signal ${signal.name}.`);
    if (step !== null && this.signals.some((other) => other.step === step))
      throw new Error(`Step ${step} takes two signals.`);
    const isFirst = this.inbox.find(({ name }) => node?.signals?.includes(name))?.id === id;
    if (step !== null && !isFirst) throw new Error(`Step ${step} takes a signal before an earlier one.`);
    Object.assign(signal, { seen: true, step });
  }

  private get inbox() {
    return this.signals.filter(({ step }) => step === null);
  }

  private progressOf(process: Process): Action[] {
    const reports = process.attempts.map((claim) => () => this.end(process, claim));
    const { facts } = process;
    if (facts.length === 0) return reports;
    const some = [() => this.commit(process, 1), () => this.commitAll(process)];
    return [...some, ...reports];
  }

  /** The attempt ends; of a transactional one first its transaction. */
  private end(process: Process, claim: Claim): void {
    if (!this.isInTransaction(claim)) return this.report(process, this.endOf(claim));
    const committed = this.commitStep(process, claim);
    this.report(process, committed ? this.endOf(committed) : abort(claim), claim);
  }

  /** Whether it is an attempt whose transaction has still to come in. */
  private isInTransaction({ step, stage }: Claim): boolean {
    const { transactional, when, fanOut } = nodeOf(this.graph, step);
    // What a fan-out does by itself is to store its items: they are in transactions, and it is not.
    if (transactional !== true || fanOut !== undefined) return false;
    // An item that has a result from before its run was retried is not run again.
    if (this.run.generation > 0 && this.effects.has(step)) return false;
    return stage !== 'committed' && (when === undefined || stage !== undefined);
  }

  /** The transaction of a step comes in, with its effect, where the guard finds all as it was. @returns the claim from then on */
  private commitStep(process: Process, claim: Claim): Claim | null {
    const { step, attempt, stage } = claim;
    const row = this.rows.get(step)!;
    const isCurrent = row.status === 'running' && row.attempt === attempt && row.stage === stage && !row.aborting;
    if (!isCurrent || isEnded(this.run.status) || isStopping(this.run.status)) return null;
    if (this.effects.has(step)) throw new Error(`Step ${step} has its effect twice.`);
    this.effects.add(step);
    this.rows.set(step, { ...row, stage: 'committed', result: `result of ${step}` });
    const committed: Claim = { ...claim, stage: 'committed' };
    process.attempts = process.attempts.map((other) => (other === claim ? committed : other));
    return committed;
  }

  /** Attempts that may have reported: those in a transaction do so once it has come in. */
  private reported({ attempts }: Process): Claim[] {
    return attempts.filter((claim) => !this.isInTransaction(claim));
  }

  /** What transactional steps and items wrote is there if and only if they have completed: items perhaps in an earlier generation. */
  private expectEffects(): void {
    this.graph.nodes.forEach(({ name, transactional, fanOut }, position) => {
      if (!transactional || fanOut) return;
      same(`the effect of ${name}`, this.effects.has(name), /[cd]/.test(this.marks[position]!));
    });
    for (const [name, { result }] of this.rows) {
      const { transactional, item } = nodeOf(this.graph, name);
      if (transactional && item) same(`the effect of ${name}`, this.effects.has(name), result !== null);
    }
  }

  private progressOfRow(step: string, row: StepRow): Action[] {
    const { waitMs, kind } = nodeOf(this.graph, step);
    const hasTime = (kind !== 'signal' || waitMs !== undefined) && row.stage !== 'expanded';
    if (row.status === 'retrying' || (row.status === 'waiting' && hasTime))
      return [() => this.rows.set(step, { ...row, status: 'ready' })];
    if (row.status !== 'ready' || row.paused) return [];
    const queue = this.queueOf(step);
    return this.processes
      .filter((process) => this.freeSlots(process, queue) > 0)
      .flatMap((process) => [true, false].map((refreshes) => () => this.claim(process, step, row, refreshes)));
  }

  private reaping(): Action[] {
    const names = [this.run.worker, ...[...this.rows.values()].map(({ worker }) => worker)];
    const workers = new Set(names.filter((name) => name !== null && this.dead.has(name)) as string[]);
    if (workers.size === 0) return [];
    return this.processes.map(
      (process) => () => this.tell(process, { type: 'workers-lost', workers, quarantine: QUARANTINE }),
    );
  }

  private mischief(): Action[] {
    const { failures, crashes, cancels, pauses, doubles } = this.chaos;
    const actions: Action[] = [];
    for (const process of this.processes) {
      for (const claim of process.attempts) {
        const isCommitted = claim.stage === 'committed';
        if (isCommitted) {
          // Nobody has answered the COMMIT.
          if (crashes) actions.push(() => this.report(process, release(withoutStage(claim)), claim));
          continue;
        }
        if (this.isInTransaction(claim)) actions.push(() => void this.commitStep(process, claim));
        if (failures) for (const kind of [0, 1, 1, 1]) actions.push(() => this.report(process, fail(claim, kind)));
        if (failures || cancels) {
          if (isStopping(this.run.status)) actions.push(() => this.report(process, abort(claim)));
        }
        if (crashes) actions.push(() => this.report(process, release(claim)));
      }
      if (crashes && this.kills < MAX_KILLS) actions.push(() => this.kill(process));
      if (doubles) for (const echo of this.echoes) actions.push(() => this.echo(process, echo));
    }
    if (failures)
      for (const [step, row] of this.hurried()) {
        const fact = this.giveUpWaiting(step, row);
        actions.push(() => this.tell(this.processes.at(-1)!, fact));
        if (doubles) actions.push(() => void this.echoes.push(fact));
      }
    for (const { signals } of this.graph.nodes) {
      if (signals && this.signals.length < MAX_SIGNALS) actions.push(() => this.send(signals[0]!));
    }
    if (pauses && this.pauses < MAX_PAUSES) {
      actions.push(() => {
        this.pauses++;
        this.tell(this.processes[0]!, { type: 'pause-requested', by: 'me', reason: 'a fault' });
      });
    }
    if (cancels && !this.isCancelled) {
      actions.push(() => {
        this.isCancelled = true;
        this.tell(this.processes[0]!, { type: 'cancel-requested', by: 'me', reason: 'enough' });
      });
    }
    return actions;
  }

  /** Ready rows that a worker has to take in time. */
  private hurried(): [string, StepRow][] {
    return [...this.rows].filter(
      ([step, { status }]) => status === 'ready' && nodeOf(this.graph, step).startWithinMs !== undefined,
    );
  }

  private giveUpWaiting(step: string, { attempt, stage }: StepRow): Fact {
    const { generation } = this.run;
    const error = `nobody took ${step}`;
    return { type: 'steps-unclaimed', steps: [{ step, attempt, ...staged(stage), generation, error }] };
  }

  /** An attempt ends in its process; the outcome waits there for a commit. */
  private report(process: Process, fact: Fact & { claim: Claim }, of = fact.claim): void {
    process.attempts = process.attempts.filter((claim) => claim !== of && claim !== fact.claim);
    process.facts.push(fact);
    if (this.chaos.doubles) this.echoes.push(fact);
  }

  private echo(process: Process, fact: Fact): void {
    process.facts.push(fact);
    if (this.ticks % 2 === 0) this.echoes = this.echoes.filter((other) => other !== fact);
  }

  /** The process dies and another takes its place. What it was about to report may still arrive, by way of another. */
  private kill(process: Process): void {
    this.kills++;
    this.dead.add(process.worker);
    if (this.chaos.doubles)
      this.echoes.push(...process.facts, ...this.reported(process).map((claim) => this.endOf(claim)));
    Object.assign(process, {
      worker: `${process.worker}'`,
      known: this.look(),
      attempts: [],
      facts: [],
      mustLock: false,
    });
  }

  private claim(process: Process, step: string, row: StepRow, refreshes: boolean): void {
    this.ticks++;
    const attempt = row.attempt + 1;
    // As the ward does it: a step that needs one crash more is run with nothing beside it, where there is room.
    const alone = row.crashes + 1 >= QUARANTINE.crashes && process.attempts.length === 0;
    this.rows.set(step, { ...row, status: 'running', attempt, worker: process.worker, alone, startedAt: this.now });
    const { failures, crashes, stage, inDoubt, rounds } = row;
    const tally = { attempt, failures, crashes, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) };
    this.noteStart(step, tally, process.worker);
    const claim = claimIn(this.run.generation, { step, ...tally, startedAt: this.now });
    process.attempts.push(claim);
    if (this.marks[this.graph.positions.get(step) ?? -1] === MARK.waiting)
      process.facts.push({ type: 'step-awake', claim });
    // While a commit of the run is under way in the process, it learns nothing from a claim.
    if (refreshes) process.known = this.look();
  }

  // ── commits ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private commitAll(process: Process): void {
    while (process.facts.length > 0) this.commit(process, process.facts.length);
  }

  private tell(process: Process, fact: Fact): void {
    process.facts.push(fact);
    process.mustLock = true;
    this.commitAll(process);
  }

  /** As the desk does it: from what the process believes; after a miss once more, under the run's lock. */
  private commit(process: Process, count: number): void {
    const facts = process.facts.slice(0, count);
    if (process.mustLock || !this.decideAndApply(process, facts, false)) {
      this.lockedCount++;
      process.known = this.look();
      if (!this.decideAndApply(process, facts, true)) throw new Error('A commit alone was refused.');
    }
    process.facts.splice(0, count);
    process.mustLock = false;
  }

  private decideAndApply(process: Process, facts: readonly Fact[], locked: boolean): boolean {
    const view = locked
      ? this.view()
      : { graph: this.graph, ...process.known, failure: this.run.failure, inbox: null, rows: null };
    const decision = decide(view, facts, { worker: process.worker, slots: this.freeSlotsOf(process) });
    if (decision.kind === 'needs-rows') {
      if (locked) throw new Error('The engine asks for rows that it was shown.');
      return false;
    }
    const ran = this.attemptsOf(facts);
    const underWay = new Set(facts.filter((fact) => 'claim' in fact && this.isUnderWay(fact)));
    if (decision.changed && !this.apply(decision, process.known, process.worker)) return false;
    this.expectNothingLost(decision, facts, underWay);
    this.expectOnlyLostFreed(decision, facts, ran);
    const ready = decision.writes.filter(({ status }) => status === 'ready').map(({ step }) => this.queueOf(step));
    const freed =
      decision.pause === 'ends'
        ? [...this.rows].filter(([, { status }]) => status === 'ready').map(([step]) => this.queueOf(step))
        : [];
    same(
      'the queues that are rung',
      [...decision.rings].sort().join(),
      [...new Set([...ready, ...freed])].sort().join(),
    );
    this.staleCount += decision.stale.length;
    if (decision.changed) this.adopt(process, decision);
    return true;
  }

  private adopt(process: Process, decision: Decision): void {
    const at = this.now;
    process.known = { ...this.look(), state: dated(decision.state, at) };
    same('what a process believes', encodeRunState(process.known.state), encodeRunState(this.look().state));
    for (const { step, tally } of decision.starts) {
      if (this.freeSlots(process, this.queueOf(step)) === 0) throw new Error(`Step ${step} starts without a slot.`);
      process.attempts.push(claimIn(this.run.generation, { step, ...tally, startedAt: at }));
    }
  }

  private isGuarded({ writes, expectsNoSignals }: Decision, revision: number): boolean {
    if (this.run.revision !== revision || (expectsNoSignals && this.inbox.length > 0)) return false;
    return writes.every(({ step, guard }) => {
      if (!guard) return true;
      const row = this.rows.get(step);
      if (!row || row.stage !== guard.stage) return false;
      return row.attempt === guard.attempt && (row.status === 'running') === guard.running;
    });
  }

  private writeRow(write: StepWrite, run: RunStatus): void {
    const { step, guard, status, tally, worker, error, delayMs, dueAt, startedAt, aborting } = write;
    const row = this.rows.get(step);
    if (guard === null && row) throw new Error(`The row of step ${step} is inserted twice.`);
    same('a running row has a worker', status === 'running', worker !== null);
    const { kind } = nodeOf(this.graph, step);
    if ((kind !== 'signal' && write.tally.stage !== 'expanded') || status !== 'waiting')
      same('a row that waits for a time has one', WAITS.has(status), delayMs !== null || dueAt !== null);
    const { attempt, failures, crashes, stage, inDoubt, rounds } = tally;
    const isPoison = row?.alone === true && crashes > row.crashes && crashes >= QUARANTINE.crashes;
    if (status === 'quarantined' || status === 'ready')
      same(`what step ${step} becomes`, status, isPoison ? 'quarantined' : 'ready');
    const errors = [...(row?.errors ?? []), ...(error === null ? [] : [error])];
    const began = startedAt ?? row?.startedAt ?? (status === 'running' ? this.now : null);
    const result = write.result ?? row?.result ?? null;
    const counts = { attempt, failures, crashes, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds) };
    const paused = run === 'paused' && (status === 'ready' || WAITS.has(status));
    this.rows.set(step, {
      status,
      ...counts,
      worker,
      aborting,
      paused,
      alone: false,
      result,
      errors,
      startedAt: began,
    });
  }

  private look(): KnownRun {
    const { status, revision, generation, gate, worker } = this.run;
    return { status, revision, generation, gate, worker, state: this.state };
  }

  /** The state of the run as whoever reads its text sees it. Read once: most of what is checked here looks at it. */
  private get state(): RunState {
    if (this.read?.run !== this.run) {
      const { state: text, updatedAt } = this.run;
      this.read = { run: this.run, state: dated(decodeRunState(text), updatedAt) };
    }
    return this.read.state;
  }

  private get now(): string {
    return `t${this.ticks}`;
  }

  private queueOf(step: string): string {
    return nodeOf(this.graph, step).queue;
  }

  private freeSlotsOf(process: Process): ReadonlyMap<string, number> {
    return new Map([...process.slots.keys()].map((queue) => [queue, this.freeSlots(process, queue)]));
  }

  private freeSlots({ slots, attempts }: Process, queue: string): number {
    const used = attempts.filter(({ step }) => this.queueOf(step) === queue).length;
    return Math.max(0, (slots.get(queue) ?? 0) - used);
  }

  // ── what must be so ────────────────────────────────────────────────────────────────────────────────────────────────

  /** What a step is doing, as mark, hold and row say together. */
  private statusesOfSteps(): StepStatus[] {
    const { marks } = this;
    return this.graph.nodes.map(({ name }, position): StepStatus => {
      switch (marks[position]) {
        case MARK.pending:
        case MARK.dormant:
          return 'pending';
        case MARK.held:
          return 'running';
        case MARK.completed:
          return 'completed';
        case MARK.cancelled:
          return 'cancelled';
        case MARK.skipped:
          return 'skipped';
        default:
          return this.rows.get(name)!.status;
      }
    });
  }

  private noteStart(step: string, { attempt, stage }: Tally, worker: string): void {
    const item = findItem(this.graph, step);
    const position = this.graph.positions.get(item?.of ?? step)!;
    const start = this.nameOf(step, attempt);
    const stages = this.stages.get(start) ?? new Set();
    // An attempt whose condition was met begins anew, with its own code.
    if (stages.has(stage)) throw new Error(`Attempt ${start} is started twice.`);
    if (attempt > 1 && !this.started.has(this.nameOf(step, attempt - 1)))
      throw new Error(`Attempt ${start} leaves one out.`);
    this.started.add(start);
    this.stages.set(start, stages.add(stage));
    if (item) same(`the fan-out of which ${step} starts`, this.marks[position], MARK.fanned);
    else if (!this.hasTurn(position)) throw new Error(`Step ${step} starts before its turn: ${this.marks}.`);
    const isUndoing = this.graph.nodes[position]!.kind === 'compensation';
    if (isUndoing) this.expectUndoing(position);
    else if (this.run.status !== 'waiting') same('the run in which a step starts', this.run.status, 'running');
    const holder = this.state.holds.has(step) ? this.run.worker : this.rows.get(step)?.worker;
    same(`the worker that claims ${start}`, holder, worker);
  }

  /** Attempts are counted anew in each generation. */
  private nameOf(step: string, attempt: number, { generation } = this.run): string {
    return generation === 0 ? `${step}#${attempt}` : `${step}#${attempt} of generation ${generation}`;
  }

  /** A compensation starts when no attempt of a step is under way, and undoes what may have been done. */
  private expectUndoing(position: number): void {
    const { nodes, positions } = this.graph;
    same('the run in which a compensation starts', this.run.status, 'compensating');
    const open = nodes.filter(({ kind }, other) => kind !== 'compensation' && /[.hqwai]/.test(this.marks[other]!));
    if (open.length > 0) throw new Error(`A compensation starts beside ${open[0]!.name}: ${this.marks}.`);
    const undone = this.marks[positions.get(nodes[position]!.compensates!)!]!;
    if (!MAY_BE_DONE.includes(undone)) throw new Error(`What was not done is undone: ${this.marks}.`);
  }

  /** In an ended run all that was done or may have been is undone, or was not to be. */
  private expectUndone(): void {
    const { nodes, positions } = this.graph;
    const { status } = this.run;
    nodes.forEach(({ compensates }, position) => {
      if (compensates === undefined) return;
      const isDue = status !== 'completed' && MAY_BE_DONE.includes(this.marks[positions.get(compensates)!]!);
      const mark = this.marks[position]!;
      const fits = status === 'terminated' || (isDue ? /[cfF]/.test(mark) : /[zs]/.test(mark));
      if (!fits) throw new Error(`The compensation of ${compensates} is ${mark}: ${status} ${this.marks}.`);
    });
  }

  /** Whether all has happened that a step waits for, as the others stand now. */
  private hasTurn(position: number): boolean {
    const isGood = (one: number) => GOOD.includes(this.marks[one]!);
    const { before, needs, nodes } = this.graph;
    const { join } = nodes[position]!;
    if (!needs[position]!.every(isGood)) return false;
    if (join !== undefined) return before[position]!.filter((one) => this.marks[one] === MARK.completed).length >= join;
    return before[position]!.every((one) => !UNDECIDED.includes(this.marks[one]!));
  }

  /** The outcome of an attempt: its condition says what it is called, and everything else completes. */
  private endOf(claim: Claim): Fact & { claim: Claim } {
    const { when, kind, fanOut } = nodeOf(this.graph, claim.step);
    if (when !== undefined && claim.stage === undefined)
      return { type: when === MET ? 'step-admitted' : 'step-skipped', claim };
    if (kind === 'signal' && claim.stage === 'parked') return { type: 'wait-ended', claim, end: this.endOfWait(claim) };
    if (kind === 'sleep-until' && claim.stage !== 'parked')
      return { type: 'step-parked', claim, until: 'then', result: `result of ${claim.step}` };
    if (fanOut !== undefined) return this.expand(claim);
    const { repeat } = nodeOf(this.graph, claim.step);
    if (repeat === undefined) return complete(claim);
    if (claim.stage !== 'tried') return { type: 'step-tried', claim, result: `result of ${claim.step}` };
    const { rounds = 0 } = claim;
    if (rounds >= repeat.max) throw new Error(`Step ${claim.step} has more rounds than it may.`);
    const isDone = repeat.until === MET && rounds === 1;
    return isDone ? complete(claim) : { type: 'step-repeated', claim, error: 'nothing came' };
  }

  /** The items of a fan-out are stored before the run is told of them: as many as its name says. */
  private expand(claim: Claim): Fact & { claim: Claim } {
    const count = ITEMS_OF[claim.step.charCodeAt(1) % ITEMS_OF.length]!;
    for (let index = 0; index < count; index++) {
      const name = nameOfItem(claim.step, index);
      if (!this.rows.has(name)) this.rows.set(name, ITEM);
    }
    return { type: 'step-expanded', claim, count };
  }

  private endOfWait({ step }: Claim): WaitEnd {
    const { signals } = nodeOf(this.graph, step);
    if (signals![0] === 'skips') return { kind: 'is skipped' };
    if (signals![0] === 'fails') return { kind: 'fails', error: 'nothing came' };
    return { kind: 'completes', result: `result of ${step}` };
  }

  private expectMoves(from: RunStatus, before: readonly StepStatus[]): void {
    const to = this.run.status;
    if (isEnded(from)) throw new Error(`An ended run is written: ${from} → ${to}.`);
    if (to !== from && !isReachable(RUN_MOVES, from, to)) throw new Error(`No run goes from ${from} to ${to}.`);
    this.statusesOfSteps().forEach((status, position) => {
      const was = before[position]!;
      if (status !== was && !isReachable(STEP_MOVES, was, status))
        throw new Error(`No step goes from ${was} to ${status}.`);
    });
  }

  /** What has completed keeps its results, and something begins anew. */
  private expectRenewed(from: RunStatus): void {
    same('the run that is retried', from, 'failed');
    const { rows, marks } = this.retried!;
    this.graph.nodes.forEach(({ name }, position) => {
      if (marks[position] !== MARK.completed) return;
      same(`the mark of ${name}`, this.marks[position], MARK.completed);
      same(`the result of ${name}`, this.rows.get(name)?.result, rows.get(name)!.result);
    });
    if (this.marks === marks) throw new Error(`Nothing of ${marks} begins anew.`);
  }

  private expectSound(): void {
    const { status, worker, gate } = this.run;
    if (gate === 'waits' && !BEFORE_ITS_TURN.has(status)) throw new Error(`The run is ${status} before its turn.`);
    const { marks, holds } = this.state;
    const { nodes } = this.graph;
    same('a run names a worker iff it has holds', worker !== null, holds.size > 0);
    const heldSteps = [...holds.keys()].filter((name) => findItem(this.graph, name) === null);
    same('holds', heldSteps.sort().join(), namesOf(nodes, marks, MARK.held).sort().join());
    this.expectCounted();
    if (isEnded(status)) this.expectUndone();
    if (isEnded(status)) this.expectEffects();
    if (isEnded(status) && /[.hqwai]/.test(marks)) throw new Error(`The run is ${status}, its marks are ${marks}.`);
    // A run that was being cancelled stays so, even where its last attempts have completed after all.
    if (status !== 'cancelled' && this.isPlain) same('all completed', status === 'completed', /^c+$/.test(marks));
    if (status === 'completed') {
      const failed = nodes.filter(({ onFailure }, n) => 'fF'.includes(marks[n]!) && onFailure !== 'continue');
      if (failed.length > 0) throw new Error(`The run has completed although ${failed[0]!.name} failed.`);
    }
    if (status === 'running' || status === 'waiting') {
      same('a run that waits', status === 'waiting', !/[hqai]/.test(marks));
      if (!/[hqwai]/.test(marks)) throw new Error(`The run is ${status}, and nothing in it is: ${marks}.`);
    }
    for (const [name, row] of this.rows) {
      const waits = row.status === 'ready' || WAITS.has(row.status);
      same(`whether ${name} is passed by`, row.paused, status === 'paused' && waits);
    }
    if (status === 'failing' || status === 'failed') {
      if (!this.run.failure) throw new Error('The failure that stopped the run is not told.');
    }
    nodes.forEach(({ name, retry }, position) => {
      const row = this.rows.get(name);
      const mark = marks[position];
      const words = WORDS_OF_MARK[mark!]!;
      if (!words.includes(row?.status ?? 'none'))
        throw new Error(`Step ${name} is marked ${mark}, its row is ${row?.status}.`);
      const tally = holds.get(name) ?? row;
      if (!tally) return;
      if (tally.failures > retry.attempts) throw new Error(`Step ${name} has failed more often than it may.`);
      if (tally.failures + tally.crashes > tally.attempt)
        throw new Error(`Step ${name} counts more ends than attempts.`);
      if (row?.status === 'ready' && isStopping(status)) throw new Error(`Step ${name} may start in a stopped run.`);
    });
  }

  /** The counts of each fan-out are those of its items; no more run at once than may. */
  private expectCounted(): void {
    const { fanOuts = new Map<string, FanOut>(), holds } = this.state;
    const fanned = this.graph.nodes.filter(
      ({ fanOut }, n) => fanOut && (this.marks[n] === MARK.fanned || fanOuts.has(this.graph.nodes[n]!.name)),
    );
    same(
      'fan-outs',
      [...fanOuts.keys()].sort().join(),
      fanned
        .map(({ name }) => name)
        .sort()
        .join(),
    );
    for (const [name, fanOut] of fanOuts) {
      const items = Array.from({ length: fanOut.total }, (_, index) => this.rows.get(nameOfItem(name, index))!);
      const of = (...statuses: readonly string[]) => items.filter(({ status }) => statuses.includes(status)).length;
      const held = items.filter((_, index) => holds.has(nameOfItem(name, index))).length;
      same(`completed items of ${name}`, fanOut.completed, of('completed'));
      same(`failed items of ${name}`, fanOut.failed, of('failed', 'quarantined'));
      same(`open items of ${name}`, openItemsOf(fanOut), of('ready', 'running', 'retrying') + held);
      const { maxItems } = nodeOf(this.graph, name).fanOut!;
      if (openItemsOf(fanOut) > maxItems) throw new Error(`More than ${maxItems} items of ${name} run at once.`);
      if (openItemsOf(fanOut) === 0 && this.run.status !== 'paused')
        throw new Error(`Nothing of ${name} runs, and it has not ended.`);
    }
  }

  private isUnderWay({ type, claim }: Fact & { claim: Claim }): boolean {
    const { step, attempt, stage, generation = 0 } = claim;
    if (generation !== this.run.generation) return false;
    const { holds } = this.state;
    const row = this.rows.get(step);
    const isSame = (tally: Tally) => tally.attempt === attempt && tally.stage === stage;
    if (holds.has(step)) return isSame(holds.get(step)!);
    // Whoever hands an attempt over need not know that its transaction has come in.
    const isCommitted = type === 'step-released' && row?.attempt === attempt && row.stage === 'committed';
    return row?.status === 'running' && (isCommitted || isSame(row));
  }

  /** The first outcome of an attempt under way is taken, unless it is told in the same breath that its worker died. */
  private expectNothingLost({ stale }: Decision, facts: readonly Fact[], underWay: ReadonlySet<Fact>): void {
    if (facts.some(({ type }) => type === 'workers-lost')) return;
    const taken = new Set<string>();
    const late = facts.flatMap((fact) => {
      if (!('claim' in fact) || fact.type === 'step-awake') return [];
      const { step, attempt, generation } = fact.claim;
      const name = `${step}#${attempt}/${generation}`;
      if (!underWay.has(fact) || taken.has(name)) return [name];
      taken.add(name);
      return [];
    });
    same(
      'what is refused',
      stale.map(({ step, attempt, generation }) => `${step}#${attempt}/${generation}`).join(),
      late.join(),
    );
  }

  /** The steps that the workers told lost were running. */
  private attemptsOf(facts: readonly Fact[]): string[] {
    const workers = new Set(facts.flatMap((fact) => (fact.type === 'workers-lost' ? [...fact.workers] : [])));
    const rows = [...this.rows]
      .filter(([, { worker }]) => worker !== null && workers.has(worker))
      .map(([step]) => step);
    const { worker } = this.run;
    const held = worker !== null && workers.has(worker) ? [...this.state.holds.keys()] : [];
    return [...rows, ...held].sort();
  }

  /** Told that workers died and nothing else, a run frees or ends what they were running and nothing else. */
  private expectOnlyLostFreed({ writes }: Decision, facts: readonly Fact[], ran: readonly string[]): void {
    if (facts.some(({ type }) => type !== 'workers-lost') || !this.isPlain) return;
    // Where a step is quarantined the run stops, and what waited ends with it.
    const isPoisoned = writes.some(({ status }) => status === 'quarantined');
    const freed = writes.filter(({ step, status }) => !isPoisoned || status !== 'cancelled' || ran.includes(step));
    same('what is freed', namesIn(freed), ran.join());
  }

  private describe(): string {
    return JSON.stringify({ run: this.run, rows: [...this.rows] });
  }
}

export const WORDS_OF_MARK: Readonly<Record<string, readonly string[]>> = {
  [MARK.pending]: ['none'],
  [MARK.held]: ['none'],
  [MARK.queued]: ['ready', 'running', 'retrying'],
  [MARK.waiting]: ['waiting', 'ready', 'running'],
  [MARK.fanned]: ['waiting'],
  [MARK.aborting]: ['running', 'waiting'],
  [MARK.skipped]: ['none', 'skipped'],
  [MARK.late]: ['completed'],
  [MARK.dormant]: ['none'],
  [MARK.failedInDoubt]: ['failed', 'quarantined'],
  [MARK.cancelledInDoubt]: ['cancelled'],
  [MARK.completed]: ['completed'],
  [MARK.failed]: ['failed', 'quarantined'],
  [MARK.cancelled]: ['none', 'cancelled'],
};

/** How many items fan-outs have. */
const ITEMS_OF = [0, 4, 2] as const;

const ITEM: StepRow = {
  ...{
    status: 'pending',
    attempt: 0,
    failures: 0,
    crashes: 0,
    worker: null,
    alone: false,
    aborting: false,
    paused: false,
  },
  ...{ result: null, errors: [], startedAt: null },
};

/** A claim made by the newest commit carries no time in the stored state: it is the commit's own. */
function dated(state: RunState, at: string): RunState {
  if (state.holds.size === 0) return state;
  const holds = [...state.holds].map(([step, hold]) => [step, { ...hold, since: hold.since ?? at }] as const);
  return { ...state, holds: new Map(holds) };
}

function namesOf(nodes: IndexedGraph['nodes'], marks: string, mark: string): string[] {
  return nodes.filter((_, position) => marks[position] === mark).map(({ name }) => name);
}

/** Whether one or more moves of the table lead there: one commit may carry several. */
export function isReachable<Word extends string>(
  moves: Readonly<Record<Word, readonly Word[]>>,
  from: Word,
  to: Word,
): boolean {
  // Found once for each table and word: hundreds of thousands of commits ask.
  const known = reachable.get(moves) ?? new Map<string, ReadonlySet<string>>();
  reachable.set(moves, known);
  let ends = known.get(from);
  if (!ends) {
    const seen = new Set<Word>(moves[from]);
    for (const word of seen) for (const next of moves[word]) seen.add(next);
    known.set(from, (ends = seen));
  }
  return ends.has(to);
}

const reachable = new WeakMap<object, Map<string, ReadonlySet<string>>>();

function namesIn(writes: readonly StepWrite[]): string {
  return writes
    .map(({ step }) => step)
    .sort()
    .join();
}

function same(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`Expected ${what} to be ${String(expected)}, got ${String(actual)}.`);
}

function complete(claim: Claim) {
  return { type: 'step-completed', claim, result: `result of ${claim.step}` } as const;
}

/** @param kind 0: for good; else the policy may grant another attempt */
function fail(claim: Claim, kind: number) {
  const error = `error of ${claim.step}#${claim.attempt}`;
  const failure = { error, retryable: kind !== 0, retryAfterMs: null, aborted: false, inDoubt: false, random: 0.5 };
  return { type: 'step-failed', claim, failure } as const;
}

function abort(claim: Claim) {
  const failure = { error: 'aborted', retryable: true, retryAfterMs: null, aborted: true, inDoubt: true, random: 0 };
  return { type: 'step-failed', claim, failure } as const;
}

function withoutStage({ stage: _, ...claim }: Claim): Claim {
  return claim;
}

function release(claim: Claim) {
  return { type: 'step-released', claim } as const;
}
