import type { Dice } from './dice.js';
import type { FaultRates } from './program.js';
import type { Timeline } from './timeline.js';
import { Disconnected, toError, type Wire } from './wire.js';

/** Whose way it is. */
export interface Sender {
  readonly name: string;
  readonly isDead: boolean;
  readonly isStopped: boolean;
  /** Until when it reaches no database. */
  readonly cutOffUntil: number;
  /** Its time has come: something of its own has just come in, or is about to. */
  strike(): void;
}

/** What the whole world has in common: the database and what goes wrong. */
export interface World {
  readonly timeline: Timeline;
  readonly leaseMs: number;
  readonly rates: FaultRates;
  /** Whether anything may still go wrong. */
  readonly isCalm: boolean;
  /** Until when the database is away. */
  readonly awayUntil: number;
  trace(line: string): void;
}

/** A trip to the database and back, drawn when it begins. */
interface Trip {
  readonly thereMs: number;
  readonly backMs: number;
  /** When the connection breaks: before the statement, on the way back, or so that the statement comes in afterwards. */
  readonly breaks: 'never' | 'before' | 'after' | 'early';
  /** Whether it comes in even if its process dies on the way, and how late. */
  readonly isOrphan: boolean;
  readonly lateMs: number;
}

/** Milliseconds of a trip when all is well. */
const USUAL_MS = 4;

/** Milliseconds until a broken connection is noticed, and until a lane sends again. */
const NOTICED_MS = 20;
const AGAIN_MS = 100;

/** The way of one process to the database, on which everything may go wrong that the dice say. */
export class FaultyWire implements Wire {
  constructor(
    private readonly world: World,
    private readonly sender: Sender,
    private readonly dice: Dice,
  ) {}

  call<T>(what: string, statement: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const trip = this.draw();
      const back = (settle: () => void) => this.after(trip.backMs, settle);
      const lose = () => reject(new Disconnected());
      if (trip.breaks === 'before') return this.after(NOTICED_MS, lose);
      if (trip.breaks === 'early') this.after(NOTICED_MS, lose);
      this.arrive(what, trip, {
        isAway: () => back(lose),
        comeIn: () => {
          try {
            const answer = statement();
            back(trip.breaks === 'after' ? lose : () => resolve(answer));
          } catch (error) {
            back(() => reject(toError(error)));
          }
        },
      });
    });
  }

  send<T>(what: string, statement: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      // However the connection breaks: nothing is sent twice, and the answer is learned when the lane has been settled.
      const drawn = this.draw();
      const { leaseMs } = this.world;
      const unanswered = drawn.breaks === 'never' ? 0 : leaseMs / 2 + AGAIN_MS;
      const isBehind = drawn.breaks === 'after';
      const trip = {
        ...drawn,
        thereMs: isBehind ? drawn.thereMs : drawn.thereMs + (drawn.breaks === 'before' ? unanswered : 0),
        backMs: isBehind ? drawn.backMs + unanswered : drawn.backMs,
      };
      const go = (next: Trip) =>
        this.arrive(what, next, {
          isAway: () => this.after(AGAIN_MS, () => go(next)),
          comeIn: () => {
            try {
              const answer = statement();
              this.after(trip.backMs, () => resolve(answer));
            } catch (error) {
              this.after(trip.backMs, () => reject(toError(error)));
            }
          },
        });
      go(trip);
    });
  }

  after(delayMs: number, callback: () => void): void {
    this.world.timeline.after(delayMs, this.sender, callback);
  }

  atDatabase(delayMs: number, callback: () => void): void {
    this.world.timeline.after(delayMs, null, callback);
  }

  skipsRow(): boolean {
    return !this.world.isCalm && this.dice.chance(this.world.rates.skipped);
  }

  private arrive(
    what: string,
    { thereMs, lateMs, breaks, isOrphan }: Trip,
    { isAway, comeIn }: { isAway: () => void; comeIn: () => void },
  ): void {
    const { world, sender } = this;
    const isDead = () => sender.isDead;
    // A process that is dead by now sends nothing.
    if (isDead()) return;
    const come = (isLate: boolean) => {
      if (isDead() && !isLate) {
        if (isOrphan) this.atDatabase(lateMs, () => come(true));
        return;
      }
      const now = world.timeline.now;
      if (now < world.awayUntil || now < sender.cutOffUntil) return isDead() ? undefined : isAway();
      world.trace(`${sender.name} ${what}`);
      comeIn();
      if (!isDead()) sender.strike();
    };
    this.atDatabase(breaks === 'early' ? lateMs : thereMs, () => {
      if (!isDead()) sender.strike();
      come(false);
    });
  }

  private draw(): Trip {
    const { dice } = this;
    const { rates, isCalm, leaseMs } = this.world;
    const isSlow = !isCalm && dice.chance(rates.slow);
    const isLost = !isCalm && dice.chance(rates.lost);
    const most = isSlow ? leaseMs * 1.5 : USUAL_MS;
    return {
      thereMs: dice.delay(most),
      backMs: dice.delay(most),
      breaks: isLost ? dice.pick(['before', 'after', 'early'] as const) : 'never',
      isOrphan: dice.chance(0.5),
      lateMs: dice.delay(leaseMs),
    };
  }
}
