import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type {
  BeatNews,
  CommitAnswer,
  LockedRun,
  NewRun,
  PurgeRequest,
  QueuedStepWrite,
  Reaping,
  RunArchive,
  RunDoor,
  RunStore,
  RunWrite,
  ScheduleStore,
  StepTransactions,
  ToldHeartbeat,
} from '../../lib/engine/ports.js';
import type { LimitStore } from '../../lib/engine/limits.js';
import type { ControlAction, EndStatus } from '../../lib/engine/words.js';
import { staged } from '../../lib/engine/run-state.js';
import * as drafts from '../support/commit-drafts.js';
import { waitFor } from '../support/wait-for.js';

/** A store and its door, and what a test has to do around them. */
export interface StoreUnderTest {
  readonly door: RunDoor;
  readonly store: RunStore;
  readonly schedules: ScheduleStore;
  readonly limits: LimitStore;
  readonly archive: Pick<RunArchive, 'find' | 'steps' | 'audit'>;
  readonly transactions: StepTransactions<unknown>;
  /** Lets so many milliseconds of the database's time pass. */
  pass(ms: number): Promise<void>;
  /** Somebody locks a run and its rows. @returns what lets go of them */
  hold(runId: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

const LEASE_MS = 1_000;
const MAX_CRASHES = 4;

/** What every store does: the suite that each has to pass. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let door: RunDoor;
  let store: RunStore;
  // Of each test its own, so that none sees what another has left.
  let queue: string;
  let definition: number;
  let worker: string;
  let nextDefinition = 1_000;

  beforeAll(async () => {
    under = await open();
    ({ door, store } = under);
  });

  afterAll(() => under?.close());

  beforeEach(() => {
    [queue, definition, worker] = [randomUUID(), nextDefinition++, randomUUID()];
  });

  function newRun(change: Partial<NewRun> = {}): NewRun {
    return drafts.newRun({ workflow: queue, definition, ...change });
  }

  function keyed(key: string, change: Partial<NewRun> = {}): NewRun {
    return newRun({ key, inputHash: new Uint8Array([1, 2]), ...change });
  }

  function step(change: Partial<QueuedStepWrite> = {}): QueuedStepWrite {
    return drafts.stepWrite({ queue, ...change });
  }

  function write(id: string, revision: number, change: Partial<RunWrite> = {}): RunWrite {
    return drafts.runWrite({ id, definition, revision, ...change });
  }

  async function start(change: Partial<NewRun> = {}): Promise<string> {
    const run = newRun(change);
    const [answer] = await door.start(() => [run], false);
    expect(answer).toMatchObject({ kind: 'applied' });
    return run.id;
  }

  const startReady = (change: Partial<QueuedStepWrite> = {}) => start({ steps: [step(change)] });
  const submit = (run: RunWrite): Promise<CommitAnswer> => door.submit(() => run);
  const claim = (limit = 10, definitions = [definition]) => store.claim({ queue, worker, definitions, limit });
  const suspect = (isAccused: boolean, isAlone = false) =>
    store.claimSuspect({ queue, worker, definitions: [definition], maxCrashes: MAX_CRASHES, isAccused, isAlone });

  function beat(reap: Reaping = 'none', by = worker): Promise<BeatNews> {
    const request = {
      queues: [queue],
      definitions: [definition],
      workflows: [],
      computed: [],
      leaseMs: LEASE_MS,
      maxCrashes: MAX_CRASHES,
      openRuns: [],
      reap,
    };
    return store.beat({ worker: by, ...request });
  }

  const register = (id = worker) => store.registerWorker({ id, host: 'here', pid: 1, queues: [queue] }, LEASE_MS);

  /** A minute from now by the store's clock, as a caller would write it. */
  async function inAMinute(): Promise<string> {
    const answer = (await submit(write(await start(), 0))) as { readonly at: string };
    return new Date(Date.parse(answer.at) + 60_000).toISOString();
  }

  /** The open rows of a run, as a commit alone sees them. */
  async function rowsOf(id: string) {
    let rows: object = {};
    await door.submitLocked(id, (locked) => {
      rows = Object.fromEntries(locked!.rows);
      return null;
    });
    return rows;
  }

  describe(`${name}: a commit`, () => {
    it('raises the revision and writes the run', async () => {
      const id = await start();
      const change = { state: 'h;one,1,0,0,', worker, cancelReason: 'enough' };
      await expect(submit(write(id, 0, change))).resolves.toMatchObject({ kind: 'applied', at: expect.any(String) });
      await expect(store.findRun(id)).resolves.toMatchObject({ id, revision: 1, ...change, input: '1', generation: 0 });
    });

    it('keeps the failure and the reason of earlier ones', async () => {
      const id = await start();
      await submit(write(id, 0, { status: 'failing', failedStep: 'one', failure: '"boom"' }));
      await submit(write(id, 1, { status: 'failed', ended: true }));
      await expect(store.findRun(id)).resolves.toMatchObject({
        status: 'failed',
        failure: { step: 'one', error: '"boom"' },
      });
    });

    it.each(['running', 'waiting'] as const)('that makes a run %s says when it began, once', async (status) => {
      const id = await start({ status: 'pending', state: '.', delayMs: 0 });
      const startedAt = async () => (await under.archive.find(id))!.startedAt;
      expect(await startedAt()).toBeNull();
      await submit(write(id, 0, { status, state: status === 'waiting' ? 'w' : 'q' }));
      const began = await startedAt();
      expect(began).toEqual(expect.any(Date));
      await under.pass(60_000);
      await submit(write(id, 1, { status: 'waiting', state: 'w' }));
      await submit(write(id, 2, { status: 'running', state: 'q' }));
      expect(await startedAt()).toEqual(began);
    });

    it('keeps what people asked for in the audit log, newest first, and what is stale or refused leaves nothing there', async () => {
      const [one, two] = [await start(), await start()];
      const note = (action: ControlAction, by: string | null, reason: string | null) => ({ action, by, reason });
      await submit(write(one, 0, { audit: [note('wake', 'Ann', null), note('cancel', 'Bob', 'too late')] }));
      await submit(write(two, 0, { audit: [note('terminate', null, 'a test')] }));
      await submit(write(one, 0, { audit: [note('wake', 'Eve', null)] }));
      await submit(write(one, 1, { state: 'nul \0', audit: [note('wake', 'Eve', null)] }));
      const all = { runId: null, workflow: queue, by: null, before: null, limit: 10 };
      const found = await under.archive.audit(all);
      expect(found).toMatchObject([
        { runId: two, workflow: queue, action: 'terminate', by: null, reason: 'a test', at: expect.any(Date) },
        { runId: one, action: 'cancel', by: 'Bob', reason: 'too late' },
        { runId: one, action: 'wake', by: 'Ann', reason: null },
      ]);
      const only = async (some: object) => (await under.archive.audit({ ...all, ...some })).map(({ id }) => id);
      const [last, middle, first] = found.map(({ id }) => id);
      expect(await only({ runId: one })).toEqual([middle, first]);
      expect(await only({ by: 'Ann' })).toEqual([first]);
      expect(await only({ before: middle })).toEqual([first]);
      expect(await only({ limit: 2 })).toEqual([last, middle]);
      expect(await only({ workflow: 'another' })).toEqual([]);
    });

    it('at an old revision, or of a run that does not exist, is stale and writes nothing', async () => {
      const id = await start();
      await submit(write(id, 0));
      await expect(submit(write(id, 0, { state: 'x', steps: [step()] }))).resolves.toEqual({ kind: 'stale' });
      await expect(submit(write(randomUUID(), 0))).resolves.toEqual({ kind: 'stale' });
      await expect(store.findRun(id)).resolves.toMatchObject({ revision: 1, state: 'q' });
      expect(await rowsOf(id)).toEqual({});
    });

    it('of a stale run does not hold up those beside it', async () => {
      const ids = await Promise.all([start(), start(), start()]);
      await submit(write(ids[1], 0));
      const answers = await Promise.all(ids.map((id) => submit(write(id, 0))));
      expect(answers.map(({ kind }) => kind)).toEqual(['applied', 'stale', 'applied']);
    });

    it.each([
      ['running', 1, true, 'applied'],
      ['running', 0, true, 'stale'],
      ['running', 2, true, 'stale'],
      ['running', 1, false, 'stale'],
      ['ready', 1, false, 'applied'],
      ['ready', 1, true, 'stale'],
    ] as const)(
      'of a step that is %s is guarded: attempt %i, running %s: %s',
      async (status, attempt, running, kind) => {
        const by = status === 'running' ? worker : null;
        const id = await startReady({ status, worker: by, tally: tally(1) });
        const outcome = step({ guard: { attempt, running }, status: 'completed', tally: tally(1), result: '1' });
        const other = step({ step: 'two' });
        await expect(submit(write(id, 0, { steps: [other, outcome] }))).resolves.toMatchObject({ kind });
        expect(Object.keys(await rowsOf(id))).toEqual(kind === 'applied' ? ['two'] : ['one']);
      },
    );

    it('of a step that has no row is stale', async () => {
      const id = await start();
      const outcome = step({ guard: { attempt: 1, running: true }, status: 'completed', tally: tally(1) });
      await expect(submit(write(id, 0, { steps: [outcome] }))).resolves.toEqual({ kind: 'stale' });
    });

    it.each([
      [undefined, undefined, 'applied'],
      ['admitted', 'admitted', 'applied'],
      [undefined, 'admitted', 'stale'],
      ['admitted', undefined, 'stale'],
      ['parked', 'admitted', 'stale'],
    ] as const)('of a step at stage %s is guarded by it: by %s it is %s', async (stage, guarded, kind) => {
      const at = { ...tally(1), ...staged(stage) };
      const id = await startReady({ status: 'running', worker, tally: at });
      const guard = { attempt: 1, running: true, ...staged(guarded) };
      const outcome = step({ guard, status: 'completed', tally: at, result: '1' });
      await expect(submit(write(id, 0, { steps: [outcome] }))).resolves.toMatchObject({ kind });
      expect(Object.keys(await rowsOf(id))).toEqual(kind === 'applied' ? [] : ['one']);
    });

    it('that has nothing to write says so, and what its decision throws it passes on', async () => {
      const mistake = new Error('A mistake.');
      await expect(door.submit(() => null)).resolves.toEqual({ kind: 'nothing' });
      const broken = door.submit(() => {
        throw mistake;
      });
      await expect(broken).rejects.toBe(mistake);
    });

    it('with a value that cannot be stored is refused, alone among those beside it', async () => {
      const ids = await Promise.all([start(), start(), start()]);
      const answers = await Promise.all(
        ids.map((id, index) => submit(write(id, 0, index === 1 ? { state: 'nul \0' } : {}))),
      );
      expect(answers.map(({ kind }) => kind)).toEqual(['applied', 'refused', 'applied']);
      await expect(store.findRun(ids[1])).resolves.toMatchObject({ revision: 0 });
    });

    it('passes a run by that somebody holds, as stale', async () => {
      const [held, free] = [await start(), await start()];
      const letGo = await under.hold(held);
      const answers = await Promise.all([submit(write(held, 0)), submit(write(free, 0))]);
      expect(answers.map(({ kind }) => kind)).toEqual(['stale', 'applied']);
      await letGo();
    });
  });

  describe(`${name}: a commit alone`, () => {
    it('sees the run and its open rows, and writes what it decides', async () => {
      const id = await start({ steps: [step(), step({ step: 'two', status: 'completed', result: '1' })] });
      const answer = await door.submitLocked(id, (locked) => {
        expect(locked!.run).toMatchObject({ id, revision: 0, state: 'q', workflow: queue });
        expect([...locked!.rows]).toMatchObject([['one', { status: 'ready', attempt: 0, worker: null, alone: false }]]);
        return write(id, locked!.run.revision);
      });
      expect(answer).toMatchObject({ kind: 'applied' });
      await expect(store.findRun(id)).resolves.toMatchObject({ revision: 1 });
    });

    it('of a run that does not exist sees null', async () => {
      const seen: unknown[] = [];
      await expect(door.submitLocked(randomUUID(), (locked) => (seen.push(locked), null))).resolves.toEqual({
        kind: 'nothing',
      });
      expect(seen).toEqual([null]);
    });

    it('passes on what its decision throws, and refuses what cannot be stored', async () => {
      const id = await start();
      const mistake = new Error('A mistake.');
      const broken = door.submitLocked(id, () => {
        throw mistake;
      });
      await expect(broken).rejects.toBe(mistake);
      const nonsense = door.submitLocked(id, () => write(id, 0, { status: 'nonsense' as 'running' }));
      await expect(nonsense).resolves.toMatchObject({ kind: 'refused' });
      await expect(submit(write(id, 0))).resolves.toMatchObject({ kind: 'applied' });
    });

    it('waits for whoever holds the run', async () => {
      const id = await start();
      const letGo = await under.hold(id);
      let isAnswered = false;
      const alone = door.submitLocked(id, (locked) => write(id, locked!.run.revision));
      void alone.then(() => (isAnswered = true));
      // Whatever comes behind it is answered before it is.
      await submit(write(await start(), 0));
      expect(isAnswered).toBe(false);
      await letGo();
      await expect(alone).resolves.toMatchObject({ kind: 'applied' });
    });

    it('loses nothing where many come at once', async () => {
      const id = await start();
      const all = Array.from({ length: 10 }, () => door.submitLocked(id, (run) => write(id, run!.run.revision)));
      expect((await Promise.all(all)).every(({ kind }) => kind === 'applied')).toBe(true);
      await expect(store.findRun(id)).resolves.toMatchObject({ revision: 10 });
    });
  });

  describe(`${name}: a start`, () => {
    it('is found by its id and its key', async () => {
      const run = keyed('a');
      await door.start(() => [run], true);
      const found = await store.findByKey(queue, 'a');
      expect([found!.id, [...found!.inputHash]]).toEqual([run.id, [1, 2]]);
      await expect(store.findByKey(queue, 'b')).resolves.toBeNull();
      await expect(store.findByKey('another', 'a')).resolves.toBeNull();
      await expect(store.findRun(randomUUID())).resolves.toBeNull();
    });

    it('tells whoever runs it what it carries, and those beside it nothing of that', async () => {
      const [plain, carrying] = [await startReady(), await start({ context: '"acme"', steps: [step()] })];
      const claimed = await claim();
      expect(new Map(claimed.map(({ run }) => [run.id, run.context]))).toEqual(
        new Map([
          [plain, null],
          [carrying, '"acme"'],
        ]),
      );
      await expect(store.findRun(carrying)).resolves.toMatchObject({ context: '"acme"' });
      await door.submitLocked(carrying, (locked) => (expect(locked!.run.context).toBe('"acme"'), null));
    });

    it('whose id or key is taken is stale, and those beside it are not', async () => {
      const first = keyed('a');
      await door.start(() => [first], true);
      const next = [keyed('a'), newRun({ id: first.id }), keyed('b'), keyed('a', { workflow: randomUUID() })];
      const answers = await Promise.all(next.map((run) => door.start(() => [run], true)));
      expect(answers.map(([answer]) => answer!.kind)).toEqual(['stale', 'stale', 'applied', 'applied']);
      await expect(store.findByKey(queue, 'a')).resolves.toMatchObject({ id: first.id });
    });

    it('of several under names writes all or none', async () => {
      await door.start(() => [keyed('b')], true);
      const [one, two] = [keyed('a', { steps: [step()] }), keyed('b')];
      const answers = await door.start(() => [one, two], true);
      expect(answers.map(({ kind }) => kind)).toEqual(['stale', 'stale']);
      await expect(store.findRun(one.id)).resolves.toBeNull();
      expect(await claim()).toEqual([]);
      const both = await door.start(() => [one, keyed('c')], true);
      expect(both.map(({ kind }) => kind)).toEqual(['applied', 'applied']);
      expect(await claim()).toHaveLength(1);
    });

    it('with a value that cannot be stored is refused, and all that was to start with it', async () => {
      const runs = [newRun(), newRun({ input: 'nul \0' })];
      expect((await door.start(() => runs, false)).map(({ kind }) => kind)).toEqual(['refused', 'refused']);
      await expect(store.findRun(runs[0]!.id)).resolves.toBeNull();
    });

    it('keeps the tags of its run, whatever they consist of', async () => {
      const tags = ['vip', 'a "quoted", {braced} \\ one', '  ', 'NULL', 'тег\n'];
      const [tagged, plain] = [await start({ tags }), await start()];
      expect((await under.archive.find(tagged))!.tags).toEqual(tags);
      expect((await under.archive.find(plain))!.tags).toEqual([]);
    });

    it('says whose its run is', async () => {
      const [owned, plain] = [await start({ tenant: 'acme' }), await start()];
      expect((await under.archive.find(owned))!.tenant).toBe('acme');
      expect((await under.archive.find(plain))!.tenant).toBeNull();
      expect(await store.findRun(owned)).toMatchObject({ tenant: 'acme' });
      await door.submitLocked(owned, (locked) => {
        expect(locked!.run.tenant).toBe('acme');
        return null;
      });
    });

    it('of a run that waits has a row with a time, which is not ready', async () => {
      const id = await start({
        ...{ status: 'waiting', state: 'w' },
        steps: [step({ status: 'waiting', delayMs: 60_000 })],
      });
      await expect(under.archive.find(id)).resolves.toMatchObject({ status: 'waiting', startedAt: expect.any(Date) });
      expect(await rowsOf(id)).toMatchObject({ one: { status: 'waiting', attempt: 0, worker: null } });
      expect(await claim()).toEqual([]);
    });
  });

  describe(`${name}: a pause`, () => {
    const pause = (id: string, begins: 'begins' | 'ends', change: Partial<RunWrite> = {}) =>
      door.submitLocked(id, (locked) => {
        const status = begins === 'begins' ? 'paused' : 'running';
        return write(id, locked!.run.revision, { status, pause: begins, ...change });
      });

    it('has claims pass by what waits, and looks too, until it ends; what runs goes on', async () => {
      const id = await start({ steps: [step(), step({ step: 'two' }), step({ step: 'three' })] });
      await claim(1);
      await expect(pause(id, 'begins')).resolves.toMatchObject({ kind: 'applied' });
      await expect(store.findRun(id)).resolves.toMatchObject({ status: 'paused', revision: 1 });
      await register();
      expect(await claim()).toEqual([]);
      const { readyQueues, claims } = await beat();
      expect(readyQueues).toEqual([]);
      expect(claims).toHaveLength(1);
      const suspected = await start({ steps: [step({ tally: { attempt: 3, failures: 0, crashes: 3 } })] });
      await pause(suspected, 'begins');
      expect(await suspect(true)).toBeNull();
      expect((await beat()).suspects).toEqual([]);
      await pause(id, 'ends');
      expect((await beat()).readyQueues).toEqual([queue]);
      expect(await claim()).toHaveLength(2);
      await pause(suspected, 'ends');
      expect((await beat()).suspects).toEqual([{ queue, isAccused: true }]);
      expect(await suspect(true)).toMatchObject({ step: 'one' });
    });

    it('has claims pass by what is left to wait while it lasts', async () => {
      const id = await startReady();
      const [claimed] = await claim();
      await pause(id, 'begins');
      const guard = { attempt: 1, running: true };
      const left = [step({ guard, tally: claimed!.tally }), step({ step: 'two' })];
      await submit(write(id, 1, { status: 'paused', steps: left }));
      expect(await claim()).toEqual([]);
      await pause(id, 'ends', { steps: [step({ step: 'three' })] });
      expect((await claim()).map(({ step: name }) => name).sort()).toEqual(['one', 'three', 'two']);
    });

    it('lets times come due, and nobody take up what is', async () => {
      const id = await start({
        steps: [
          step({ status: 'waiting', delayMs: 1_000 }),
          step({ step: 'two', status: 'retrying', delayMs: 90_000 }),
        ],
      });
      await pause(id, 'begins');
      await register();
      await under.pass(2_000);
      await beat();
      expect(await rowsOf(id)).toMatchObject({ one: { status: 'ready' }, two: { status: 'retrying' } });
      expect(await claim()).toEqual([]);
      await pause(id, 'ends');
      expect(await claim()).toMatchObject([{ step: 'one' }]);
      await under.pass(90_000);
      await beat();
      expect(await claim()).toMatchObject([{ step: 'two' }]);
    });

    it('does not count against the time in which a worker has to take a step', async () => {
      const id = await startReady({ startWithinMs: 10_000 });
      await under.pass(5_000);
      await pause(id, 'begins');
      await register();
      await under.pass(20_000);
      expect((await beat()).unclaimed).toEqual([]);
      await pause(id, 'ends');
      await under.pass(3_000);
      expect((await beat()).unclaimed).toEqual([]);
      await under.pass(3_000);
      expect((await beat()).unclaimed).toMatchObject([{ runId: id, step: 'one' }]);
    });

    it('keeps the start time of a run, which is not due until it ends, and its deadline', async () => {
      const id = await start({ status: 'pending', state: '.', delayMs: 60_000, deadlineMs: 90_000 });
      await pause(id, 'begins');
      await register();
      await under.pass(70_000);
      expect((await beat()).dueRuns).toEqual([]);
      await pause(id, 'ends', { status: 'pending' });
      expect((await beat()).dueRuns).toEqual([id]);
      await pause(id, 'begins');
      await under.pass(90_000);
      expect((await beat()).overdueRuns).toEqual([id]);
      await pause(id, 'ends');
      await expect(under.archive.find(id)).resolves.toMatchObject({ dueAt: null, deadlineAt: expect.any(Date) });
    });
  });

  describe(`${name}: a new generation`, () => {
    const failed = { status: 'failed', state: 'cf', failedStep: 'two', failure: '"boom"', ended: true } as const;
    const renewal = { keeps: ['one'], keepsItemsOf: [], forgetsFailure: true };
    const anew = (id: string, change: Partial<RunWrite> = {}) =>
      door.submitLocked(id, (locked) => {
        const { revision, generation } = locked!.run;
        return write(id, revision, { generation: generation + 1, state: 'cq', renewal, ...change });
      });

    it('keeps the rows of what has completed, and what begins anew has a row of its own', async () => {
      const one = step({ status: 'completed', tally: { attempt: 1, failures: 0, crashes: 0 }, result: '1' });
      const id = await start({ steps: [one, step({ step: 'two' })] });
      const [claimed] = await claim();
      const guard = { attempt: 1, running: true };
      const two = step({ step: 'two', guard, status: 'failed', tally: claimed!.tally, error: '"boom"' });
      await submit(write(id, 0, { ...failed, steps: [two] }));
      await expect(anew(id, { steps: [step({ step: 'two' })] })).resolves.toMatchObject({ kind: 'applied' });
      await expect(store.findRun(id)).resolves.toMatchObject({
        ...{ status: 'running', generation: 1, revision: 2, failure: null },
      });
      await expect(under.archive.find(id)).resolves.toMatchObject({ endedAt: null });
      await expect(store.loadResults(id, 1, ['one', 'two'])).resolves.toEqual(new Map([['one', '1']]));
      expect(await under.archive.steps(id, 1)).toMatchObject([
        { name: 'one', status: 'completed' },
        { name: 'two', status: 'ready', attempt: 0, failures: 0, errors: [] },
      ]);
      const [again] = await claim();
      expect(again).toMatchObject({ step: 'two', tally: { attempt: 1 }, run: { generation: 1 } });
      await register();
      const { claims } = await beat();
      expect(claims).toMatchObject([{ claim: { step: 'two', attempt: 1, generation: 1 } }]);
      // An outcome of the attempt with the same number that was before.
      await expect(submit(write(id, 2, { steps: [two] }))).resolves.toEqual({ kind: 'stale' });
    });

    it('keeps what the run failed with where that is not forgotten', async () => {
      const id = await start();
      await submit(write(id, 0, failed));
      await anew(id, { status: 'compensating', renewal: { ...renewal, forgetsFailure: false } });
      await expect(store.findRun(id)).resolves.toMatchObject({ failure: { step: 'two', error: '"boom"' } });
    });

    it('gives signals back that were taken by what begins anew, and lets the run look again', async () => {
      const id = await start();
      for (const payload of ['1', '2', '3']) await store.addSignal({ runId: id, name: 'paid', key: null, payload });
      const inbox = async () => {
        let signals: LockedRun['inbox'] = [];
        await door.submitLocked(id, (locked) => {
          signals = locked!.inbox;
          return null;
        });
        return signals;
      };
      const [first, second, third] = (await inbox()).map((signal) => signal.id);
      const taken = [
        { id: first!, step: 'one' },
        { id: second!, step: 'two' },
        { id: third!, step: null },
      ];
      await submit(write(id, 0, { ...failed, signals: taken }));
      await anew(id);
      expect(await inbox()).toMatchObject([
        { id: second, seen: false },
        { id: third, seen: false },
      ]);
      await expect(store.loadSignal(id, 'one')).resolves.toMatchObject({ payload: '1' });
    });

    it('lets items of a fan-out that begins anew keep their results, and nothing else', async () => {
      const id = await start();
      const add = (generation: number, ...payloads: string[]) =>
        store.addItems({
          ...{ runId: id, generation, step: 'fan', attempt: 1 },
          queue,
          priority: 0,
          first: 0,
          payloads,
        });
      const item = (index: number, change: Partial<QueuedStepWrite>) =>
        step({
          ...{ step: `fan[${index}]`, row: { name: 'fan', item: index + 1 }, guard: { attempt: 0, running: false } },
          ...{ tally: { attempt: 1, failures: 1, crashes: 0 }, startedAt: '2026-01-01T00:00:00Z', ...change },
        });
      await add(0, 'a', 'b', 'c');
      const done = item(0, { status: 'completed', result: '1', error: '"once"' });
      await submit(write(id, 0, { ...failed, steps: [done, item(1, { status: 'failed', error: '"boom"' })] }));
      await anew(id, { renewal: { ...renewal, keepsItemsOf: ['fan'] } });
      // By a process that has not heard of it.
      await add(0, 'x', 'y', 'z');
      await add(1, 'x', 'b', 'c');
      const load = (index: number) => store.loadItem(id, 1, 'fan', index);
      expect(await Promise.all([load(0), load(1), load(2)])).toEqual([
        { payload: 'a', result: '1' },
        { payload: 'b', result: null },
        { payload: 'c', result: null },
      ]);
      const page = { runId: id, generation: 1, step: 'fan', after: -1, limit: 10 };
      expect(await store.loadItemResults(page)).toEqual([]);
      const begun = item(0, { status: 'ready', tally: { attempt: 0, failures: 0, crashes: 0 }, startedAt: null });
      const { revision } = (await store.findRun(id))!;
      await expect(submit(write(id, revision, { generation: 1, steps: [begun] }))).resolves.toMatchObject({
        kind: 'applied',
      });
      expect(await claim()).toMatchObject([{ step: 'fan[0]', tally: { attempt: 1, failures: 0 } }]);
    });

    it('knows which steps, or items, have left a doubt in an earlier one, until a person has said that they did nothing', async () => {
      const id = await start();
      const one = { name: 'one', item: 0 };
      const has = (generation: number, place = one) => store.hasDoubts(id, generation, place);
      const was = (change: Partial<QueuedStepWrite['tally']>, row = one) => {
        const tally = { attempt: 1, failures: 1, crashes: 0, ...change };
        return step({ row, status: 'failed', tally, startedAt: '2026-01-01T00:00:00Z' });
      };
      const fanned = { name: 'fan', item: 2 };
      const lost = { ...was({ crashes: 1 }, fanned), step: 'fan[1]' };
      await submit(write(id, 0, { ...failed, steps: [was({ inDoubt: true }), lost] }));
      expect(await has(0)).toBe(false);
      const next = async (...steps: QueuedStepWrite[]) => {
        await anew(id, { renewal: { keeps: [], keepsItemsOf: [], forgetsFailure: true } });
        const { revision, generation } = (await store.findRun(id))!;
        await submit(write(id, revision, { ...failed, generation, steps }));
        return generation;
      };
      expect(await has(await next())).toBe(true);
      expect(await has(await next(was({ stage: 'cleared' })))).toBe(true);
      expect(await has(await next())).toBe(false);
      expect([await has(3, fanned), await has(3, { name: 'fan', item: 1 })]).toEqual([true, false]);
    });

    it('lets items keep results from generations before the last, which ended before it came to them', async () => {
      const id = await start();
      const payloads = ['a', 'b', 'c'];
      await store.addItems({
        ...{ runId: id, generation: 0, step: 'fan', attempt: 1 },
        ...{ queue, priority: 0, first: 0, payloads },
      });
      const item = (index: number, change: Partial<QueuedStepWrite>) =>
        step({
          ...{ step: `fan[${index}]`, row: { name: 'fan', item: index + 1 }, guard: { attempt: 0, running: false } },
          ...{ tally: { attempt: 1, failures: 0, crashes: 0 }, ...change },
        });
      const done = [0, 1].map((index) => item(index, { status: 'completed', result: `${index}` }));
      await submit(write(id, 0, { ...failed, steps: done }));
      await anew(id, { renewal: { ...renewal, keepsItemsOf: ['fan'] } });
      const given = item(0, { status: 'cancelled', tally: { attempt: 0, failures: 0, crashes: 0 } });
      const { revision } = (await store.findRun(id))!;
      await submit(write(id, revision, { ...failed, generation: 1, steps: [given] }));
      await anew(id, { renewal: { ...renewal, keepsItemsOf: ['fan'] } });
      const load = (index: number) => store.loadItem(id, 2, 'fan', index);
      expect(await Promise.all([load(0), load(1)])).toEqual([
        { payload: 'a', result: '0' },
        { payload: 'b', result: '1' },
      ]);
    });
  });

  describe(`${name}: items of a fan-out`, () => {
    const add = (runId: string, first: number, ...payloads: string[]) => addBy(1, runId, first, ...payloads);
    const addBy = (attempt: number, runId: string, first: number, ...payloads: string[]) =>
      store.addItems({ runId, generation: 0, step: 'fan', attempt, queue, priority: 3, first, payloads });
    const drop = (attempt: number, runId: string, count: number) =>
      store.dropItems({ runId, generation: 0, step: 'fan', attempt, count });
    const item = (index: number, change: Partial<QueuedStepWrite> = {}) =>
      step({
        step: `fan[${index}]`,
        row: { name: 'fan', item: index + 1 },
        guard: { attempt: 0, running: false },
        ...change,
      });
    const tally = { attempt: 1, failures: 0, crashes: 0 };
    const page = { generation: 0, step: 'fan', after: -1, limit: 10 };

    it('are stored once, stay as they are from their beginning on, and none is stored of a run that has ended', async () => {
      const id = await start();
      await add(id, 0, 'a', 'b', 'c');
      await submit(write(id, 0, { steps: [item(0), item(1, { status: 'completed', tally, result: '2' })] }));
      await add(id, 0, 'x', 'y', 'c');
      const load = (index: number) => store.loadItem(id, 0, 'fan', index);
      expect(await Promise.all([load(0), load(1), load(2), load(3)])).toEqual([
        { payload: 'a', result: null },
        { payload: 'b', result: '2' },
        { payload: 'c', result: null },
        null,
      ]);
      await submit(write(id, 1, { status: 'cancelled', state: 'x', ended: true }));
      await add(id, 3, 'd');
      expect(await load(3)).toBeNull();
    });

    it('are those of the last attempt that has stored any, and none of an attempt before it', async () => {
      const id = await start({ steps: [step({ step: 'fan', row: { name: 'fan', item: 0 }, status: 'ready' })] });
      const load = (index: number) => store.loadItem(id, 0, 'fan', index);
      const payloads = async () => (await Promise.all([load(0), load(1), load(2)])).map((found) => found?.payload);
      await claim();
      await add(id, 0, 'a', 'b', 'c');
      await drop(1, id, 3);
      expect(await payloads()).toEqual(['a', 'b', 'c']);
      const [released, was] = [
        { attempt: 1, failures: 0, crashes: 0 },
        { attempt: 1, running: true },
      ];
      const row = { step: 'fan', row: { name: 'fan', item: 0 }, guard: was, status: 'ready', tally: released } as const;
      await submit(write(id, 0, { steps: [step(row)] }));
      await claim();
      await addBy(2, id, 0, 'x', 'y');
      await drop(2, id, 2);
      expect(await payloads()).toEqual(['x', 'y', undefined]);
      await add(id, 0, 'a', 'b', 'c');
      await drop(1, id, 0);
      expect(await payloads()).toEqual(['x', 'y', undefined]);
      await submit(write(id, 1, { steps: [item(1)] }));
      await drop(2, id, 0);
      expect(await payloads()).toEqual([undefined, 'y', undefined]);
    });

    it('are written each by itself, under its own guard, and are no steps of the run', async () => {
      const id = await start();
      await add(id, 0, 'a', 'b', 'c');
      const done = { status: 'completed', tally, startedAt: '2026-01-01T00:00:00Z' } as const;
      const steps = [item(0, { ...done, result: '1' }), item(2, { ...done, result: '3' })];
      expect(await submit(write(id, 0, { steps }))).toMatchObject({ kind: 'applied' });
      const late = item(0, { ...done, guard: { attempt: 1, running: true }, result: '9' });
      expect(await submit(write(id, 1, { steps: [late, item(1)] }))).toMatchObject({ kind: 'stale' });
      expect(await submit(write(id, 1, { steps: [item(9)] }))).toMatchObject({ kind: 'stale' });
      expect(await store.loadItemResults({ ...page, runId: id })).toEqual([
        { index: 0, result: '1' },
        { index: 2, result: '3' },
      ]);
      expect(await store.loadItemResults({ ...page, runId: id, after: 0, limit: 1 })).toEqual([
        { index: 2, result: '3' },
      ]);
      expect(await under.archive.steps(id, 0)).toEqual([]);
    });

    it('are claimed once they have begun, shown under the lock, and told by a beat, by their own names', async () => {
      const id = await start();
      await register();
      await add(id, 0, 'a', 'b');
      expect(await claim()).toEqual([]);
      await submit(write(id, 0, { steps: [item(1)] }));
      expect(await claim()).toMatchObject([{ step: 'fan[1]', tally: { attempt: 1 }, run: { id } }]);
      expect(await rowsOf(id)).toMatchObject({ 'fan[1]': { status: 'running', attempt: 1, worker } });
      const { claims } = await beat();
      expect(claims).toMatchObject([{ runId: id, claim: { step: 'fan[1]', attempt: 1 } }]);
    });
  });

  describe(`${name}: a claim`, () => {
    it('takes ready steps by priority and age, as many as it may', async () => {
      const late = await startReady({ priority: 1 });
      const [first, second] = [await startReady(), await startReady()];
      expect((await claim(2)).map(({ run }) => run.id)).toEqual([first, second]);
      expect((await claim(2)).map(({ run }) => run.id)).toEqual([late]);
      expect(await claim(2)).toEqual([]);
    });

    it('counts an attempt and says whose it is, and leaves the run as it is', async () => {
      const id = await startReady({ tally: { attempt: 2, failures: 1, crashes: 1 } });
      const [claimed] = await claim();
      expect(claimed).toMatchObject({
        ...{ step: 'one', tally: { attempt: 3, failures: 1, crashes: 1 }, startedAt: expect.any(String) },
        run: { id, revision: 0, workflow: queue, input: '1' },
      });
      expect(await rowsOf(id)).toMatchObject({ one: { status: 'running', attempt: 3, worker, alone: false } });
    });

    it('takes no step of another queue or of a definition that it does not name', async () => {
      await startReady({ queue: randomUUID() });
      await startReady();
      expect(await claim(10, [definition + 500_000])).toEqual([]);
      expect(await claim()).toHaveLength(1);
    });

    it('gives a step to one of those who ask at once', async () => {
      await Promise.all([startReady(), startReady(), startReady()]);
      const claims = await Promise.all([claim(2), claim(2), claim(2)]);
      const ids = claims.flat().map(({ run }) => run.id);
      expect([ids.length, new Set(ids).size]).toEqual([3, 3]);
    });

    it('passes a row by that somebody holds', async () => {
      const [held, free] = [await startReady(), await startReady()];
      const letGo = await under.hold(held);
      expect((await claim()).map(({ run }) => run.id)).toEqual([free]);
      await letGo();
      expect((await claim()).map(({ run }) => run.id)).toEqual([held]);
    });

    it('passes suspects by, which are claimed for themselves', async () => {
      const crashes = (count: number) => startReady({ tally: { attempt: count, failures: 0, crashes: count } });
      const [, suspected, accused] = [await crashes(1), await crashes(2), await crashes(3)];
      expect(await claim()).toHaveLength(1);
      expect((await suspect(false))!.run.id).toBe(suspected);
      await expect(suspect(false)).resolves.toBeNull();
      expect((await suspect(true, true))!.run.id).toBe(accused);
      expect(await rowsOf(accused)).toMatchObject({ one: { status: 'running', attempt: 4, alone: true } });
    });
  });

  describe(`${name}: a signal`, () => {
    const signal = (runId: string, key: string | null = null, payload = '"p"') => {
      return store.addSignal({ runId, name: 'news', key, payload });
    };
    const inboxOf = async (id: string) => {
      let inbox: LockedRun['inbox'] = [];
      await door.submitLocked(id, (locked) => ((inbox = locked!.inbox), null));
      return inbox;
    };
    const end = { status: 'completed', ended: true } as const;

    it('is stored for a run that has not ended, and once for each key', async () => {
      const id = await start();
      expect([await signal(id), await signal(id, 'k'), await signal(id, 'k', '"q"'), await signal(id)]).toEqual(
        Array(4).fill(true),
      );
      expect(await inboxOf(id)).toMatchObject(Array(3).fill({ name: 'news', seen: false }));
      await submit(write(id, 0, end));
      expect([await signal(id), await signal(id, 'l'), await signal(id, 'k')]).toEqual([false, false, true]);
      expect(await signal(randomUUID())).toBe(false);
    });

    it('comes in the order in which it was sent, and is answered for itself, also where many come at once', async () => {
      const [id, other, ended] = [await start(), await start(), await start()];
      await submit(write(ended, 0, end));
      const [first, ...others] = Array.from({ length: 50 }, (_, n) => n);
      const sent = await Promise.all([
        signal(id, 'k', `${first}`),
        signal(ended),
        ...others.flatMap((n) => [signal(id, null, `${n}`), signal(other, `${n}`)]),
        signal(id, 'k', '"again"'),
        signal(randomUUID(), 'k'),
      ]);
      expect(sent).toEqual([true, false, ...others.flatMap(() => [true, true]), true, false]);
      const inbox = await inboxOf(id);
      await submit(write(id, 0, { signals: inbox.map((one, n) => ({ id: one.id, step: `step-${n}` })) }));
      const payloads = await Promise.all(inbox.map((_, n) => store.loadSignal(id, `step-${n}`)));
      expect(payloads.map((taken) => taken!.payload)).toEqual([first, ...others].map(String));
      expect(await inboxOf(other)).toHaveLength(others.length);
    });

    it('is shown under the lock until a step has taken it, and its payload to that step', async () => {
      const id = await start();
      for (const payload of ['"1"', '"2"', '"3"']) await signal(id, null, payload);
      const [one, two] = await inboxOf(id);
      const signals = [
        { id: one!.id, step: null },
        { id: two!.id, step: 'wait' },
      ];
      await submit(write(id, 0, { signals }));
      expect((await inboxOf(id)).map(({ seen }) => seen)).toEqual([true, false]);
      await expect(store.loadSignal(id, 'wait')).resolves.toMatchObject({ name: 'news', payload: '"2"' });
      await expect(store.loadSignal(id, 'other')).resolves.toBeNull();
    });

    it('that nobody has taken makes a commit void that expects none, and one that was taken does not', async () => {
      const id = await start();
      const expectsNone = (revision: number) => submit(write(id, revision, { expectsNoSignals: true }));
      expect(await expectsNone(0)).toMatchObject({ kind: 'applied' });
      await signal(id);
      expect(await expectsNone(1)).toEqual({ kind: 'stale' });
      const [only] = await inboxOf(id);
      await submit(write(id, 1, { signals: [{ id: only!.id, step: 'wait' }] }));
      expect(await expectsNone(2)).toMatchObject({ kind: 'applied' });
    });

    it('is not taken by a commit that is void', async () => {
      const id = await start();
      await signal(id);
      const [only] = await inboxOf(id);
      expect(await submit(write(id, 7, { signals: [{ id: only!.id, step: 'wait' }] }))).toEqual({ kind: 'stale' });
      expect(await inboxOf(id)).toMatchObject([{ seen: false }]);
    });

    it('at which nobody has looked is told by every beat to those who can run the run, as long as that goes on', async () => {
      await register();
      const [id, ended] = [await start(), await start()];
      expect((await beat()).signalledRuns).toEqual([]);
      await Promise.all([signal(id), signal(ended)]);
      await submit(write(ended, 0, end));
      expect((await beat()).signalledRuns).toEqual([id]);
      const [only] = await inboxOf(id);
      await submit(write(id, 0, { signals: [{ id: only!.id, step: null }] }));
      expect((await beat()).signalledRuns).toEqual([]);
    });
  });

  describe(`${name}: many signals`, () => {
    it('at which nobody has looked hide none from those who can run its run, and are looked over no more after a sweep once their run has ended', async () => {
      await register();
      const send = (runId: string) => store.addSignal({ runId, name: 'news', key: null, payload: '1' });
      const foreign = await start({ id: randomUUID().replace(/^./, '0'), definition: definition + 500_000 });
      const ended = await start({ id: randomUUID().replace(/^./, '0') });
      for (let count = 0; count < 300; count++) await Promise.all([send(foreign), send(ended)]);
      await submit(write(ended, 0, { status: 'completed', ended: true, state: 'c' }));
      const id = await start({ id: randomUUID().replace(/^./, 'f') });
      await send(id);
      expect((await beat()).signalledRuns).toEqual([id]);
      await store.sweepDead();
      expect((await beat()).signalledRuns).toEqual([id]);
      let inbox: LockedRun['inbox'] = [];
      await door.submitLocked(ended, (locked) => ((inbox = locked!.inbox), null));
      expect(new Set(inbox.map(({ seen }) => seen))).toEqual(new Set([true]));
    });
  });

  describe(`${name}: a transaction of a step`, () => {
    const { signal } = new AbortController();
    const commit = (runId: string, attempt = 1, stage?: 'admitted') => {
      const its = { step: 'one', startedAt: '', ...tally(attempt), ...staged(stage) };
      const request = { runId, generation: 0, row: { name: 'one', item: 0 }, claim: its, timeoutMs: null, signal };
      return under.transactions.run(request, () => Promise.resolve('42'));
    };
    const startRunning = async (change: Partial<QueuedStepWrite> = {}) => {
      const id = await startReady(change);
      await claim();
      return id;
    };

    it('leaves its result in the row, which says so to whoever locks the run', async () => {
      const id = await startRunning();
      expect(await commit(id)).toBe('committed');
      expect(await rowsOf(id)).toMatchObject({ one: { status: 'running', attempt: 1, stage: 'committed' } });
      const guard = { attempt: 1, running: true, stage: 'committed' } as const;
      const settled = step({ guard, status: 'completed', tally: { ...tally(1), stage: 'committed' } });
      await submit(write(id, 0, { state: 'c', status: 'completed', ended: true, steps: [settled] }));
      expect(await store.loadResults(id, 0, ['one'])).toEqual(new Map([['one', '42']]));
    });

    it('comes in once, and only for the attempt at the stage that runs', async () => {
      const id = await startRunning();
      expect(await commit(id, 2)).toBe('refused');
      expect(await commit(id, 1, 'admitted')).toBe('refused');
      expect(await commit(id)).toBe('committed');
      expect(await commit(id)).toBe('refused');
      const waiting = await startReady({ tally: tally(1) });
      expect(await commit(waiting)).toBe('refused');
    });

    it('is refused where its run was stopped, or its step has lost a join', async () => {
      const [cancelled, lost, undoing] = [await startRunning(), await startRunning(), await startRunning()];
      await submit(write(cancelled, 0, { status: 'cancelling' }));
      expect(await commit(cancelled)).toBe('refused');
      const aborting = step({ status: 'running', worker, tally: tally(1), aborting: true });
      await submit(write(lost, 0, { state: 'a', steps: [{ ...aborting, guard: { attempt: 1, running: true } }] }));
      expect(await commit(lost)).toBe('refused');
      await submit(write(undoing, 0, { status: 'compensating' }));
      expect(await commit(undoing)).toBe('committed');
    });

    it('of an item marks the row of that item, and no other', async () => {
      const id = await start();
      await store.addItems({
        ...{ runId: id, generation: 0, step: 'one', attempt: 1, queue },
        priority: 0,
        first: 0,
        payloads: ['a', 'b'],
      });
      const guard = { attempt: 0, running: false };
      const steps = [0, 1].map((index) =>
        step({ step: `one[${index}]`, row: { name: 'one', item: index + 1 }, guard, status: 'ready' }),
      );
      await submit(write(id, 0, { steps }));
      await claim(2);
      const its = { step: 'one[1]', startedAt: '', ...tally(1) };
      const request = { runId: id, generation: 0, row: { name: 'one', item: 2 }, claim: its, timeoutMs: null, signal };
      expect(await under.transactions.run(request, () => Promise.resolve('42'))).toBe('committed');
      expect(await rowsOf(id)).toEqual({
        'one[0]': expect.not.objectContaining({ stage: 'committed' }),
        'one[1]': expect.objectContaining({ status: 'running', attempt: 1, stage: 'committed' }),
      });
    });

    it('writes nothing where its work throws, and does not begin where it is not wanted any more', async () => {
      const id = await startRunning();
      const its = { step: 'one', startedAt: '', ...tally(1) };
      const request = { runId: id, generation: 0, row: { name: 'one', item: 0 }, claim: its, timeoutMs: 50 };
      const fails = under.transactions.run({ ...request, signal }, () => Promise.reject(new Error('no')));
      await expect(fails).rejects.toThrow('no');
      const unwanted = { ...request, signal: AbortSignal.abort(new Error('unwanted')) };
      await expect(under.transactions.run(unwanted, () => Promise.resolve('1'))).rejects.toThrow('unwanted');
      expect(await commit(id)).toBe('committed');
    });
  });

  describe(`${name}: runs that have ended`, () => {
    const purge = (change: Partial<PurgeRequest>) =>
      store.purge({ rules: [], workflow: queue, tags: null, limit: 10, ...change });
    const endAs = async (status: EndStatus, tags: string[] = []) => {
      const id = await start({ tags, steps: [step()] });
      const state = status === 'completed' ? 'c' : 'x';
      const ended = step({
        guard: { attempt: 0, running: false },
        status: status === 'terminated' ? 'cancelled' : status,
      });
      expect(await submit(write(id, 0, { status, state, ended: true, steps: [ended] }))).toMatchObject({
        kind: 'applied',
      });
      return id;
    };
    const exists = async (id: string) => (await store.findRun(id)) !== null;

    it('are deleted by how and how long ago they have ended, the oldest first, and what goes on is not', async () => {
      const first = await endAs('completed');
      await under.pass(60_000);
      const [second, failed, open] = [await endAs('completed'), await endAs('failed'), await start()];
      const completed = (ageMs: number) => ({ rules: [{ status: 'completed', ageMs } as const] });
      expect(await purge(completed(120_000))).toBe(0);
      expect(await purge({ ...completed(0), limit: 1 })).toBe(1);
      expect([await exists(first), await exists(second)]).toEqual([false, true]);
      const rules = [...completed(0).rules, { status: 'failed', ageMs: 0 } as const];
      expect(await purge({ rules })).toBe(2);
      expect([await exists(second), await exists(failed), await exists(open)]).toEqual([false, false, true]);
      expect(await under.archive.steps(first, 0)).toEqual([]);
    });

    it('are deleted by workflow and tags, and not while somebody locks them', async () => {
      const tagged = await endAs('cancelled', ['a', 'b']);
      const rules = [{ status: 'cancelled', ageMs: 0 } as const];
      expect(await purge({ rules, workflow: 'another' })).toBe(0);
      expect(await purge({ rules, tags: ['a', 'c'] })).toBe(0);
      const letGo = await under.hold(tagged);
      expect(await purge({ rules, tags: ['b', 'a'] })).toBe(0);
      await letGo();
      expect(await purge({ rules, tags: ['b', 'a'] })).toBe(1);
    });

    it('are deleted one by one, and a key is free from then on', async () => {
      const asked = { by: 'Ann', reason: 'asked for it' };
      const keyedRun = keyed('once');
      const begin = (run: NewRun) => door.start(() => [run], true);
      expect(await begin(keyedRun)).toMatchObject([{ kind: 'applied' }]);
      expect(await store.deleteRun(keyedRun.id, asked)).toBe(false);
      await submit(write(keyedRun.id, 0, { status: 'completed', state: 'c', ended: true }));
      expect(await store.deleteRun(keyedRun.id, asked)).toBe(true);
      expect(await store.deleteRun(keyedRun.id, asked)).toBe(false);
      expect(await store.findByKey(queue, 'once')).toBeNull();
      expect(await begin(keyed('once'))).toMatchObject([{ kind: 'applied' }]);
      expect(await submit(write(keyedRun.id, 1))).toMatchObject({ kind: 'stale' });
    });
  });

  describe(`${name}: a deadline`, () => {
    it('is told when it has passed, not before, and no more once its run was stopped', async () => {
      await register();
      const [late, stopped] = [await start({ deadlineMs: 60_000 }), await start({ deadlineMs: 60_000 })];
      const before = await beat();
      expect([before.overdueRuns, before.nextDueMs! > 0]).toEqual([[], true]);
      await under.pass(60_001);
      expect([...(await beat()).overdueRuns].sort()).toEqual([late, stopped].sort());
      await submit(write(stopped, 0, { status: 'failing' }));
      expect((await beat()).overdueRuns).toEqual([late]);
    });

    it('counts from the beginning of a run that waits for it', async () => {
      await register();
      const id = await start({ status: 'pending', state: '.', delayMs: 60_000, deadlineMs: 60_000 });
      await under.pass(60_001);
      expect((await beat()).overdueRuns).toEqual([]);
      await under.pass(60_000);
      expect((await beat()).overdueRuns).toEqual([id]);
    });
  });

  describe(`${name}: a step that a worker has to take in time`, () => {
    const hurried = (change: Partial<QueuedStepWrite> = {}) => step({ startWithinMs: 60_000, ...change });
    const mine = async () => (await beat()).unclaimed.filter((one) => one.queue === queue);

    it('is told by every beat once it is late, also by workers that cannot run it, and not before', async () => {
      await register();
      const id = await start({ steps: [hurried({ tally: { ...tally(0), stage: 'admitted' } })] });
      const before = await beat();
      expect([await mine(), before.nextDueMs! > 0 && before.nextDueMs! <= 60_000]).toEqual([[], true]);
      await under.pass(60_001);
      const late = { runId: id, step: 'one', attempt: 0, stage: 'admitted', generation: 0, queue };
      definition += 1;
      expect(await mine()).toEqual([late]);
      expect(await mine()).toEqual([late]);
    });

    it('waits no longer once a worker has taken it, and anew when it is given back', async () => {
      await register();
      const id = await start({ steps: [hurried()] });
      const [claimed] = await claim();
      await under.pass(60_001);
      expect(await mine()).toEqual([]);
      const guard = { attempt: 1, running: true };
      await submit(write(id, 0, { steps: [hurried({ guard, tally: claimed!.tally })] }));
      expect(await mine()).toEqual([]);
      await under.pass(60_001);
      expect(await mine()).toMatchObject([{ runId: id, attempt: 1 }]);
      await submit(write(id, 1, { steps: [step({ guard: { attempt: 1, running: false }, tally: claimed!.tally })] }));
      expect(await mine()).toEqual([]);
    });

    it('has all its time from when it is made ready, however late that is', async () => {
      await register();
      const id = await start({
        steps: [hurried({ status: 'retrying', delayMs: 1_000, error: '"x"', tally: tally(1) })],
      });
      await under.pass(100_000);
      expect((await beat()).wokenQueues).toContain(queue);
      expect(await mine()).toEqual([]);
      await under.pass(59_000);
      expect(await mine()).toEqual([]);
      await under.pass(1_001);
      expect(await mine()).toMatchObject([{ runId: id, step: 'one' }]);
    });

    it('is told by the name of its item', async () => {
      await register();
      const id = await start();
      const payloads = ['"a"', '"b"'];
      const items = { runId: id, generation: 0, step: 'fan', attempt: 1, queue, priority: 0, first: 0, payloads };
      await store.addItems(items);
      const row = { name: 'fan', item: 2 };
      const guard = { attempt: 0, running: false };
      await submit(write(id, 0, { steps: [hurried({ step: 'fan[1]', row, guard })] }));
      await under.pass(60_001);
      expect(await mine()).toMatchObject([{ runId: id, step: 'fan[1]' }]);
    });
  });

  describe(`${name}: what an attempt tells of how far it is`, () => {
    const row = { name: 'one', item: 0 };
    const tell = (runId: string, attempt: number, details: string, change: Partial<ToldHeartbeat> = {}) =>
      store.saveHeartbeats([{ runId, generation: 0, row, attempt, details, ...change }]);
    const told = (runId: string, of = row) => store.loadHeartbeat(runId, 0, of);

    it('is what was told last, of each step and item by itself', async () => {
      const [id, other] = [await start(), await start()];
      expect(await told(id)).toBeNull();
      const item = { name: 'one', item: 2 };
      const one = { runId: id, generation: 0, attempt: 1 };
      await store.saveHeartbeats([
        { ...one, row, details: '1' },
        { ...one, row: item, details: '"item"' },
        { ...one, runId: other, row, details: '"other"' },
      ]);
      await tell(id, 1, '2');
      expect([await told(id), await told(id, item), await told(other)]).toEqual(['2', '"item"', '"other"']);
      expect(await store.loadHeartbeat(id, 1, row)).toBeNull();
    });

    it('is no more heard of an attempt that a later one has followed, whether that has told anything or not', async () => {
      const id = await start({ steps: [step({ status: 'running', worker, tally: tally(2) })] });
      await tell(id, 1, '"late"');
      expect(await told(id)).toBeNull();
      await tell(id, 2, '"now"');
      await tell(id, 1, '"late"');
      expect(await told(id)).toBe('"now"');
      const held = await start();
      await tell(held, 3, '"now"');
      await tell(held, 2, '"late"');
      expect(await told(held)).toBe('"now"');
    });

    it('is not heard of a run that has ended, is of another generation, or is not there, and goes with its run', async () => {
      const id = await start();
      await tell(id, 1, '1', { generation: 1 });
      await tell(randomUUID(), 1, '1');
      expect(await store.loadHeartbeat(id, 1, row)).toBeNull();
      await tell(id, 1, '1');
      await submit(write(id, 0, { status: 'completed', state: 'c', ended: true }));
      await tell(id, 1, '2');
      expect(await told(id)).toBe('1');
      expect(await store.deleteRun(id, { by: null, reason: null })).toBe(true);
      expect(await told(id)).toBeNull();
    });
  });

  describe(`${name}: time`, () => {
    it('makes a retrying step ready when it is due, and not before', async () => {
      await register();
      const id = await startReady({ status: 'retrying', tally: tally(1), delayMs: 60_000, error: '"x"' });
      const before = await beat();
      expect([before.wokenQueues.includes(queue), before.nextDueMs! > 0, await claim()]).toEqual([false, true, []]);
      await under.pass(60_001);
      expect((await beat()).wokenQueues).toContain(queue);
      expect((await claim()).map(({ run }) => run.id)).toEqual([id]);
    });

    it('begins a delayed run when it is due, and not before', async () => {
      await register();
      const id = await start({ status: 'pending', state: '.', delayMs: 60_000 });
      expect((await beat()).dueRuns).toEqual([]);
      await under.pass(60_001);
      expect((await beat()).dueRuns).toEqual([id]);
      await submit(write(id, 0));
      expect((await beat()).dueRuns).toEqual([]);
    });

    it('begins a run that has a time to begin at when that has come, and not before', async () => {
      await register();
      const id = await start({ status: 'pending', state: '.', dueAt: await inAMinute() });
      const before = await beat();
      expect([before.dueRuns, before.nextDueMs! > 0]).toEqual([[], true]);
      await under.pass(60_001);
      expect((await beat()).dueRuns).toEqual([id]);
    });

    it.each(['delayMs', 'dueAt'] as const)(
      'makes a step ready that waits by %s when it is due, and not before',
      async (by) => {
        await register();
        const time = by === 'dueAt' ? { dueAt: await inAMinute() } : { delayMs: 60_000 };
        const id = await startReady({ status: 'waiting', ...time });
        const before = await beat();
        expect([before.wokenQueues.includes(queue), before.nextDueMs! > 0, await claim()]).toEqual([false, true, []]);
        expect(await rowsOf(id)).toMatchObject({ one: { status: 'waiting' } });
        await under.pass(60_001);
        expect((await beat()).wokenQueues).toContain(queue);
        expect(await rowsOf(id)).toMatchObject({ one: { status: 'ready' } });
        expect((await claim()).map(({ run }) => run.id)).toEqual([id]);
        expect((await beat()).wokenQueues).not.toContain(queue);
      },
    );

    it('is no longer waited for by a step that a commit has made ready', async () => {
      await register();
      const id = await startReady({ status: 'waiting', delayMs: 60_000 });
      const guard = { attempt: 0, running: false };
      await expect(submit(write(id, 0, { steps: [step({ guard })] }))).resolves.toMatchObject({ kind: 'applied' });
      expect(await claim()).toHaveLength(1);
      await under.pass(60_001);
      expect((await beat()).wokenQueues).not.toContain(queue);
    });

    it('keeps the result and the stage of a step that waits, whoever takes it up and gives it back', async () => {
      await register();
      const id = await startReady({ status: 'running', worker, tally: tally(1) });
      const parked = { ...tally(1), stage: 'parked' } as const;
      const guard = { attempt: 1, running: true };
      await submit(
        write(id, 0, { steps: [step({ guard, status: 'waiting', tally: parked, result: '"then"', delayMs: 1 })] }),
      );
      await under.pass(2);
      await beat();
      const [claimed] = await claim();
      expect(claimed!.tally).toEqual({ ...parked, attempt: 2 });
      const release = { guard: { attempt: 2, running: true, stage: 'parked' }, tally: claimed!.tally } as const;
      await expect(submit(write(id, 1, { steps: [step(release)] }))).resolves.toMatchObject({ kind: 'applied' });
      expect(await rowsOf(id)).toMatchObject({ one: { status: 'ready', attempt: 2, stage: 'parked' } });
      expect([...(await store.loadResults(id, 0, ['one']))]).toEqual([['one', '"then"']]);
      expect((await claim())[0]!.tally).toEqual({ ...parked, attempt: 3 });
    });
  });

  describe(`${name}: a beat`, () => {
    it('says what is this worker’s, what is ready and what was stopped', async () => {
      await register();
      const [claimed, stopped] = [await startReady(), await start({ state: 'h;one,1,0,0,', worker })];
      const [{ startedAt } = { startedAt: '' }] = await claim();
      await startReady();
      await startReady({ tally: { attempt: 2, failures: 0, crashes: 2 } });
      await startReady({ tally: { attempt: 3, failures: 0, crashes: 3 } });
      await submit(write(stopped, 0, { status: 'cancelling', state: 'h;one,1,0,0,', worker }));
      const news = await beat();
      expect(news).toMatchObject({ alive: true, stoppedRuns: [stopped], heldRuns: [], readyQueues: [queue] });
      expect(news.claims).toEqual([
        { runId: claimed, isUnwanted: false, claim: { step: 'one', attempt: 1, failures: 0, crashes: 0, startedAt } },
      ]);
      expect([...news.suspects].sort((one, other) => Number(one.isAccused) - Number(other.isAccused))).toEqual([
        { queue, isAccused: false },
        { queue, isAccused: true },
      ]);
      await under.pass(LEASE_MS * 0.75);
      expect((await beat()).heldRuns).toEqual([stopped]);
    });

    it('says which claims are no longer wanted, in rows and of holds that have become rows', async () => {
      await register();
      const row = await startReady();
      const [{ startedAt } = { startedAt: '' }] = await claim();
      const held = await start({ state: 'h;one,1,0,0,', worker });
      const aborting = { status: 'running', tally: tally(1), worker, aborting: true } as const;
      await submit(write(row, 0, { steps: [step({ ...aborting, guard: { attempt: 1, running: true } })] }));
      await submit(write(held, 0, { state: 'a', steps: [step({ ...aborting, startedAt })] }));
      const { claims } = await beat();
      const wanted = (runId: string) => claims.find((own) => own.runId === runId);
      const own = { step: 'one', attempt: 1, failures: 0, crashes: 0, startedAt };
      expect(wanted(row)).toEqual({ runId: row, isUnwanted: true, claim: own });
      expect(wanted(held)).toEqual({ runId: held, isUnwanted: true, claim: own });
    });

    it('says at which stage a claim is', async () => {
      await register();
      const id = await startReady({ tally: { ...tally(0), stage: 'admitted' } });
      await claim();
      const { claims } = await beat();
      expect(claims).toMatchObject([{ runId: id, isUnwanted: false, claim: { attempt: 1, stage: 'admitted' } }]);
    });

    it('says nothing of what is another’s', async () => {
      await Promise.all([register(), register(randomUUID())]);
      await startReady({ queue: randomUUID() });
      await start({ state: 'h;one,1,0,0,', worker: randomUUID(), status: 'running' });
      expect(await beat()).toMatchObject({ stoppedRuns: [], claims: [], heldRuns: [], readyQueues: [], suspects: [] });
    });

    it('buries who has not renewed, and finds what that worker held, in rows and in runs', async () => {
      const dead = randomUUID();
      await register(dead);
      await register();
      const held = await start({ state: 'h;one,1,0,0,', worker: dead });
      const row = await startReady({ status: 'running', worker: dead, tally: tally(1) });
      const lostOf = (news: BeatNews) => news.lost.filter(({ runId }) => [held, row].includes(runId));
      expect(lostOf(await beat('all'))).toEqual([]);
      await under.pass(LEASE_MS + 1);
      // Without leave to reap nobody is buried.
      expect(lostOf(await beat())).toEqual([]);
      const lost = await waitFor('the dead worker is buried', async () => {
        const found = lostOf(await beat('all'));
        return found.length > 0 ? found : null;
      });
      expect(new Set(lost.map(({ runId }) => runId))).toEqual(new Set([held, row]));
      expect(lost.every(({ workers }) => workers.length === 1 && workers[0] === dead)).toBe(true);
      // The dead never live again; whoever renewed does.
      expect([(await beat('none', dead)).alive, (await beat()).alive]).toEqual([false, true]);
    });

    it('buries by witness only who was silent while another was heard, and not before a fifth of a lease has passed', async () => {
      const [dead, witness] = [randomUUID(), randomUUID()];
      await register(dead);
      await register();
      const held = await start({ state: 'h;one,1,0,0,', worker: dead });
      const isLost = async (reap: Reaping) => (await beat(reap)).lost.some(({ runId }) => runId === held);
      await under.pass(LEASE_MS + 1);
      expect(await isLost('witnessed')).toBe(false);
      await register(witness);
      expect(await isLost('witnessed')).toBe(false);
      await waitFor('the dead worker is buried', async () => {
        await under.pass(LEASE_MS / 5 + 1);
        return isLost('witnessed');
      });
      expect([(await beat('none', dead)).alive, (await beat('none', witness)).alive]).toEqual([false, true]);
    });

    it('finds what a worker held that nobody knows', async () => {
      await register();
      const held = await start({ state: 'h;one,1,0,0,', worker: randomUUID() });
      expect((await beat()).lost.map(({ runId }) => runId)).toContain(held);
    });
  });

  describe(`${name}: a worker that says goodbye`, () => {
    it('is gone, unless something still names it', async () => {
      await register();
      const id = await start({ state: 'h;one,1,0,0,', worker });
      await store.removeWorker(worker);
      expect((await beat()).alive).toBe(true);
      await submit(write(id, 0, { state: 'c', status: 'completed', ended: true }));
      await store.removeWorker(worker);
      expect((await beat()).alive).toBe(false);
      await expect(store.sweepDead()).resolves.toBeUndefined();
    });
  });

  describe(`${name}: definitions and results`, () => {
    const graph = (hash: string) => ({ name: queue, hash, version: null, output: 'one', graph: '{}' });

    it('a definition has one number, whoever registers it', async () => {
      const [one, same] = await Promise.all([
        store.registerDefinition(graph('a')),
        store.registerDefinition(graph('a')),
      ]);
      const other = await store.registerDefinition(graph('b'));
      expect([one === same, one === other]).toEqual([true, false]);
      const stored = await store.loadDefinitions([queue, 'another']);
      expect([...stored].sort((first, second) => first.id - second.id)).toEqual(
        [
          { ...graph('a'), id: one },
          { ...graph('b'), id: other },
        ].sort((first, second) => first.id - second.id),
      );
    });

    it('results are those of completed steps, and the output that of the step the definition names', async () => {
      definition = await store.registerDefinition(graph('a'));
      const done = (name: string, result: string) => step({ step: name, status: 'completed', tally: tally(1), result });
      const id = await start();
      await submit(write(id, 0, { steps: [done('one', '"1"'), done('two', '"2"'), step({ step: 'three' })] }));
      const results = await store.loadResults(id, 0, ['one', 'three', 'none']);
      expect([...results]).toEqual([['one', '"1"']]);
      expect(await store.findEnded([id])).toEqual([]);
      await submit(write(id, 1, { status: 'completed', ended: true, state: 'ccc' }));
      const failed = await start();
      await submit(write(failed, 0, { status: 'failed', ended: true, failedStep: 'one', failure: '"x"' }));
      const ended = await store.findEnded([id, failed, randomUUID()]);
      expect(new Set(ended)).toEqual(
        new Set([
          { id, workflow: queue, status: 'completed', output: '"1"', failure: null, cancelReason: null },
          {
            ...{ id: failed, workflow: queue, status: 'failed', output: null, cancelReason: null },
            failure: { step: 'one', error: '"x"' },
          },
        ]),
      );
    });

    it('failures are the last errors of steps that have failed for good', async () => {
      const id = await start();
      const failing = (name: string, change: Partial<QueuedStepWrite>) =>
        step({ step: name, tally: tally(1), error: '"first"', ...change });
      await submit(
        write(id, 0, {
          steps: [
            failing('failed', { status: 'retrying', delayMs: 1 }),
            failing('retrying', { status: 'retrying', delayMs: 60_000 }),
            failing('quarantined', { status: 'quarantined' }),
            failing('cancelled', { status: 'cancelled' }),
            failing('completed', { status: 'completed', result: '1' }),
          ],
        }),
      );
      const guard = { attempt: 1, running: false };
      const last = { status: 'failed', error: '"last"', tally: tally(2), guard } as const;
      await submit(write(id, 1, { steps: [step({ step: 'failed', ...last })] }));
      const names = ['failed', 'retrying', 'quarantined', 'cancelled', 'completed', 'none'];
      const failures = await store.loadFailures(id, 0, names);
      expect(Object.fromEntries(failures)).toEqual({ failed: '"last"', quarantined: '"first"' });
      expect([...(await store.loadFailures(id, 0, ['completed']))]).toEqual([]);
    });

    it.each([
      ['has lost a join and completed all the same', { status: 'completed', aborting: true }],
      ['has a result and has not completed', { status: 'cancelled', aborting: false }],
    ] as const)('the output is not that of a step that %s', async (_, change) => {
      definition = await store.registerDefinition(graph('a'));
      const id = await start();
      await submit(write(id, 0, { steps: [step({ ...change, tally: tally(1), result: '"1"' })] }));
      await submit(write(id, 1, { status: 'completed', ended: true, state: 'd' }));
      expect(await store.findEnded([id])).toMatchObject([{ id, status: 'completed', output: null }]);
    });
  });
}

function tally(attempt: number) {
  return { attempt, failures: 0, crashes: 0 };
}
