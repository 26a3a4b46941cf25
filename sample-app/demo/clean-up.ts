type Task = () => void | Promise<void>;

/** What has been opened, to be closed in the opposite order: at the end, on an error and on Ctrl-C. */
export class CleanUp {
  private readonly tasks: Task[] = [];
  private running: Promise<void> | null = null;

  get hasBegun(): boolean {
    return this.running !== null;
  }

  add(task: Task): void {
    this.tasks.push(task);
  }

  run(): Promise<void> {
    return (this.running ??= this.runAll());
  }

  /** Ends the process cleanly where somebody stops it. */
  onInterrupt(): void {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.once(signal, () => void this.run().finally(() => process.exit(code)));
    }
  }

  private async runAll(): Promise<void> {
    for (const task of this.tasks.reverse()) {
      try {
        await task();
      } catch (error) {
        console.error(error);
      }
    }
  }
}
