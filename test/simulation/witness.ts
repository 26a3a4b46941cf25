import type { StepContext } from '../../lib/definition/step-context.js';
import { decodeRunState, MARK } from '../../lib/engine/run-state.js';
import { isEnded, isStopping, RUN_MOVES, STEP_MOVES, type StepStatus } from '../../lib/engine/words.js';
import { JsonCodec } from '../../lib/persistence/codec.js';
import { isReachable, WORDS_OF_MARK } from '../support/engine/simulate-run.js';
import { openItemsOf } from '../../lib/engine/fan-out.js';
import type { GraphNode, WorkflowGraph } from '../../lib/engine/graph.js';
import { ROUNDS, type Program, type RunPlan, type StepPlan } from './program.js';
import { short } from './simulated-door.js';
import { listOfItem, stepOf, tokenOf, type SimulatedInput } from './step-code.js';
import { EPOCH_MS, type Observer, type RunRow, type SignalRow, type StepRow, type Tables } from './tables.js';

const codec = new JsonCodec();

/** Who runs an attempt. */
interface Runner {
  readonly name: string;
  readonly ids: ReadonlySet<string>;
}

/** A caller who waits for the end of a run. */
export interface Waiter {
  readonly process: { readonly name: string; readonly isDead: boolean; readonly isLeaving: boolean };
  readonly runId: string;
  /** What it was given: the run's status, or `unknown` where its process could not tell. */
  answer: RunRow['status'] | 'unknown' | null;
}

/** Sees every change of the tables and every attempt, and says what must not be. */
export class Witness implements Observer {
  readonly faults: string[] = [];
  /** Ids that starts have answered with, by number of the run. */
  readonly acknowledged = new Map<number, Set<string>>();
  readonly cancelAsked = new Set<number>();
  readonly wakeAsked = new Set<number>();
  readonly terminateAsked = new Set<number>();
  private readonly signalsSent: { readonly number: number; readonly name: string; readonly key: string }[] = [];
  readonly cancelled = new Set<string>();
  readonly waiters: Waiter[] = [];
  tables!: Tables;
  /** Every claim, with its worker. */
  private readonly claims = new Map<string, string>();
  private readonly begun = new Set<string>();
  private readonly askedFor = new Set<string>();
  private readonly met = new Set<string>();
  /** Steps that had their effect in their transaction. */
  private readonly effects = new Set<string>();
  private readonly dueAt = new Map<string, number>();

  constructor(
    private readonly program: Program,
    private readonly trace: (line: string) => void,
  ) {}

  fault(text: string): void {
    this.faults.push(text);
  }

  // ── while it goes on ───────────────────────────────────────────────────────────────────────────────────────────────

  claimed(row: StepRow): void {
    const run = this.tables.runs.get(row.runId)!;
    this.trace(`  ${short(run.id)}.${tokenOf(row.name, row.attempt)} claimed by ${short(row.worker!)}`);
    this.noteClaim(run, row.name, row.attempt, row.worker!);
  }

  woken(row: StepRow, now: number): void {
    if (now < row.dueAt!) this.fault(`Step ${nameOf(row)} is woken before its time.`);
  }

  written({ before, after, steps }: Parameters<NonNullable<Observer['written']>>[0]): void {
    const rows = steps.map(({ after: row }) => `${row.name}#${row.attempt}:${row.status}`).join(' ');
    this.trace(`  ${short(after.id)} r${after.revision} ${after.status} ${after.state} ${rows}`);
    if (before && before.generation < after.generation) this.expectRenewed(before, after);
    else this.expectMoves(before, after, steps);
    if (before === null && after.schedule !== null) this.expectOccurrence(after);
    this.expectSound(after);
    for (const step of steps) this.expectStep(after, step);
    const isRenewed = before !== null && before.generation < after.generation;
    const earlier = before && !isRenewed ? decodeRunState(before.state).holds : new Map();
    for (const [step, { attempt, stage }] of decodeRunState(after.state).holds) {
      if (!earlier.has(step)) this.noteClaim(after, step, attempt, after.worker!);
      if (stage) this.met.add(`${nameOfRun(after)}/${step}`);
    }
    for (const { before: earlierRow, after: row } of steps) {
      if (row.stage) this.met.add(`${nameOfRun(after)}/${row.name}`);
      const isNew = earlierRow?.status === 'running' ? earlierRow.attempt !== row.attempt : row.stage !== 'tried';
      if (row.status === 'running' && isNew && !row.aborting) this.noteClaim(after, row.name, row.attempt, row.worker!);
    }
    const isEarly = before?.status === 'pending' && after.status !== 'pending' && this.tables.now < before.dueAt!;
    const begins = !isEnded(after.status) && after.status !== 'paused';
    const isUnderWay = after.status === 'running' || after.status === 'waiting';
    if (isUnderWay && this.limitsOf(after) && after.admittedAt === null)
      this.fault(`Run ${short(after.id)} is ${after.status} and has not had its turn.`);
    if (isEarly && begins && !this.wakeAsked.has(numberOf(after)))
      this.fault(`Run ${short(after.id)} begins before its time.`);
  }

  /** A run has its turn: not before its time, and beside no more than its workflow's limits let be. */
  admitted(run: RunRow): void {
    this.trace(`  ${short(run.id)} has its turn`);
    const { total, perTenant } = this.limitsOf(run)!;
    // What is undone once more does not wait for its turn.
    const held = this.tables
      .openRuns()
      .filter(({ workflow, admittedAt }) => workflow === run.workflow && admittedAt !== null)
      .filter(({ status, generation }) => status !== 'compensating' || generation === 0);
    const own = held.filter(({ tenant }) => tenant === run.tenant);
    if ((total !== null && held.length > total) || (perTenant !== null && own.length > perTenant))
      this.fault(
        `Run ${short(run.id)} has its turn beside ${held.length - 1} others, ${own.length - 1} of its tenant.`,
      );
  }

  private limitsOf({ workflow }: RunRow) {
    return this.program.limits.find((limits) => limits.workflow === workflow);
  }

  /** A transaction of a step has come in: once in a run. */
  effected(runId: string, step: string, attempt: number): void {
    const name = `${runId}/${step}`;
    this.trace(`  ${short(runId)}.${tokenOf(step, attempt)} has its effect`);
    if (this.effects.has(name)) this.fault(`Step ${step} of run ${short(runId)} has its effect twice.`);
    this.effects.add(name);
  }

  /** A run of a schedule is born: at its time, and beside none that it has to wait for. */
  private expectOccurrence({ id, schedule, scheduledAt }: RunRow): void {
    if (scheduledAt! > this.tables.epochMs) this.fault(`Run ${short(id)} of ${schedule} is born before its time.`);
    const { overlap } = this.tables.schedules.get(schedule!)!;
    const others = this.tables.openRuns().filter((run) => run.schedule === schedule && run.id !== id);
    if ((overlap === 'skip' || overlap === 'queue') && others.length > 0)
      this.fault(`Run ${short(id)} of ${schedule} is born while ${short(others[0]!.id)} goes on.`);
  }

  /** Whether a later run of its schedule has taken its place. */
  private isSuperseded({ schedule, scheduledAt }: RunRow): boolean {
    const row = schedule === null ? undefined : this.tables.schedules.get(schedule);
    return row?.overlap === 'cancel' && scheduledAt! < row.lastAt!;
  }

  /** Where nothing is left out each occurrence from the first on has its run. */
  private isExpected(number: number): boolean {
    const plan = this.program.schedules.find(({ firstRun, count }) => number >= firstRun && number < firstRun + count);
    if (plan?.overlap !== 'allow' || plan.catchUp < plan.count) return false;
    const at = EPOCH_MS + (number - plan.firstRun + 1) * plan.everyMs;
    return at > this.tables.scheduledSince.get(plan.name)!;
  }

  /** A signal is stored: its caller was told so. */
  signalled(number: number, name: string, key: string): void {
    this.signalsSent.push({ number, name, key });
  }

  /** A signal is looked at, or taken by a step: by one, and in the order in which they came. */
  taken(signal: SignalRow, step: string | null): void {
    const { runId, name, id } = signal;
    const what = `Signal ${name}/${id} of run ${short(runId)}`;
    if (signal.step !== null) this.fault(`${what} is taken twice.`);
    if (step === null) return;
    this.trace(`  ${what} is taken by ${step}`);
    const run = this.tables.runs.get(runId)!;
    this.dueAt.delete(`${nameOfRun(run)}/${step}`);
    const node = this.graphOf(run).nodes.find((other) => other.name === step)!;
    if (!node.signals?.includes(name)) this.fault(`${what} is taken by ${step}, which waits for others.`);
    const isOlder = (other: SignalRow) =>
      other.runId === runId &&
      other.step === null &&
      node.signals!.includes(other.name) &&
      Number(other.id) < Number(id);
    if (this.tables.signals.some(isOlder)) this.fault(`${what} is taken before an older one.`);
    if (this.tables.signals.some((other) => other.runId === runId && other.step === step))
      this.fault(`${step} of run ${short(runId)} takes two signals.`);
  }

  /** A step's condition is asked: never again once what it said is recorded. */
  asked(runner: Runner, { runId, step, attempt }: StepContext): void {
    const name = `${short(runId)}.${tokenOf(step, attempt)}`;
    this.trace(`${runner.name} asks whether ${name} is wanted`);
    const run = this.runOf(runner, runId, `${step}/${attempt}`);
    const token = `${run}/${step}/${attempt}`;
    const worker = this.claims.get(token);
    if (worker === undefined || !runner.ids.has(worker)) this.fault(`${runner.name} asks for ${name} without a claim.`);
    if (this.askedFor.has(token)) this.fault(`The condition of ${name} is asked twice in one attempt.`);
    this.askedFor.add(token);
    // The answer of a claim may come when its worker, who gave it up, has released it, and another has asked since.
    const isGivenUp = this.claims.has(`${run}/${step}/${attempt + 1}`);
    if (this.met.has(`${run}/${step}`) && !isGivenUp)
      this.fault(`The condition of ${name} was met and is asked again.`);
  }

  /** A step's code begins. */
  began(runner: Runner, input: SimulatedInput, context: StepContext, results: readonly unknown[]): void {
    const { runId, step, attempt } = context;
    const name = `${short(runId)}.${tokenOf(step, attempt)}`;
    this.trace(`${runner.name} begins ${name}`);
    const generation = this.runOf(runner, runId, `${step}/${attempt}`);
    const worker = this.claims.get(`${generation}/${step}/${attempt}`);
    if (worker === undefined || !runner.ids.has(worker))
      this.fault(`${runner.name} begins ${name}, which is claimed by ${worker ? short(worker) : 'nobody'}.`);
    if (this.begun.has(`${generation}/${step}/${attempt}`)) this.fault(`${name} begins twice.`);
    this.begun.add(`${generation}/${step}/${attempt}`);
    const run = this.tables.runs.get(runId)!;
    if (numberOf(run) !== input.run) this.fault(`${name} is given the input of another run.`);
    const node = this.graphOf(run).nodes.find((other) => other.name === stepOf(step))!;
    if (node.when !== undefined && !this.met.has(`${generation}/${node.name}`))
      this.fault(`${name} begins, and its condition is not known to be met.`);
    if (node.heartbeatMs !== undefined) this.expectToldOn(generation, context);
    if (node.kind === 'sleep') this.fault(`${name} is a sleep and has no code.`);
    const rows = this.tables.stepsOf(runId);
    const markOf = this.markReader(run);
    if (node.kind === 'compensation') this.expectUndoing(run, node, name);
    else if (!hasItsTurn(node, markOf)) this.fault(`${name} begins before its turn: ${run.state}.`);
    const recorded = node.results.map((before) => {
      if (this.graphOf(run).nodes.find(({ name: other }) => other === before)!.fanOut)
        return GOOD.includes(markOf(before)) ? this.resultsOf(runId, before) : [];
      return markOf(before) === MARK.completed ? codec.decode(rows.get(before)!.result!) : undefined;
    });
    if (node.fanOut && step === node.name) this.fault(`${name} is a fan-out and has no code of its own.`);
    if (node.fanOut) {
      recorded.push(codec.decode(rows.get(step)!.payload!));
      this.expectOneList(run, node.name);
    }
    if (JSON.stringify(recorded) !== JSON.stringify(results))
      this.fault(`${name} is given ${JSON.stringify(results)}, and what was recorded is ${JSON.stringify(recorded)}.`);
  }

  /** The items of a fan-out are those of one list, whoever has asked for it and died; what a retry keeps may be of an earlier one. */
  private expectOneList(run: RunRow, step: string): void {
    if (run.generation > 0) return;
    const items = this.tables.itemsOf(run.id, step).map(({ row }) => codec.decode(row.payload!) as string);
    const total = decodeRunState(run.state).fanOuts?.get(step)?.total ?? items.length;
    if (new Set(items.map(listOfItem)).size > 1 || items.length !== total)
      this.fault(`The ${total} items of ${step} in run ${short(run.id)} are of several lists: ${items.join(', ')}.`);
  }

  /** It is told what an earlier attempt has told, where nothing is lost what the one before has. */
  private expectToldOn(run: string, { runId, step, attempt, lastHeartbeat }: StepContext): void {
    const isEarlier = lastHeartbeat === undefined || (typeof lastHeartbeat === 'number' && lastHeartbeat < attempt);
    const isMissed = this.isClean && this.begun.has(`${run}/${step}/${attempt - 1}`) && lastHeartbeat !== attempt - 1;
    if (!isEarlier || isMissed)
      this.fault(`${short(runId)}.${tokenOf(step, attempt)} is told that ${String(lastHeartbeat)} was told before it.`);
  }

  private resultsOf(runId: string, step: string): unknown[] {
    const items = this.tables.itemsOf(runId, step);
    return items.flatMap(({ row }) => (row.status === 'completed' ? [codec.decode(row.result!)] : []));
  }

  /** A compensation undoes what was done or may have been, after what came later has been undone, beside no attempt of a step. */
  private expectUndoing(run: RunRow, node: GraphNode, name: string): void {
    const markOf = this.markReader(run);
    const { nodes } = this.graphOf(run);
    if (run.status !== 'compensating') this.fault(`${name} begins while its run is ${run.status}.`);
    if (!MAY_BE_DONE.includes(markOf(node.compensates!))) this.fault(`${name} undoes what was not done: ${run.state}.`);
    for (const other of nodes) {
      const isUndo = other.kind === 'compensation';
      const isOpen = OPEN.includes(markOf(other.name)) || markOf(other.name) === MARK.aborting;
      if (!isOpen || other.name === node.name) continue;
      if (!isUndo) this.fault(`${name} begins beside ${other.name}: ${run.state}.`);
      else if (isLater(other.compensates!, node.compensates!, nodes))
        this.fault(`${name} begins before ${other.name} has ended.`);
    }
  }

  private noteClaim(run: RunRow, step: string, attempt: number, worker: string): void {
    const name = `${nameOfRun(run)}/${step}/${attempt}`;
    if (this.claims.has(name)) this.fault(`${short(run.id)}.${tokenOf(step, attempt)} is claimed twice.`);
    if (attempt > 1 && !this.claims.has(`${nameOfRun(run)}/${step}/${attempt - 1}`))
      this.fault(`${short(run.id)}.${tokenOf(step, attempt)} leaves an attempt out.`);
    this.claims.set(name, worker);
    if (!['running', 'waiting', 'compensating'].includes(run.status))
      this.fault(`A step of run ${short(run.id)} is claimed while that is ${run.status}.`);
    const isWoken = this.wakeAsked.has(numberOf(run));
    if (!isWoken && this.tables.now < (this.dueAt.get(`${nameOfRun(run)}/${step}`) ?? -Infinity))
      this.fault(`${short(run.id)}.${tokenOf(step, attempt)} is claimed before it is due.`);
  }

  /** A run that had failed goes on: what has completed keeps its result, and no item that has one loses it. */
  private expectRenewed(before: RunRow, after: RunRow): void {
    const name = `Run ${short(after.id)}`;
    this.trace(`  ${short(after.id)} is retried`);
    if (before.status !== 'failed') this.fault(`${name} is retried while it is ${before.status}.`);
    const [earlier, later] = [decodeRunState(before.state).marks, decodeRunState(after.state).marks];
    this.graphOf(after).nodes.forEach(({ name: step }, position) => {
      if (earlier[position] !== MARK.completed) return;
      const row = this.tables.stepsOf(after.id).get(step);
      if (later[position] !== MARK.completed || row?.status !== 'completed')
        this.fault(`${name} is retried and ${step}, which had completed, is ${later[position]}.`);
    });
  }

  /** The run in the generation in which this process claimed the attempt, or as it is now. */
  private runOf({ ids }: Runner, runId: string, attempt: string): string {
    const { generation } = this.tables.runs.get(runId)!;
    for (let earlier = generation; earlier >= 0; earlier--) {
      const name = nameOfRun({ id: runId, generation: earlier });
      if (ids.has(this.claims.get(`${name}/${attempt}`) ?? '')) return name;
    }
    return nameOfRun({ id: runId, generation });
  }

  private expectMoves(
    before: RunRow | null,
    after: RunRow,
    steps: readonly { readonly before: StepRow | null; readonly after: StepRow }[],
  ): void {
    if (before === null) return;
    if (isEnded(before.status)) this.fault(`Run ${short(after.id)} has ended and is written again.`);
    if (after.status !== before.status && !isReachable(RUN_MOVES, before.status, after.status))
      this.fault(`Run ${short(after.id)} goes from ${before.status} to ${after.status}.`);
    const changed = new Map(steps.map((step) => [step.after.name, step.before]));
    const [earlier, later] = [decodeRunState(before.state).marks, decodeRunState(after.state).marks];
    this.graphOf(after).nodes.forEach(({ name }, position) => {
      const row = this.tables.stepsOf(after.id).get(name) ?? null;
      const was = statusOf(earlier[position]!, changed.has(name) ? changed.get(name)! : row);
      const is = statusOf(later[position]!, row);
      if (was !== is && !isReachable(STEP_MOVES, was, is))
        this.fault(`Step ${name} of run ${short(after.id)} goes from ${was} to ${is}.`);
    });
  }

  private expectSound(run: RunRow): void {
    const { marks, holds, fanOuts } = decodeRunState(run.state);
    if ((run.worker === null) !== (holds.size === 0)) this.fault(`Run ${short(run.id)} names a worker without holds.`);
    if (isEnded(run.status) && /[.hqwai]/.test(marks)) this.fault(`Run ${short(run.id)} has ended as ${marks}.`);
    for (const [name, fanOut] of fanOuts ?? []) {
      const count = (status: string) =>
        this.tables.itemsOf(run.id, name).filter(({ row }) => row.status === status).length;
      const { fanOut: limits } = this.graphOf(run).nodes.find((node) => node.name === name)!;
      if (count('completed') !== fanOut.completed || openItemsOf(fanOut) > limits!.maxItems)
        this.fault(`Items of ${name} in run ${short(run.id)} are miscounted, or too many run: ${run.state}.`);
    }
    for (const row of this.tables.stepsOf(run.id).values()) {
      const waits = row.status === 'ready' || row.status === 'retrying' || row.status === 'waiting';
      if ((row.pausedAt !== null) !== (waits && run.status === 'paused'))
        this.fault(`Claims pass by ${nameOf(row)}, ${row.status}, since ${row.pausedAt}. Its run is ${run.status}.`);
    }
    this.graphOf(run).nodes.forEach(({ name, retry }, position) => {
      const row = this.tables.stepsOf(run.id).get(name);
      const mark = marks[position]!;
      if (
        !WORDS_OF_MARK[mark]!.includes(row?.status ?? 'none') &&
        !(mark === MARK.failed && row?.status === 'quarantined')
      )
        this.fault(`Step ${name} of run ${short(run.id)} is marked ${mark}, and its row is ${row?.status}.`);
      if ((mark === MARK.held) !== holds.has(name)) this.fault(`Hold and mark of ${name} disagree in ${run.state}.`);
      const tally = holds.get(name) ?? row;
      if (!tally) return;
      if (tally.failures > retry.attempts) this.fault(`Step ${name} has failed more often than it may.`);
      if (tally.failures + tally.crashes > tally.attempt) this.fault(`Step ${name} counts more ends than attempts.`);
      if (row?.status === 'ready' && isStopping(run.status)) this.fault(`Step ${name} may start in a stopped run.`);
    });
  }

  private expectStep(run: RunRow, { before, after }: { before: StepRow | null; after: StepRow }): void {
    const isLate = before?.startBy != null && before.startBy <= this.tables.now;
    if (before?.status === 'ready' && after.status === 'failed' && !isLate)
      this.fault(`Step ${nameOf(after)} fails because no worker has taken it, and one might still.`);
    if (before?.status === 'completed') this.fault(`Step ${nameOf(after)} had completed and is written again.`);
    const { kind, name, fanOut, repeat } = this.graphOf(run).nodes.find((node) => node.name === stepOf(after.name))!;
    if (
      repeat &&
      after.rounds !== before?.rounds &&
      (before?.stage !== 'tried' || after.rounds !== (before.rounds ?? 0) + 1)
    )
      this.fault(
        `Step ${nameOf(after)} is in round ${after.rounds} after ${before?.rounds} at stage ${before?.stage}.`,
      );
    const hasCode = (kind === undefined || kind === 'compensation') && !(fanOut && name === after.name);
    // Of a step of several rounds it is an attempt's that need not be the last.
    const isStep = hasCode && after.status === 'completed' && !repeat;
    // An item may have its result from an earlier generation.
    const isKept = after.payload !== null && run.generation > 0;
    if (isStep && !isKept && codec.decode(after.result!) !== tokenOf(after.name, after.attempt))
      this.fault(`Step ${nameOf(after)} is recorded with the outcome ${after.result}.`);
    if (kind === 'signal' && before?.stage === 'parked' && after.endedAt !== null) this.expectNoSignalFor(run, after);
    if (after.status === 'retrying' || after.status === 'waiting')
      this.dueAt.set(`${nameOfRun(run)}/${after.name}`, after.dueAt!);
    if (after.crashes > (before?.crashes ?? 0) && this.isClean)
      this.fault(`Step ${nameOf(after)} counts a crash, and nothing has crashed.`);
  }

  /** Nothing of this program makes a process lose what it holds. */
  private get isClean(): boolean {
    const { mischief, rates, runs } = this.program;
    const hasPoison = runs.some(({ steps }) => Object.values(steps).some(({ ends }) => ends === 'kills its process'));
    const { lost, slow, killed, stopped } = rates;
    return !hasPoison && lost + slow + killed + stopped === 0 && mischief.every(({ kind }) => kind === 'terminate');
  }

  /** Whether it failed because it took too long, and it did. */
  private isOverdue(run: RunRow): boolean {
    const { code } = codec.decodeError(run.failure!) as { code?: string };
    const { deadlineMs } = this.graphOf(run);
    return code === 'OF_DEADLINE_PASSED' && deadlineMs !== undefined && run.endedAt! >= run.createdAt + deadlineMs;
  }

  private markReader(run: RunRow): (step: string) => string {
    const { marks } = decodeRunState(run.state);
    const names = this.graphOf(run).nodes.map(({ name }) => name);
    return (step) => marks[names.indexOf(step)]!;
  }

  /** A wait whose time is over ends without a signal only where there is none that it could take. */
  private expectNoSignalFor(run: RunRow, { name, status }: StepRow): void {
    if (status === 'cancelled') return;
    const { signals } = this.graphOf(run).nodes.find((node) => node.name === name)!;
    const left = this.tables.signals.filter((one) => one.runId === run.id && one.step === null);
    const lookedAt = this.tables.lockedAt.get(run.id)!;
    if (left.some((one) => signals!.includes(one.name) && one.createdAt <= lookedAt))
      this.fault(`${name} of run ${short(run.id)} gives up waiting while a signal is there.`);
  }

  private graphOf({ workflow }: RunRow) {
    return this.program.workflows.find((graph) => graph.workflow === workflow)!;
  }

  // ── at the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything has come to its end: was it the right one? */
  expectEnds(): void {
    const byNumber = new Map<number, string[]>();
    for (const run of this.tables.runs.values()) {
      this.expectEnd(run, this.program.runs[numberOf(run)]!);
      byNumber.set(numberOf(run), [...(byNumber.get(numberOf(run)) ?? []), run.id]);
    }
    this.expectStarts(byNumber);
    const orphans = this.tables.findOrphans();
    if (orphans.length > 0) this.fault(`Orphans: ${orphans.map(short).join(', ')}.`);
    for (const waiter of this.waiters) this.expectAnswer(waiter);
  }

  private expectEnd(run: RunRow, plan: RunPlan): void {
    const name = `Run ${short(run.id)}`;
    const rows = this.tables.stepsOf(run.id);
    this.expectEffects(run);
    if (run.status === 'terminated') {
      if (!this.terminateAsked.has(numberOf(run))) this.fault(`${name} is terminated, and nobody asked for it.`);
      return this.expectAudited(run);
    }
    this.expectUndone(run);
    this.expectSignals(run);
    this.expectAudited(run);
    if (this.cancelled.has(run.id) && run.status !== 'cancelled' && run.failure === null)
      this.fault(`${name} is ${run.status} although its cancel was answered.`);
    if (run.status === 'cancelled' && !this.cancelAsked.has(numberOf(run)) && !this.isSuperseded(run))
      this.fault(`${name} is cancelled, and nobody asked for it.`);
    if (run.status === 'failed') this.expectFailure(run, plan);
    if (run.status !== 'completed') return;
    const markOf = this.markReader(run);
    for (const node of this.graphOf(run).nodes) {
      const { name: step } = node;
      const { ends: planned, failures, isMet } = plan.steps[step]!;
      const ends = plan.mends && run.generation > 0 ? 'completes' : planned;
      const row = rows.get(step);
      const mark = markOf(step);
      if (node.kind === 'compensation') continue;
      if (mark !== MARK.completed) {
        if (
          !mayEndAs(mark, node, {
            isMet,
            fails: planned !== 'completes' || this.isQuarantined(run, step) || this.isUnclaimed(run, step),
            markOf,
            graph: this.graphOf(run),
          })
        )
          this.fault(`${name} has completed and ${step} is ${row?.status}, marked ${mark} in ${run.state}.`);
        continue;
      }
      if (node.when !== undefined && !isMet) this.fault(`${name} has run ${step}, which was not wanted.`);
      if (node.kind === 'sleep' || node.kind === 'signal') continue;
      if (node.fanOut) {
        this.expectItems(run, node, plan.steps[step]!, ends);
        continue;
      }
      if (ends !== 'completes') this.fault(`${name} has completed although ${step} never does.`);
      if (node.repeat && row?.rounds !== ROUNDS - 1)
        this.fault(`${name} has completed ${step} in ${row?.rounds} rounds.`);
      if (row?.status !== 'completed') this.fault(`${name} has completed and ${step} is ${row?.status}.`);
      if (row?.failures !== failures)
        this.fault(`${name}: ${step} failed ${failures} times, counted ${row?.failures}.`);
      const errors = (row?.errors ?? []).map((error) => (codec.decode(error) as Error).message);
      if (new Set(errors).size < errors.length && errors.every((error) => error.includes('#')))
        this.fault(`${name}: an error of ${step} is kept twice: ${errors.join(', ')}.`);
    }
  }

  private isQuarantined(run: RunRow, step: string): boolean {
    const items = this.tables.itemsOf(run.id, step).map(({ row }) => row);
    return [this.tables.stepsOf(run.id).get(step), ...items].some((row) => row?.status === 'quarantined');
  }

  /** Whether no worker has taken the step, or an item of it, in time. */
  private isUnclaimed(run: RunRow, step: string): boolean {
    const items = this.tables.itemsOf(run.id, step).map(({ row }) => row);
    return [this.tables.stepsOf(run.id).get(step), ...items].some(wasUnclaimed);
  }

  /** A fan-out that has completed has tried every item as its plan says, and has lost no more than it tolerates. */
  private expectItems(
    run: RunRow,
    { name, fanOut, onFailure }: GraphNode,
    { ends: planned, failures }: StepPlan,
    ends: StepPlan['ends'],
  ): void {
    const items = this.tables.itemsOf(run.id, name).map(({ row }) => row);
    const failed = items.filter(({ status }) => status !== 'completed');
    const { tolerate } = fanOut!;
    const most = typeof tolerate === 'number' ? tolerate : items.length / 2;
    const isExpected = failed.every(
      (row) =>
        row.status === 'quarantined' || wasUnclaimed(row) || (row.status === 'failed' && planned !== 'completes'),
    );
    if (failed.length > most || !isExpected)
      this.fault(
        `${short(run.id)}.${name} (${onFailure}) has completed, its items are ${items.map(({ status }) => status).join()}.`,
      );
    for (const { name: item, status, failures: counted } of items) {
      if (status === 'completed' && ((counted !== failures && run.generation === 0) || ends !== 'completes'))
        this.fault(`${short(run.id)}.${item} has completed after ${counted} failures.`);
    }
  }

  /** A transactional step, or item of one, has had its effect if and only if it has completed. */
  private expectEffects(run: RunRow): void {
    const markOf = this.markReader(run);
    const expectEffect = (name: string, hasCompleted: boolean) => {
      if (this.effects.has(`${run.id}/${name}`) !== hasCompleted)
        this.fault(`Step ${name} of run ${short(run.id)} has completed: ${hasCompleted}. Its effect says otherwise.`);
    };
    for (const { name, transactional, fanOut } of this.graphOf(run).nodes) {
      if (!transactional) continue;
      if (!fanOut) expectEffect(name, markOf(name) === MARK.completed || markOf(name) === MARK.late);
      for (const { row } of this.tables.itemsOf(run.id, name)) expectEffect(row.name, row.status === 'completed');
    }
  }

  /** All that was done or may have been is undone in a run that has not completed. */
  private expectUndone(run: RunRow): void {
    const markOf = this.markReader(run);
    for (const { name, compensates } of this.graphOf(run).nodes) {
      if (compensates === undefined) continue;
      const isDue = run.status !== 'completed' && MAY_BE_DONE.includes(markOf(compensates));
      const ends: readonly string[] = isDue ? GOOD : [MARK.dormant, MARK.skipped];
      if (!ends.includes(markOf(name)))
        this.fault(`Run ${short(run.id)} is ${run.status} and ${name} is ${markOf(name)}: ${run.state}.`);
    }
  }

  /** A signal of which a caller was told that it is stored is there, and no step gave up waiting while it was. */
  private expectSignals(run: RunRow): void {
    const signals = this.tables.signals.filter(({ runId }) => runId === run.id);
    for (const { number, name, key } of this.signalsSent) {
      if (number !== numberOf(run)) continue;
      const there = signals.filter((signal) => signal.name === name && signal.key === key);
      if (there.length !== 1)
        this.fault(`Signal ${name}/${key} of run ${short(run.id)} is there ${there.length} times.`);
    }
  }

  /** What was done once is in the audit log once, and what was not is not there. */
  private expectAudited({ id, status }: RunRow): void {
    for (const action of ['cancel', 'terminate'] as const) {
      const count = this.tables.audit.filter((entry) => entry.runId === id && entry.action === action).length;
      const isDone = action === 'cancel' ? status === 'cancelled' : status === 'terminated';
      if (count > 1 || (isDone && count === 0))
        this.fault(`The ${action} of run ${short(id)} is noted ${count} times.`);
    }
    const noted = this.tables.audit.filter((entry) => entry.runId === id).map(({ action }) => action);
    const pauses = noted.filter((action) => action === 'pause' || action === 'resume');
    if (pauses.some((action, index) => action !== (index % 2 === 0 ? 'pause' : 'resume')))
      this.fault(`The pauses of run ${short(id)} are noted as ${pauses.join()}.`);
  }

  private expectFailure(run: RunRow, plan: RunPlan): void {
    const row = this.tables.stepsOf(run.id).get(run.failedStep!);
    const node = this.graphOf(run).nodes.find(({ name }) => name === stepOf(run.failedStep!))!;
    if (this.isOverdue(run)) return;
    if (node.onFailure === 'continue') this.fault(`Run ${short(run.id)} has failed in ${node.name}, which may fail.`);
    if (node.kind === 'signal' && row?.status === 'failed') return;
    if (plan.steps[stepOf(run.failedStep!)]!.ends !== 'completes' || wasUnclaimed(row)) return;
    const isQuarantined = row?.status === 'quarantined' && row.alone && row.crashes >= this.program.maxCrashes;
    if (!isQuarantined || this.isClean)
      this.fault(`Run ${short(run.id)} has failed in ${run.failedStep}, which completes: ${JSON.stringify(row)}.`);
  }

  private expectStarts(byNumber: ReadonlyMap<number, readonly string[]>): void {
    this.program.runs.forEach((plan, number) => {
      const ids = byNumber.get(number) ?? [];
      const told = [...(this.acknowledged.get(number) ?? [])];
      if (told.some((id) => !ids.includes(id))) this.fault(`Run ${number} was started as ${told.join()} and is lost.`);
      if (told.length > 1) this.fault(`Run ${number} was started as ${told.join()}.`);
      if (ids.length === 0 && this.isExpected(number)) this.fault(`Run ${number} of ${plan.schedule} was left out.`);
      if (ids.length > 1) this.fault(`Run ${number} is there ${ids.length} times.`);
      const group = this.program.runs.flatMap((other, n) => (other.group !== null ? [n] : []));
      if (plan.group !== null && group.some((other) => byNumber.has(other) !== byNumber.has(number)))
        this.fault(`Of the runs ${group.join()} some were started and some were not.`);
    });
  }

  private expectAnswer({ process, runId, answer }: Waiter): void {
    if (process.isDead || answer === 'unknown') return;
    const { status, generation } = this.tables.runs.get(runId)!;
    if (answer === 'failed' && generation > 0) return;
    if (answer !== status) this.fault(`${process.name} was told ${answer ?? 'nothing'} of ${short(runId)}: ${status}.`);
  }
}

function numberOf({ input }: RunRow): number {
  return (codec.decode(input) as SimulatedInput).run;
}

/** Each generation has claims of its own. */
function nameOfRun({ id, generation }: Pick<RunRow, 'id' | 'generation'>): string {
  return `${id}@${generation}`;
}

function nameOf({ runId, name, attempt }: StepRow): string {
  return `${short(runId)}.${tokenOf(name, attempt)}`;
}

/** Whether it failed because no worker had taken it in time. */
function wasUnclaimed(row: StepRow | undefined): boolean {
  const error = row?.status === 'failed' ? codec.decodeError(row.errors.at(-1)!) : null;
  return (error as { readonly code?: string } | null)?.code === 'OF_SCHEDULE_TO_START_TIMEOUT';
}

const GOOD: readonly string[] = [MARK.completed, MARK.failed, MARK.failedInDoubt];
const MAY_BE_DONE: readonly string[] = [MARK.completed, MARK.late, MARK.failedInDoubt, MARK.cancelledInDoubt];

/** Whether a step comes after another, directly or by way of others. */
function isLater(step: string, other: string, nodes: readonly GraphNode[]): boolean {
  const { after } = nodes.find(({ name }) => name === step)!;
  return after.some((before) => before === other || isLater(before, other, nodes));
}
const OPEN: readonly string[] = [MARK.pending, MARK.held, MARK.queued, MARK.waiting, MARK.fanned];

/** Whether a step may have begun, as the others stand now. */
function hasItsTurn({ after, needs = [], join }: GraphNode, markOf: (step: string) => string): boolean {
  if (!needs.every((step) => GOOD.includes(markOf(step)))) return false;
  if (join === undefined) return after.every((step) => !OPEN.includes(markOf(step)));
  return after.filter((step) => markOf(step) === MARK.completed).length >= join;
}

/** Whether a step of a completed run may have ended so, without a result. */
function mayEndAs(
  mark: string,
  node: GraphNode,
  how: {
    readonly isMet: boolean;
    readonly fails: boolean;
    readonly markOf: (step: string) => string;
    readonly graph: WorkflowGraph;
  },
): boolean {
  const { name, when, needs = [], after, join, onFailure } = node;
  const { graph, markOf } = how;
  const lacks = (steps: readonly string[]) => steps.filter((step) => !GOOD.includes(markOf(step))).length;
  switch (mark) {
    case MARK.failed:
    case MARK.failedInDoubt:
      return onFailure === 'continue' && how.fails;
    case MARK.skipped:
      return (
        (when !== undefined && !how.isMet) ||
        node.kind === 'signal' ||
        lacks(needs) > 0 ||
        (join !== undefined && after.filter((step) => markOf(step) === MARK.completed).length < join)
      );
    default: {
      // It has lost a join, or only such steps waited for it.
      const behind = graph.nodes.filter((other) => other.after.includes(name));
      const lost: readonly string[] = [MARK.cancelled, MARK.cancelledInDoubt, MARK.late, MARK.aborting];
      return behind.some((other) => other.join !== undefined || lost.includes(markOf(other.name)));
    }
  }
}

function statusOf(mark: string, row: StepRow | null): StepStatus {
  switch (mark) {
    case MARK.pending:
      return 'pending';
    case MARK.held:
      return 'running';
    case MARK.completed:
      return 'completed';
    case MARK.failed:
    case MARK.failedInDoubt:
      return row?.status === 'quarantined' ? 'quarantined' : 'failed';
    case MARK.cancelled:
    case MARK.cancelledInDoubt:
      return 'cancelled';
    case MARK.dormant:
      return 'pending';
    case MARK.skipped:
      return 'skipped';
    default:
      return row!.status;
  }
}
