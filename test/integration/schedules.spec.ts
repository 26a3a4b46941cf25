import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type FlowEvent, Input, Schedule, Step, WaitForSignal, Workflow, type WorkflowClass } from 'orchestrate-flow';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

const HOUR = 3_600_000;
let log: string[] = [];

class Day {
  day!: string;
}

@Schedule('0 2 * * *', {
  timeZone: 'Europe/Berlin',
  overlap: 'allow',
  input: ({ scheduledAt }: { scheduledAt: Date }) => ({ day: scheduledAt.toISOString() }),
})
@Workflow({ name: 'nightly', deadline: '2h', tags: ['report'] })
class Nightly {
  static readonly input = Day;

  @Step() report(@Input() { day }: Day): void {
    log.push(day);
  }
}

@Workflow({ name: 'open' })
class Open {
  @WaitForSignal('go') go(): void {}
}

@Schedule({ every: '1d' }, { name: 'broken', input: () => Promise.reject(new Error('no region')) })
@Workflow({ name: 'unlucky' })
class Unlucky {
  static readonly input = Day;

  @Step() never(): void {}
}

describe('a schedule in virtual time', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({
      workflows: [Nightly, Open, Unlucky],
      now: new Date('2026-03-27T12:00:00Z'),
    });
  }, 60_000);

  afterEach(async () => {
    log = [];
    const { schedules } = await flow.orchestrator.schedules.list({ workflow: Open });
    for (const { name } of schedules) await flow.orchestrator.schedules.remove(name);
    const { runs } = await flow.orchestrator.list({ workflow: Open, status: 'waiting', limit: 1_000 });
    for (const { id } of runs) await flow.orchestrator.terminate(id);
  });

  afterAll(() => flow?.close());

  const make = (overlap: 'skip' | 'queue' | 'allow' | 'cancel') =>
    flow.orchestrator.schedules.upsert('each hour', { workflow: Open, every: '1h', overlap });
  const openRuns = async () =>
    (await flow.orchestrator.list({ workflow: Open, limit: 1_000 })).runs
      .filter(({ schedule, status }) => schedule === 'each hour' && status === 'waiting')
      .reverse();
  const goOn = async () => {
    for (const { id } of await openRuns()) await flow.orchestrator.signal(id, 'go');
    await flow.drain();
  };
  const timesOf = (runs: readonly { scheduledAt: Date | null }[]) =>
    runs.map(({ scheduledAt }) => scheduledAt!.getTime());
  const next = async () => (await flow.orchestrator.schedules.get('each hour')).nextAt!.getTime();

  it('starts a run at each occurrence, over a change of clocks, and the run knows of which it is', async () => {
    await flow.advance('3d');
    const days = ['2026-03-28T01:00:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:00:00.000Z'];
    expect(log).toEqual(days);
    const { runs } = await flow.orchestrator.list({ workflow: Nightly });
    expect(runs.map(({ scheduledAt }) => scheduledAt!.toISOString()).reverse()).toEqual(days);
    expect(runs[0]).toMatchObject({
      ...{ schedule: 'nightly', status: 'completed', input: { day: days[2] }, tags: ['report'] },
    });
    expect(await flow.orchestrator.schedules.get('nightly')).toMatchObject({
      ...{ workflow: 'nightly', cron: '0 2 * * *', timeZone: 'Europe/Berlin', everyMs: null, status: 'active' },
      ...{ overlap: 'allow', catchUp: 1, declared: true, input: undefined, lastError: null },
      ...{ nextAt: new Date('2026-03-31T00:00:00Z'), lastAt: new Date(days[2]!), lastRunId: runs[0]!.id },
    });
  }, 60_000);

  it('skips what comes while a run goes on', async () => {
    await make('skip');
    const first = await next();
    await flow.advance('3h');
    expect(timesOf(await openRuns())).toEqual([first]);
    await goOn();
    await flow.advance('1h');
    expect(timesOf(await openRuns())).toEqual([first + 3 * HOUR]);
  }, 60_000);

  it('lets one wait for the end of a run and skips the rest', async () => {
    await make('queue');
    const first = await next();
    await flow.advance('3h');
    expect(timesOf(await openRuns())).toEqual([first]);
    expect(await flow.orchestrator.schedules.get('each hour')).toMatchObject({ queuedAt: new Date(first + HOUR) });
    await goOn();
    expect(timesOf(await openRuns())).toEqual([first + HOUR]);
    expect(await flow.orchestrator.schedules.get('each hour')).toMatchObject({ queuedAt: null });
    await flow.advance('1h');
    expect(await flow.orchestrator.schedules.get('each hour')).toMatchObject({ queuedAt: new Date(first + 3 * HOUR) });
  }, 60_000);

  it('starts beside what goes on', async () => {
    await make('allow');
    const first = await next();
    await flow.advance('3h');
    expect(timesOf(await openRuns())).toEqual([first, first + HOUR, first + 2 * HOUR]);
  }, 60_000);

  it('cancels what goes on', async () => {
    await make('cancel');
    const first = await next();
    await flow.advance('3h');
    expect(timesOf(await openRuns())).toEqual([first + 2 * HOUR]);
    const { runs } = await flow.orchestrator.list({ workflow: Open, status: 'cancelled' });
    expect(timesOf(runs)).toEqual([first + HOUR, first]);
    expect(runs[0]!.cancelReason).toBe('a later occurrence of schedule "each hour" has begun');
  }, 60_000);

  it('rests while it is paused, through changes, and catches nothing of its rest up', async () => {
    const { schedules } = flow.orchestrator;
    await make('allow');
    await schedules.pause('each hour');
    await make('allow');
    expect(await schedules.get('each hour')).toMatchObject({ status: 'paused', nextAt: null });
    await flow.advance('5h');
    expect(await openRuns()).toEqual([]);
    await schedules.resume('each hour');
    await schedules.resume('each hour');
    const after = await next();
    expect(after).toBe((Math.floor(flow.now().getTime() / HOUR) + 1) * HOUR);
    await flow.advance('1h');
    expect(timesOf(await openRuns())).toEqual([after]);
  }, 60_000);

  it('can be triggered, also while it rests, and its run counts for what comes after', async () => {
    const { schedules } = flow.orchestrator;
    await make('skip');
    const first = await next();
    await schedules.pause('each hour');
    const run = await schedules.trigger('each hour');
    await flow.drain();
    expect(await flow.orchestrator.get(run.id)).toMatchObject({
      ...{ schedule: 'each hour', scheduledAt: flow.now(), status: 'waiting' },
    });
    expect(await schedules.get('each hour')).toMatchObject({ lastRunId: run.id, lastAt: null, nextAt: null });
    await schedules.resume('each hour');
    expect(await next()).toBe(first);
    await flow.advance('1h');
    expect(timesOf(await openRuns())).toEqual([flow.now().getTime() - HOUR]);
  }, 60_000);

  it('goes on where an input cannot be computed, says so, and tells whoever triggers it', async () => {
    const events: FlowEvent[] = [];
    const watching = flow.orchestrator.events$.subscribe((event) => events.push(event));
    await flow.advance('1d');
    watching.unsubscribe();
    const { nextAt, lastError, lastRunId } = await flow.orchestrator.schedules.get('broken');
    expect({ lastError, lastRunId }).toEqual({ lastError: 'no region', lastRunId: null });
    expect(nextAt!.getTime()).toBeGreaterThan(flow.now().getTime());
    expect(events).toContainEqual(expect.objectContaining({ type: 'schedule.failed', schedule: 'broken' }));
    await expect(flow.orchestrator.schedules.trigger('broken')).rejects.toThrow('no region');
  }, 60_000);

  it('is listed by name, a page at a time', async () => {
    const { schedules } = flow.orchestrator;
    await make('skip');
    const page = await schedules.list({ limit: 2 });
    expect(page.schedules.map(({ name }) => name)).toEqual(['broken', 'each hour']);
    const last = await schedules.list({ limit: 2, cursor: page.nextCursor! });
    expect(last).toMatchObject({ schedules: [{ name: 'nightly' }], nextCursor: null });
  });

  it('keeps its next occurrence where only something else changes', async () => {
    const { schedules } = flow.orchestrator;
    await schedules.upsert('each hour', { workflow: Open, cron: '0 0 1 1 *', overlap: 'skip' });
    const before = await schedules.get('each hour');
    await schedules.upsert('each hour', { workflow: Open, cron: '0 0 1 1 *', timeZone: 'UTC', overlap: 'queue' });
    expect(await schedules.get('each hour')).toMatchObject({ overlap: 'queue', nextAt: before.nextAt });
    await schedules.upsert('each hour', { workflow: Open, cron: '0 0 1 1 *', timeZone: 'Asia/Tokyo' });
    expect((await schedules.get('each hour')).nextAt!.getTime()).toBe(before.nextAt!.getTime() - 9 * HOUR);
  });

  it('refuses what is no schedule', async () => {
    const { schedules } = flow.orchestrator;
    const given = { workflow: Open, cron: '0 0 * * *' };
    const invalid = [
      ...[
        { ...given, cron: '61 * * * *' },
        { ...given, cron: '0 0 30 2 *' },
        { ...given, every: '1h' },
      ],
      ...[
        { ...given, timeZone: 'Mars/Base' },
        { ...given, timeZone: '+01:00' },
        { ...given, overlap: 'both' },
      ],
      ...[{ ...given, catchUp: { atMost: 0 } }, { workflow: Open, every: '10ms' }, { workflow: Open }, null, 'x'],
      { workflow: Open, every: '1h', timeZone: 'UTC' },
    ];
    for (const schedule of invalid)
      await expect(schedules.upsert('x', schedule as never)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    for (const name of ['', 'x'.repeat(201), null])
      await expect(schedules.upsert(name as string, given)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    for (const options of [{ limit: 0 }, { cursor: 7 }, { workflow: 7 }])
      await expect(schedules.list(options as never)).rejects.toMatchObject({ code: 'OF_ARGUMENT_INVALID' });
    await expect(schedules.upsert('x', { workflow: 'none', every: '1h' })).rejects.toMatchObject({
      code: 'OF_WORKFLOW_UNKNOWN',
    });
    for (const act of ['get', 'remove', 'pause', 'resume', 'trigger'] as const)
      await expect(schedules[act]('unknown')).rejects.toMatchObject({ code: 'OF_SCHEDULE_UNKNOWN' });
    for (const act of [() => schedules.remove('nightly'), () => schedules.upsert('nightly', given)])
      await expect(act()).rejects.toMatchObject({ code: 'OF_SCHEDULE_DECLARED' });
  });
});

describe('schedules of several apps on one database', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await database?.drop();
  });

  const open = async (...workflows: WorkflowClass[]) => {
    const app = await startApp({ database, workflows, lease: '2s' });
    apps.push(app);
    return app;
  };

  it('an occurrence is one run, whoever looks', async () => {
    const [one, other] = [await open(Open), await open(Open)];
    await one.orchestrator.schedules.upsert('tick', { workflow: Open, every: '1s', overlap: 'allow', catchUp: 'all' });
    const runs = await waitFor('four runs', async () => {
      const page = await other.orchestrator.list({ workflow: Open });
      return page.runs.length >= 4 ? page.runs : null;
    });
    await one.orchestrator.schedules.pause('tick');
    const times = runs.map(({ scheduledAt }) => scheduledAt!.getTime()).reverse();
    expect(times).toEqual(times.map((_, index) => times[0]! + index * 1_000));
  }, 60_000);

  it('one whose decorator is gone rests until a build that has it boots again; what upsert() made stays', async () => {
    @Schedule({ every: '1d' }, { name: 'daily' })
    @Schedule('0 * * * *', { name: 'hourly' })
    @Workflow({ name: 'changing' })
    class Before {
      @Step() run(): void {}
    }
    @Schedule({ every: '2d' }, { name: 'daily' })
    @Schedule({ every: '2d' }, { name: 'tick' })
    @Workflow({ name: 'changing' })
    class After {
      @Step() run(): void {}
    }
    const { schedules } = (await open(Before)).orchestrator;
    await schedules.pause('daily');
    const after = await open(After);
    expect(await schedules.get('hourly')).toMatchObject({ status: 'orphaned', nextAt: null });
    expect(await schedules.get('daily')).toMatchObject({ status: 'paused', everyMs: 48 * HOUR });
    expect(await schedules.get('tick')).toMatchObject({ declared: false, workflow: 'open', everyMs: 1_000 });
    await open(Before);
    expect(await schedules.get('hourly')).toMatchObject({ status: 'active', nextAt: expect.any(Date) as unknown });
    await open(After);
    await after.orchestrator.schedules.upsert('hourly', { workflow: 'changing', every: '1h' });
    expect(await schedules.get('hourly')).toMatchObject({ status: 'active', declared: false, cron: null });
    await after.orchestrator.schedules.remove('hourly');
    await expect(schedules.get('hourly')).rejects.toMatchObject({ code: 'OF_SCHEDULE_UNKNOWN' });
  }, 60_000);

  it('an input that is none of the workflow’s is a fault at boot', async () => {
    @Schedule({ every: '1d' }, { name: 'wrong', input: Promise.resolve(1) as never })
    @Workflow({ name: 'wrong-input' })
    class Wrong {
      @Step() run(): void {}
    }
    await expect(startApp({ database, workflows: [Wrong] })).rejects.toMatchObject({
      code: 'OF_DEFINITION_INVALID',
      faults: [{ where: 'Wrong', fault: expect.stringContaining('its @Schedule "wrong" cannot be used') as unknown }],
    });
  }, 60_000);
});

describe('occurrences that were missed', () => {
  it('are caught up as the schedule says', async () => {
    const database = await createDatabase();
    const begin = Date.UTC(2026, 0, 1);
    const setup = { workflows: [Open], url: database.url };
    const first = await createTestingFlow({ ...setup, now: new Date(begin) });
    const { schedules } = first.orchestrator;
    const common = { workflow: Open, every: '1h', overlap: 'allow' } as const;
    for (const catchUp of ['none', 'latest', 'all'] as const) await schedules.upsert(catchUp, { ...common, catchUp });
    await schedules.upsert('bound', { ...common, catchUp: { atMost: 2 } });
    await schedules.upsert('strict', { ...common, overlap: 'cancel', catchUp: 'all' });
    await first.close();
    // Nobody is there for five hours and a half.
    const second = await createTestingFlow({ ...setup, now: new Date(begin + 5.5 * HOUR) });
    await second.drain();
    const { runs } = await second.orchestrator.list({ workflow: Open, limit: 100 });
    const hoursOf = (name: string) =>
      runs
        .filter(({ schedule }) => schedule === name)
        .map(({ scheduledAt }) => (scheduledAt!.getTime() - begin) / HOUR)
        .sort();
    expect(['none', 'latest', 'all', 'bound', 'strict'].map(hoursOf)).toEqual([[], [5], [1, 2, 3, 4, 5], [4, 5], [5]]);
    await second.advance('30m');
    expect(await second.orchestrator.schedules.get('none')).toMatchObject({ lastAt: new Date(begin + 6 * HOUR) });
    await second.close();
    await database.drop();
  }, 60_000);
});
