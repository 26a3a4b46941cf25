import type { Dice } from './dice.js';
import type { World } from './faulty-wire.js';

/** Who takes bells. */
export interface Listener {
  readonly isDead: boolean;
  readonly isStopped: boolean;
  /** Whether its processor of this queue takes another job. A stopped process seems to. */
  hasRoom(queue: string): boolean;
  /** Takes the job: resolves when it has ended. */
  take(queue: string): Promise<void>;
}

/** The queue: jobs that carry nothing and are lost, doubled and late as the dice say, also long after they were rung. */
export class SimulatedBells {
  private readonly jobs = new Map<string, number>();

  constructor(
    private readonly world: World,
    private readonly listeners: () => readonly Listener[],
    private readonly dice: Dice,
  ) {}

  ring(queue: string): void {
    const { dice, world } = this;
    const { bellLost, bellDoubled } = world.rates;
    const times = dice.chance(bellLost) ? 0 : dice.chance(bellDoubled) ? 2 : 1;
    world.trace(`bell ${queue} ×${times}`);
    for (let n = 0; n < times; n++) {
      world.timeline.after(dice.delay(world.isCalm ? 20 : world.leaseMs / 4), null, () => {
        this.jobs.set(queue, (this.jobs.get(queue) ?? 0) + 1);
        this.deliver(queue);
      });
    }
  }

  private deliver(queue: string): void {
    const waiting = this.jobs.get(queue) ?? 0;
    const free = this.listeners().filter((listener) => !listener.isDead && listener.hasRoom(queue));
    if (waiting === 0 || free.length === 0) return;
    this.jobs.set(queue, waiting - 1);
    const listener = this.dice.pick(free);
    void listener.take(queue).then(() => this.deliver(queue));
  }
}
