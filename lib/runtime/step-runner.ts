import { AsyncLocalStorage } from 'node:async_hooks';

import { reviveInput } from '../definition/workflow-input.js';
import { reviveSignal } from '../definition/workflow-signals.js';
import { show } from '../definition/option-readers.js';
import type { AsideDefinition, ParameterBinding, StepDefinition, WorkflowDefinition } from '../definition/registry.js';
import type { StepContext } from '../definition/step-context.js';
import { isVerdict, type Verdict } from '../definition/verdict.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Claim, Fact } from '../engine/facts.js';
import { placeOf } from '../engine/indexed-graph.js';
import type { Clock, StepTransactions, TakenSignal } from '../engine/ports.js';
import { MARK } from '../engine/run-state.js';
import { isStorableTime, TIME_FORM } from '../engine/time.js';
import type { Attempt } from './attempt.js';
import { contextFor } from './context-for.js';
import type { HeartbeatDesk } from './heartbeat-desk.js';
import type { ItemDesk } from './item-desk.js';
import { classifyError } from './error-classes.js';
import { askBackoff } from './own-backoff.js';
import { callWithin, type RunContext } from './run-context.js';
import { callStep, type Enter, type StepCall } from './step-call.js';

/** What keeps the timeouts of attempts: in the time that workflows live in, which a test may set. */
export type Timeouts = Pick<Clock, 'after'>;

/** The user's code of one attempt, and how it is told what it needs. */
export interface StepRunnerPorts {
  readonly codec: PayloadCodec;
  readonly transactions: StepTransactions<unknown>;
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** Encoded results of earlier steps: from memory where this process has them, else from the store. */
  readonly loadResults: (attempt: Attempt, steps: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** Encoded errors of earlier steps that have failed. */
  readonly loadFailures: (attempt: Attempt, steps: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** What the last round of a step has given, encoded. */
  readonly loadRound: (attempt: Attempt) => Promise<string>;
  /** The lists of fan-outs. */
  readonly items: ItemDesk;
  /** What runs carry from where they were started; null: nothing. */
  readonly context: RunContext | null;
  /** The signal that a step has taken. */
  readonly loadSignal: (attempt: Attempt) => Promise<TakenSignal>;
  /** What attempts tell of how far they are. */
  readonly heartbeats: Pick<HeartbeatDesk, 'beat' | 'end'>;
  /** What an earlier attempt of the step has told last, encoded; null: nothing. */
  readonly loadHeartbeat: (attempt: Attempt) => Promise<string | null>;
  /** An outcome that came after the attempt had already reported. */
  readonly onLate: (attempt: Attempt) => void;
  /** The policy's own backoff was of no use; the error says why. */
  readonly onBackoffFailed: (attempt: Attempt, error: unknown) => void;
}

/** Executes attempts: condition → bind → invoke → encode → a fact. */
export class StepRunner {
  /** Users' code under way, also of attempts that were given up on: their timeout ends the attempt, not the code. */
  private running = 0;
  private readonly idleListeners: (() => void)[] = [];
  /** Whoever claims a step may do so within somebody's request, whose tenant is none of its run. */
  private readonly callOutside = AsyncLocalStorage.snapshot();

  constructor(private readonly ports: StepRunnerPorts) {}

  /** Runs an attempt to its end, or to its timeout. Never rejects: whatever goes wrong is the step's failure. */
  async run(attempt: Attempt): Promise<Fact> {
    const fact = await this.runToItsEnd(attempt);
    if (attempt.node.heartbeatMs !== undefined)
      await this.ports.heartbeats.end(attempt, fact.type !== 'step-completed');
    return fact;
  }

  private async runToItsEnd(attempt: Attempt): Promise<Fact> {
    try {
      const code = codeOf(attempt);
      const step = stepOf(attempt, code);
      const { node, claim } = attempt;
      if (step.condition !== null && claim.stage === undefined && !node.item)
        return await this.decide(attempt, code, step.condition);
      if (node.kind === 'sleep') return this.complete(attempt, undefined);
      if (claim.stage === 'tried') return await this.judge(attempt, code, step.until!);
      if (claim.stage === 'parked')
        return node.kind === 'signal' ? this.endWaitForSignal(attempt, step) : await this.endWait(attempt);
      if (node.fanOut !== undefined) {
        const count = await this.ports.items.expand(attempt, code, step.parameters);
        return { type: 'step-expanded', claim, count };
      }
      const kept = node.item ? await this.ports.items.findKept(attempt) : null;
      if (kept !== null) return { type: 'step-completed', claim, result: kept };
      if (step.verification !== null && isInDoubt(claim)) {
        const verdict = await this.verify(attempt, code, step.verification);
        if (verdict.done) return this.conclude(attempt, verdict.result);
      }
      if (node.transactional) return await this.callInTransaction(attempt, code, step);
      const value = await this.call(attempt, code, step);
      return node.kind === 'sleep-until' ? this.park(attempt, value) : this.conclude(attempt, value);
    } catch (error) {
      return this.toFailure(attempt, error);
    }
  }

  get isIdle(): boolean {
    return this.running === 0;
  }

  /** Resolves when no user's code is under way. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => (this.isIdle ? resolve() : this.idleListeners.push(resolve)));
  }

  /** Asks the step's condition. It is asked once: what it says is recorded before the step goes on. */
  private async decide(attempt: Attempt, code: WorkflowDefinition, condition: AsideDefinition): Promise<Fact> {
    const isMet = await this.call(attempt, code, condition);
    if (typeof isMet !== 'boolean') throw unlike(attempt, 'OF_CONDITION_INVALID', condition.name, 'a boolean', isMet);
    return { type: isMet ? 'step-admitted' : 'step-skipped', claim: attempt.claim };
  }

  /** Asks whether an attempt of which nobody knows how it ended has done what the step does. */
  private async verify(attempt: Attempt, code: WorkflowDefinition, verification: AsideDefinition): Promise<Verdict> {
    const verdict = await this.call(attempt, code, verification);
    if (isVerdict(verdict)) return verdict;
    throw unlike(
      attempt,
      'OF_VERDICT_INVALID',
      verification.name,
      '{ done: false } or { done: true, result }',
      verdict,
    );
  }

  /** Asks whether what the last round has given, which is recorded, is enough. */
  private async judge(attempt: Attempt, code: WorkflowDefinition, until: AsideDefinition): Promise<Fact> {
    const { claim, node, run } = attempt;
    const isDone = await this.call(attempt, code, until);
    if (typeof isDone !== 'boolean') throw unlike(attempt, 'OF_CONDITION_INVALID', until.name, 'a boolean', isDone);
    if (isDone) return { type: 'step-completed', claim, result: await this.ports.loadRound(attempt) };
    const error = new OrchestrateFlowError(
      'OF_REPEAT_EXHAUSTED',
      `Cannot go on with step "${node.name}" of run ${run.id}: after ${node.repeat!.max} rounds ${run.workflow}.${until.name}() still says that it is not done. ` +
        'Give it more rounds by `max`, or more time by `every`.',
    );
    return { type: 'step-repeated', claim, error: this.ports.codec.encodeError(error) };
  }

  /** The step's own method has given this: what it is for depends on whether it is repeated. */
  private conclude(attempt: Attempt, value: unknown): Fact {
    const { result, ...fact } = this.complete(attempt, value);
    return attempt.node.repeat === undefined
      ? { ...fact, result }
      : { type: 'step-tried', claim: attempt.claim, result };
  }

  private complete(attempt: Attempt, value: unknown): Fact & { readonly type: 'step-completed' } {
    const result = this.ports.codec.encode(value, `the result of step "${attempt.node.name}"`);
    return { type: 'step-completed', claim: attempt.claim, result };
  }

  /** The step has said until when it waits: that is its result, once it has waited. */
  private park(attempt: Attempt, value: unknown): Fact {
    const { name } = attempt.node;
    if (!isStorableTime(value)) throw unlike(attempt, 'OF_TIME_INVALID', name, TIME_FORM, value);
    const result = this.ports.codec.encode(value, `the result of step "${name}"`);
    return { type: 'step-parked', claim: attempt.claim, until: value.toISOString(), result };
  }

  /** No signal has come in time, as far as is known here. */
  private endWaitForSignal({ claim, node, run }: Attempt, { onTimeout }: StepDefinition): Fact {
    const { codec } = this.ports;
    if (onTimeout === 'skip') return { type: 'wait-ended', claim, end: { kind: 'is skipped' } };
    if (onTimeout !== 'fail') {
      const result = codec.encode(onTimeout.value, `the value that step "${node.name}" has at its timeout`);
      return { type: 'wait-ended', claim, end: { kind: 'completes', result } };
    }
    const names = node.signals!.map((name) => `"${name}"`).join(' or ');
    const error = new OrchestrateFlowError(
      'OF_SIGNAL_TIMEOUT',
      `Cannot go on with step "${node.name}" of run ${run.id}: no signal ${names} came within ${node.waitMs} ms. ` +
        'Send it in time, or say by `onTimeout` what happens without it.',
    );
    return { type: 'wait-ended', claim, end: { kind: 'fails', error: codec.encodeError(error) } };
  }

  private async endWait(attempt: Attempt): Promise<Fact> {
    const { name } = attempt.node;
    const result = resultOf(name, attempt, await this.ports.loadResults(attempt, [name]));
    return { type: 'step-completed', claim: attempt.claim, result };
  }

  private async call(attempt: Attempt, code: WorkflowDefinition, member: Member): Promise<unknown> {
    return this.invoke(attempt, code, await this.bind(attempt, code, member));
  }

  /** The outcome is committed by the step's own transaction, and reported afterwards. */
  private async callInTransaction(attempt: Attempt, code: WorkflowDefinition, step: StepDefinition): Promise<Fact> {
    const { claim, node, run, signal } = attempt;
    // Before the transaction begins: what is read of earlier steps is read elsewhere, and may have to wait.
    const call = await this.bind(attempt, code, step);
    let result = '';
    const { id: runId, generation } = run;
    const request = { runId, generation, row: placeOf(node), claim, timeoutMs: node.timeoutMs, signal };
    const end = await this.ports.transactions.run(request, async (manager) => {
      const parameters = [...call.parameters];
      for (const { index, kind } of step.parameters) if (kind === 'manager') parameters[index] = manager;
      const value = await this.invoke(attempt, code, { ...call, parameters });
      return (result = this.ports.codec.encode(value, `the result of step "${node.name}"`));
    });
    if (end === 'committed') return { type: 'step-completed', claim: { ...claim, stage: 'committed' }, result };
    // Whoever is told of it looks at the row, under its lock.
    if (end === 'unknown') return { type: 'step-released', claim };
    attempt.abort('stopped');
    throw signal.reason;
  }

  private async bind(attempt: Attempt, code: WorkflowDefinition, member: Member): Promise<StepCall> {
    const { name, parameters } = member;
    const isOwn = member === stepOf(attempt, code);
    const isTaken = attempt.claim.stage === 'received';
    const there = parameters.filter((binding) => !isMissing(binding, attempt) && !isOwnRound(binding, attempt));
    const recorded: Recorded = {
      signal: isTaken ? await this.ports.loadSignal(attempt) : null,
      results: await load(there, 'result', (steps) => this.ports.loadResults(attempt, steps)),
      failures: await load(there, 'failure', (steps) => this.ports.loadFailures(attempt, steps)),
      heartbeats: {
        heartbeat: (details) => this.ports.heartbeats.beat(attempt, details),
        lastHeartbeat: await this.findLastHeartbeat(attempt),
      },
    };
    const values: unknown[] = [];
    for (const binding of parameters) values[binding.index] = await this.valueOf(binding, attempt, code, recorded);
    return {
      name,
      isOwn,
      parameters: values,
      context: () => contextFor(attempt, recorded.signal, recorded.heartbeats),
    };
  }

  private async findLastHeartbeat(attempt: Attempt): Promise<unknown> {
    if (attempt.node.heartbeatMs === undefined || attempt.claim.attempt === 1) return undefined;
    const told = await this.ports.loadHeartbeat(attempt);
    return told === null ? undefined : this.ports.codec.decode(told);
  }

  /** Always the decoded value, never the object that another step returned: a step can change only its own. */
  private valueOf(
    binding: ParameterBinding,
    attempt: Attempt,
    code: WorkflowDefinition,
    { results, failures, signal, heartbeats }: Recorded,
  ): unknown {
    switch (binding.kind) {
      case 'input':
        return reviveInput(code, this.ports.codec.decode(attempt.run.input));
      case 'result':
        if (isMissing(binding, attempt)) return undefined;
        if (isOwnRound(binding, attempt))
          return this.ports.loadRound(attempt).then((round) => this.ports.codec.decode(round));
        return this.ports.codec.decode(resultOf(binding.step, attempt, results));
      case 'item':
        return this.ports.items.load(attempt);
      case 'results':
        return hasItems(binding.step, attempt) ? this.ports.items.loadResults(attempt, binding.step) : [];
      case 'failure': {
        const error = failures.get(binding.step);
        return error === undefined ? undefined : this.ports.codec.decodeError(error);
      }
      case 'context':
        return contextFor(attempt, signal, heartbeats);
      case 'manager':
        return undefined;
      case 'payload':
        return signal && reviveSignal(code, signal.name, this.ports.codec.decode(signal.payload));
      case 'run-failure':
        return attempt.run.failure ? this.ports.codec.decodeError(attempt.run.failure.error) : undefined;
    }
  }

  private invoke(attempt: Attempt, code: WorkflowDefinition, call: StepCall): unknown {
    const { context, codec } = this.ports;
    const { context: carried } = attempt.run;
    const enter: Enter = (method) => this.enter(attempt, method, call.isOwn);
    const returned = this.callOutside(() =>
      context === null || carried === null
        ? callStep(attempt, code, call, enter)
        : callWithin(context, codec.decode(carried), attempt, () => callStep(attempt, code, call, enter)),
    );
    const { timeoutMs, heartbeatMs } = attempt.node;
    const isLimited = timeoutMs !== null || heartbeatMs !== undefined;
    return isLimited && returned instanceof Promise ? this.limit(attempt, returned) : returned;
  }

  /** What is called, what it gives as a promise of ours, and how it ended are noted here, whatever stands around it. */
  private enter(attempt: Attempt, method: () => unknown, isOwn: boolean): unknown {
    attempt.signal.throwIfAborted();
    if (isOwn) attempt.noteBegun();
    const thrown = () => {
      if (isOwn) attempt.noteThrown();
    };
    let returned: unknown;
    try {
      returned = method();
    } catch (error) {
      thrown();
      throw error;
    }
    if (!isThenable(returned)) return returned;
    // Its `then` is called this once: that of a query executes it, each time it is called. Not by Promise.resolve(), which gives
    // a promise back as it is, also one whose `then` is somebody else's.
    const promise = new Promise<unknown>((resolve) => resolve(returned));
    this.running += 1;
    void promise.catch(thrown).then(() => this.ended());
    return promise;
  }

  private ended(): void {
    this.running -= 1;
    if (this.isIdle) for (const listener of this.idleListeners.splice(0)) listener();
  }

  /** The attempt ends at its timeout, whatever its code does; what the code says afterwards comes too late. */
  private limit(attempt: Attempt, promise: Promise<unknown>): Promise<unknown> {
    const { timeoutMs, heartbeatMs } = attempt.node;
    return new Promise((resolve, reject) => {
      const giveUp = (reason: 'timeout' | 'silent') => () => {
        callOff();
        attempt.abort(reason);
        reject(attempt.signal.reason as Error);
      };
      const keep = (ms: number | null | undefined, reason: 'timeout' | 'silent') =>
        ms == null ? () => {} : this.ports.timeouts.after(ms, giveUp(reason));
      const callOffTimeout = keep(timeoutMs, 'timeout');
      let callOffSilence = keep(heartbeatMs, 'silent');
      attempt.onHeartbeat = () => {
        callOffSilence();
        callOffSilence = keep(heartbeatMs, 'silent');
      };
      const callOff = () => {
        callOffTimeout();
        callOffSilence();
        attempt.onHeartbeat = null;
      };
      const settled = () => {
        callOff();
        if (attempt.hasReported) this.ports.onLate(attempt);
      };
      promise.then(resolve, reject);
      promise.then(settled, settled);
    });
  }

  private toFailure(attempt: Attempt, error: unknown): Fact {
    const { retryable, retryAfterMs } = classifyError(error, attempt);
    const aborted = attempt.abortReason !== null && !attempt.hasTimedOut;
    const failure = {
      error: this.ports.codec.encodeError(error),
      retryable,
      retryAfterMs: retryAfterMs ?? (retryable && !aborted ? this.askBackoff(attempt, error) : null),
      aborted,
      inDoubt: attempt.isDoubtful,
      random: this.ports.clock.random(),
    };
    return { type: 'step-failed', claim: attempt.claim, failure };
  }

  private askBackoff(attempt: Attempt, error: unknown): number | null {
    const { delayMs, fault } = askBackoff(attempt, error);
    if (fault !== null) this.ports.onBackoffFailed(attempt, fault);
    return delayMs;
  }
}

/** A method of a workflow with what its parameters are given. */
type Member = Pick<StepDefinition, 'name' | 'parameters'>;

/** Whether an earlier attempt may have had its effect: it died with its process, timed out or was handed over. */
function isInDoubt({ crashes, inDoubt, generation = 0 }: Claim): boolean {
  // What attempts of an earlier generation have done is not counted in this one.
  return crashes > 0 || inDoubt === true || generation > 0;
}

/** What the store says of earlier steps, encoded. */
interface Recorded {
  readonly signal: TakenSignal | null;
  readonly results: ReadonlyMap<string, string>;
  readonly failures: ReadonlyMap<string, string>;
  readonly heartbeats: Pick<StepContext, 'heartbeat' | 'lastHeartbeat'>;
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/** Asks only where something is needed. */
async function load(
  parameters: readonly ParameterBinding[],
  kind: 'result' | 'failure',
  read: (steps: readonly string[]) => Promise<ReadonlyMap<string, string>>,
): Promise<ReadonlyMap<string, string>> {
  const needed = parameters.flatMap((binding) => (binding.kind === kind ? [binding.step] : []));
  return needed.length === 0 ? NOTHING : read(needed);
}

/** What a parameter can do without and need not be read: a step that gives no result, or has not failed. */
function isMissing(binding: ParameterBinding, attempt: Attempt): boolean {
  if (binding.kind === 'failure') return !hasFailed(binding.step, attempt);
  if (isOwnRound(binding, attempt)) return attempt.claim.rounds === undefined && attempt.claim.stage !== 'tried';
  return binding.kind === 'result' && binding.isOptional && !hasCompleted(binding.step, attempt);
}

/** Whether it takes what the step itself has given, in its last round: which is never the same twice, and not kept in memory. */
function isOwnRound(binding: ParameterBinding, { node }: Attempt): boolean {
  return binding.kind === 'result' && binding.step === node.name;
}

function hasFailed(step: string, { run, marks }: Attempt): boolean {
  const mark = marks[run.definition.graph.positions.get(step)!];
  return mark === MARK.failed || mark === MARK.failedInDoubt;
}

/** As it was when this step was taken up: a step that has lost a join gives nothing, whenever it completes. */
function hasCompleted(step: string, { run, marks }: Attempt): boolean {
  return marks[run.definition.graph.positions.get(step)!] === MARK.completed;
}

/** Of a fan-out that was given up items may still complete: nobody takes their results but who undoes them. */
function hasItems(step: string, attempt: Attempt): boolean {
  return attempt.node.kind === 'compensation' || hasCompleted(step, attempt) || hasFailed(step, attempt);
}

function unlike(
  { run, node }: Attempt,
  code: 'OF_CONDITION_INVALID' | 'OF_TIME_INVALID' | 'OF_VERDICT_INVALID',
  method: string,
  wanted: string,
  value: unknown,
): OrchestrateFlowError {
  const expected = `Expected ${run.workflow}.${method}() to return ${wanted}, got ${show(value)}.`;
  return new OrchestrateFlowError(code, `Cannot go on with step "${node.name}" of run ${run.id}: ${expected}`);
}

function codeOf({ run }: Attempt): WorkflowDefinition {
  const { code } = run.definition;
  if (code) return code;
  // A claim asks for runnable definitions only, so this process has lost what it had at boot.
  throw new OrchestrateFlowError(
    'OF_WORKFLOW_UNKNOWN',
    `Cannot run workflow "${run.workflow}": this process has no code for it.`,
  );
}

function stepOf({ node }: Attempt, code: WorkflowDefinition): StepDefinition {
  return code.steps.get(node.item?.of ?? node.name)!;
}

function resultOf(step: string, { node, run }: Attempt, results: ReadonlyMap<string, string>): string {
  const result = results.get(step);
  if (result !== undefined) return result;
  throw new OrchestrateFlowError(
    'OF_STATE_CORRUPT',
    `Cannot run step "${node.name}" of run ${run.id}: the result of step "${step}" is not in the store.`,
  );
}

/** What `await` would call `then` of. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return mayBe && typeof (value as { then?: unknown }).then === 'function';
}
