import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import type { TransactionRequest } from '../engine/ports.js';
import { SqlStepTransactions } from './sql-step-transactions.js';

const TOO_MANY = Object.assign(new Error('sorry, too many clients already'), { code: '53300', severity: 'FATAL' });

/** A pool that gives nobody a connection. */
function refusingPool(): DataSource {
  const runner = {
    query: () => Promise.reject(TOO_MANY),
    connect: () => Promise.reject(TOO_MANY),
    release: () => Promise.resolve(),
    manager: {},
  };
  return { options: {}, createQueryRunner: () => runner } as unknown as DataSource;
}

function request(signal: AbortSignal): TransactionRequest {
  const claim = { step: 'book', attempt: 1, failures: 0, crashes: 0, startedAt: '2026-01-01T00:00:00Z' };
  return { runId: 'r', generation: 0, row: { name: 'book', item: 0 }, claim, timeoutMs: null, signal };
}

const notCalled = () => Promise.reject(new Error('it ran'));

describe('A transaction of a step that the database refuses to begin', () => {
  it('is told, and given back after a pause that grows, for which the step is not to blame', async () => {
    const refused: unknown[] = [];
    const options = { schema: 'orchestrate_flow', leaseMs: 1_000, onRefused: (error: unknown) => refused.push(error) };
    const transactions = new SqlStepTransactions(refusingPool(), options);
    const { signal } = new AbortController();
    const pauses: number[] = [];
    for (let time = 0; time < 3; time++) {
      const begunAt = performance.now();
      expect(await transactions.run(request(signal), notCalled)).toBe('unknown');
      pauses.push(performance.now() - begunAt);
    }
    expect(refused).toEqual([TOO_MANY, TOO_MANY, TOO_MANY]);
    // Timers may come a millisecond early.
    expect(pauses.map((pauseMs, time) => pauseMs >= 50 * 2 ** time - 2)).toEqual([true, true, true]);
  });

  it('keeps nobody waiting whose attempt is over', async () => {
    const controller = new AbortController();
    const refused: unknown[] = [];
    const onRefused = (error: unknown) => {
      refused.push(error);
      setImmediate(() => controller.abort(new Error('handed over')));
    };
    const transactions = new SqlStepTransactions(refusingPool(), {
      schema: 'orchestrate_flow',
      leaseMs: 1_000,
      onRefused,
    });
    expect(await transactions.run(request(controller.signal), notCalled)).toBe('unknown');
    expect(refused).toHaveLength(1);
    expect(controller.signal.aborted).toBe(true);
  });
});
