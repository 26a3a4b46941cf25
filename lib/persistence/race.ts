import { setTimeout as sleep } from 'node:timers/promises';

import { classifyFailure } from './database-failure.js';

/** Milliseconds of the first pause; doubled each time, up to the last. */
const PAUSE_MS = { first: 4, last: 250 } as const;

// A step may replace it.
const { random } = Math;

/**
 * The pauses after races that were lost (a deadlock): half of each is fixed and half by chance, so that two who met do not
 * meet again.
 */
export class Rematch {
  private pauseMs: number = PAUSE_MS.first;

  async pause(): Promise<void> {
    await sleep((this.pauseMs / 2) * (1 + random()));
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MS.last);
  }
}

/** Sends a statement again for as long as it loses a race: nothing of it was written. */
export async function untilNoRaceIsLost<T>(send: () => Promise<T>): Promise<T> {
  for (const rematch = new Rematch(); ; await rematch.pause()) {
    try {
      return await send();
    } catch (error) {
      if (classifyFailure(error) !== 'race') throw error;
    }
  }
}
