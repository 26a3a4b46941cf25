/** The running steps that one process allows itself in one queue: a slot is one running step. */
export class Slots {
  private used = 0;
  private readonly idleListeners: (() => void)[] = [];

  constructor(
    readonly capacity: number,
    private readonly onRelease: () => void,
  ) {}

  get free(): number {
    return this.capacity - this.used;
  }

  get isIdle(): boolean {
    return this.used === 0;
  }

  /** Resolves when no step runs and none is being claimed. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => (this.isIdle ? resolve() : this.idleListeners.push(resolve)));
  }

  take(count: number): void {
    this.used += count;
  }

  release(count: number): void {
    if (count === 0) return;
    this.used -= count;
    if (this.isIdle) for (const listener of this.idleListeners.splice(0)) listener();
    this.onRelease();
  }
}
