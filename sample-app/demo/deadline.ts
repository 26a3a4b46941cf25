import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 100;

/** The demo must end: every wait is for a condition, and all of them share one deadline. */
export class Deadline {
  private readonly endsAt: number;

  constructor(private readonly seconds: number) {
    this.endsAt = Date.now() + seconds * 1_000;
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) {
      if (Date.now() > this.endsAt) throw new Error(`Waited for ${what}, but ${this.seconds} s have passed.`);
      await pause(POLL_MS);
    }
  }
}
