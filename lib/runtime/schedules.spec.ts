import { describe, expect, it } from '@jest/globals';

import type { StoredSchedule } from '../engine/ports.js';
import type { Run } from './run.js';
import { Schedules, type SchedulesPorts } from './schedules.js';

const SCHEDULE: StoredSchedule = {
  ...{ name: 'tick', workflow: 'w', timing: { kind: 'interval', everyMs: 60_000 }, overlap: 'skip', catchUp: 1 },
  ...{ input: '1', isDeclared: false, isPaused: true, isOrphaned: false, nextAt: null, queuedAt: null },
  ...{ lastAt: null, lastRun: null, lastError: null, isRunning: false, now: 0, revision: 0 },
};

/** Schedules of a store in which somebody else is always faster, or is so many times. */
function open(times = Infinity) {
  let revision = 0;
  const began: string[] = [];
  const isFaster = () => ++revision <= times;
  const ports = {
    store: {
      find: () => Promise.resolve([{ ...SCHEDULE, revision }]),
      remove: (_: string, read: number) => Promise.resolve(read === revision && !isFaster()),
      resume: () => Promise.resolve(!isFaster()),
    },
    occurrences: { trigger: () => Promise.resolve(isFaster() ? null : 'run') },
    codec: { decode: JSON.parse },
    capture: () => null,
    begin: (runId: string) => began.push(runId),
    expect: () => {},
  } as unknown as SchedulesPorts;
  return { schedules: new Schedules(ports, (id) => ({ id }) as Run), began };
}

describe('schedules that others change at the same time', () => {
  it.each(['remove', 'resume', 'trigger'] as const)('%s() tries again, and gives up at last', async (act) => {
    const { schedules, began } = open();
    await expect(schedules[act]('tick')).rejects.toMatchObject({ code: 'OF_SCHEDULE_BUSY' });
    expect(began).toEqual([]);
    await open(9).schedules[act]('tick');
  });

  it('a triggered run begins once, when it is there', async () => {
    const { schedules, began } = open(3);
    expect(await schedules.trigger('tick')).toEqual({ id: 'run' });
    expect(began).toEqual(['run']);
  });
});
