import { Logger } from '@nestjs/common';

import { reviveInput } from '../definition/workflow-input.js';
import type { ParameterBinding, StepDefinition, WorkflowDefinition } from '../definition/registry.js';
import type { StepContext } from '../definition/step-context.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Fact } from '../engine/facts.js';
import type { Clock } from '../engine/ports.js';
import type { Attempt } from './attempt.js';
import { classifyError } from './error-classes.js';

/** What keeps the timeouts of attempts: in the time that workflows live in, which a test may set. */
export type Timeouts = Pick<Clock, 'after'>;

/** The user's code of one attempt, and how it is told what it needs. */
export interface StepRunnerPorts {
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** Encoded results of earlier steps: from memory where this process has them, else from the store. */
  readonly loadResults: (attempt: Attempt, steps: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** An outcome that came after the attempt had already reported. */
  readonly onLate: (attempt: Attempt) => void;
}

/** Executes attempts: bind → invoke → encode → a fact. */
export class StepRunner {
  /** Users' code under way, also of attempts that were given up on: their timeout ends the attempt, not the code. */
  private running = 0;
  private readonly idleListeners: (() => void)[] = [];

  constructor(private readonly ports: StepRunnerPorts) {}

  /** Runs an attempt to its end, or to its timeout. Never rejects: whatever goes wrong is the step's failure. */
  async run(attempt: Attempt): Promise<Fact> {
    try {
      const code = codeOf(attempt);
      const step = code.steps.get(attempt.node.name)!;
      const parameters = await this.bind(attempt, code, step);
      const value = await this.invoke(attempt, code, step, parameters);
      const result = this.ports.codec.encode(value, `the result of step "${step.name}"`);
      return { type: 'step-completed', claim: attempt.claim, result };
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

  private async bind(attempt: Attempt, code: WorkflowDefinition, step: StepDefinition): Promise<unknown[]> {
    const needed = step.parameters.flatMap((binding) => (binding.kind === 'result' ? [binding.step] : []));
    const results = needed.length === 0 ? NO_RESULTS : await this.ports.loadResults(attempt, needed);
    const values: unknown[] = [];
    for (const binding of step.parameters) {
      values[binding.index] = await this.valueOf(binding, attempt, code, results);
    }
    return values;
  }

  /** Always the decoded value, never the object that another step returned: a step can change only its own. */
  private valueOf(
    binding: ParameterBinding,
    attempt: Attempt,
    code: WorkflowDefinition,
    results: ReadonlyMap<string, string>,
  ): unknown {
    switch (binding.kind) {
      case 'input':
        return reviveInput(code, this.ports.codec.decode(attempt.run.input));
      case 'result':
        return this.ports.codec.decode(resultOf(binding.step, attempt, results));
      case 'context':
        return contextFor(attempt);
    }
  }

  private invoke(
    attempt: Attempt,
    code: WorkflowDefinition,
    step: StepDefinition,
    parameters: readonly unknown[],
  ): unknown {
    const method = (code.instance as Record<string, (...parameters: unknown[]) => unknown>)[step.name]!;
    const returned = method.apply(code.instance, [...parameters]);
    if (!isThenable(returned)) return returned;
    // Its `then` is called this once: that of a query executes it, each time it is called. Not by Promise.resolve(), which gives
    // a promise back as it is, also one whose `then` is somebody else's.
    const promise = new Promise<unknown>((resolve) => resolve(returned));
    this.running += 1;
    const ended = () => this.ended();
    promise.then(ended, ended);
    const { timeoutMs } = attempt.node;
    return timeoutMs === null ? promise : this.limit(attempt, promise, timeoutMs);
  }

  private ended(): void {
    this.running -= 1;
    if (this.isIdle) for (const listener of this.idleListeners.splice(0)) listener();
  }

  /** The attempt ends at its timeout, whatever its code does; what the code says afterwards comes too late. */
  private limit(attempt: Attempt, promise: Promise<unknown>, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const callOff = this.ports.timeouts.after(timeoutMs, () => {
        attempt.abort('timeout');
        reject(attempt.signal.reason as Error);
      });
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
    const aborted = attempt.abortReason !== null && attempt.abortReason !== 'timeout';
    const failure = {
      error: this.ports.codec.encodeError(error),
      retryable,
      retryAfterMs,
      aborted,
      random: this.ports.clock.random(),
    };
    return { type: 'step-failed', claim: attempt.claim, failure };
  }
}

const NO_RESULTS: ReadonlyMap<string, string> = new Map();

function codeOf({ run }: Attempt): WorkflowDefinition {
  const { code } = run.definition;
  if (code) return code;
  // A claim asks for runnable definitions only, so this process has lost what it had at boot.
  throw new OrchestrateFlowError(
    'OF_WORKFLOW_UNKNOWN',
    `Cannot run workflow "${run.workflow}": this process has no code for it.`,
  );
}

function resultOf(step: string, { node, run }: Attempt, results: ReadonlyMap<string, string>): string {
  const result = results.get(step);
  if (result !== undefined) return result;
  throw new OrchestrateFlowError(
    'OF_STATE_CORRUPT',
    `Cannot run step "${node.name}" of run ${run.id}: the result of step "${step}" is not in the store.`,
  );
}

function contextFor(attempt: Attempt): StepContext {
  const { run, node, claim } = attempt;
  const logger = new Logger(`${run.workflow}.${node.name} ${run.id}`);
  return {
    runId: run.id,
    workflow: run.workflow,
    step: node.name,
    attempt: claim.attempt,
    idempotencyKey: `${run.id}:${node.name}`,
    signal: attempt.signal,
    logger: logger,
  };
}

/** What `await` would call `then` of. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return mayBe && typeof (value as { then?: unknown }).then === 'function';
}
