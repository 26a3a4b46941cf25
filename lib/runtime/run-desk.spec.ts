import { describe, expect, it } from '@jest/globals';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { Fact } from '../engine/facts.js';
import type { GraphNode } from '../engine/graph.js';
import { indexGraph } from '../engine/indexed-graph.js';
import type { ClaimedStep, CommitAnswer, LockedRun, RunWrite, StoredRun } from '../engine/ports.js';
import { DEFAULT_RETRY } from '../engine/retry-policy.js';
import { EventHub } from '../events/event-hub.js';
import { JsonCodec } from '../persistence/codec.js';
import type { Attempt } from './attempt.js';
import { RunDesk, type RunDeskPorts } from './run-desk.js';
import type { StartRequest } from './run-writes.js';
import { SlotOffice } from './slot-office.js';
import { StepPump } from './step-pump.js';
import { SYSTEM_CLOCK } from './system-clock.js';
import { WorkerSelf } from './worker-self.js';

const AT = '2026-01-01 00:00:00+00';
const APPLIED: CommitAnswer = { kind: 'applied', at: AT };

const node = (name: string, after: readonly string[]): GraphNode => ({
  ...{ name, after, results: after, queue: 'q', priority: 0, retry: DEFAULT_RETRY, timeoutMs: null },
});
const graph = indexGraph({
  workflow: 'w',
  version: null,
  output: 'join',
  nodes: [node('a', []), node('b', []), node('join', ['a', 'b'])],
});

/** A desk whose door and whose steps the test plays. */
class Stage {
  readonly self = new WorkerSelf(['q'], SYSTEM_CLOCK);
  readonly events = new EventHub();
  readonly attempts: Attempt[] = [];
  /** What the shared lane answers, in turn. */
  readonly shared: (() => CommitAnswer | Promise<CommitAnswer>)[] = [];
  /** What was given to the shared lane. */
  readonly writes: RunWrite[] = [];
  /** What was given to the side lane. */
  readonly lockedWrites: (RunWrite | null)[] = [];
  readonly alone: ((write: RunWrite | null) => CommitAnswer)[] = [];
  locked: LockedRun | null = null;
  holdsLease = true;
  /** The workflow's code, where this process has it. */
  code: object | null = {};
  /** What the store has of the run. */
  found: StoredRun | null = null;
  /** Answers the starts. */
  started = (_: readonly CommitAnswer[]) => {};
  readonly pump = new StepPump({
    queue: 'q',
    concurrency: 10,
    claim: () => Promise.resolve(0),
    passOn: () => {},
    onError: () => {},
    clock: SYSTEM_CLOCK,
  });
  private readonly ends = new Map<Attempt, (fact: Fact) => void>();
  readonly desk: RunDesk;

  constructor() {
    const slots = new SlotOffice(
      () => {},
      () => this.holdsLease,
    );
    slots.add(this.pump);
    const door = {
      submit: async (prepare: () => RunWrite | null): Promise<CommitAnswer> => {
        await new Promise((resolve) => setImmediate(resolve));
        const write = prepare();
        if (write === null) return { kind: 'nothing' };
        this.writes.push(write);
        return (this.shared.shift() ?? (() => APPLIED))();
      },
      submitLocked: async (_id: string, decide: (locked: LockedRun | null) => RunWrite | null) => {
        await new Promise((resolve) => setImmediate(resolve));
        const write = decide(this.locked);
        this.lockedWrites.push(write);
        return write === null ? { kind: 'nothing' as const } : (this.alone.shift() ?? (() => APPLIED))(write);
      },
      start: (prepare: (held: boolean) => unknown) => {
        prepare(false);
        return new Promise<readonly CommitAnswer[]>((resolve) => (this.started = resolve));
      },
    };
    const runner = {
      run: (attempt: Attempt) => {
        this.attempts.push(attempt);
        return new Promise<Fact>((resolve) => this.ends.set(attempt, resolve));
      },
    };
    const store = { findRun: () => Promise.resolve(this.found) };
    const shelf = { get: () => Promise.resolve({ id: 1, graph, code: this.code }) };
    this.desk = new RunDesk({
      ...{ door, runner, shelf, store, slots, self: this.self, events: this.events, codec: new JsonCodec() },
      ...{ onEnded: () => {}, onWaits: () => {}, onTimer: () => {} },
    } as unknown as RunDeskPorts);
  }

  /** What the pump does with a claimed row. */
  async claim(step: string, attempt: number, run: StoredRun, worker = this.self.id): Promise<void> {
    this.pump.slots.take(1);
    const claimed: ClaimedStep = { step, tally: { attempt, failures: 0, crashes: 0 }, startedAt: AT, run };
    await this.desk.admit(claimed, worker);
  }

  complete(step: string, result: string): void {
    const attempt = this.attempts.findLast((candidate) => candidate.node.name === step)!;
    this.ends.get(attempt)!({ type: 'step-completed', claim: attempt.claim, result });
  }

  get slotsInUse(): number {
    return this.pump.slots.capacity - this.pump.slots.free;
  }
}

function stored(state: string, revision: number): StoredRun {
  return {
    ...{ id: 'r', workflow: 'w', definition: 1, status: 'running', revision, generation: 0, state, worker: null },
    ...{
      priority: 0,
      input: '',
      context: null,
      tenant: null,
      gate: null,
      failure: null,
      cancelReason: null,
      updatedAt: AT,
    },
  };
}

const settle = async () => {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
};

describe('RunDesk', () => {
  it('goes on from the recorded outcome, not from one of its own that came too late', async () => {
    const stage = new Stage();
    await stage.claim('a', 1, stored('qq.', 0));
    await stage.claim('b', 1, stored('qq.', 0));
    // Another process has taken `a` for lost, run it again and recorded that; both outcomes of ours miss, and go alone.
    stage.shared.push(() => ({ kind: 'stale' }));
    const running = {
      status: 'running',
      worker: stage.self.id,
      attempt: 1,
      failures: 0,
      crashes: 0,
      alone: false,
    } as const;
    stage.locked = { run: stored('cq.', 1), inbox: [], rows: new Map([['b', running]]) };
    // The pump is awake: the join starts here.
    void stage.pump.wake();
    await settle();
    stage.complete('a', '"late"');
    stage.complete('b', '"b"');
    await settle();
    const join = stage.attempts.find((attempt) => attempt.node.name === 'join');
    expect(join?.run.results.get('a')).toBeUndefined();
    expect(join?.run.results.get('b')).toBe('"b"');
    stage.complete('join', '"end"');
    await settle();
    expect([stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, true]);
    stage.pump.stop();
  });

  it('lets of two steps told at once only that one fail whose outcome the database refuses', async () => {
    const stage = new Stage();
    await stage.claim('a', 1, stored('qq.', 0));
    await stage.claim('b', 1, stored('qq.', 0));
    const refuse = (): CommitAnswer => ({ kind: 'refused', error: new Error('This value is refused.') });
    // Both together, then one by one.
    stage.shared.push(
      refuse,
      () => APPLIED,
      refuse,
      () => APPLIED,
    );
    stage.complete('a', '"a"');
    stage.complete('b', '"refused"');
    await settle();
    const { run } = stage.attempts[0]!;
    expect([run.status, run.state.marks, run.failure?.step]).toEqual(['failed', 'cfx', 'b']);
    expect([stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, true]);
  });

  it('decides from committed state only: one commit of a run is under way, and what comes meanwhile waits', async () => {
    const stage = new Stage();
    await stage.claim('a', 1, stored('qq.', 0));
    await stage.claim('b', 1, stored('qq.', 0));
    let answer = (_: CommitAnswer) => {};
    stage.shared.push(() => new Promise((resolve) => (answer = resolve)));
    stage.complete('a', '"a"');
    await settle();
    stage.complete('b', '"b"');
    await settle();
    expect(stage.writes.map(({ revision, state }) => [revision, state])).toEqual([[0, 'cq.']]);
    answer(APPLIED);
    await settle();
    expect(stage.writes.map(({ revision, state }) => [revision, state])).toEqual([
      [0, 'cq.'],
      [1, 'cch;join,1,0,0,'],
    ]);
    stage.complete('join', '"end"');
    await settle();
    expect([stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, true]);
  });

  it('begins nothing under an id that has been declared dead while the commit was on its way', async () => {
    const stage = new Stage();
    void stage.pump.wake();
    await settle();
    await stage.claim('b', 1, stored('cq.', 0));
    stage.shared.push(() => {
      stage.self.become('another');
      stage.desk.dropClaims();
      return APPLIED;
    });
    stage.shared.push(() => APPLIED);
    stage.complete('b', '"b"');
    await settle();
    expect(stage.attempts.map((attempt) => attempt.node.name)).toEqual(['b']);
    expect([stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, true]);
    stage.pump.stop();
  });

  it('begins nothing that was claimed before and answered after its worker was declared dead', async () => {
    const stage = new Stage();
    await stage.claim('b', 1, stored('cq.', 0), 'dead by now');
    await settle();
    expect([stage.attempts.length, stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, 0, true]);
  });

  it('takes what a claim says of a run only between its own commits: their revision is that of what they wrote', async () => {
    const stage = new Stage();
    await stage.claim('a', 1, stored('qq.', 3));
    let answer = (_: CommitAnswer) => {};
    stage.shared.push(() => new Promise((resolve) => (answer = resolve)));
    stage.complete('a', '"a"');
    await settle();
    // While the commit from 3 is on its way another process has gone on from it to 5, and a claim here has seen that.
    await stage.claim('b', 2, stored('cq.', 5));
    answer(APPLIED);
    await settle();
    stage.complete('b', '"b"');
    await settle();
    expect(stage.writes.map(({ revision }) => revision)).toEqual([3, 4]);
    for (const { node } of stage.attempts.slice(2)) stage.complete(node.name, '"end"');
    await settle();
  });

  it('begins nothing that was answered after its lease had run out, and gives it back', async () => {
    const stage = new Stage();
    stage.holdsLease = false;
    await stage.claim('b', 1, stored('cq.', 0));
    await settle();
    expect([stage.attempts.length, stage.slotsInUse, stage.desk.isQuiet]).toEqual([0, 0, true]);
    expect(stage.writes).toMatchObject([
      { steps: [{ step: 'b', status: 'ready', tally: { crashes: 0, failures: 0 } }] },
    ]);
  });

  it('frees what a run holds and nobody runs here, as it was before the claim: its worker lives, and that is no crash', async () => {
    const stage = new Stage();
    stage.found = { ...stored('ch.;b,2,1,0,', 3), worker: stage.self.id };
    stage.locked = { run: stage.found, inbox: [], rows: new Map() };
    await stage.desk.releaseHolds('r');
    await settle();
    expect(stage.lockedWrites).toMatchObject([
      { state: 'cq.', steps: [{ step: 'b', status: 'ready', tally: { attempt: 2, failures: 1, crashes: 0 } }] },
    ]);
    expect([stage.attempts.length, stage.desk.isQuiet]).toEqual([0, true]);
  });

  it('begins nothing of a run whose code this process lacks, although it has free slots: it leaves it ready', async () => {
    for (const [code, begun] of [
      [null, []],
      [{}, ['a', 'b']],
    ] as const) {
      const stage = new Stage();
      stage.code = code;
      void stage.pump.wake();
      await settle();
      stage.found = { ...stored('...', 0), status: 'pending' };
      stage.locked = { run: stage.found, inbox: [], rows: new Map() };
      await stage.desk.tell('r', { type: 'wake-requested', by: 'me', reason: null });
      await settle();
      expect(stage.attempts.map((attempt) => attempt.node.name)).toEqual(begun);
      const ready = stage.lockedWrites[0]!.steps.filter(({ status }) => status === 'ready');
      expect(ready.length).toBe(2 - begun.length);
      stage.pump.stop();
    }
  });

  it('frees no holds of another worker, nor of a run that it works on', async () => {
    const stage = new Stage();
    stage.found = { ...stored('ch.;b,2,1,0,', 3), worker: 'another' };
    await stage.desk.releaseHolds('r');
    await stage.claim('a', 1, stored('qh.;b,2,1,0,', 4));
    stage.found = { ...stage.found, worker: stage.self.id };
    await stage.desk.releaseHolds('r');
    expect(stage.lockedWrites).toEqual([]);
  });

  it('is not quiet while a start is under way: what it claims begins with the answer', async () => {
    const stage = new Stage();
    let isSettled = false;
    const definition = { id: 1, graph, code: null };
    const request = { id: 'r', delayMs: 5, dueAt: null, definition } as unknown as StartRequest;
    const started = stage.desk.start([request], false);
    expect(stage.desk.isOpen('r')).toBe(true);
    const settled = stage.desk.settled().then(() => (isSettled = true));
    await settle();
    expect([stage.desk.isQuiet, isSettled]).toEqual([false, false]);
    stage.started([{ kind: 'stale' }]);
    await Promise.all([started, settled]);
    expect([stage.desk.isQuiet, stage.desk.isOpen('r')]).toEqual([true, false]);
  });

  it.each([
    ['OF_STOPPED', 'database.lost'],
    ['OF_STATE_CORRUPT', 'internal.error'],
  ] as const)('says what kept a commit from being answered: %s is %s', async (code, type) => {
    const stage = new Stage();
    const events: string[] = [];
    stage.events.events$.subscribe((event) => events.push(event.type));
    const refused = new OrchestrateFlowError(code, 'as the test has it');
    stage.found = { ...stored('...', 0), status: 'pending' };
    stage.locked = { run: stage.found, inbox: [], rows: new Map() };
    stage.alone.push(() => {
      throw refused;
    });
    await expect(stage.desk.tell('r', { type: 'wake-requested', by: 'me', reason: null })).rejects.toBe(refused);
    expect(events).toEqual([type]);
  });
});
