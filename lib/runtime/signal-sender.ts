import type { EntityManager } from 'typeorm';

import type { WorkflowRegistry } from '../definition/registry.js';
import { isName, MAX_NAME_LENGTH, show } from '../definition/option-readers.js';
import { validateSignal } from '../definition/workflow-signals.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import type { NewSignal, RunRecordView, RunStore, TransactionalStarts } from '../engine/ports.js';
import { isEnded, type RunStatus } from '../engine/words.js';
import type { EventHub } from '../events/event-hub.js';
import type { SignalToSend } from './orchestrator-options.js';
import { InboxTeller } from './inbox-teller.js';
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
export type SignalledRun = Pick<RunRecordView, 'id' | 'status'>;

/** A signal that can be stored. */
type CheckedSignal = Omit<NewSignal, 'runId'>;

/** Sends signals: checks them, stores them, and sees to it that their run looks. */
export class SignalSender {
  private readonly teller: InboxTeller;

  constructor(private readonly ports: SignalSenderPorts) {
    this.teller = new InboxTeller(ports);
  }

  /** Checks what a caller sends. @throws OrchestrateFlowError `OF_SIGNAL_UNKNOWN`, `OF_SIGNAL_INVALID`; ValueNotStorableError */
  async check(workflow: string, { name, payload, key }: SignalToSend): Promise<CheckedSignal> {
    if (!isName(name))
      throw invalid(`Expected a signal's name to be text of 1 to ${MAX_NAME_LENGTH} characters, got ${show(name)}.`);
    if (key !== undefined) assertKey(key);
    const { registry, codec } = this.ports;
    const definition = registry.findByName(workflow);
    // A process may signal runs of workflows whose code it lacks.
    const value = definition ? (await validateSignal(definition, name, payload)).value : payload;
    return { name, key: key ?? null, payload: codec.encode(value, `the payload of signal "${oneLine(name)}"`) };
  }

  /** Resolves once the signal is stored. @throws OrchestrateFlowError `OF_RUN_ENDED`, `OF_NOT_IN_TRANSACTION` */
  async send({ id, status }: SignalledRun, signal: CheckedSignal, manager?: EntityManager): Promise<void> {
    // A webhook that is delivered again may come after the end: its signal has been taken.
    if (isEnded(status) && signal.key === null) throw ended(id, status, signal.name);
    if (!(await this.store({ ...signal, runId: id }, manager))) throw ended(id, status, signal.name);
    // In a transaction the run is told once that has committed; otherwise at once, and by the beat if that fails.
    if (!manager && !isEnded(status)) this.teller.tell(id);
  }

  private store(signal: NewSignal, manager: EntityManager | undefined): Promise<boolean> {
    if (!manager) return this.ports.store.addSignal(signal);
    this.ports.transactions.assertInTransaction(manager);
    return this.ports.transactions.addSignal(manager, signal);
  }
}

function ended(id: string, status: RunStatus, name: string): OrchestrateFlowError {
  const is = isEnded(status) ? `it is ${status}` : 'it has ended';
  return new OrchestrateFlowError(
    'OF_RUN_ENDED',
    `Cannot send signal "${oneLine(name)}" to run ${id}: ${is}. Only a run that goes on takes signals.`,
  );
}
