import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { InboxSignal } from '../../lib/engine/decision.js';
import { NOTICE_NAME } from '../../lib/engine/notices.js';
import type { NewRun, RunWrite } from '../../lib/engine/ports.js';
import * as drafts from '../support/commit-drafts.js';
import type { StoreUnderTest } from './store-conformance.js';

/** What every store does with runs that others have begun. */
export function describeChildren(name: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let workflow: string;
  let nextDefinition = 5_000;
  let definition: number;

  beforeAll(async () => {
    under = await open();
  });

  afterAll(() => under?.close());

  beforeEach(() => {
    [workflow, definition] = [randomUUID(), nextDefinition++];
  });

  const newRun = (change: Partial<NewRun> = {}) => drafts.newRun({ workflow, definition, ...change });
  const write = (id: string, revision: number, change: Partial<RunWrite> = {}) =>
    under.door.submit(() => drafts.runWrite({ id, definition, revision, ...change }));
  const end = (id: string, revision: number, change: Partial<RunWrite> = {}) =>
    write(id, revision, { status: 'completed', state: 'c', ended: true, ...change });

  async function start(change: Partial<NewRun> = {}): Promise<string> {
    const run = newRun(change);
    await under.door.start(() => [run], false);
    return run.id;
  }

  function childOf(runId: string, change: Partial<NewRun> = {}): NewRun {
    const parent = { runId, step: 'one', notice: '0/one' };
    return newRun({ status: 'pending', state: '.', delayMs: 0, parent, ...change });
  }

  /** A parent with a child. */
  async function bear(change: Partial<NewRun> = {}): Promise<[parent: string, child: string]> {
    const parent = await start();
    const child = childOf(parent, change);
    await write(parent, 0, { births: [child] });
    return [parent, child.id];
  }

  async function inboxOf(runId: string): Promise<readonly InboxSignal[]> {
    let inbox: readonly InboxSignal[] = [];
    await under.door.submitLocked(runId, (locked) => {
      inbox = locked!.inbox;
      return null;
    });
    return inbox;
  }

  describe(`${name}: a child`, () => {
    it('is born with the commit of its parent, pending and due, and knows whose it is', async () => {
      const [parent, child] = await bear();
      expect(await under.store.findRun(child)).toMatchObject({ status: 'pending', reportsTo: parent });
      expect(await under.archive.find(child)).toMatchObject({ parentId: parent, parentStep: 'one' });
      expect((await under.store.findRun(parent))!.reportsTo ?? null).toBeNull();
    });

    it('is not born where its parent has moved on, and once where it is born twice', async () => {
      const parent = await start();
      const child = childOf(parent);
      expect(await write(parent, 7, { births: [child] })).toEqual({ kind: 'stale' });
      expect(await under.store.findRun(child.id)).toBeNull();
      await write(parent, 0, { births: [child] });
      expect(await write(parent, 1, { births: [{ ...child, input: '2' }] })).toMatchObject({ kind: 'applied' });
      expect(await under.store.findRun(child.id)).toMatchObject({ input: '1' });
    });

    it('tells its parent of its end in the commit in which it ends, once, with how it has ended', async () => {
      const [parent, child] = await bear();
      await write(child, 0);
      expect(await inboxOf(parent)).toEqual([]);
      const failed = { status: 'failed', failedStep: 'two', failure: '"e"', cancelReason: 'r' } as const;
      await end(child, 1, failed);
      const [told, ...others] = await inboxOf(parent);
      expect(told).toMatchObject({ name: NOTICE_NAME, notice: '0/one', seen: false });
      expect(others).toEqual([]);
      await write(parent, 1, { signals: [{ id: told!.id, step: 'one' }] });
      const taken = await under.store.loadSignal(parent, 'one');
      expect(JSON.parse(taken!.payload)).toEqual({ status: 'failed', step: 'two', failure: '"e"', reason: 'r' });
      // It is retried, and ends once more.
      await write(child, 2);
      await end(child, 3);
      expect(await inboxOf(parent)).toEqual([]);
    });

    it('tells nobody where nobody waits for it, or its parent has ended', async () => {
      const [parent, child] = await bear({ parent: { runId: randomUUID(), step: 'one', notice: null } });
      await end(child, 0);
      expect(await inboxOf(parent)).toEqual([]);
      const [ended, late] = await bear();
      await end(ended, 1);
      await end(late, 0);
      expect(await inboxOf(ended)).toEqual([]);
    });

    it('finds in its inbox what its parent asks of it, once, as long as it goes on', async () => {
      const [parent, child] = await bear();
      const orders = [{ child, order: 'cancel' }] as const;
      expect(await write(parent, 7, { orders })).toEqual({ kind: 'stale' });
      expect(await inboxOf(child)).toEqual([]);
      await write(parent, 1, { orders });
      await write(parent, 2, { orders });
      expect(await inboxOf(child)).toMatchObject([{ notice: 'cancel', seen: false }]);
      const [other, ended] = await bear();
      await end(ended, 0);
      await write(other, 1, { orders: [{ child: ended, order: 'terminate' }] });
      expect(await inboxOf(ended)).toEqual([]);
    });

    it('has no more time than its parent, if that waits for it', async () => {
      const deadlineOf = async (id: string) => (await under.archive.find(id))!.deadlineAt;
      const parent = await start({ deadlineMs: 60_000 });
      const children = [
        childOf(parent, { deadlineMs: 600_000 }),
        childOf(parent, { deadlineMs: null }),
        childOf(parent, { deadlineMs: 1_000 }),
        childOf(parent, { deadlineMs: null, parent: { runId: parent, step: 'one', notice: null } }),
      ];
      await write(parent, 0, { births: children });
      const limit = await deadlineOf(parent);
      expect(await deadlineOf(children[0]!.id)).toEqual(limit);
      expect(await deadlineOf(children[1]!.id)).toEqual(limit);
      expect((await deadlineOf(children[2]!.id))!.getTime()).toBeLessThan(limit!.getTime());
      expect(await deadlineOf(children[3]!.id)).toBeNull();
    });

    it('that has ended is kept as long as its parent goes on', async () => {
      const [parent, child] = await bear();
      const rules = [{ status: 'completed', ageMs: 0 }] as const;
      const purge = () => under.store.purge({ rules, workflow, tags: null, limit: 10 });
      const remove = () => under.store.deleteRun(child, { by: null, reason: null });
      await end(child, 0);
      expect([await purge(), await remove()]).toEqual([0, false]);
      await end(parent, 1);
      expect(await remove()).toBe(true);
      expect(await purge()).toBe(1);
    });

    it('whose parent begins anew is none of that any more: what it told is not told again', async () => {
      const [parent, child] = await bear();
      await end(child, 0);
      await write(parent, 1, { status: 'failed', state: 'f', ended: true, failedStep: 'one', failure: '"e"' });
      const renewal = { keeps: [], keepsItemsOf: [], forgetsFailure: true };
      const anew = drafts.runWrite({ id: parent, definition, revision: 2, generation: 1, renewal });
      await under.door.submitLocked(parent, () => anew);
      expect(await inboxOf(parent)).toEqual([]);
    });
  });
}
