import { randomInt } from 'node:crypto';

import type { TestConnection } from '../support/connect.js';
import { Runner, type Racer, type Turnstile } from './turnstile.js';

/** One race over rows of its own, and what has to be true at its end. */
export interface Heat {
  readonly racers: Readonly<Record<string, Racer>>;
  readonly check: () => Promise<void>;
  /** Racers that must never wait for a lock. */
  readonly unhindered?: readonly string[];
}

/** Where more than one racer could have gone on: how many, and which of them did. */
interface Choice {
  readonly options: number;
  readonly taken: number;
}

/** More than this is not enumerated by hand-made patience: the race should be cut smaller. */
const MAX_HEATS = 2_000;
/** Of a race with more orders so many are run one after the other, and so many by chance. `RACES=all`: every one. */
const SAMPLE = process.env.RACES === 'all' ? MAX_HEATS : 20;
const STUCK_MS = 20_000;

const FIND_BLOCKED = 'SELECT pid FROM unnest($1::int[]) pid WHERE cardinality(pg_blocking_pids(pid)) > 0';

/**
 * Runs a race once for every order in which the statements of its racers can be sent, or for a sample of them, each time
 * over fresh rows. A racer whose statement waits for another's lock stands until that goes on.
 *
 * @returns how many orders were run
 */
export async function everyInterleaving(
  turnstile: Turnstile,
  observer: TestConnection,
  prepare: () => Promise<Heat>,
): Promise<number> {
  const run = async (take: Take) => {
    const heat = await prepare();
    const referee = new Referee(turnstile, observer, heat);
    try {
      const choices = await referee.run(take);
      await heat.check();
      return choices;
    } catch (error) {
      referee.letAllGo();
      throw new Error(`After ${referee.story.join(' · ')}: ${(error as Error).message}`, { cause: error });
    }
  };
  let plan: readonly number[] | null = [];
  for (let count = 0; count < SAMPLE; count++) {
    const fixed: readonly number[] = plan;
    plan = nextPlan(await run((_, index) => fixed[index] ?? 0));
    if (plan === null) return count + 1;
  }
  if (SAMPLE === MAX_HEATS) throw new Error(`There are more than ${MAX_HEATS} interleavings.`);
  for (let count = 0; count < SAMPLE; count++) await run((options) => randomInt(options));
  return 2 * SAMPLE;
}

/** Which of so many racers goes on, at the choice of this number. */
type Take = (options: number, index: number) => number;

/** The choices of the next order: the last one that could have been another is. */
function nextPlan(choices: readonly Choice[]): number[] | null {
  const last = choices.findLastIndex(({ options, taken }) => taken + 1 < options);
  if (last === -1) return null;
  return choices.slice(0, last + 1).map(({ taken }, index) => (index === last ? taken + 1 : taken));
}

/** Lets one statement through at a time. */
class Referee {
  readonly story: string[] = [];
  private readonly runners: readonly Runner[];

  constructor(
    private readonly turnstile: Turnstile,
    private readonly observer: TestConnection,
    private readonly heat: Heat,
  ) {
    this.runners = Object.entries(heat.racers).map(([name, racer]) => new Runner(name, racer));
  }

  async run(take: Take): Promise<Choice[]> {
    const choices: Choice[] = [];
    this.turnstile.guard(this.runners);
    for (const runner of this.runners) runner.begin();
    for (;;) {
      const ready = await this.untilSomebodyWaits();
      if (ready.length === 0) break;
      const taken = take(ready.length, choices.length);
      const runner = ready[taken];
      if (!runner) throw new Error('The same order has led elsewhere.');
      choices.push({ options: ready.length, taken });
      this.story.push(`${runner.name}: ${runner.next()}`);
    }
    this.turnstile.guard([]);
    for (const { name, failure } of this.runners)
      if (failure !== null) throw new Error(`"${name}" has failed.`, { cause: failure });
    return choices;
  }

  /** Nobody waits any more: the race is not worth going on with. */
  letAllGo(): void {
    this.turnstile.guard([]);
    for (const runner of this.runners) while (runner.isWaiting) runner.next();
  }

  /** Those that wait to be let through, once nobody else moves. Nobody: all are done. */
  private async untilSomebodyWaits(): Promise<readonly Runner[]> {
    const deadline = performance.now() + STUCK_MS;
    while (performance.now() < deadline) {
      // What has just been answered is dealt with first.
      await new Promise((resolve) => setImmediate(resolve));
      const moving = this.runners.filter((runner) => !runner.isDone && !runner.isWaiting);
      const blocked = await this.findBlocked(moving);
      // Also where one has arrived meanwhile: what it did may have ended the wait of another.
      if (moving.some((runner) => !blocked.has(runner))) continue;
      const ready = this.runners.filter((runner) => runner.isWaiting);
      if (ready.length > 0 || this.runners.every((runner) => runner.isDone)) return ready;
    }
    throw new Error(`Nobody has moved for ${STUCK_MS} ms.`);
  }

  private async findBlocked(moving: readonly Runner[]): Promise<ReadonlySet<Runner>> {
    const backends = moving.flatMap((runner) => runner.backends);
    if (backends.length === 0) return new Set();
    const rows = await this.observer.query<{ pid: number }>(FIND_BLOCKED, [backends]);
    const pids = new Set(rows.map(({ pid }) => pid));
    const blocked = moving.filter(
      (runner) => runner.backends.length > 0 && runner.backends.every((pid) => pids.has(pid)),
    );
    for (const { name } of blocked)
      if (this.heat.unhindered?.includes(name)) throw new Error(`"${name}" waits for a lock.`);
    return new Set(blocked);
  }
}
