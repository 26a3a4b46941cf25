import type { EventHub } from '../events/event-hub.js';
import type { ClaimedStep, Clock, RunStore, SuspectQueue } from '../engine/ports.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { RunDesk } from './run-desk.js';
import type { SlotOffice } from './slot-office.js';
import type { StepRunner } from './step-runner.js';
import type { WorkerSelf } from './worker-self.js';
import { within } from './within.js';

export interface SuspectWardPorts {
  readonly store: RunStore;
  readonly desk: RunDesk;
  readonly runner: StepRunner;
  readonly slots: SlotOffice;
  readonly shelf: DefinitionShelf;
  readonly self: WorkerSelf;
  readonly events: EventHub;
  readonly clock: Clock;
  /** From so many crashes on a step needs one more to be quarantined. */
  readonly maxCrashes: number;
  /** Milliseconds that running steps are given to end, so that a suspect can run alone. */
  readonly patienceMs: number;
}

/**
 * Runs suspects: steps whose workers have died under them more than once. One at a time, so that of two suspects the
 * innocent one does not die with the other for ever; and where one more crash would quarantine the step, with nothing
 * beside it, so that nobody is blamed for another's deed.
 */
export class SuspectWard {
  private isBusy = false;
  private turn = 0;

  constructor(private readonly ports: SuspectWardPorts) {}

  /** Takes one of the queues in which suspects wait, each in its turn, unless a suspect runs here already. */
  visit(suspects: readonly SuspectQueue[]): void {
    if (this.isBusy || suspects.length === 0 || !this.ports.slots.mayClaim) return;
    this.isBusy = true;
    const { queue, isAccused } = suspects[this.turn++ % suspects.length]!;
    void (isAccused ? this.runAccused(queue) : this.run(queue, false, false))
      .catch((error: unknown) => this.ports.events.announceDatabase(error))
      .finally(() => (this.isBusy = false));
  }

  /**
   * Makes room and runs the suspect alone. Where running steps take too long it runs beside them, because waiting for
   * them could take for ever: should it crash then, it is not quarantined for that.
   */
  private async runAccused(queue: string): Promise<void> {
    const { slots, runner, clock, patienceMs } = this.ports;
    slots.hush();
    try {
      await within(clock, patienceMs, Promise.all([slots.whenIdle(), runner.whenIdle()]));
      await this.run(queue, true, slots.isIdle && runner.isIdle);
    } finally {
      slots.resume();
    }
  }

  private async run(queue: string, isAccused: boolean, isAlone: boolean): Promise<void> {
    const pump = this.ports.slots.find(queue);
    if (!pump || pump.slots.free === 0) return;
    pump.slots.take(1);
    // The slot is taken before, because whoever is woken now takes all that are free.
    if (!isAlone) this.ports.slots.resume();
    const worker = this.ports.self.id;
    const claimed = await this.claim({ queue, worker, isAccused, isAlone }).catch((error: unknown) => {
      pump.slots.release(1);
      throw error;
    });
    if (!claimed) return pump.slots.release(1);
    await this.untilSettled(claimed, worker).catch((error: unknown) => {
      pump.slots.release(1);
      throw error;
    });
  }

  private claim(kind: {
    queue: string;
    worker: string;
    isAccused: boolean;
    isAlone: boolean;
  }): Promise<ClaimedStep | null> {
    const { store, shelf, maxCrashes } = this.ports;
    return store.claimSuspect({ ...kind, definitions: shelf.runnableIds, maxCrashes });
  }

  /** Resolves when the outcome has been dealt with. */
  private untilSettled(claimed: ClaimedStep, worker: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.ports.desk.admit(claimed, worker, resolve).catch(reject);
    });
  }
}
