import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { ScheduledRun, ScheduleMove, ScheduleSpec, StoredSchedule } from '../../lib/engine/ports.js';
import * as drafts from '../support/commit-drafts.js';
import type { StoreUnderTest } from './store-conformance.js';

const LEASE_MS = 1_000;

/** What every store does about schedules. */
export function describeSchedules(name: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let workflow: string;
  let definition = 500_000;

  beforeAll(async () => {
    under = await open();
  });

  afterAll(() => under?.close());

  beforeEach(() => {
    [workflow, definition] = [randomUUID(), definition + 1];
  });

  const spec = (change: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
    ...{ name: workflow, workflow, timing: { kind: 'interval', everyMs: 60_000 }, overlap: 'skip', catchUp: 1 },
    ...{ input: '1', isDeclared: false, ...change },
  });

  /** A schedule whose next occurrence is so many milliseconds from now. */
  async function put(inMs: number, change: Partial<ScheduleSpec> = {}): Promise<StoredSchedule> {
    const nextAt = (await under.schedules.now()) + inMs;
    expect(await under.schedules.put(spec(change), nextAt)).toBe(true);
    return read(change.name);
  }

  async function read(of = workflow): Promise<StoredSchedule> {
    const [schedule] = await under.schedules.find([of]);
    return schedule!;
  }

  function moveOf(schedule: StoredSchedule, change: Partial<ScheduleMove> = {}): ScheduleMove {
    const { name: of, revision, nextAt, queuedAt, lastAt, lastRun, lastError } = schedule;
    return { name: of, revision, nextAt, queuedAt, lastAt, lastRun, lastError, ...change };
  }

  function bear(schedule: StoredSchedule, scheduledAt: number, id: string = randomUUID()): ScheduledRun {
    const run = drafts.newRun({ id, workflow, definition, status: 'pending', state: '.', deadlineMs: 5_000 });
    return { schedule: schedule.name, scheduledAt, run };
  }

  function look(change: { workflows?: readonly string[]; computed?: readonly string[] } = {}) {
    const request = {
      worker: randomUUID(),
      queues: [],
      definitions: [definition],
      workflows: [workflow],
      computed: [],
    };
    const rest = { leaseMs: LEASE_MS, maxCrashes: 5, openRuns: [], reap: 'none' as const };
    return under.store.beat({ ...request, ...rest, ...change });
  }

  const end = (id: string, revision = 0) =>
    under.door.submit(() => drafts.runWrite({ id, definition, revision, status: 'completed', ended: true }));

  describe(`${name}: a schedule`, () => {
    it('is there as it was put, and changes as a whole', async () => {
      const made = await put(60_000, { overlap: 'queue', catchUp: 7 });
      expect(made).toMatchObject({
        ...spec({ overlap: 'queue', catchUp: 7 }),
        ...{ isPaused: false, isOrphaned: false, queuedAt: null, lastAt: null, lastRun: null, lastError: null },
        ...{ nextAt: expect.any(Number) as unknown, isRunning: false },
      });
      const timing = { kind: 'cron', cron: '0 0 * * *', timeZone: 'Europe/Berlin' } as const;
      const changed = await put(90_000, { timing, input: '2' });
      expect(changed).toMatchObject({ timing, input: '2', overlap: 'skip' });
      expect(changed.revision).toBeGreaterThan(made.revision);
    });

    it('keeps what it has missed where its timing is the same, and nothing where it is not', async () => {
      const { nextAt } = await put(-90_000);
      expect((await put(60_000, { catchUp: 3 })).nextAt).toBe(nextAt);
      expect((await put(60_000, { timing: { kind: 'interval', everyMs: 61_000 } })).nextAt).toBeGreaterThan(nextAt!);
    });

    it('is not changed by those who declare it otherwise', async () => {
      await put(60_000);
      expect(await under.schedules.put(spec({ isDeclared: true, overlap: 'allow' }), 0)).toBe(false);
      expect(await read()).toMatchObject({ isDeclared: false, overlap: 'skip' });
    });

    it('is taken over by whoever makes it otherwise once nobody declares it any more', async () => {
      await put(-1, { isDeclared: true });
      await under.schedules.orphan([workflow], []);
      const taken = await put(60_000, { overlap: 'allow' });
      expect(taken).toMatchObject({ isDeclared: false, isOrphaned: false, overlap: 'allow' });
      expect(taken.nextAt).toBeGreaterThan(taken.now);
      expect(await under.schedules.put(spec({ isDeclared: true }), 0)).toBe(false);
    });

    it('rests while it is paused, through changes, and is resumed as it was read', async () => {
      await put(-1);
      expect(await under.schedules.pause(workflow)).toBe(true);
      const paused = await put(60_000, { overlap: 'allow', timing: { kind: 'interval', everyMs: 61_000 } });
      expect(paused).toMatchObject({ isPaused: true, nextAt: null });
      expect((await look()).dueSchedules).toEqual([]);
      expect(await under.schedules.resume(workflow, paused.revision - 1, 5)).toBe(false);
      expect(await under.schedules.resume(workflow, paused.revision, paused.now + 5_000)).toBe(true);
      expect(await read()).toMatchObject({ isPaused: false, nextAt: paused.now + 5_000 });
      expect(await under.schedules.resume(workflow, paused.revision + 1, 5)).toBe(false);
      expect(await under.schedules.pause('unknown')).toBe(false);
    });

    it('is orphaned where it was declared for one of these workflows and is not any more', async () => {
      const [kept, other] = [randomUUID(), randomUUID()];
      await put(-1, { isDeclared: true });
      await put(-1, { isDeclared: true, name: kept });
      await put(-1, { name: other });
      await under.schedules.orphan([workflow], [kept]);
      await under.schedules.orphan([randomUUID()], []);
      expect(await read()).toMatchObject({ isOrphaned: true, nextAt: null });
      expect((await look()).dueSchedules.toSorted()).toEqual([kept, other].sort());
      expect(await put(60_000, { isDeclared: true })).toMatchObject({ isOrphaned: false });
      expect((await read()).nextAt).toBeGreaterThan((await read()).now);
    });

    it('is removed as it was read', async () => {
      const { revision } = await put(60_000);
      expect(await under.schedules.remove(workflow, revision + 1)).toBe(false);
      expect(await under.schedules.remove(workflow, revision)).toBe(true);
      expect(await read()).toBeUndefined();
    });

    it('is listed by its name, those of one workflow or all', async () => {
      const names = ['a', 'b', 'c'].map((letter) => `${workflow} ${letter}`);
      for (const one of names) await put(60_000, { name: one });
      const list = async (after: string | null, limit: number) =>
        (await under.schedules.list({ workflow, after, limit })).map((one) => one.name);
      expect([await list(null, 2), await list(names[1]!, 2)]).toEqual([names.slice(0, 2), names.slice(2)]);
      const all = await under.schedules.list({ workflow: null, after: null, limit: 1_000 });
      expect(all.map((one) => one.name)).toEqual(expect.arrayContaining(names));
    });
  });

  describe(`${name}: an occurrence`, () => {
    it('is due at its time, to those who can start its run', async () => {
      await put(60_000);
      const early = await look();
      expect(early.dueSchedules).toEqual([]);
      expect(early.nextDueMs).toBeLessThanOrEqual(60_000);
      expect((await look({ workflows: [] })).nextDueMs ?? Infinity).toBeGreaterThan(60_000);
      await put(-1, { input: null, isDeclared: true, name: `${workflow} computed` });
      expect((await look()).dueSchedules).toEqual([]);
      expect((await look({ computed: [`${workflow} computed`] })).dueSchedules).toEqual([`${workflow} computed`]);
      expect((await look({ workflows: [], computed: [`${workflow} computed`] })).dueSchedules).toEqual([]);
    });

    it('is taken once: by whoever finds its schedule as it was read', async () => {
      const schedule = await put(-5);
      const [at, nextAt] = [schedule.nextAt!, schedule.now + 60_000];
      const [first, second] = [bear(schedule, at), bear(schedule, at)];
      const move = moveOf(schedule, { nextAt, lastAt: at, lastRun: first.run.id, lastError: null });
      expect(await under.schedules.take([move], [first])).toEqual([workflow]);
      expect(await under.schedules.take([{ ...move, lastRun: second.run.id }], [second])).toEqual([]);
      expect(await under.archive.find(second.run.id)).toBeNull();
      expect(await under.archive.find(first.run.id)).toMatchObject({
        ...{ status: 'pending', schedule: workflow, scheduledAt: new Date(at), workflow, definition, startedAt: null },
      });
      expect(await read()).toMatchObject({ nextAt, lastAt: at, lastRun: first.run.id, isRunning: true });
      const { dueRuns, dueSchedules } = await look();
      expect({ dueRuns, dueSchedules }).toEqual({ dueRuns: [first.run.id], dueSchedules: [] });
    });

    it('has no second run where its run is there already, and the schedule moves on', async () => {
      const schedule = await put(-5);
      const scheduled = bear(schedule, 1);
      await under.schedules.take([moveOf(schedule)], [scheduled]);
      const again = await read();
      expect(await under.schedules.take([moveOf(again)], [scheduled])).toEqual([workflow]);
      expect((await read()).revision).toBe(again.revision + 1);
      expect(await under.archive.find(scheduled.run.id)).toMatchObject({ scheduledAt: new Date(1) });
    });

    it('gives birth to runs that carry what they are given', async () => {
      const schedule = await put(-5);
      const scheduled = bear(schedule, 1);
      const given = { context: '"acme"', input: '"in"', priority: 3, tags: ['vip', 'a "quoted" one'] };
      const carrying = { ...scheduled, run: { ...scheduled.run, ...given } };
      await under.schedules.take([moveOf(schedule)], [carrying]);
      const { deadlineAt, ...record } = (await under.archive.find(scheduled.run.id))!;
      expect(record).toMatchObject({ input: '"in"', priority: 3, tags: given.tags });
      expect(deadlineAt!.getTime() - record.createdAt.getTime()).toBe(5_000);
      expect(await under.store.findRun(scheduled.run.id)).toMatchObject({ context: '"acme"', status: 'pending' });
    });

    it('is taken with others, those that can be', async () => {
      const other = await put(-5, { name: `${workflow} b` });
      const schedule = await put(-5);
      const stale = moveOf(other, { revision: other.revision + 1 });
      const runs = [bear(schedule, 1), bear(other, 1)];
      expect(await under.schedules.take([stale, moveOf(schedule)], runs)).toEqual([workflow]);
      expect([await under.archive.find(runs[0]!.run.id), await under.archive.find(runs[1]!.run.id)]).toEqual([
        expect.objectContaining({ schedule: workflow }),
        null,
      ]);
    });

    it('that waits is due once no run of its schedule is open, and looked for each second', async () => {
      const schedule = await put(60_000, { overlap: 'queue' });
      const scheduled = bear(schedule, 1);
      await under.schedules.take([moveOf(schedule, { queuedAt: 2 })], [scheduled]);
      const waiting = await look();
      expect(waiting.dueSchedules).toEqual([]);
      expect(waiting.nextDueMs).toBeLessThanOrEqual(1_000);
      await end(scheduled.run.id);
      expect((await look()).dueSchedules).toEqual([workflow]);
      expect(await put(60_000, { overlap: 'skip' })).toMatchObject({ queuedAt: null, isRunning: false });
    });

    it('supersedes the open runs of earlier ones, and no others', async () => {
      const schedule = await put(60_000, { overlap: 'cancel' });
      const runs = [bear(schedule, 1), bear(schedule, 2), bear(schedule, 3)];
      await under.schedules.take([moveOf(schedule, { lastAt: 3 })], runs);
      await end(runs[0]!.run.id);
      expect((await look()).supersededRuns).toEqual([{ runId: runs[1]!.run.id, schedule: workflow }]);
      await put(60_000, { overlap: 'allow' });
      expect((await look()).supersededRuns).toEqual([]);
    });
  });
}
