/** Where steps of a test wait until the test lets them go on, and the test until they have come. */
export class Gate {
  private readonly passing: Promise<void>;
  private letPass!: () => void;
  private count = 0;
  private readonly listeners: (() => void)[] = [];

  constructor() {
    this.passing = new Promise((resolve) => (this.letPass = resolve));
  }

  /** How many have come so far. */
  get arrived(): number {
    return this.count;
  }

  /** What a step calls. */
  pass(): Promise<void> {
    this.count += 1;
    for (const listener of this.listeners) listener();
    return this.passing;
  }

  /** Lets through everybody who waits or comes later. */
  open(): void {
    this.letPass();
  }

  /** Resolves once so many have come. */
  arrival(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const check = () => void (this.count >= count && resolve());
      this.listeners.push(check);
      check();
    });
  }
}
