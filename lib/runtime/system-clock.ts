// Not the timers and the clock of the global scope, which tests and steps replace.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

import type { Clock } from '../engine/ports.js';
import { createUuidV7 } from './uuid-v7.js';

/** A longer timer of Node fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

const { random } = Math;

/** The clock of this machine. */
export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (delayMs, callback) => {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number) => {
      const next = leftMs > LONGEST_MS ? () => wait(leftMs - LONGEST_MS) : callback;
      timer = setTimeout(next, Math.min(leftMs, LONGEST_MS));
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
  random,
  newId: createUuidV7(Date.now),
};
