import { describe, expect, it } from '@jest/globals';

import { TransactionGate } from './transaction-gate.js';

const wanted = new AbortController().signal;

describe('the gate of transactions', () => {
  it('lets so many in at once, and the others in their order', async () => {
    const gate = new TransactionGate(1);
    const log: string[] = [];
    await gate.enter(wanted);
    const all = ['one', 'two'].map((name) => gate.enter(wanted).then(() => log.push(name)));
    gate.leave();
    await all[0];
    expect(log).toEqual(['one']);
    gate.leave();
    await all[1];
    expect(log).toEqual(['one', 'two']);
  });

  it('lets go of who is not wanted any more, and keeps the place of the others', async () => {
    const gate = new TransactionGate(1);
    await gate.enter(wanted);
    const leaving = new AbortController();
    const first = gate.enter(leaving.signal);
    const second = gate.enter(wanted);
    leaving.abort(new Error('stopped'));
    await expect(first).rejects.toThrow('stopped');
    gate.leave();
    await second;
    gate.leave();
    await gate.enter(wanted);
  });
});
