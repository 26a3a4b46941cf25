/** The running steps that one process allows itself in one queue: a slot is one running step. */
export class Slots {
  private used = 0;

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

  take(count: number): void {
    this.used += count;
  }

  release(count: number): void {
    if (count === 0) return;
    this.used -= count;
    this.onRelease();
  }
}
