import { drawSeeded } from './seeded.js';

/** What happens to a request on its way: nothing, the partner is down or busy, or it works but the answer gets lost. */
export type Fate = 'fine' | 'down' | 'busy' | 'answer lost';

export interface WeatherOptions {
  readonly seed: number;
  /** Shortest and longest answer, in milliseconds. */
  readonly latencyMs: readonly [number, number];
  /** What part of the requests meets each misfortune. */
  readonly down: number;
  readonly busy: number;
  readonly answerLost: number;
}

export const BAD_WEATHER: WeatherOptions = { seed: 7, latencyMs: [120, 600], down: 0.08, busy: 0.04, answerLost: 0.03 };
export const FAIR_WEATHER: WeatherOptions = { seed: 7, latencyMs: [1, 10], down: 0, busy: 0, answerLost: 0 };

/** After so many requests about one matter the next one gets through: a sample should end. */
const MOST_MISFORTUNES = 3;

/** How a partner's days go: decided by the seed, the matter and how often it was asked about, never by the clock. */
export class Weather {
  private readonly asked = new Map<string, number>();

  constructor(readonly options: WeatherOptions) {}

  next(matter: string): { readonly fate: Fate; readonly latencyMs: number } {
    const nth = (this.asked.get(matter) ?? 0) + 1;
    this.asked.set(matter, nth);
    const { seed, latencyMs } = this.options;
    const [shortest, longest] = latencyMs;
    const latency = shortest + (longest - shortest) * drawSeeded(seed, matter, nth, 'latency');
    const fate = nth > MOST_MISFORTUNES ? 'fine' : this.fateOf(drawSeeded(seed, matter, nth, 'fate'));
    return { fate, latencyMs: Math.round(latency) };
  }

  private fateOf(drawn: number): Fate {
    const { down, busy, answerLost } = this.options;
    if (drawn < down) return 'down';
    if (drawn < down + busy) return 'busy';
    return drawn < down + busy + answerLost ? 'answer lost' : 'fine';
  }
}
