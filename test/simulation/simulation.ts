import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { child } from '../../lib/definition/child-request.js';
import { RunCancelledError, RunFailedError, RunTerminatedError } from '../../lib/engine/errors.js';
import { Dice } from './dice.js';
import type { World } from './faulty-wire.js';
import type { GraphNode } from '../../lib/engine/graph.js';
import type { RunAddress } from '../../lib/runtime/orchestrator-options.js';
import { writeProgram, type Mischief, type Program, type RunPlan, type SignalPlan } from './program.js';
import { SimulatedBells } from './simulated-bells.js';
import { SimulatedProcess } from './simulated-process.js';
import { endOf, RESOLVED, stepOf, type StepCode } from './step-code.js';
import { EPOCH_MS, Tables } from './tables.js';
import { Timeline } from './timeline.js';
import { Disconnected, toError } from './wire.js';
import { Witness, type Waiter } from './witness.js';

/** Leases after the last mischief in which everything must have ended, and after that in which all must be quiet. */
const END_WITHIN_LEASES = 60;
const QUIET_WITHIN_LEASES = 4;

/** Milliseconds until a seat whose process has ended has another, and until whoever finds nobody there asks again. */
const REFILL_MS = 300;
const ASK_AGAIN_MS = 50;
/** Milliseconds between two looks for steps in doubt. */
const LOOK_MS = 200;

/** What became of a program. */
export interface Outcome {
  readonly program: Program;
  readonly faults: readonly string[];
  readonly trace: readonly string[];
  /** Of the trace: the same seed gives the same. */
  readonly hash: string;
  readonly figures: Figures;
}

export interface Figures {
  readonly runs: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that somebody retried. */
  readonly retried: number;
  /** Runs that somebody paused. */
  readonly paused: number;
  /** Runs that steps of others have begun. */
  readonly children: number;
  readonly events: number;
  /** Processes that came and went. */
  readonly processes: number;
}

/** Plays the program of a seed to its end. Errors have no stacks unless asked for: writing them takes most of the time. */
export async function simulate(seed: number, { stacks = false } = {}): Promise<Outcome> {
  const { stackTraceLimit } = Error;
  if (!stacks) Error.stackTraceLimit = 0;
  try {
    return await new Simulation(writeProgram(seed)).play();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Several processes on one database, in simulated time. */
class Simulation implements World {
  readonly timeline = new Timeline();
  readonly rates;
  readonly leaseMs;
  awayUntil = -Infinity;
  private readonly lines: string[] = [];
  private readonly dice: Dice;
  private readonly witness: Witness;
  private readonly tables: Tables;
  private readonly bells: SimulatedBells;
  private readonly seats: (SimulatedProcess | null)[];
  private count = 0;
  private lists = 0;
  /** When a person looks again at a doubt of which somebody was to see. */
  private readonly looksAgainAt = new Map<string, number>();
  /** Starts that have not been made, or not been answered to a process that lives. */
  private readonly pending = new Set<{ process: SimulatedProcess | null }>();
  private isOver = false;

  constructor(private readonly program: Program) {
    this.rates = program.rates;
    this.leaseMs = program.leaseMs;
    this.dice = new Dice(program.seed ^ 0x5eed);
    this.witness = new Witness(program, (line) => this.trace(line));
    this.tables = new Tables(() => this.timeline.now, this.witness);
    this.witness.tables = this.tables;
    this.seats = program.seats.map(() => null);
    const listeners = () => this.processes;
    this.bells = new SimulatedBells(this, listeners, this.dice.fork());
  }

  get isCalm(): boolean {
    return this.timeline.now >= this.program.chaosMs;
  }

  trace(line: string): void {
    this.lines.push(`${this.timeline.now.toFixed(3)} ${line}`);
  }

  async play(): Promise<Outcome> {
    const note = (error: unknown) => this.witness.fault(`Nobody caught: ${String((error as Error)?.stack ?? error)}`);
    process.on('unhandledRejection', note);
    try {
      this.begin();
      await this.playOut();
    } catch (error) {
      note(error);
    } finally {
      process.off('unhandledRejection', note);
    }
    const { program, lines: trace } = this;
    const faults = this.witness.faults;
    const hash = createHash('sha256').update(trace.join('\n')).digest('hex');
    return { program, faults, trace, hash, figures: this.figures() };
  }

  private begin(): void {
    this.seats.forEach((_, seat) => this.timeline.after(this.dice.delay(50), null, () => this.fill(seat)));
    this.program.runs.forEach((plan, number) => this.schedule(plan, number));
    if (this.program.hasExternal) this.lookForDoubts();
    for (const mischief of this.program.mischief) this.timeline.after(mischief.atMs, null, () => this.befall(mischief));
    this.timeline.after(this.program.chaosMs, null, () => this.resumeAll());
  }

  private async playOut(): Promise<void> {
    const { timeline, witness, program, leaseMs } = this;
    const hasFault = () => witness.faults.length > 0;
    // Where runs wait for each other they take as long as all of them one after the other.
    const patience = program.limits.length > 0 ? program.runs.length : 1;
    const endBy = program.chaosMs + END_WITHIN_LEASES * leaseMs * patience;
    const hasEnded = () =>
      this.isUndisturbed && !this.hasPending && this.tables.openCount === 0 && this.areSchedulesThrough;
    await timeline.playUntil(() => hasFault() || hasEnded() || timeline.now > endBy);
    if (hasFault()) return;
    if (!hasEnded()) return this.tellWhatIsStuck();
    const quietBy = timeline.now + QUIET_WITHIN_LEASES * leaseMs;
    await timeline.playUntil(() => hasFault() || this.complaints().length === 0 || timeline.now > quietBy);
    for (const complaint of this.complaints()) witness.fault(complaint);
    witness.expectEnds();
    if (hasFault()) return;
    await this.leave();
  }

  /** Everybody says goodbye, and nothing is left. */
  private async leave(): Promise<void> {
    const { timeline, witness } = this;
    this.isOver = true;
    const leaving = this.processes;
    for (const process of leaving) timeline.after(0, process, () => void process.terminate(this.leaseMs));
    const by = timeline.now + 4 * this.leaseMs;
    const hasLeft = () => leaving.every(({ isDead }) => isDead);
    await timeline.playUntil(() => witness.faults.length > 0 || hasLeft() || timeline.now > by);
    for (const { isDead, name } of leaving) if (!isDead) witness.fault(`${name} does not end.`);
    const ids = new Set(leaving.flatMap((process) => [...process.ids]));
    // A worker that never heard that it was registered goes on under another id; that one's lease runs out.
    for (const { id, isAlive, leaseUntil } of this.tables.workers.values())
      if (isAlive && leaseUntil > timeline.now && ids.has(id))
        witness.fault(`Worker ${id} has left without saying goodbye.`);
  }

  /** Nothing goes wrong any more, and all that did is over. */
  private get isUndisturbed(): boolean {
    const { now } = this.timeline;
    const isDisturbed = (process: SimulatedProcess | null) =>
      !process?.isReady || process.isStopped || process.cutOffUntil > now;
    return this.isCalm && this.awayUntil <= now && !this.seats.some(isDisturbed);
  }

  /** Every occurrence that has a run has been taken up, and none waits. */
  private get areSchedulesThrough(): boolean {
    return this.program.schedules.every(({ name, everyMs, count }) => {
      const row = this.tables.schedules.get(name);
      return row?.queuedAt === null && row.nextAt !== null && row.nextAt > EPOCH_MS + everyMs * count;
    });
  }

  // ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private get processes(): SimulatedProcess[] {
    return this.seats.filter((process) => process !== null);
  }

  private fill(seat: number): void {
    const { program, tables, dice, witness } = this;
    const process = new SimulatedProcess({
      ...{ name: `p${seat}.${++this.count}`, seat: program.seats[seat]!, world: this, tables, dice: dice.fork() },
      ...{ maxCrashes: program.maxCrashes, graphs: [...program.workflows], schedules: program.schedules },
      limits: program.limits,
      ring: (queue) => this.bells.ring(queue),
      code: (by) => this.codeFor(by),
      asks: (by) => (input, context) => {
        this.witness.asked(by, context);
        return this.program.runs[input.run]!.steps[context.step]!.isMet;
      },
      ...{ countLists: () => this.lists++, hasExternal: program.hasExternal },
      onFault: (fault) => witness.fault(fault),
      onDeath: () => {
        this.seats[seat] = null;
        if (!this.isOver) this.timeline.after(REFILL_MS, null, () => this.fill(seat));
      },
    });
    this.seats[seat] = process;
    this.trace(`${process.name} boots`);
    this.timeline.after(0, process, () => void process.boot());
  }

  private codeFor(process: SimulatedProcess): StepCode {
    return (input, context, results) => {
      const run = this.program.runs[input.run]!;
      const isMended = run.mends && this.tables.runs.get(context.runId)!.generation > 0;
      const plan = { ...run.steps[stepOf(context.step)]!, ...(isMended && { ends: 'completes' as const }) };
      this.witness.began(process, input, context, results);
      if (this.nodeOf(run, context.step).heartbeatMs !== undefined) context.heartbeat(context.attempt);
      const failures = this.tables.stepsOf(context.runId).get(context.step)?.failures ?? 0;
      const hangs = failures < plan.failures && plan.fails === 'hangs';
      const kills = failures >= plan.failures && plan.ends === 'kills its process';
      const isWait = this.nodeOf(run, context.step).kind === 'sleep-until';
      const knows = this.witness.knower(context);
      const end = () => {
        const token = calling(knows, () => endOf(plan, failures, context));
        if (this.nodeOf(run, context.step).kind === 'child') return this.childOf(input.run, context.step);
        return isWait ? this.tables.date(Math.round(this.timeline.now + plan.untilMs)) : token;
      };
      if (plan.isPlain && !hangs && !kills) return end();
      return new Promise((resolve, reject) => {
        // Every other attempt heeds its signal.
        const abort = () => reject(context.signal.reason as Error);
        if (context.attempt % 2 === 0) context.signal.addEventListener('abort', abort, { once: true });
        if (hangs) return;
        process.clock.after(plan.durationMs, () => {
          if (kills) return process.die();
          try {
            resolve(end());
          } catch (error) {
            reject(toError(error));
          }
        });
      });
    };
  }

  /** What the step says that is to run. */
  private childOf(run: number, step: string) {
    const { runs, workflows, children } = this.program;
    const number = runs.findIndex(({ parent }) => parent?.run === run && parent.step === step);
    const { workflow } = runs[number]!;
    const { isDetached } = children.find(({ parent }) => parent === runs[run]!.workflow)!;
    return child(workflows[workflow]!.workflow, { run: number }, { detached: isDetached });
  }

  private befall(mischief: Mischief): void {
    if (mischief.kind === 'outage') {
      const { now } = this.timeline;
      this.trace(`the database is away for ${Math.round(mischief.forMs)} ms`);
      this.awayUntil = this.tables.upSince = now + mischief.forMs;
      for (const id of this.tables.workers.keys()) this.tables.disconnect(id);
      return;
    }
    const process = this.seats[mischief.seat];
    if (!process) return;
    switch (mischief.kind) {
      case 'kill':
        return process.die();
      case 'stop':
        return process.stop(mischief.forMs);
      case 'cut off':
        return process.cutOff(mischief.forMs);
      case 'terminate':
        this.timeline.after(0, process, () => void process.terminate(mischief.timeoutMs));
    }
  }

  // ── callers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private schedule(plan: RunPlan, number: number): void {
    if (plan.schedule !== null || plan.parent !== null) return;
    const isFirst = this.program.runs.findIndex(({ group }) => group === plan.group) === number;
    if (plan.group === null) this.ask(plan.atMs, plan.seat, (process) => this.start(process, plan, number));
    else if (isFirst) this.ask(plan.atMs, plan.seat, (process) => this.startMany(process));
    const { twin, cancel, wake, terminate, retries, pauses, signals } = plan;
    for (const { atMs, forMs, seat } of pauses) {
      this.ask(atMs, seat, (process) => this.pause(process, plan, number));
      this.ask(atMs + forMs, seat, (process) => this.resume(process, plan, number));
    }
    for (const { atMs, seat } of retries) this.ask(atMs, seat, (process) => this.retry(process, plan, number));
    for (const signal of signals)
      this.ask(signal.atMs, signal.seat, (process) => this.signal(process, plan, number, signal));
    if (terminate) this.ask(terminate.atMs, terminate.seat, (process) => this.terminate(process, plan, number));
    if (wake) this.ask(wake.atMs, wake.seat, (process) => this.wake(process, plan, number));
    if (twin) this.ask(twin.atMs, twin.seat, (process) => this.start(process, { ...plan, transaction: null }, number));
    if (cancel) this.ask(cancel.atMs, cancel.seat, (process) => this.cancel(process, plan, number));
  }

  /** Has a caller in the process of a seat do something, once there is one. */
  private ask(atMs: number, seat: number, act: (process: SimulatedProcess) => Promise<void>): void {
    const pending: { process: SimulatedProcess | null } = { process: null };
    this.pending.add(pending);
    const call = () => {
      const process = this.seats[seat];
      if (!process?.isReady || process.isStopped) return void this.timeline.after(ASK_AGAIN_MS, null, call);
      pending.process = process;
      void act(process)
        .catch((error: unknown) => this.expectKnown(error))
        .finally(() => this.pending.delete(pending));
    };
    this.timeline.after(atMs, null, call);
  }

  /** A person looks now and then which steps are in doubt; two may come to them at once, and need not agree. */
  private lookForDoubts(): void {
    for (const { id } of this.tables.openRuns()) {
      for (const { name, stage, attempt } of this.tables.stepsOf(id).values()) {
        const doubt = `${id}/${this.tables.runs.get(id)!.generation}/${name}/${attempt}`;
        if (stage !== 'in-doubt' || this.timeline.now < (this.looksAgainAt.get(doubt) ?? -Infinity)) continue;
        this.looksAgainAt.set(doubt, this.timeline.now + 2 * this.leaseMs);
        for (let person = 0; person < this.dice.pick([1, 1, 2]); person++) this.resolve(id, name);
      }
    }
    if (!this.isOver) this.timeline.after(LOOK_MS, null, () => this.lookForDoubts());
  }

  private resolve(runId: string, step: string): void {
    const seat = this.dice.int(0, this.seats.length - 1);
    const resolution = this.dice.chance(0.5) ? { done: true, result: RESOLVED } : ({ done: false } as const);
    this.ask(this.dice.delay(this.leaseMs), seat, (process) => process.orchestrator.resolve(runId, step, resolution));
  }

  private get hasPending(): boolean {
    for (const pending of this.pending) {
      if (pending.process?.isDead) this.pending.delete(pending);
    }
    return this.pending.size > 0;
  }

  private async start(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const options = this.optionsOf(plan);
    const name = this.nameOf(plan);
    if (!plan.transaction) {
      const run = await process.orchestrator.start(name, { run: number }, options);
      return this.acknowledge(process, plan, number, run.id);
    }
    const { commits, openMs } = plan.transaction;
    const transaction = process.transactions.begin();
    const manager = transaction as unknown as EntityManager;
    const run = await process.orchestrator.start(name, { run: number }, { ...options, manager });
    await new Promise<void>((resolve) => process.clock.after(openMs, resolve));
    // An earlier run of the same key is there whatever becomes of the transaction; its start has its own caller.
    if (!commits || !run.created) return process.transactions.rollBack(transaction);
    const queues = await process.transactions.commit(transaction);
    for (const queue of queues) for (const other of this.processes) this.tell(other, queue);
    await this.acknowledge(process, plan, number, run.id);
  }

  private tell(process: SimulatedProcess, queue: string): void {
    this.timeline.after(this.dice.delay(20), process, () => process.hear(queue));
  }

  private async startMany(process: SimulatedProcess): Promise<void> {
    const runs = this.program.runs.flatMap((plan, number) => (plan.group === null ? [] : [{ plan, number }]));
    const items = runs.map(({ plan, number }) => ({ input: { run: number }, ...this.optionsOf(plan) }));
    const started = await process.orchestrator.startMany(this.nameOf(runs[0]!.plan), items);
    await Promise.all(
      runs.map(({ plan, number }, index) => this.acknowledge(process, plan, number, started[index]!.id)),
    );
  }

  private optionsOf({ key, delayMs, priority, tenant }: RunPlan) {
    return {
      ...(key === null ? {} : { key }),
      ...(tenant === null ? {} : { tenant }),
      ...(delayMs === null ? {} : { delay: delayMs }),
      priority,
    };
  }

  private nodeOf({ workflow }: RunPlan, step: string): GraphNode {
    return this.program.workflows[workflow]!.nodes.find(({ name }) => name === stepOf(step))!;
  }

  private nameOf({ workflow }: RunPlan): string {
    return this.program.workflows[workflow]!.workflow;
  }

  private async acknowledge(process: SimulatedProcess, plan: RunPlan, number: number, id: string): Promise<void> {
    if (process.isDead) return;
    const ids = this.witness.acknowledged.get(number) ?? new Set();
    this.witness.acknowledged.set(number, ids.add(id));
    if (plan.isAwaited) this.wait(process, id);
  }

  private wait(process: SimulatedProcess, runId: string): void {
    const waiter: Waiter = { process, runId, answer: null };
    this.witness.waiters.push(waiter);
    process.orchestrator.result(runId).then(
      () => (waiter.answer = 'completed'),
      (error: unknown) => {
        if (error instanceof RunFailedError) waiter.answer = 'failed';
        else if (error instanceof RunCancelledError) waiter.answer = 'cancelled';
        else if (error instanceof RunTerminatedError) waiter.answer = 'terminated';
        else waiter.answer = 'unknown';
        this.expectKnown(error);
      },
    );
  }

  private async signal(process: SimulatedProcess, plan: RunPlan, number: number, signal: SignalPlan): Promise<void> {
    const address = this.addressOf(plan, number);
    if (address === null) return;
    const key = `k${signal.number}`;
    await process.orchestrator.signal(address, signal.name, key, { key });
    this.witness.signalled(number, signal.name, key);
  }

  private async terminate(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const address = this.addressOf(plan, number);
    if (address === null) return;
    this.witness.terminateAsked.add(number);
    await process.orchestrator.terminate(address);
  }

  private async retry(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const address = this.addressOf(plan, number);
    if (address !== null) await process.orchestrator.retry(address);
  }

  private async pause(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const address = this.addressOf(plan, number);
    if (address !== null) await process.orchestrator.pause(address);
  }

  private async resume(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const address = this.addressOf(plan, number);
    if (address !== null) await process.orchestrator.resume(address);
  }

  /** A pause may have come in that nobody was told of, and a resume got lost: what is still paused in the end is resumed. */
  private resumeAll(): void {
    if (this.isOver) return;
    for (const { id, status } of this.tables.openRuns()) {
      if (status === 'paused') this.ask(0, 0, (process) => process.orchestrator.resume(id));
    }
    this.timeline.after(this.leaseMs, null, () => this.resumeAll());
  }

  private addressOf(plan: RunPlan, number: number): RunAddress | null {
    const [id = null] = this.witness.acknowledged.get(number) ?? [];
    if (id !== null) return id;
    return plan.key === null ? null : { workflow: this.nameOf(plan), key: plan.key };
  }

  private async wake(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const [id = null] = this.witness.acknowledged.get(number) ?? [];
    if (id === null && plan.key === null) return;
    this.witness.wakeAsked.add(number);
    await process.orchestrator.wake(id ?? { workflow: this.nameOf(plan), key: plan.key! });
  }

  private async cancel(process: SimulatedProcess, plan: RunPlan, number: number): Promise<void> {
    const [id = null] = this.witness.acknowledged.get(number) ?? [];
    if (id === null && plan.key === null) return;
    this.witness.cancelAsked.add(number);
    await process.orchestrator.cancel(id ?? { workflow: this.nameOf(plan), key: plan.key! });
    const runId = id ?? this.tables.findByKey(this.nameOf(plan), plan.key!)!.id;
    this.witness.cancelled.add(runId);
  }

  private expectKnown(error: unknown): void {
    const { code, name } = error as { code?: string; name?: string };
    const known = [
      'OF_RUN_UNKNOWN',
      'OF_RUN_ENDED',
      'OF_RUN_NOT_FAILED',
      'OF_RUN_NOT_PAUSED',
      'OF_RUN_PAUSED',
      'OF_RUN_UNDONE',
      'OF_STEP_NOT_IN_DOUBT',
      'OF_STOPPED',
      'OF_RUN_FAILED',
      'OF_RUN_CANCELLED',
      'OF_RUN_TERMINATED',
    ];
    if (error instanceof Disconnected || (code !== undefined && known.includes(code))) return;
    this.witness.fault(`A caller is given ${name}: ${String((error as Error)?.stack ?? error)}`);
  }

  // ── what is told at the end ────────────────────────────────────────────────────────────────────────────────────────

  private complaints(): string[] {
    const waiting = this.witness.waiters.filter(({ process, answer }) => !process.isDead && answer === null);
    return [
      ...this.processes.flatMap((process) => process.complaints()),
      ...waiting.map(({ process, runId }) => `${process.name} still waits for the result of ${runId}.`),
    ];
  }

  private tellWhatIsStuck(): void {
    for (const { id, status, state, worker } of this.tables.openRuns()) {
      const rows = [...this.tables.stepsOf(id).values()];
      this.witness.fault(`Run ${id} is stuck: ${JSON.stringify({ status, state, worker, rows })}`);
    }
    if (!this.areSchedulesThrough)
      this.witness.fault(`Schedules are stuck: ${JSON.stringify([...this.tables.schedules.values()])}`);
    for (const { process } of this.pending)
      this.witness.fault(`${process?.name ?? 'Nobody'} has not answered a caller.`);
  }

  private figures(): Figures {
    const runs = [...this.tables.runs.values()];
    const count = (status: string) => runs.filter((run) => run.status === status).length;
    return {
      ...{ runs: runs.length, completed: count('completed'), failed: count('failed'), cancelled: count('cancelled') },
      retried: runs.filter(({ generation }) => generation > 0).length,
      paused: new Set(this.tables.audit.filter(({ action }) => action === 'pause').map(({ runId }) => runId)).size,
      children: runs.filter(({ parent }) => parent !== null).length,
      ...{ events: this.timeline.count, processes: this.count },
    };
  }
}

/** What the code of a step gives; that it threw is told. */
function calling(onThrown: () => void, code: () => unknown): unknown {
  try {
    return code();
  } catch (error) {
    onThrown();
    throw error;
  }
}
