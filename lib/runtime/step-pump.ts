import type { Clock } from '../engine/ports.js';
import { Slots } from './slots.js';

/** Milliseconds a pump with nothing to do stays awake: work that follows soon is started without a bell. */
const LINGER_MS = 1_000;

/** The most steps one claim takes. */
const MAX_CLAIM = 100;

/** Milliseconds between two bells for rows that a full process leaves to others. */
const PASS_ON_MS = 250;

export interface StepPumpOptions {
  readonly queue: string;
  readonly concurrency: number;
  /** Claims and starts at most so many ready steps; answers with how many. Each holds one slot until its end is committed. */
  readonly claim: (limit: number) => Promise<number>;
  /** Tells other processes that there is more than this one can take. */
  readonly passOn: () => void;
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
}

/** Takes the ready steps of one queue as long as there are any, and slots for them. Woken by bells, beats and neighbours. */
export class StepPump {
  readonly slots: Slots;
  private running: Promise<void> | null = null;
  /** Ready rows are known or suspected. */
  private news = false;
  private stopped = false;
  private passedOnAt = -Infinity;
  private signal: () => void = () => {};
  private readonly waitingForSlot = new Set<() => void>();

  constructor(private readonly options: StepPumpOptions) {
    this.slots = new Slots(options.concurrency, () => this.slotFreed());
  }

  get queue(): string {
    return this.options.queue;
  }

  /** How many steps may be started here without asking the queue: none while asleep, stopped or behind. */
  get openSlots(): number {
    return this.running && !this.stopped && !this.news ? this.slots.free : 0;
  }

  get isAwake(): boolean {
    return this.running !== null && !this.stopped;
  }

  /** There may be ready rows. Does not wake a pump that sleeps: that is the bell's to do. */
  nudge(): void {
    this.news = true;
    this.signal();
  }

  /**
   * What a bell does: takes steps until there are none, lingers, and resolves. Where the pump is awake already the bell
   * only brings its news; it is held until there is a free slot, so that a full process does not take the bells that
   * would wake another.
   */
  async wake(): Promise<void> {
    if (this.stopped) return;
    this.nudge();
    if (this.running) return this.untilSlotFree();
    this.running = this.pump().finally(() => (this.running = null));
    await this.running;
  }

  /** Resolves when no claim is on its way any more. */
  async ended(): Promise<void> {
    await this.running;
  }

  /** Takes nothing more. What runs goes on. */
  stop(): void {
    this.stopped = true;
    this.signal();
    this.slotFreed();
  }

  private async pump(): Promise<void> {
    while (!this.stopped) {
      if (this.news && this.slots.free > 0) {
        if (!(await this.takeSteps())) return;
      } else if (!(await this.untilSignal()) && !this.news && this.slots.isIdle) {
        return;
      }
    }
  }

  private async takeSteps(): Promise<boolean> {
    const limit = Math.min(this.slots.free, MAX_CLAIM);
    let taken = 0;
    this.news = false;
    this.slots.take(limit);
    try {
      taken = await this.options.claim(limit);
    } catch (error) {
      // The next beat finds the rows again; until then nothing is to be had from this database.
      this.options.onError(error);
      return false;
    } finally {
      this.slots.release(limit - taken);
    }
    if (taken === limit) {
      this.news = true;
      if (this.slots.free === 0) this.passOn();
    }
    return true;
  }

  /** Resolves with false where nothing happened for so long that the pump may sleep. */
  private untilSignal(): Promise<boolean> {
    const { clock } = this.options;
    return new Promise((resolve) => {
      const finish = (woken: boolean) => {
        this.signal = () => {};
        callOff?.();
        // Soon and not now: slots are freed by the batch, and one claim then serves them all.
        clock.soon(() => resolve(woken));
      };
      const callOff = this.slots.isIdle ? clock.after(LINGER_MS, () => finish(false)) : null;
      this.signal = () => finish(true);
    });
  }

  private untilSlotFree(): Promise<void> {
    if (this.slots.free > 0 || this.stopped) return Promise.resolve();
    return new Promise((resolve) => this.waitingForSlot.add(resolve));
  }

  private slotFreed(): void {
    this.signal();
    if (this.waitingForSlot.size === 0) return;
    for (const resolve of this.waitingForSlot) resolve();
    this.waitingForSlot.clear();
  }

  private passOn(): void {
    const now = this.options.clock.now();
    if (now - this.passedOnAt < PASS_ON_MS) return;
    this.passedOnAt = now;
    this.options.passOn();
  }
}
