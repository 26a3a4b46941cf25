import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { Clock, EndedRun, RunStore } from '../engine/ports.js';
import { JsonCodec } from '../persistence/codec.js';
import { ResultDesk } from './result-desk.js';
import { SYSTEM_CLOCK } from './system-clock.js';

/** By the timers of the global scope, which are the test's here. */
const CLOCK: Clock = {
  ...SYSTEM_CLOCK,
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A store whose looks the test answers. */
class SlowStore {
  readonly looks: { runIds: readonly string[]; answer(ended: readonly EndedRun[]): void; fail(error: Error): void }[] =
    [];
  underWay = 0;
  mostUnderWay = 0;

  findEnded(runIds: readonly string[]): Promise<readonly EndedRun[]> {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    return new Promise<readonly EndedRun[]>((answer, fail) => this.looks.push({ runIds, answer, fail })).finally(
      () => (this.underWay -= 1),
    );
  }
}

function completed(id: string): EndedRun {
  return { id, workflow: 'w', status: 'completed', output: '1', failure: null, cancelReason: null };
}

describe('a desk where callers wait for results', () => {
  let store: SlowStore;
  let errors: unknown[];
  let desk: ResultDesk;

  beforeEach(() => {
    jest.useFakeTimers();
    store = new SlowStore();
    errors = [];
    const onError = (error: unknown) => void errors.push(error);
    desk = new ResultDesk({
      ...{ store: store as unknown as RunStore, codec: new JsonCodec(), clock: CLOCK },
      ...{ isHere: () => false, onError },
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('looks for all of them at once, and for one look at a time', async () => {
    const first = desk.wait('a', null);
    await jest.advanceTimersByTimeAsync(1_000);
    store.looks[0]!.answer([]);
    await jest.advanceTimersByTimeAsync(1_000);
    // The second look is under way, and slow, while others come to wait.
    const others = ['b', 'c', 'd'].map((id) => desk.wait(id, null));
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.looks).toHaveLength(2);
    store.looks[1]!.answer([completed('a')]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(store.looks.map(({ runIds }) => runIds)).toEqual([['a'], ['a'], ['b', 'c', 'd']]);
    store.looks[2]!.answer(['b', 'c', 'd'].map(completed));
    await expect(Promise.all([first, ...others])).resolves.toEqual([1, 1, 1, 1]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.mostUnderWay).toBe(1);
    expect(store.looks).toHaveLength(3);
  });

  it('looks again after a look that failed', async () => {
    const result = desk.wait('a', null);
    await jest.advanceTimersByTimeAsync(1_000);
    const lost = new Error('The database is away.');
    store.looks[0]!.fail(lost);
    await jest.advanceTimersByTimeAsync(1_000);
    store.looks[1]!.answer([completed('a')]);
    await expect(result).resolves.toBe(1);
    expect(errors).toEqual([lost]);
  });

  it('looks no more once it is closed', async () => {
    const reason = new Error('Closed.');
    const results = [desk.wait('a', null).catch((error: unknown) => error)];
    await jest.advanceTimersByTimeAsync(1_000);
    store.looks[0]!.answer([]);
    await jest.advanceTimersByTimeAsync(1_000);
    results.push(desk.wait('b', null).catch((error: unknown) => error));
    desk.close(reason);
    store.looks[1]!.answer([]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.looks).toHaveLength(2);
    await expect(Promise.all(results)).resolves.toEqual([reason, reason]);
    await expect(desk.wait('c', null)).rejects.toBe(reason);
  });
});
