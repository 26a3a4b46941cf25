import type { Observable } from 'rxjs';
import type { EntityManager } from 'typeorm';

import type { WorkflowRegistry } from '../definition/registry.js';
import type { Resolution } from '../definition/verdict.js';
import type { InputOf, OutputOf, SignalsOf, StartArguments, WorkflowClass } from '../definition/workflow-class.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { computeGraphText, computeMermaid } from '../engine/graph-text.js';
import type { WorkflowGraph } from '../engine/graph.js';
import type { RunArchive, RunStore, TransactionalStarts } from '../engine/ports.js';
import type { RunStatus } from '../engine/words.js';
import type { EventHub } from '../events/event-hub.js';
import type { FlowEvent } from '../events/flow-event.js';
import type { DefinitionShelf } from './definition-shelf.js';
import { BulkControl } from './bulk-control.js';
import { checkDeploy, type DeployCheck } from './deploy-check.js';
import type {
  AuditOptions,
  AuditPage,
  BulkOutcome,
  ControlOptions,
  ListOptions,
  PurgeOptions,
  ResultOptions,
  RunAddress,
  RunFilter,
  SignalOptions,
  SignalToSend,
  StartOptions,
} from './orchestrator-options.js';
import type { ItemPages, ItemsOptions, ItemsPage } from './item-pages.js';
import { ResolutionDesk } from './resolution-desk.js';
import type { ResultDesk } from './result-desk.js';
import { Run, type RunControls } from './run.js';
import { RunControl } from './run-control.js';
import type { RunDesk } from './run-desk.js';
import { RunFinder } from './run-finder.js';
import type { RunStarter } from './run-starter.js';
import { Schedules, type SchedulesPorts } from './schedules.js';
import type { SignalSender } from './signal-sender.js';
import type { RunDetails, RunPage, StepDetails } from './run-details.js';
import {
  assertKey,
  readExecuteOptions,
  readResultOptions,
  readSignalOptions,
  readSignalToSend,
  readStartOptions,
} from './start-options.js';

/**
 * A workflow's graph: as data, as one line of text, and as a Mermaid flowchart.
 *
 * @publicApi
 */
export interface WorkflowGraphView extends WorkflowGraph {
  toText(): string;
  toMermaid(): string;
}

/**
 * One run of `startMany()`: its input, and the options of `start()`.
 *
 * @publicApi
 */
export type StartItem<C> = Omit<StartOptions, 'manager'> &
  (undefined extends InputOf<C> ? { readonly input?: InputOf<C> } : { readonly input: InputOf<C> });

export interface OrchestratorPorts {
  readonly registry: WorkflowRegistry;
  readonly shelf: DefinitionShelf;
  readonly desk: RunDesk;
  readonly results: ResultDesk;
  readonly starter: RunStarter;
  readonly signals: SignalSender;
  readonly items: ItemPages;
  readonly schedules: SchedulesPorts;
  readonly archive: RunArchive;
  readonly transactions: TransactionalStarts<EntityManager>;
  readonly codec: PayloadCodec;
  readonly events: EventHub;
  readonly store: RunStore;
}

/**
 * Starts, follows and stops runs. Inject it wherever you need it.
 *
 * @publicApi
 */
export class Orchestrator {
  private ports: OrchestratorPorts | null = null;
  private closedBy: OrchestrateFlowError | null = null;
  private readonly finder = new RunFinder(() => this.connected);
  private readonly control = new RunControl(this.finder, () => this.connected);
  private readonly bulk = new BulkControl(this.finder, this.control, () => this.connected);
  private readonly resolutions = new ResolutionDesk(this.finder, () => this.connected);

  /** Called by the module once the app is wired. @internal */
  connect(ports: OrchestratorPorts): void {
    this.ports = ports;
  }

  /** Called by the module when the app has shut down. @internal */
  disconnect(): void {
    this.closedBy = new OrchestrateFlowError('OF_STOPPED', 'Cannot use the orchestrator: this app has shut down.');
    this.ports?.results.close(this.closedBy);
  }

  /**
   * Starts a run, durably: once this resolves the run will end, whatever happens to this process.
   *
   * @example
   * const run = await orchestrator.start(OrderWorkflow, order, { key: order.id });
   *
   * @throws InputInvalidError with the path of every fault
   * @throws ValueNotStorableError where the input holds what cannot be stored
   * @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN`, `OF_KEY_CONFLICT`, `OF_RUN_EXISTS`, `OF_NOT_IN_TRANSACTION`, `OF_ARGUMENT_INVALID`
   */
  start<C extends WorkflowClass>(
    workflow: C,
    ...parameters: StartArguments<C, StartOptions>
  ): Promise<Run<OutputOf<C>, SignalsOf<C>>>;
  /** Starts a run of the workflow of that name. */
  start(workflow: string, input?: unknown, options?: StartOptions): Promise<Run>;
  async start(workflow: WorkflowClass | string, input?: unknown, options?: StartOptions): Promise<Run> {
    return this.startRead(workflow, input, readStartOptions(options));
  }

  /** Starts a run and waits for its output: `start()` and `result()` in one. */
  execute<C extends WorkflowClass>(
    workflow: C,
    ...parameters: StartArguments<C, Omit<StartOptions, 'manager'> & ResultOptions>
  ): Promise<OutputOf<C>>;
  /** Executes the workflow of that name. */
  execute(workflow: string, input?: unknown, options?: Omit<StartOptions, 'manager'> & ResultOptions): Promise<unknown>;
  async execute(
    workflow: WorkflowClass | string,
    input?: unknown,
    options?: Omit<StartOptions, 'manager'> & ResultOptions,
  ): Promise<unknown> {
    const read = readExecuteOptions(options);
    const run = await this.startRead(workflow, input, read.options);
    return run.result(read.result);
  }

  /**
   * Starts up to 1,000 runs in one commit: all or none. A run whose key was used before is the earlier one, as in `start()`.
   */
  async startMany<C extends WorkflowClass>(
    workflow: C,
    items: readonly StartItem<C>[],
  ): Promise<Run<OutputOf<C>, SignalsOf<C>>[]>;
  async startMany(
    workflow: string,
    items: readonly (Omit<StartOptions, 'manager'> & { input?: unknown })[],
  ): Promise<Run[]>;
  async startMany(
    workflow: WorkflowClass | string,
    items: readonly (Omit<StartOptions, 'manager'> & { input?: unknown })[],
  ): Promise<Run[]> {
    const started = await this.connected.starter.startMany(workflow, items);
    return started.map(({ id, created }) => this.handle(id, created));
  }

  /** A run as it stands. @throws OrchestrateFlowError `OF_RUN_UNKNOWN` */
  async get(address: RunAddress): Promise<RunDetails> {
    return this.finder.get(address);
  }

  /** Runs, newest first, a page at a time. */
  async list(written?: ListOptions): Promise<RunPage> {
    return this.finder.list(written);
  }

  /** The steps of a run as they stand, in the order of its graph. @throws OrchestrateFlowError `OF_RUN_UNKNOWN` */
  async steps(address: RunAddress): Promise<StepDetails[]> {
    return this.finder.steps(address);
  }

  /**
   * The items of a fan-out as they stand, in their order, a page at a time.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_ARGUMENT_INVALID` where the step is no fan-out
   */
  async items(address: RunAddress, step: string, options?: ItemsOptions): Promise<ItemsPage> {
    return this.finder.items(address, step, options);
  }

  /**
   * Waits for the end of a run and gives its output.
   *
   * @throws RunFailedError, RunCancelledError, RunTerminatedError, ResultTimeoutError; OrchestrateFlowError `OF_RUN_UNKNOWN`
   */
  async result(address: RunAddress, options?: ResultOptions): Promise<unknown> {
    const timeoutMs = readResultOptions(options);
    const { id } = await this.finder.getRecord(address);
    return this.connected.results.wait(id, timeoutMs);
  }

  /**
   * Stops a run: nothing new starts, attempts under way see their AbortSignal and may still report. Resolves once that is
   * committed. A run that is being cancelled, or was, stays as it is.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_RUN_ENDED` where the run has completed or failed
   */
  async cancel(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.cancel(address, options);
  }

  /**
   * Ends a run here and now: attempts under way see their AbortSignal and what they report is refused, and nothing is undone.
   * A run that is terminated already stays as it is.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_RUN_ENDED` where the run has ended otherwise
   */
  async terminate(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.terminate(address, options);
  }

  /**
   * Sends a signal to a run: resolves once it is stored. It is given to the step that waits for it, now or later, to one and
   * in the order in which signals of its name came. With `manager` it exists if and only if that transaction commits.
   *
   * @example
   * await orchestrator.signal({ workflow: OrderWorkflow, key: orderId }, 'delivered', proof, { key: webhook.id });
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, `OF_RUN_ENDED`, `OF_SIGNAL_UNKNOWN`, `OF_SIGNAL_INVALID`, `OF_NOT_IN_TRANSACTION`
   * @throws ValueNotStorableError where the payload holds what cannot be stored
   */
  signal<C extends WorkflowClass, K extends keyof SignalsOf<C> & string>(
    address: { readonly workflow: C; readonly key: string },
    name: K,
    payload: SignalsOf<C>[K],
    options?: SignalOptions,
  ): Promise<void>;
  /** Sends a signal to the run with this id, or of the workflow of that name. */
  signal(address: RunAddress, name: string, payload?: unknown, options?: SignalOptions): Promise<void>;
  async signal(address: RunAddress, name: string, payload?: unknown, options?: SignalOptions): Promise<void> {
    const { key, manager } = readSignalOptions(options);
    const { signals } = this.connected;
    const record = await this.finder.getRecord(address);
    const signal = { name, payload, ...(key === undefined ? {} : { key }) };
    await signals.send(record, await signals.check(record.workflow, signal), manager);
  }

  /**
   * Sends a signal to the run with this key, and starts that run first where there is none: whichever of several webhooks
   * comes first. With `manager` both exist if and only if that transaction commits.
   *
   * @example
   * await orchestrator.signalOrStart(CartWorkflow, cart, { name: 'item-added', payload: item }, { key: cart.id });
   *
   * @throws what `start()` and `signal()` throw; OrchestrateFlowError `OF_RUN_ENDED` where the run with this key has ended
   */
  signalOrStart<C extends WorkflowClass, K extends keyof SignalsOf<C> & string>(
    workflow: C,
    input: InputOf<C>,
    signal: SignalToSend<K, SignalsOf<C>[K]>,
    options: StartOptions & { readonly key: string },
  ): Promise<Run<OutputOf<C>, SignalsOf<C>>>;
  /** The same for the workflow of that name. */
  signalOrStart(
    workflow: string,
    input: unknown,
    signal: SignalToSend,
    options: StartOptions & { readonly key: string },
  ): Promise<Run>;
  async signalOrStart(
    workflow: WorkflowClass | string,
    input: unknown,
    signal: SignalToSend,
    options: StartOptions & { readonly key: string },
  ): Promise<Run> {
    const read = readStartOptions(options);
    assertKey(read.key);
    const { signals } = this.connected;
    const checked = await signals.check(this.finder.nameOf(workflow), readSignalToSend(signal));
    const run = await this.startRead(workflow, input, read);
    const { manager } = read;
    await signals.send({ id: run.id, status: await this.statusOf(run, manager) }, checked, manager);
    return run;
  }

  /**
   * Holds a run: nothing in it begins until it is resumed, no step, no item, no further attempt. Attempts under way end, and what
   * they come to is recorded. Times that come due meanwhile, and signals that are sent, count from the resume on; the deadline
   * of the run goes on, and a run whose last attempt was under way completes. Where a step fails for good the run stops, and is
   * undone, once it is resumed or cancelled. Its children go on: `list({ parent })` finds them. Resolves once that is committed. A run
   * that is paused stays as it is.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_RUN_ENDED` where the run has ended or been stopped
   */
  async pause(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.pause(address, options);
  }

  /**
   * Lets a paused run go on: whatever has its turn by now begins, and what came due meanwhile is due once. Resolves once that is
   * committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_RUN_NOT_PAUSED`
   */
  async resume(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.resume(address, options);
  }

  /**
   * Lets a run that has failed go on from what failed: steps that have completed keep their results, what failed begins anew with
   * all its attempts, and so does what was cancelled when the run was stopped. Of a fan-out only items without a result run;
   * a step with `verify` is asked first. Where compensations have failed these begin anew, and nothing else. A deadline that
   * it had holds no longer. Resolves once that is committed.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`; `OF_RUN_NOT_FAILED`; `OF_RUN_UNDONE` where its compensations have undone
   * what it did
   */
  async retry(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.retry(address, options);
  }

  /**
   * Lets all runs go on that have failed and are as the filter says, each as `retry()` would: some at a time, the newest first. A
   * run that cannot does not keep the others. Where the database fails on the way those that were told go on; call it again.
   *
   * @example
   * const { count, refused } = await orchestrator.retryAll({ workflow: OrderWorkflow }, { by: 'Ann', reason: 'the bank is back' });
   *
   * @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN`, `OF_ARGUMENT_INVALID`, `OF_DATABASE_UNAVAILABLE`
   */
  async retryAll(filter: RunFilter, options?: ControlOptions): Promise<BulkOutcome> {
    return this.bulk.ask('retry', filter, options);
  }

  /** Cancels all runs that go on, or are paused, and are as the filter says. Otherwise as `retryAll()`. */
  async cancelAll(filter: RunFilter, options?: ControlOptions): Promise<BulkOutcome> {
    return this.bulk.ask('cancel', filter, options);
  }

  /** Pauses all runs that go on and are as the filter says: those that are there, and none that starts later. Otherwise as `retryAll()`. */
  async pauseAll(filter: RunFilter, options?: ControlOptions): Promise<BulkOutcome> {
    return this.bulk.ask('pause', filter, options);
  }

  /** Resumes all runs that are paused and are as the filter says. Otherwise as `retryAll()`. */
  async resumeAll(filter: RunFilter, options?: ControlOptions): Promise<BulkOutcome> {
    return this.bulk.ask('resume', filter, options);
  }

  /**
   * Says what has come of a step that is in doubt, and waits for somebody to look: it is done, and completes with this result; or it
   * is not, and its next attempt begins. Of a fan-out an item is named, as in `bill[7]`. Resolves once that is committed; the audit
   * log keeps who said it and why.
   *
   * @example
   * const { blocked } = await orchestrator.get(runId);
   * if (blocked?.step) await orchestrator.resolve(runId, blocked.step, { done: true, result: charge }, { by: 'Ann', reason: 'seen at the bank' });
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, `OF_ARGUMENT_INVALID`; `OF_STEP_NOT_IN_DOUBT` where it waits for nobody, or
   * somebody else was first and said otherwise
   * @throws ValueNotStorableError where the result holds what cannot be stored
   */
  async resolve(address: RunAddress, step: string, resolution: Resolution, options?: ControlOptions): Promise<void> {
    return this.resolutions.resolve(address, step, resolution, options);
  }

  /**
   * Ends every wait for a time in a run, now: its start time, sleeps, delays, and the delays before next attempts. Resolves
   * once that is committed. A run that waits for none goes on as it did.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, `OF_RUN_ENDED` where the run has ended or been stopped, or `OF_RUN_PAUSED`
   */
  async wake(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.wake(address, options);
  }

  /**
   * Deletes a run that has ended, with its steps and signals; what the audit log says of it stays. From then on its key is
   * free. Whoever has only just begun to wait for its result, in another process, may wait until the end of the timeout.
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, or `OF_RUN_OPEN` where the run has not ended
   */
  async delete(address: RunAddress, options?: ControlOptions): Promise<void> {
    return this.control.delete(address, options);
  }

  /**
   * Deletes all runs that have ended so long ago and are as the options say, with all that is theirs, what the audit log says
   * of them included: some hundred at a time, so that it holds up nobody. The module's option `retention` does it by itself.
   *
   * @example
   * await orchestrator.purge({ workflow: ImportWorkflow, status: 'completed', olderThan: '30d' });
   *
   * @returns how many
   * @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN`, `OF_ARGUMENT_INVALID`, `OF_DATABASE_UNAVAILABLE`
   */
  async purge(options: PurgeOptions): Promise<number> {
    return this.control.purge(options);
  }

  /**
   * What people asked of runs, who and why, newest first, a page at a time: every cancel, terminate, pause, resume, wake, retry, resolve and delete that changed
   * something. Each entry is written in the commit that did it.
   *
   * @example
   * const { entries } = await orchestrator.audit({ run: { workflow: OrderWorkflow, key: orderId } });
   *
   * @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, `OF_WORKFLOW_UNKNOWN`, `OF_ARGUMENT_INVALID`
   */
  async audit(options?: AuditOptions): Promise<AuditPage> {
    return this.finder.audit(options);
  }

  /**
   * What this build means for the runs that have not ended, by the definitions with which they were started: safe, finishing on
   * their old graph, having another order of steps, or blocked. For a script that runs before a deploy, in a process with the
   * option `worker: false`; it reads every open run's status. As with every boot, the schedules that the build declares are in force
   * from then on.
   *
   * @example
   * const { isSafe, runs } = await app.get(Orchestrator).checkDeploy();
   * if (!isSafe) process.exitCode = 1;
   */
  async checkDeploy(): Promise<DeployCheck> {
    const { registry, archive } = this.connected;
    return checkDeploy(registry, archive);
  }

  /** The graph of a workflow as this build has it. @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN` */
  graphOf(workflow: WorkflowClass | string): WorkflowGraphView {
    const { graph } = this.connected.registry.get(workflow);
    return { ...graph, toText: () => computeGraphText(graph), toMermaid: () => computeMermaid(graph) };
  }

  /** What starts runs by the clock. */
  get schedules(): Schedules {
    return new Schedules(this.connected.schedules, (runId) => this.handle(runId, true));
  }

  /** What happens to runs in this process, from now on, each event after its commit. */
  get events$(): Observable<FlowEvent> {
    return this.connected.events.events$;
  }

  private get connected(): OrchestratorPorts {
    if (this.closedBy) throw this.closedBy;
    if (this.ports) return this.ports;
    throw new OrchestrateFlowError(
      'OF_STOPPED',
      'Cannot use the orchestrator yet: the module connects it in onModuleInit. Use it from onApplicationBootstrap on.',
    );
  }

  /** Of a run that a transaction has just started only that transaction knows. */
  private async statusOf({ id, created }: Run, manager?: EntityManager): Promise<RunStatus> {
    return created || manager ? 'running' : (await this.finder.getRecord(id)).status;
  }

  private async startRead(workflow: WorkflowClass | string, input: unknown, options: StartOptions): Promise<Run> {
    const { id, created } = await this.connected.starter.start(workflow, input, options);
    return this.handle(id, created, options.manager);
  }

  private handle(id: string, created: boolean, manager?: EntityManager): Run {
    const controls: RunControls = {
      result: async (runId, options) => {
        const timeoutMs = readResultOptions(options);
        if (manager) this.assertCommitted(runId, manager);
        return this.connected.results.wait(runId, timeoutMs);
      },
      status: async (runId): Promise<RunStatus> => (await this.finder.getRecord(runId)).status,
      cancel: (runId, options) => this.cancel(runId, options),
      pause: (runId, options) => this.pause(runId, options),
      resume: (runId, options) => this.resume(runId, options),
      retry: (runId, options) => this.retry(runId, options),
      resolve: (runId, step, resolution, options) => this.resolve(runId, step, resolution, options),
      signal: (runId, name, payload, options) => this.signal(runId, name, payload, options),
    };
    return new Run(id, created, controls);
  }

  private assertCommitted(runId: string, manager: EntityManager): void {
    if (!this.connected.transactions.isInTransaction(manager)) return;
    throw new OrchestrateFlowError(
      'OF_RESULT_IN_TRANSACTION',
      `Cannot wait for run ${runId} inside the transaction that starts it: it begins when that commits. Wait after the transaction.`,
    );
  }
}
