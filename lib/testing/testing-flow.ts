import type { INestApplicationContext } from '@nestjs/common';

import { WorkflowRegistry } from '../definition/registry.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import { DURATION_FORM, findDurationMs, type Duration } from '../engine/duration.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { isEnded } from '../engine/words.js';
import { OrchestrateFlowModule } from '../orchestrate-flow.module.js';
import { TIMEOUTS } from '../orchestrate-flow.providers.js';
import { Orchestrator } from '../runtime/orchestrator.js';
import type { RunAddress } from '../runtime/orchestrator-options.js';
import type { Run } from '../runtime/run.js';
import type { StepDetails } from '../runtime/run-details.js';
import { Quiet } from './quiet.js';
import { StepStubs, type StepName, type StepStub, type StubFor } from './step-stubs.js';
import { VirtualTime } from './virtual-time.js';
import type { Waiting } from './waiting.js';

/** How long `advance()` lets running steps take before time goes on past them. */
const PATIENCE: Duration = '1s';

/** How long `drain()` waits while nothing changes: less than the 5 s of Jest and Vitest, so that its error is seen. */
const DRAIN_TIMEOUT: Duration = '4s';

/** The most times at which one `advance()` stops: beyond it something comes again and again without end. */
const MAX_STOPS = 10_000;

/**
 * Options of `TestingFlow.advance()`.
 *
 * @publicApi
 */
export interface AdvanceOptions {
  /** Real time that running steps are given to end before time goes on past them. @default '1s' */
  readonly patience?: Duration;
}

/**
 * Options of `TestingFlow.drain()`.
 *
 * @publicApi
 */
export interface DrainOptions {
  /** Real time after which it gives up where nothing changes any more. @default '4s' */
  readonly timeout?: Duration;
}

/**
 * Workflows under test: their time, their steps, and their orchestrator.
 *
 * Time stands still until the test sets it: what is delayed, or tried again later, waits for `advance()`. It is the time of
 * the workflows only: `Date` and the timers of your own code are as they were.
 *
 * @publicApi
 */
export class TestingFlow {
  private readonly quiet: Quiet;
  private readonly stubs = new StepStubs();

  private constructor(
    private readonly app: INestApplicationContext,
    private readonly time: VirtualTime,
    readonly orchestrator: Orchestrator,
  ) {
    const module = app.get(OrchestrateFlowModule, { strict: false });
    this.quiet = new Quiet(time, orchestrator, () => module.runtime);
  }

  /**
   * Of an app that imports `OrchestrateFlowTestingModule.forRoot()`, or was built by `withVirtualTime()`.
   *
   * @throws OrchestrateFlowError `OF_TEST_SETUP` where the app has no virtual time
   */
  static of(app: INestApplicationContext): TestingFlow {
    const time: unknown = app.get(TIMEOUTS, { strict: false });
    if (time instanceof VirtualTime) return new TestingFlow(app, time, app.get(Orchestrator, { strict: false }));
    throw new OrchestrateFlowError(
      'OF_TEST_SETUP',
      'Cannot test with this app: its time is the real one. Import OrchestrateFlowTestingModule.forRoot() in place of ' +
        'OrchestrateFlowModule.forRoot(), or pass the builder of the testing module through withVirtualTime().',
    );
  }

  /** The time of the workflows. */
  now(): Date {
    return new Date(this.time.nowMs);
  }

  /**
   * Lets so much time pass, from one time that something waits for to the next: what is due then is done, each at its own
   * time, before time goes on. Resolves when what came due has been dealt with.
   *
   * Steps that are running get `patience` to end, of real time; after that time passes them by, and meets their timeout. So a
   * step that never ends is timed out by `advance(timeout)`.
   *
   * @returns what still waits for a time, nearest first
   * @throws OrchestrateFlowError `OF_ARGUMENT_INVALID`; `OF_TEST_NOT_DRAINED` after 10,000 stops
   */
  async advance(duration: Duration, { patience = PATIENCE }: AdvanceOptions = {}): Promise<Waiting[]> {
    const patienceMs = msOf(patience, 'patience');
    const targetMs = this.time.nowMs + msOf(duration, 'the duration of advance()');
    await this.quiet.settle(patienceMs);
    for (let stops = 0; ; stops++) {
      const nextMs = await this.time.findNext();
      if (nextMs === null || nextMs > targetMs) break;
      assertFew(stops);
      await this.goTo(nextMs, patienceMs);
    }
    if (targetMs > this.time.nowMs) await this.goTo(targetMs, patienceMs);
    return this.time.listWaiting();
  }

  /**
   * Waits until nothing is ready, running or due: all that is left waits for a time, and that is what it answers with, nearest
   * first. Time stands still meanwhile.
   *
   * @throws OrchestrateFlowError `OF_TEST_NOT_DRAINED` with what is still under way, where nothing has changed for `timeout`
   */
  async drain({ timeout = DRAIN_TIMEOUT }: DrainOptions = {}): Promise<Waiting[]> {
    await this.quiet.drain(msOf(timeout, 'timeout'));
    return this.time.listWaiting();
  }

  /**
   * The output of a run. Where it waits for a time, time is advanced to it, again and again until the run has ended.
   *
   * @throws RunFailedError, RunCancelledError; OrchestrateFlowError `OF_TEST_NOT_DRAINED` where it waits for something else
   */
  async result<Output>(run: Pick<Run<Output>, 'id' | 'status' | 'result'>): Promise<Output> {
    const patienceMs = msOf(PATIENCE, 'patience');
    await this.quiet.settle(patienceMs);
    for (let stops = 0; !isEnded(await run.status()); stops++) {
      assertFew(stops);
      const nextMs = await this.time.findNext();
      if (nextMs === null) await this.assertEnded(run);
      else await this.goTo(nextMs, patienceMs);
    }
    return run.result();
  }

  /**
   * Puts a function in the place of a step, for every attempt from now on. It is given what the step would be given, and its
   * result or error is the step's.
   *
   * @example
   * const charge = flow.stub(OrderWorkflow, 'charge', () => { throw new Error('away'); });
   * expect(charge.calls).toHaveLength(1);
   *
   * @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` where this is no step, `OF_WORKFLOW_UNKNOWN`
   */
  stub<C extends WorkflowClass, K extends StepName<C>>(workflow: C, step: K, stub: StubFor<C, K>): StepStub<C, K> {
    const definition = this.app.get(WorkflowRegistry, { strict: false }).get(workflow);
    return this.stubs.stub<C, K>(definition, step, stub);
  }

  /** Puts every stubbed method back. For `afterEach`. */
  restoreStubs(): void {
    this.stubs.restoreAll();
  }

  /**
   * The steps of a run as they stand, by name.
   *
   * @example
   * expect(await flow.stepsOf(run.id)).toMatchObject({ charge: { status: 'completed', failures: 2 } });
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`
   */
  async stepsOf(run: RunAddress): Promise<Record<string, StepDetails>> {
    const steps = await this.orchestrator.steps(run);
    return Object.fromEntries(steps.map((step) => [step.name, step]));
  }

  /** Closes the app. A database of the test's own is dropped. */
  async close(): Promise<void> {
    await this.app.close();
  }

  /** No time brings its end: what runs may, if it is given a little longer. */
  private async assertEnded(run: Pick<Run, 'id' | 'status'>): Promise<void> {
    await this.quiet.drain(msOf(DRAIN_TIMEOUT, 'timeout'));
    if (!isEnded(await run.status())) throw endless(run.id);
  }

  private async goTo(ms: number, patienceMs: number): Promise<void> {
    await this.time.set(ms);
    this.quiet.look();
    await this.quiet.settle(patienceMs);
  }
}

function msOf(duration: Duration, what: string): number {
  const ms = findDurationMs(duration);
  if (ms !== null) return ms;
  throw new OrchestrateFlowError(
    'OF_ARGUMENT_INVALID',
    `Expected ${what} to be ${DURATION_FORM}, got ${JSON.stringify(duration) ?? typeof duration}.`,
  );
}

function assertFew(stops: number): void {
  if (stops < MAX_STOPS) return;
  throw new OrchestrateFlowError(
    'OF_TEST_NOT_DRAINED',
    `Cannot advance any further: ${MAX_STOPS} times something has come due and set the next timer. Advance by less, or let it end.`,
  );
}

function endless(runId: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_TEST_NOT_DRAINED',
    `Cannot wait for the end of run ${runId}: it has not ended, and nothing waits for a time. Give it what it waits for.`,
  );
}
