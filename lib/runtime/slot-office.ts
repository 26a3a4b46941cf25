import type { StepPump } from './step-pump.js';

/** Counts by queue. */
export type SlotCounts = ReadonlyMap<string, number>;

/** The slots of all queues of this process: what a decision may start here, and what it then takes or gives back. */
export class SlotOffice {
  private readonly pumps = new Map<string, StepPump>();
  private isOpen = true;
  private isHushed = false;

  constructor(
    private readonly ringBell: (queue: string) => void,
    /** Whether this process may claim: not when its lease may have run out, because what it claims then is taken for lost. */
    readonly holdsLease: () => boolean,
  ) {}

  add(pump: StepPump): void {
    this.pumps.set(pump.queue, pump);
  }

  find(queue: string): StepPump | undefined {
    return this.pumps.get(queue);
  }

  all(): StepPump[] {
    return [...this.pumps.values()];
  }

  /** From now on nothing is started here. */
  close(): void {
    this.isOpen = false;
    for (const pump of this.pumps.values()) pump.stop();
  }

  /** Nothing new starts here until it is resumed. */
  hush(): void {
    this.isHushed = true;
  }

  /** Takes up what has come meanwhile. */
  resume(): void {
    if (!this.isHushed) return;
    this.isHushed = false;
    for (const pump of this.pumps.values()) void pump.wake();
  }

  /** Whether this process may claim steps at all. */
  get mayClaim(): boolean {
    return this.isOpen && this.holdsLease();
  }

  /** Whether it may claim any that comes. */
  get mayTake(): boolean {
    return this.mayClaim && !this.isHushed;
  }

  get isIdle(): boolean {
    return this.all().every(({ slots }) => slots.isIdle);
  }

  /** Resolves when no step runs in any queue. */
  async whenIdle(): Promise<void> {
    await Promise.all(this.all().map(({ slots }) => slots.whenIdle()));
  }

  /** How many steps may start here, by queue: in the slots of attempts that have just ended, and in free ones. */
  offer(own: SlotCounts): SlotCounts {
    const offered = new Map<string, number>();
    if (!this.mayTake) return offered;
    for (const [queue, pump] of this.pumps) offered.set(queue, (own.get(queue) ?? 0) + pump.openSlots);
    return offered;
  }

  /** Takes slots for steps in these queues, beyond those that ended attempts have brought. @returns what is used, by queue */
  use(own: SlotCounts, queues: readonly string[]): SlotCounts {
    const used = new Map<string, number>();
    for (const queue of queues) used.set(queue, (used.get(queue) ?? 0) + 1);
    for (const [queue, count] of used) this.take(queue, Math.max(0, count - (own.get(queue) ?? 0)));
    return used;
  }

  /** Gives back the slots in `held` that are not in `kept`. */
  giveBack(held: SlotCounts, kept: SlotCounts): void {
    for (const [queue, count] of held) this.release(queue, Math.max(0, count - (kept.get(queue) ?? 0)));
  }

  release(queue: string, count: number): void {
    this.pumps.get(queue)?.slots.release(count);
  }

  /** A commit has left ready rows: taken here where there is room, else a bell wakes whoever has. */
  ring(queue: string, rows: number): void {
    const pump = this.pumps.get(queue);
    pump?.nudge();
    if (!pump?.isAwake || pump.slots.free < rows) this.ringBell(queue);
  }

  /** Somebody's transaction has left a ready row and told every process: taken here if this one is awake, and else woken. */
  ringLocally(queue: string): void {
    const pump = this.pumps.get(queue);
    if (pump?.isAwake) pump.nudge();
    else if (pump && this.isOpen) this.ringBell(queue);
  }

  private take(queue: string, count: number): void {
    this.pumps.get(queue)?.slots.take(count);
  }
}
