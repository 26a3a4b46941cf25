import { describe, expect, it } from '@jest/globals';

import type { WorkflowDefinition } from '../definition/registry.js';
import type { Admission, WorkflowLimits } from '../engine/limits.js';
import { EventHub } from '../events/event-hub.js';
import { AdmissionDesk } from './admission-desk.js';

const NONE: Admission = { admitted: [], isBusy: false, nextDueMs: null };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A desk, and what it asked and did. */
async function open(answers: (Admission | Error)[], limits: readonly (number | null)[] = [1]) {
  const asked: (readonly string[])[] = [];
  const begun: string[] = [];
  const expected: number[] = [];
  const timers: (() => void)[] = [];
  const events = new EventHub();
  const definitions = limits.map((total, index) => {
    const name = `w${index}`;
    return { name, limits: total === null ? null : { workflow: name, total, perTenant: null } };
  });
  const desk = new AdmissionDesk({
    registry: { all: () => definitions as unknown as WorkflowDefinition[] },
    store: {
      put: (some: readonly WorkflowLimits[]) => Promise.resolve(some.map(({ workflow }) => workflow)),
      admit: async (workflows: readonly string[]) => {
        asked.push(workflows);
        await turn();
        const answer = answers.shift() ?? NONE;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    clock: { after: (_delayMs: number, callback: () => void) => (timers.push(callback), () => {}) },
    events,
    begin: (runId: string) => begun.push(runId),
    expect: (delayMs: number) => expected.push(delayMs),
  } as unknown as ConstructorParameters<typeof AdmissionDesk>[0]);
  await desk.open();
  const settle = async () => {
    while (!desk.isQuiet) await turn();
  };
  return { desk, asked, begun, expected, timers, settle };
}

describe('the admission desk', () => {
  it('asks nothing where no workflow of its process has limits', async () => {
    const { desk, asked } = await open([], [null, null]);
    desk.visit();
    desk.visitFor('w0');
    expect(desk.isQuiet).toBe(true);
    expect(asked).toEqual([]);
  });

  it('asks for the workflows with limits, and lets begin who has had their turn', async () => {
    const { desk, asked, begun, expected, settle } = await open(
      [{ ...NONE, admitted: ['r'], nextDueMs: 70 }],
      [1, null],
    );
    desk.visitFor('w1');
    expect(asked).toEqual([]);
    desk.visitFor('w0');
    await settle();
    expect([asked, begun, expected]).toEqual([[['w0']], ['r'], [70]]);
  });

  it('asks once more, and only once, however often it is visited while it asks', async () => {
    const { desk, asked, settle } = await open([]);
    for (let visit = 0; visit < 5; visit++) desk.visit();
    await settle();
    expect(asked).toHaveLength(2);
    desk.visit();
    await settle();
    expect(asked).toHaveLength(3);
  });

  it('asks again at once after a full batch, and soon where somebody else was at it', async () => {
    const full = { ...NONE, admitted: Array.from({ length: 500 }, (_, run) => `r${run}`) };
    const { desk, asked, timers, settle } = await open([full, { ...NONE, isBusy: true }]);
    desk.visit();
    await settle();
    expect(asked).toHaveLength(2);
    timers[0]!();
    await settle();
    expect(asked).toHaveLength(3);
  });

  it('leaves what has failed to the next visit, and asks nothing once it has stopped', async () => {
    const { desk, asked, begun, settle } = await open([new Error('away'), { ...NONE, admitted: ['r'] }]);
    desk.visit();
    await settle();
    desk.visit();
    await settle();
    expect(begun).toEqual(['r']);
    desk.visit();
    await desk.stop();
    const { length } = asked;
    desk.visit();
    expect(asked).toHaveLength(length);
  });
});
