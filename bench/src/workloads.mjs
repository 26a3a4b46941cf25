import { setTimeout as sleep } from 'node:timers/promises';

const STEPS = 10;
const IN_FLIGHT = 500;
const WARM_UP_SHARE = 0.2;
const PAUSE_MS = 5;

/**
 * A system under test is a module in systems/ with `settings`, a sentence for the report, and `open`.
 *
 * @typedef {object} System
 * @property {(steps: number) => Promise<unknown>} execute Starts a durable sequence of that many steps and waits for its
 *   result. Each step returns `answer`, and its outcome is committed before the next step begins.
 * @property {() => Promise<void>} close
 *
 * @typedef {(options: { url: string, concurrency: number }) => Promise<System>} Open
 */

/** What is measured: `warmUp` is not counted, `measure` is. Both get an open system and the number of runs. */
export const workloads = {
  w1: {
    title: `W1: sequences of ${STEPS} steps, ${IN_FLIGHT} in flight`,
    runs: { 'orchestrate-flow': 10_000, dbos: 1_000 },
    concurrency: IN_FLIGHT,
    warmUp: (system, runs) => keepInFlight(system, Math.ceil(runs * WARM_UP_SHARE)),
    async measure(system, runs) {
      const startedAt = performance.now();
      await keepInFlight(system, runs);
      const seconds = (performance.now() - startedAt) / 1000;
      return { 'runs/s': runs / seconds, 'steps/s': (runs * STEPS) / seconds };
    },
  },
  'w2-1': oneAtATime(1),
  'w2-10': oneAtATime(10),
};

function oneAtATime(steps) {
  return {
    title: `W2: one run at a time, ${PAUSE_MS} ms apart, ${steps} step${steps === 1 ? '' : 's'}`,
    runs: { 'orchestrate-flow': 500, dbos: 500 },
    concurrency: IN_FLIGHT,
    warmUp: (system, runs) => timeEach(system, steps, Math.ceil(runs * WARM_UP_SHARE)),
    async measure(system, runs) {
      const times = await timeEach(system, steps, runs);
      return { 'p50 ms': quantile(times, 0.5), 'p99 ms': quantile(times, 0.99) };
    },
  };
}

async function keepInFlight(system, runs) {
  let left = runs;
  async function lane() {
    while (left-- > 0) await system.execute(STEPS);
  }
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, runs) }, lane));
}

async function timeEach(system, steps, runs) {
  const times = [];
  for (let i = 0; i < runs; i++) {
    const startedAt = performance.now();
    await system.execute(steps);
    times.push(performance.now() - startedAt);
    await sleep(PAUSE_MS);
  }
  return times.sort((a, b) => a - b);
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
