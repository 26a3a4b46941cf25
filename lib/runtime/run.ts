import type { Resolution } from '../definition/verdict.js';
import type { Duration } from '../engine/duration.js';
import type { RunStatus } from '../engine/words.js';
import type { ControlOptions, ResultOptions, SignalOptions } from './orchestrator-options.js';

/** What a handle asks of the orchestrator. */
export interface RunControls {
  result(runId: string, options?: ResultOptions): Promise<unknown>;
  status(runId: string): Promise<RunStatus>;
  cancel(runId: string, options?: ControlOptions): Promise<void>;
  pause(runId: string, options?: ControlOptions): Promise<void>;
  resume(runId: string, options?: ControlOptions): Promise<void>;
  retry(runId: string, options?: ControlOptions): Promise<void>;
  resolve(runId: string, step: string, resolution: Resolution, options?: ControlOptions): Promise<void>;
  signal(runId: string, name: string, payload: unknown, options?: SignalOptions): Promise<void>;
}

/**
 * A run that was started: a handle by which to follow and stop it. It holds nothing open and may be forgotten.
 *
 * @typeParam Output what `result()` gives
 * @typeParam Signals the payloads that `signal()` takes, by name
 * @publicApi
 */
export class Run<Output = unknown, Signals = Record<string, unknown>> {
  constructor(
    readonly id: string,
    /** False where the key had been used before: this is that earlier run. */
    readonly created: boolean,
    private readonly controls: RunControls,
  ) {}

  /**
   * Waits for the end of the run and gives its output.
   *
   * @param options.timeout how long to wait at most. @default no limit
   * @throws RunFailedError (its cause is the step's error), RunCancelledError, RunTerminatedError, ResultTimeoutError
   */
  async result(options?: { timeout?: Duration }): Promise<Output> {
    return (await this.controls.result(this.id, options)) as Output;
  }

  /** What the run is doing now. */
  status(): Promise<RunStatus> {
    return this.controls.status(this.id);
  }

  /**
   * Sends a signal to the run: resolves once it is stored. It is given to the step that waits for it, now or later.
   *
   * @throws OrchestrateFlowError `OF_RUN_ENDED`, `OF_SIGNAL_UNKNOWN`, `OF_SIGNAL_INVALID`
   */
  signal<K extends keyof Signals & string>(name: K, payload?: Signals[K], options?: SignalOptions): Promise<void> {
    return this.controls.signal(this.id, name, payload, options);
  }

  /**
   * Stops the run: nothing new starts, attempts under way see their AbortSignal. Resolves once that is committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_ENDED` where the run has completed or failed
   */
  cancel(options?: ControlOptions): Promise<void> {
    return this.controls.cancel(this.id, options);
  }

  /**
   * Holds the run: nothing in it begins until it is resumed, what is under way may report. Resolves once that is committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_ENDED` where the run has ended or been stopped
   */
  pause(options?: ControlOptions): Promise<void> {
    return this.controls.pause(this.id, options);
  }

  /**
   * Lets the run, which is paused, go on. Resolves once that is committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_NOT_PAUSED`
   */
  resume(options?: ControlOptions): Promise<void> {
    return this.controls.resume(this.id, options);
  }

  /**
   * Lets the run, which has failed, go on from what failed: what has completed keeps its results. Resolves once that is
   * committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_NOT_FAILED`; `OF_RUN_UNDONE` where its compensations have undone what it did
   */
  retry(options?: ControlOptions): Promise<void> {
    return this.controls.retry(this.id, options);
  }

  /**
   * Says what has come of a step, or of an item such as `bill[7]`, that is in doubt and waits for somebody to look. Resolves once
   * that is committed.
   *
   * @throws OrchestrateFlowError `OF_STEP_NOT_IN_DOUBT` where it waits for nobody, or somebody else was first and said otherwise
   */
  resolve(step: string, resolution: Resolution, options?: ControlOptions): Promise<void> {
    return this.controls.resolve(this.id, step, resolution, options);
  }
}
