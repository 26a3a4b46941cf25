import type { EntityManager } from 'typeorm';

import type { WorkflowRegistry } from '../definition/registry.js';
import { isName, MAX_NAME_LENGTH, show } from '../definition/option-readers.js';
import { validateSignal } from '../definition/workflow-signals.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import type { NewSignal, RunStore, TransactionalStarts } from '../engine/ports.js';
import { isEnded, type RunStatus } from '../engine/words.js';
import type { EventHub } from '../events/event-hub.js';
import type { SignalOptions } from './orchestrator-options.js';
import type { RunDesk } from './run-desk.js';
import { assertKey, invalid } from './start-options.js';

export interface SignalSenderPorts {
  readonly registry: WorkflowRegistry;
  readonly desk: RunDesk;
  readonly store: RunStore;
  readonly transactions: TransactionalStarts<EntityManager>;
  readonly codec: PayloadCodec;
  readonly events: EventHub;
}

/** The run that a signal is for, as far as the caller's transaction or the store shows it. */
export interface SignalledRun {
  readonly id: string;
  readonly workflow: string;
  readonly status: RunStatus;
}

/** Sends signals: checks them, stores them, and sees to it that their run looks. */
export class SignalSender {
  constructor(private readonly ports: SignalSenderPorts) {}

  /** Resolves once the signal is stored. @throws OrchestrateFlowError `OF_RUN_ENDED`, `OF_SIGNAL_UNKNOWN`, `OF_SIGNAL_INVALID` */
  async send(run: SignalledRun, name: unknown, payload: unknown, { key, manager }: SignalOptions): Promise<void> {
    if (!isName(name))
      throw invalid(`Expected a signal's name to be text of 1 to ${MAX_NAME_LENGTH} characters, got ${show(name)}.`);
    if (key !== undefined) assertKey(key);
    // A webhook that is delivered again may come after the end: its signal has been taken.
    if (isEnded(run.status) && key === undefined) throw ended(run, name);
    const signal = await this.prepare(run, name, payload, key ?? null);
    if (!(await this.store(signal, manager))) throw ended(run, name);
    // In a transaction the run is told once that has committed; otherwise at once, and by the beat if that fails.
    if (!manager && !isEnded(run.status)) this.tell(run.id);
  }

  private async prepare(
    { id, workflow }: SignalledRun,
    name: string,
    payload: unknown,
    key: string | null,
  ): Promise<NewSignal> {
    const { registry, codec } = this.ports;
    const definition = registry.findByName(workflow);
    // A process may signal runs of workflows whose code it lacks.
    const value = definition ? (await validateSignal(definition, name, payload)).value : payload;
    const text = codec.encode(value, `the payload of signal "${oneLine(name)}"`);
    return { runId: id, name, key, payload: text };
  }

  private store(signal: NewSignal, manager: EntityManager | undefined): Promise<boolean> {
    if (!manager) return this.ports.store.addSignal(signal);
    this.ports.transactions.assertInTransaction(manager);
    return this.ports.transactions.addSignal(manager, signal);
  }

  private tell(runId: string): void {
    this.ports.desk.tell(runId, { type: 'signalled' }).catch((error: unknown) => {
      this.ports.events.announceFailure(`telling run ${runId} of a signal`, error);
    });
  }
}

function ended({ id, status }: SignalledRun, name: string): OrchestrateFlowError {
  const is = isEnded(status) ? `it is ${status}` : 'it has ended';
  return new OrchestrateFlowError(
    'OF_RUN_ENDED',
    `Cannot send signal "${oneLine(name)}" to run ${id}: ${is}. Only a run that goes on takes signals.`,
  );
}
