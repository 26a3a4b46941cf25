import { randomUUID } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import type { Overlap } from '../../lib/engine/occurrences.js';
import type { FlowProcess } from './flow-process.js';
import { act, RaceTrack } from './race-track.js';

const track = new RaceTrack();

const ONE = { a: [] };
const MINUTE = 60_000;

/** A schedule with one occurrence that is due, a minute after the last. */
async function putDue({ store }: FlowProcess, overlap: Overlap): Promise<string> {
  const name = randomUUID();
  const timing = { kind: 'interval', everyMs: MINUTE } as const;
  const now = await store.schedules.now();
  const spec = { name, workflow: 'race', timing, overlap, catchUp: 1, input: '1', isDeclared: false };
  await store.schedules.put(spec, Math.floor(now / MINUTE) * MINUTE);
  return name;
}

const runsOf = (name: string) =>
  track.db.query<{ id: string; scheduled_at: Date }>(
    'SELECT id, scheduled_at FROM orchestrate_flow.workflow_run WHERE schedule = $1',
    [name],
  );

describe('an occurrence that is due', () => {
  it.each(['allow', 'queue'] as const)(
    'is one run, however two beats meet over it, where runs overlap by %s',
    async (overlap) => {
      const { starter, one, two } = await track.enter(ONE);
      await track.everyOrder(async () => {
        const name = await putDue(starter, overlap);
        const taken: string[] = [];
        const take = (process: FlowProcess) =>
          act(process, async () => taken.push(...(await process.occurrences.take([name])).runs));
        return {
          racers: { one: take(one), two: take(two) },
          unhindered: ['one', 'two'],
          check: async () => {
            const runs = await runsOf(name);
            expect(runs.map(({ id }) => id)).toEqual(taken);
            expect(runs).toHaveLength(1);
            const [schedule] = await starter.store.schedules.find([name]);
            expect(schedule).toMatchObject({ lastRun: taken[0], queuedAt: null, revision: 1 });
            expect(schedule!.nextAt).toBe(runs[0]!.scheduled_at.getTime() + MINUTE);
          },
        };
      });
    },
  );

  it('has a run or none where somebody pauses its schedule meanwhile, and that rests', async () => {
    const { starter, one, two } = await track.enter(ONE);
    await track.everyOrder(async () => {
      const name = await putDue(starter, 'allow');
      const taken: string[] = [];
      return {
        racers: {
          one: act(one, async () => taken.push(...(await one.occurrences.take([name])).runs)),
          two: act(two, () => two.store.schedules.pause(name)),
        },
        unhindered: ['one'],
        check: async () => {
          expect((await runsOf(name)).map(({ id }) => id)).toEqual(taken);
          const [schedule] = await starter.store.schedules.find([name]);
          expect(schedule).toMatchObject({ isPaused: true, nextAt: null, lastRun: taken[0] ?? null });
        },
      };
    });
  });
});
