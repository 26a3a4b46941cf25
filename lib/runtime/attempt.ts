import { OrchestrateFlowError } from '../engine/errors.js';
import type { Claim } from '../engine/facts.js';
import type { StepNode } from '../engine/indexed-graph.js';
import type { OpenRun } from './open-run.js';

/** Why an attempt's AbortSignal was raised. */
export type AbortReason = 'timeout' | 'silent' | 'stopped' | 'unwanted' | 'handed-over' | 'lost';

/** One execution of a step, under way in this process. */
export class Attempt {
  private readonly controller = new AbortController();
  private reason: AbortReason | null = null;
  /** An attempt reports once; what it says later is stale. */
  hasReported = false;
  /** Called with each sign of life, where it may not be silent for long. */
  onHeartbeat: (() => void) | null = null;
  /** How often the step's own method has been called, and how often it ended by throwing. */
  private readonly calls = { begun: 0, thrown: 0 };

  constructor(
    readonly run: OpenRun,
    readonly node: StepNode,
    readonly claim: Claim,
    /** What had become of the other steps when this one was taken up: one letter each, as in the run's state. */
    readonly marks: string,
    /** To be called when its outcome has been dealt with, or when it reports nothing any more. */
    readonly onSettled?: (() => void) | undefined,
  ) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get abortReason(): AbortReason | null {
    return this.reason;
  }

  /** Whether its method may have had its effect, though the attempt gives no result: it returned, still runs, or ended when it was aborted. */
  get isDoubtful(): boolean {
    const { begun, thrown } = this.calls;
    return begun > thrown || (begun > 0 && this.reason !== null);
  }

  /** Whether its method was called. From its abort on it is not. */
  get hasBegun(): boolean {
    return this.calls.begun > 0;
  }

  /** Whether it reports nothing any more, or has: it timed out, was handed over, or is another process's. */
  get isOver(): boolean {
    return this.hasTimedOut || this.reason === 'handed-over' || this.reason === 'lost';
  }

  /** Whether it has taken too long, or was silent for too long: a failure like any other. */
  get hasTimedOut(): boolean {
    return this.reason === 'timeout' || this.reason === 'silent';
  }

  /** Its own method is called. */
  noteBegun(): void {
    this.calls.begun += 1;
  }

  /** Its own method has ended by throwing. */
  noteThrown(): void {
    this.calls.thrown += 1;
  }

  /** Raises the signal, the first time it is called. */
  abort(reason: AbortReason): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.controller.abort(this.errorFor(reason));
  }

  private errorFor(reason: AbortReason): OrchestrateFlowError {
    const { node, run } = this;
    const subject = `Cannot go on with step "${node.name}" of run ${run.id}`;
    switch (reason) {
      case 'timeout':
        return new OrchestrateFlowError(
          'OF_STEP_TIMEOUT',
          `${subject}: the attempt took longer than its timeout of ${node.timeoutMs} ms. Give the step more time, or pass on the signal of its context.`,
        );
      case 'silent':
        return new OrchestrateFlowError(
          'OF_HEARTBEAT_TIMEOUT',
          `${subject}: the attempt has not called heartbeat() for ${node.heartbeatMs} ms. Call it more often, or let it be silent for longer.`,
        );
      case 'stopped':
        return new OrchestrateFlowError('OF_STEP_ABORTED', `${subject}: the run has been stopped.`);
      case 'unwanted':
        return new OrchestrateFlowError(
          'OF_STEP_ABORTED',
          `${subject}: a step that joins it with others has what it wanted from them.`,
        );
      case 'handed-over':
        return new OrchestrateFlowError(
          'OF_STEP_ABORTED',
          `${subject}: this process shuts down and hands the step over.`,
        );
      case 'lost':
        return new OrchestrateFlowError(
          'OF_STEP_ABORTED',
          `${subject}: this process was declared dead and the step was given to another.`,
        );
    }
  }
}
