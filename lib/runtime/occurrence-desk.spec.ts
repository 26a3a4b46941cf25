import { describe, expect, it } from '@jest/globals';

import { WorkflowRegistry, type ScheduleDefinition, type WorkflowDefinition } from '../definition/registry.js';
import type { Overlap } from '../engine/occurrences.js';
import type { ScheduledRun, ScheduleMove, StoredSchedule } from '../engine/ports.js';
import { EventHub } from '../events/event-hub.js';
import type { FlowEvent } from '../events/flow-event.js';
import { buildGraph } from '../../test/support/engine/build-run.js';
import { OccurrenceDesk, type OccurrenceDeskPorts } from './occurrence-desk.js';
import { SYSTEM_CLOCK } from './system-clock.js';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 1) + 100;
const DUE = Date.UTC(2026, 0, 1);

/** A schedule of a minute whose occurrence `DUE` is due. */
function stored(change: Partial<StoredSchedule> = {}): StoredSchedule {
  return {
    ...{ name: 'tick', workflow: 'w', timing: { kind: 'interval', everyMs: MINUTE }, overlap: 'skip', catchUp: 1 },
    ...{ input: '1', isDeclared: true, revision: 4, isPaused: false, isOrphaned: false, nextAt: DUE, queuedAt: null },
    ...{ lastAt: null, lastRun: null, lastError: null, isRunning: false, now: NOW },
    ...change,
  };
}

/** A desk whose store has these schedules, of a workflow that declares `tick` with this input. */
class Stage {
  readonly taken: { moves: readonly ScheduleMove[]; runs: readonly ScheduledRun[] }[] = [];
  readonly events: FlowEvent[] = [];
  readonly desk: OccurrenceDesk;
  /** What the next guard refuses. */
  stale: readonly string[] = [];
  timer: (() => void) | null = null;
  isCalledOff = false;

  constructor(
    private readonly schedules: readonly StoredSchedule[],
    input: ScheduleDefinition['input'] = 1,
  ) {
    const registry = new WorkflowRegistry();
    const tick = { name: 'tick', timing: stored().timing, overlap: 'skip', catchUp: 1, input };
    const plain = { ...tick, name: 'plain', input: 1 };
    registry.fill([
      { name: 'w', target: class W {}, graph: {}, schedules: [tick, plain], tags: [] } as unknown as WorkflowDefinition,
    ]);
    const events = new EventHub();
    events.events$.subscribe((event) => this.events.push(event));
    this.desk = new OccurrenceDesk({
      registry,
      events,
      store: {
        find: (names: readonly string[]) => Promise.resolve(this.schedules.filter(({ name }) => names.includes(name))),
        take: (moves: readonly ScheduleMove[], runs: readonly ScheduledRun[]) => {
          this.taken.push({ moves, runs });
          return Promise.resolve(moves.map(({ name }) => name).filter((name) => !this.stale.includes(name)));
        },
      },
      shelf: { currentOf: () => ({ id: 7, graph: buildGraph({ a: [] }) }) },
      inputs: { encode: (_: unknown, value: unknown) => Promise.resolve(JSON.stringify(value)) },
      clock: {
        ...SYSTEM_CLOCK,
        after: (_ms: number, callback: () => void) => {
          this.timer = callback;
          return () => (this.isCalledOff = true);
        },
      },
    } as unknown as OccurrenceDeskPorts);
  }
}

describe('OccurrenceDesk', () => {
  it('gives the run of an occurrence the same id whoever takes it, and that of another another', async () => {
    const idsOf = async (schedule: StoredSchedule) => {
      const stage = new Stage([schedule]);
      return (await stage.desk.take([schedule.name])).runs[0];
    };
    const id = await idsOf(stored());
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await idsOf(stored({ revision: 9, input: '2' }))).toBe(id);
    expect(await idsOf(stored({ name: 'tock' }))).not.toBe(id);
    expect(await idsOf(stored({ nextAt: DUE + MINUTE, now: NOW + MINUTE }))).not.toBe(id);
  });

  it('moves a schedule on to its next occurrence, and tells how long until then', async () => {
    const stage = new Stage([stored()]);
    const { runs, lookInMs } = await stage.desk.take(['tick']);
    expect(lookInMs).toBe(DUE + MINUTE - NOW);
    expect(stage.taken[0]).toMatchObject({
      moves: [{ name: 'tick', revision: 4, nextAt: DUE + MINUTE, lastAt: DUE, lastRun: runs[0], queuedAt: null }],
      runs: [
        { schedule: 'tick', scheduledAt: DUE, run: { id: runs[0], definition: 7, input: '1', status: 'pending' } },
      ],
    });
  });

  it('leaves alone what somebody else has moved on since the beat saw it', async () => {
    const stage = new Stage([stored({ nextAt: NOW + 1 })]);
    expect(await stage.desk.take(['tick', 'gone'])).toEqual({ runs: [], lookInMs: null });
    expect(stage.taken).toEqual([]);
  });

  it('begins no run of a schedule that moved on under its hands, and looks again at once', async () => {
    const stage = new Stage([stored(), stored({ name: 'tock' })]);
    stage.stale = ['tick'];
    const { runs, lookInMs } = await stage.desk.take(['tick', 'tock']);
    expect(runs).toEqual([stage.taken[0]!.runs[1]!.run.id]);
    expect(lookInMs).toBe(0);
  });

  it.each([
    ['cancel', true, 0],
    ['cancel', false, DUE + MINUTE - NOW],
    ['allow', true, DUE + MINUTE - NOW],
  ] as const)('with %s and a run that goes on (%s) looks again in %i ms', async (overlap, isRunning, lookInMs) => {
    const stage = new Stage([stored({ overlap, isRunning })]);
    expect(await stage.desk.take(['tick'])).toMatchObject({ lookInMs });
  });

  it('remembers that an occurrence waits for the end of a run', async () => {
    const stage = new Stage([stored({ overlap: 'queue', isRunning: true })]);
    expect(stage.desk.isAnyQueued).toBe(false);
    await stage.desk.take(['tick']);
    expect(stage.taken[0]!.moves[0]).toMatchObject({ queuedAt: DUE });
    expect(stage.desk.isAnyQueued).toBe(true);
    const later = new Stage([stored({ overlap: 'queue', queuedAt: DUE, nextAt: NOW + MINUTE })]);
    await later.desk.take(['tick']);
    expect(later.taken[0]).toMatchObject({ moves: [{ queuedAt: null, nextAt: NOW + MINUTE, lastAt: DUE }] });
    expect(later.desk.isAnyQueued).toBe(false);
  });

  it('tells whose input the code here can compute', () => {
    const { known } = new Stage([], () => 1).desk;
    expect(known).toEqual({ workflows: ['w'], computed: ['tick'] });
  });

  it('goes on without a run where its input is not there in time, and others of the same look have theirs', async () => {
    const stage = new Stage([stored({ input: null }), stored({ name: 'plain' })], () => new Promise(() => {}));
    const taking = stage.desk.take(['tick', 'plain']);
    await new Promise((resolve) => setImmediate(resolve));
    stage.timer!();
    const { runs } = await taking;
    expect(stage.taken[0]!.runs.map(({ schedule, run }) => [schedule, run.id])).toEqual([['plain', runs[0]]]);
    expect(stage.taken[0]!.moves[0]).toMatchObject({ nextAt: DUE + MINUTE, lastRun: null });
    expect(stage.taken[0]!.moves[0]!.lastError).toBe('The input of schedule "tick" was not there within 10 s.');
    expect(stage.events).toMatchObject([{ type: 'schedule.failed', schedule: 'tick', scheduledAt: new Date(DUE) }]);
  });

  it('does not let an occurrence wait for a run that has not begun', async () => {
    const queue = { overlap: 'queue', input: null, queuedAt: DUE - MINUTE } as const;
    const fail = () => Promise.reject(new Error('no region'));
    const failing = new Stage([stored(queue)], fail);
    expect(await failing.desk.take(['tick'])).toEqual({ runs: [], lookInMs: 0 });
    expect(failing.taken[0]!.moves[0]).toMatchObject({ queuedAt: DUE });
    const well = new Stage([stored(queue)], () => 1);
    expect(await well.desk.take(['tick'])).toMatchObject({ lookInMs: DUE + MINUTE - NOW });
  });

  it('announces no failure of what somebody else has taken', async () => {
    const stage = new Stage([stored({ input: null })], () => {
      throw new Error('no region');
    });
    stage.stale = ['tick'];
    await stage.desk.take(['tick']);
    expect(stage.events).toEqual([]);
  });

  it('keeps why an occurrence has no run until one has, in a form that can be stored', async () => {
    const fail = (message: string) => () => {
      throw new Error(message);
    };
    const failing = new Stage([stored({ input: null })], fail(`a\0b\ud800${'x'.repeat(2_000)}`));
    await failing.desk.take(['tick']);
    const { lastError } = failing.taken[0]!.moves[0]!;
    expect([lastError!.slice(0, 4), lastError!.length]).toEqual(['ab\ufffdx', 999]);
    const skipped = new Stage([stored({ lastError, isRunning: true })]);
    await skipped.desk.take(['tick']);
    expect(skipped.taken[0]!.moves[0]).toMatchObject({ lastError });
    const well = new Stage([stored({ lastError, input: null })], () => Promise.resolve({ a: 1 }));
    await well.desk.take(['tick']);
    expect(well.taken[0]!.moves[0]).toMatchObject({ lastError: null });
    expect(well.taken[0]!.runs[0]!.run.input).toBe('{"a":1}');
    expect(well.isCalledOff).toBe(true);
  });

  it('a triggered run is of the moment, and changes nothing but which run was the last', async () => {
    const schedule = stored({ overlap: 'skip', isRunning: true, queuedAt: null, lastAt: 5 });
    const stage = new Stage([schedule]);
    const id = await stage.desk.trigger(schedule, 'acme');
    expect(stage.taken[0]).toMatchObject({
      moves: [{ name: 'tick', revision: 4, nextAt: DUE, queuedAt: null, lastAt: 5, lastRun: id }],
      runs: [{ scheduledAt: NOW, run: { id, context: 'acme' } }],
    });
    stage.stale = ['tick'];
    expect(await stage.desk.trigger(schedule, 'acme')).toBeNull();
  });

  it('triggers nothing whose input only another build can compute', async () => {
    const schedule = stored({ name: 'elsewhere', input: null });
    await expect(new Stage([schedule]).desk.trigger(schedule, null)).rejects.toMatchObject({
      code: 'OF_SCHEDULE_DECLARED',
    });
  });

  it.each<[Overlap, readonly number[]]>([
    ['allow', [DUE, DUE + MINUTE, DUE + 2 * MINUTE]],
    ['skip', [DUE]],
    ['cancel', [DUE + 2 * MINUTE]],
  ])('catches up no more than the schedule says: %s', async (overlap, times) => {
    const now = NOW + 2 * MINUTE;
    const all = new Stage([stored({ overlap, catchUp: 100, now })]);
    await all.desk.take(['tick']);
    expect(all.taken[0]!.runs.map(({ scheduledAt }) => scheduledAt)).toEqual(times);
    expect(all.taken[0]!.moves[0]).toMatchObject({ nextAt: DUE + 3 * MINUTE, lastAt: times.at(-1) });
    const two = new Stage([stored({ overlap: 'allow', catchUp: 2, now })]);
    await two.desk.take(['tick']);
    expect(two.taken[0]!.runs).toHaveLength(2);
  });
});
