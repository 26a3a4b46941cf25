import { describe, expect, it } from '@jest/globals';

import { EventHub } from '../events/event-hub.js';
import type { FlowEvent } from '../events/flow-event.js';
import { InboxTeller } from './inbox-teller.js';

function setUp() {
  const events = new EventHub();
  const announced: FlowEvent[] = [];
  events.events$.subscribe((event) => announced.push(event));
  const told: { readonly runId: string; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const tell = (runId: string) =>
    new Promise<boolean>((resolve, reject) => told.push({ runId, resolve: () => resolve(true), reject }));
  return { teller: new InboxTeller({ desk: { tell }, events }), told, announced };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('an inbox teller', () => {
  it('tells five hundred runs at once, and the others as those have looked', async () => {
    const { teller, told } = setUp();
    for (let n = 0; n < 600; n++) teller.tell(`run-${n}`);
    expect(told).toHaveLength(500);
    for (const { resolve } of told.slice(0, 30)) resolve();
    await turn();
    expect(told.slice(500).map(({ runId }) => runId)).toEqual(Array.from({ length: 30 }, (_, n) => `run-${500 + n}`));
    for (const { resolve } of told) resolve();
    await turn();
    for (const { resolve } of told) resolve();
    await turn();
    expect(told).toHaveLength(600);
  });

  it('tells a run that waits its turn once, and again what has come after it was told', async () => {
    const { teller, told } = setUp();
    for (let n = 0; n < 500; n++) teller.tell(`run-${n}`);
    teller.tell('late');
    teller.tell('late');
    teller.tell('run-0');
    for (const { resolve } of [...told]) resolve();
    await turn();
    expect(told.slice(500).map(({ runId }) => runId)).toEqual(['late', 'run-0']);
  });

  it('announces what goes wrong, and goes on', async () => {
    const { teller, told, announced } = setUp();
    teller.tell('one');
    told[0]!.reject(new Error('no'));
    await turn();
    expect(announced).toMatchObject([{ type: 'internal.error', error: { message: 'no' } }]);
    teller.tell('one');
    expect(told).toHaveLength(2);
  });
});
