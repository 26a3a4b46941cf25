import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { NewRun, RunWrite } from '../../lib/engine/ports.js';
import * as drafts from '../support/commit-drafts.js';
import type { StoreUnderTest } from './store-conformance.js';

const BATCH = 100;
const ENDED = { status: 'completed', state: 'c', ended: true } as const;

/** What every store does for workflows with limits. */
export function describeLimits(name: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let workflow: string;

  beforeAll(async () => {
    under = await open();
  });

  afterAll(() => under?.close());

  beforeEach(() => {
    workflow = randomUUID();
  });

  const put = (total: number | null, perTenant: number | null = null) =>
    under.limits.put([{ workflow, total, perTenant }], []);

  const born = (change: Partial<NewRun> = {}) =>
    drafts.newRun({ workflow, definition: 1, status: 'pending', state: '.', isGated: true, ...change });

  async function start(change: Partial<NewRun> = {}): Promise<string> {
    const run = born(change);
    expect(await under.door.start(() => [run], false)).toMatchObject([{ kind: 'applied' }]);
    return run.id;
  }

  /** So many, one after the other. */
  async function startSome(count: number, change: Partial<NewRun> = {}): Promise<string[]> {
    const ids: string[] = [];
    for (let index = 0; index < count; index++) ids.push(await start(change));
    return ids;
  }

  const admit = async (limit = BATCH) => [...(await under.limits.admit([workflow], limit)).admitted].sort();

  async function commit(id: string, revision: number, change: Partial<RunWrite>): Promise<void> {
    const write = drafts.runWrite({ id, definition: 1, revision, ...change });
    expect(await under.door.submit(() => write)).toMatchObject({ kind: 'applied' });
  }

  const sorted = (...ids: readonly string[]) => ids.toSorted();

  describe(`${name}: limits`, () => {
    it('let as many runs have their turn as there is room for, those that have waited longest, and others as these end', async () => {
      expect(await put(2)).toEqual([workflow]);
      const [a, b, c, d] = await startSome(4);
      expect(await under.store.findRun(a!)).toMatchObject({ status: 'pending', gate: 'waits' });
      expect(await under.archive.find(a!)).toMatchObject({ dueAt: null, admitAt: expect.any(Date) });
      expect(await admit()).toEqual(sorted(a!, b!));
      expect(await under.store.findRun(a!)).toMatchObject({ status: 'pending', gate: 'passed', revision: 0 });
      expect(await under.archive.find(a!)).toMatchObject({ dueAt: expect.any(Date), admitAt: null });
      expect(await admit()).toEqual([]);
      await commit(a!, 0, { status: 'running' });
      expect(await admit()).toEqual([]);
      await commit(a!, 1, ENDED);
      expect(await admit()).toEqual([c]);
      await commit(b!, 0, { ...ENDED, status: 'cancelled' });
      await commit(c!, 0, ENDED);
      expect(await admit()).toEqual([d]);
    });

    it('let no more have their turn at a time than is asked for', async () => {
      await put(10);
      const [a, b, c] = await startSome(3);
      expect(await admit(2)).toEqual(sorted(a!, b!));
      expect(await admit(2)).toEqual([c]);
    });

    it('of tenants are those of each, and runs of nobody share one', async () => {
      await put(null, 1);
      const [acme] = await startSome(2, { tenant: 'acme' });
      const [globex] = await startSome(2, { tenant: 'globex' });
      const [nobody] = await startSome(2);
      expect(await admit()).toEqual(sorted(acme!, globex!, nobody!));
      expect(await admit()).toEqual([]);
      await commit(globex!, 0, ENDED);
      expect(await admit()).toHaveLength(1);
    });

    it('hold both for all and for each tenant', async () => {
      await put(3, 2);
      const acme = await startSome(3, { tenant: 'acme' });
      expect(await admit()).toEqual(sorted(acme[0]!, acme[1]!));
      const globex = await startSome(2, { tenant: 'globex' });
      expect(await admit()).toEqual([globex[0]]);
    });

    it('serve the tenant first of whom fewer are under way, so that many runs of one keep nobody waiting', async () => {
      await put(4);
      const many = await startSome(6, { tenant: 'acme' });
      const few = await startSome(2, { tenant: 'globex' });
      expect(await admit()).toEqual(sorted(many[0]!, many[1]!, few[0]!, few[1]!));
      await commit(many[0]!, 0, ENDED);
      const late = await start({ tenant: 'initech' });
      expect(await admit()).toEqual([late]);
    });

    it('serve lower priorities first, whoever they are of', async () => {
      await put(2);
      await startSome(3, { tenant: 'acme', priority: 5 });
      const urgent = [await start({ tenant: 'globex', priority: 1 }), await start({ tenant: 'globex', priority: 0 })];
      expect(await admit()).toEqual(sorted(...urgent));
    });

    it('are not asked for a run before its start time, which can be told, and hold no place for it', async () => {
      await put(1);
      const later = await start({ delayMs: 60_000 });
      const now = await start();
      const { admitted, nextDueMs } = await under.limits.admit([workflow], BATCH);
      expect(admitted).toEqual([now]);
      expect(nextDueMs).toBeGreaterThan(50_000);
      expect(nextDueMs).toBeLessThanOrEqual(60_000);
      await commit(now, 0, ENDED);
      expect(await admit()).toEqual([]);
      await under.pass(60_001);
      expect(await under.limits.admit([workflow], BATCH)).toMatchObject({ admitted: [later], nextDueMs: null });
    });

    it('are asked at once for one that was woken before its start time', async () => {
      await put(1);
      const id = await start({ delayMs: 60_000 });
      await commit(id, 0, { status: 'pending', state: '.', hurries: true });
      expect(await admit()).toEqual([id]);
      await commit(id, 1, { status: 'pending', state: '.', hurries: true });
      expect(await under.store.findRun(id)).toMatchObject({ gate: 'passed' });
    });

    it('do not concern a run that was cancelled while it waited, and hold no place for it', async () => {
      await put(1);
      const [a, b] = await startSome(2);
      await commit(a!, 0, { ...ENDED, status: 'cancelled' });
      expect(await admit()).toEqual([b]);
      expect(await under.store.findRun(a!)).toMatchObject({ gate: 'passed', status: 'cancelled' });
    });

    it('are waited for again by a run that is retried, which gives up its place', async () => {
      await put(1);
      const [a, b, c] = await startSome(3);
      await admit();
      await commit(a!, 0, { ...ENDED, status: 'failed', state: 'f', failedStep: 'a', failure: 'boom' });
      expect(await admit()).toEqual([b]);
      const renewal = { keeps: [], keepsItemsOf: [], forgetsFailure: true };
      await under.door.submitLocked(a!, () =>
        drafts.runWrite({ id: a!, definition: 1, revision: 1, status: 'pending', state: '.', generation: 1, renewal }),
      );
      expect(await under.store.findRun(a!)).toMatchObject({ gate: 'waits', generation: 1, failure: null });
      expect(await admit()).toEqual([]);
      await commit(b!, 0, ENDED);
      expect(await admit()).toEqual([c]);
      await commit(c!, 0, ENDED);
      expect(await admit()).toEqual([a]);
    });

    it('pass by a run that somebody locks', async () => {
      await put(1);
      const [a, b] = await startSome(2);
      const release = await under.hold(a!);
      const first = await admit();
      await release();
      // It had the only place while it was locked, or somebody else has it now.
      expect([[], [b]]).toContainEqual(first);
      if (first.length === 0) expect(await admit()).toEqual([a]);
    });

    it('that are changed hold for those that wait, and of a workflow that has none any more all have their turn', async () => {
      await put(1);
      const runs = await startSome(4);
      expect(await admit()).toEqual([runs[0]]);
      await put(2);
      expect(await admit()).toEqual([runs[1]]);
      expect(await under.limits.put([], [workflow, randomUUID()])).toEqual([workflow]);
      expect(await admit()).toEqual(sorted(runs[2]!, runs[3]!));
    });

    it('are those of the workflows that are asked for, and of no others', async () => {
      await put(1);
      await start();
      expect(await under.limits.admit([randomUUID()], BATCH)).toEqual({ admitted: [], isBusy: false, nextDueMs: null });
    });

    it('hold for runs of schedules too', async () => {
      await put(1);
      const now = await under.schedules.now();
      const timing = { kind: 'interval', everyMs: 60_000 } as const;
      const spec = {
        name: workflow,
        workflow,
        timing,
        overlap: 'allow',
        catchUp: 1,
        input: '1',
        isDeclared: false,
      } as const;
      await under.schedules.put(spec, now - 5);
      const [schedule] = await under.schedules.find([workflow]);
      const { revision, queuedAt, lastError } = schedule!;
      const run = born();
      const move = {
        name: workflow,
        revision,
        nextAt: now + 60_000,
        queuedAt,
        lastAt: now,
        lastRun: run.id,
        lastError,
      };
      await under.schedules.take([move], [{ schedule: workflow, scheduledAt: now, run }]);
      expect(await under.store.findRun(run.id)).toMatchObject({ gate: 'waits' });
      expect(await admit()).toEqual([run.id]);
    });
  });
}
