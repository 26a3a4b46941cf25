import type { EntityManager } from 'typeorm';

import { WorkflowRegistry } from '../../lib/definition/registry.js';
import type { WorkflowLimits } from '../../lib/engine/limits.js';
import type { Clock, TransactionalStarts } from '../../lib/engine/ports.js';
import { EventHub } from '../../lib/events/event-hub.js';
import { JsonCodec } from '../../lib/persistence/codec.js';
import { FlowRuntime } from '../../lib/runtime/flow-runtime.js';
import { Orchestrator } from '../../lib/runtime/orchestrator.js';
import type { RunDesk } from '../../lib/runtime/run-desk.js';
import type { SlotOffice } from '../../lib/runtime/slot-office.js';
import type { StepPump } from '../../lib/runtime/step-pump.js';
import { within } from '../../lib/runtime/within.js';
import type { Dice } from './dice.js';
import { FaultyWire, type Sender, type World } from './faulty-wire.js';
import type { SchedulePlan, SeatPlan } from './program.js';
import type { Listener } from './simulated-bells.js';
import { SimulatedDoor } from './simulated-door.js';
import { SimulatedLimits } from './simulated-limits.js';
import { SimulatedSchedules } from './simulated-schedules.js';
import { SimulatedArchive, SimulatedStore } from './simulated-store.js';
import { SimulatedStepTransactions } from './simulated-step-transactions.js';
import { SimulatedTransactions } from './simulated-transactions.js';
import { writeWorkflow, type ConditionCode, type StepCode } from './step-code.js';
import type { Tables } from './tables.js';
import { Disconnected } from './wire.js';

/** How many bells BullMQ gives a processor at once. */
const BELLS_AT_ONCE = 2;

/** What the library keeps to itself and the simulation looks at, but never touches. */
interface Inside {
  readonly desk: RunDesk;
  readonly slots: SlotOffice;
}

export interface ProcessOptions {
  readonly name: string;
  readonly seat: SeatPlan;
  readonly world: World;
  readonly tables: Tables;
  readonly dice: Dice;
  readonly maxCrashes: number;
  readonly ring: (queue: string) => void;
  readonly code: (process: SimulatedProcess) => StepCode;
  readonly asks: (process: SimulatedProcess) => ConditionCode;
  readonly countLists: () => number;
  readonly hasExternal: boolean;
  readonly graphs: Parameters<typeof writeWorkflow>[0][];
  readonly schedules: readonly SchedulePlan[];
  readonly limits: readonly WorkflowLimits[];
  /** Something that must not happen was announced. */
  readonly onFault: (fault: string) => void;
  readonly onDeath: () => void;
}

/** One process: the library's own runtime over simulated ports. It can be killed, stopped, cut off and terminated. */
export class SimulatedProcess implements Sender, Listener {
  isDead = false;
  isStopped = false;
  isReady = false;
  isLeaving = false;
  cutOffUntil = -Infinity;
  /** Every id that it has made: those of its workers are among them. */
  readonly ids = new Set<string>();
  readonly orchestrator = new Orchestrator();
  readonly clock: Clock;
  readonly transactions: SimulatedTransactions;
  private readonly door: SimulatedDoor;
  private readonly store: SimulatedStore;
  private readonly runtime: FlowRuntime;
  private readonly dice: Dice;
  private readonly pumps = new Map<string, StepPump>();
  /** Jobs under way by queue. */
  private readonly jobs = new Map<string, number>();
  private readonly jobsEnded: (() => void)[] = [];

  constructor(private readonly options: ProcessOptions) {
    const { world, tables, seat, code, asks, countLists, graphs, maxCrashes } = options;
    this.dice = options.dice;
    this.clock = this.createClock();
    const wire = new FaultyWire(world, this, options.dice.fork());
    this.door = new SimulatedDoor(tables, wire, world.leaseMs);
    this.store = new SimulatedStore(tables, wire);
    this.transactions = new SimulatedTransactions(tables, wire);
    const registry = new WorkflowRegistry();
    const { hasExternal } = options;
    const parts = { code: code(this), asks: asks(this), countLists, hasExternal };
    const plansOf = (index: number) => options.schedules.filter(({ workflow }) => workflow === index);
    registry.fill(
      seat.workflows.map((index) => {
        const limits = options.limits.find(({ workflow }) => workflow === graphs[index]!.workflow) ?? null;
        return writeWorkflow(graphs[index]!, plansOf(index), { ...parts, limits });
      }),
    );
    const events = new EventHub();
    events.events$.subscribe((event) => {
      if (event.type === 'internal.error' && !isInfrastructure(event.error))
        options.onFault(`${this.name} announces an internal error ${event.doing}: ${String(event.error)}`);
      if (event.type.startsWith('worker.')) world.trace(`${this.name} ${event.type}`);
    });
    this.runtime = new FlowRuntime(
      {
        ...{ registry, door: this.door, store: this.store, codec: new JsonCodec(), events, clock: this.clock },
        schedules: new SimulatedSchedules(tables, wire),
        limits: new SimulatedLimits(tables, wire),
        archive: new SimulatedArchive(tables, wire),
        transactions: this.transactions as unknown as TransactionalStarts<EntityManager>,
        stepTransactions: new SimulatedStepTransactions(tables, wire),
        bell: { ring: (queue) => !this.isDead && options.ring(queue) },
      },
      { queues: seat.queues, concurrency: seat.concurrency, leaseMs: world.leaseMs, maxCrashes, retention: [] },
    );
  }

  get name(): string {
    return this.options.name;
  }

  /** Starts as an app does. One that cannot reach its database ends. */
  async boot(): Promise<void> {
    try {
      this.orchestrator.connect(await this.runtime.open());
      if (this.options.seat.concurrency > 0) {
        for (const pump of await this.runtime.work()) this.pumps.set(pump.queue, pump);
      }
      this.isReady = true;
    } catch (error) {
      if (!isInfrastructure(error)) throw error;
      this.die('cannot boot');
    }
  }

  // ── what befalls it ────────────────────────────────────────────────────────────────────────────────────────────────

  /** SIGKILL: what it has sent may come in, what it waits for never comes. */
  die(how = 'is killed'): void {
    if (this.isDead) return;
    this.isDead = true;
    this.options.world.trace(`${this.name} ${how}`);
    this.transactions.abandon();
    for (const id of this.ids) this.options.tables.disconnect(id);
    this.options.onDeath();
  }

  /** SIGSTOP, and SIGCONT in so many milliseconds. */
  stop(forMs: number): void {
    if (this.isDead || this.isStopped) return;
    const { world } = this.options;
    world.trace(`${this.name} is stopped for ${Math.round(forMs)} ms`);
    this.isStopped = true;
    world.timeline.after(forMs, null, () => {
      if (this.isDead) return;
      world.trace(`${this.name} goes on`);
      this.isStopped = false;
      world.timeline.release(this);
    });
  }

  /** Reaches no database for so long. */
  cutOff(forMs: number): void {
    const { world, tables } = this.options;
    world.trace(`${this.name} is cut off for ${Math.round(forMs)} ms`);
    this.cutOffUntil = world.timeline.now + forMs;
    for (const id of this.ids) tables.disconnect(id);
  }

  /** SIGTERM: what the module does on shutdown, in its order and with its bounds. */
  async terminate(timeoutMs: number): Promise<void> {
    if (this.isDead || this.isLeaving || !this.isReady) return;
    const { world } = this.options;
    world.trace(`${this.name} is terminated`);
    this.isLeaving = true;
    this.runtime.stopClaiming();
    await within(this.clock, world.leaseMs / 2, this.untilJobsEnd());
    if (this.options.seat.concurrency > 0) await this.runtime.drain(timeoutMs);
    this.orchestrator.disconnect();
    await within(this.clock, world.leaseMs / 2, this.door.settled());
    this.die('has ended');
  }

  /** Chance has it that the process does not survive this moment, or stands still from it on. */
  strike(): void {
    const { world } = this.options;
    if (world.isCalm || this.isDead) return;
    const { killed, stopped } = world.rates;
    if (killed > 0 && this.dice.chance(killed)) this.die();
    else if (stopped > 0 && this.dice.chance(stopped)) this.stop(world.leaseMs * (1 + 2 * this.dice.next()));
  }

  // ── bells ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  hasRoom(queue: string): boolean {
    return !this.isLeaving && this.pumps.has(queue) && (this.jobs.get(queue) ?? 0) < BELLS_AT_ONCE;
  }

  async take(queue: string): Promise<void> {
    this.count(queue, 1);
    await new Promise<void>((resolve) => this.options.world.timeline.after(1, this, resolve));
    await this.pumps.get(queue)!.wake();
    this.count(queue, -1);
    if (this.isIdle) for (const listener of this.jobsEnded.splice(0)) listener();
  }

  /** Another process tells that a transaction has left work in this queue. */
  hear(queue: string): void {
    this.store.hear(queue);
  }

  // ── what can be seen from outside ──────────────────────────────────────────────────────────────────────────────────

  /** What is not as it must be in a process in which nothing is to be done. */
  complaints(): string[] {
    const { desk, slots } = this.runtime as unknown as Inside;
    const used = slots.all().filter((pump) => !pump.slots.isIdle);
    return [
      ...(desk.isQuiet ? [] : [`${this.name} still works on runs that have ended.`]),
      ...used.map((pump) => `${this.name} has slots of ${pump.queue} in use: ${pump.slots.free} are free.`),
    ];
  }

  private get isIdle(): boolean {
    return [...this.jobs.values()].every((count) => count === 0);
  }

  private count(queue: string, by: number): void {
    this.jobs.set(queue, (this.jobs.get(queue) ?? 0) + by);
  }

  private untilJobsEnd(): Promise<void> {
    return new Promise((resolve) => (this.isIdle ? resolve() : this.jobsEnded.push(resolve)));
  }

  private createClock(): Clock {
    const { timeline } = this.options.world;
    const { dice } = this;
    // Each process counts from a moment of its own, as performance.now() does.
    const offset = Math.round(dice.next() * 1_000_000);
    let count = 0;
    return {
      now: () => timeline.now + offset,
      after: (delayMs, callback) => timeline.after(delayMs, this, callback),
      soon: (callback) => void timeline.after(0, this, callback),
      random: () => dice.next(),
      newId: () => {
        const time = Math.floor(timeline.now).toString(16).padStart(12, '0');
        const number = (count++ & 0xfff).toString(16).padStart(3, '0');
        const chance = Math.floor(dice.next() * 2 ** 32).toString(16);
        const id = `${time.slice(0, 8)}-${time.slice(8)}-7${number}-8000-0000${chance.padStart(8, '0')}`;
        this.ids.add(id);
        return id;
      },
    };
  }
}

function isInfrastructure(error: unknown): boolean {
  return error instanceof Disconnected;
}
