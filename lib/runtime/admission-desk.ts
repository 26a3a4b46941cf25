import type { WorkflowRegistry } from '../definition/registry.js';
import type { LimitStore, WorkflowLimits } from '../engine/limits.js';
import type { Clock } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';

/** Runs of a workflow that have their turn at a time: the next look comes at once. */
const BATCH = 500;

/** Milliseconds until the next look where somebody else was at it. */
const BUSY_MS = 25;

export interface AdmissionDeskPorts {
  readonly store: LimitStore;
  readonly registry: WorkflowRegistry;
  readonly clock: Clock;
  readonly events: EventHub;
  /** A run has had its turn: it can begin. */
  readonly begin: (runId: string) => void;
  /** The start time of one that waits comes in so many milliseconds. */
  readonly expect: (delayMs: number) => void;
}

/**
 * Lets runs begin whose workflows have limits: after a start, after the end of such a run, and with every beat. Who may begin the store
 * decides. A process of which no workflow has limits does nothing here.
 */
export class AdmissionDesk {
  /** Workflows of this process of which runs may wait for their turn. */
  private workflows: readonly string[] = [];
  private isWanted = false;
  private isStopped = false;
  private underWay: Promise<void> | null = null;

  constructor(private readonly ports: AdmissionDeskPorts) {}

  /** Writes the limits of this build down: those of the build that boots last are in force. */
  async open(): Promise<void> {
    const { registry, store } = this.ports;
    const all = registry.all();
    const limits = all.flatMap(({ limits: own }): WorkflowLimits[] => (own === null ? [] : [own]));
    const unlimited = all.filter((definition) => definition.limits === null).map(({ name }) => name);
    this.workflows = await store.put(limits, unlimited);
  }

  /** Whether no look is under way. */
  get isQuiet(): boolean {
    return this.underWay === null;
  }

  /** Looks who may have their turn, again where a look is under way that may not see what this one is for. */
  visit(): void {
    if (this.workflows.length === 0 || this.isStopped) return;
    this.isWanted = true;
    this.underWay ??= this.work().finally(() => (this.underWay = null));
  }

  /** The same, where the run is of a workflow with limits. */
  visitFor(workflow: string): void {
    if (this.workflows.includes(workflow)) this.visit();
  }

  /** Resolves once nobody more is given their turn here. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.underWay;
  }

  private async work(): Promise<void> {
    while (this.isWanted && !this.isStopped) {
      this.isWanted = false;
      try {
        await this.look();
      } catch (error) {
        // The next beat looks again.
        this.ports.events.announceDatabase(error);
      }
    }
  }

  private async look(): Promise<void> {
    const { store, clock, begin, expect } = this.ports;
    const { admitted, isBusy, nextDueMs } = await store.admit(this.workflows, BATCH);
    for (const runId of admitted) begin(runId);
    if (admitted.length >= BATCH) this.isWanted = true;
    else if (isBusy) clock.after(BUSY_MS, () => this.visit());
    if (nextDueMs !== null) expect(nextDueMs);
  }
}
