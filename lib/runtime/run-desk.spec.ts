import { describe, expect, it } from '@jest/globals';

import type { Fact } from '../engine/facts.js';
import type { GraphNode } from '../engine/graph.js';
import { indexGraph } from '../engine/indexed-graph.js';
import type { ClaimedStep, CommitAnswer, LockedRun, RunWrite, StoredRun } from '../engine/ports.js';
import { DEFAULT_RETRY } from '../engine/retry-policy.js';
import { EventHub } from '../events/event-hub.js';
import type { Attempt } from './attempt.js';
import { RunDesk, type RunDeskPorts } from './run-desk.js';
import { SlotOffice } from './slot-office.js';
import { StepPump } from './step-pump.js';
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
  readonly self = new WorkerSelf(['q']);
  readonly attempts: Attempt[] = [];
  /** What the shared lane answers, in turn. */
  readonly shared: (() => CommitAnswer | Promise<CommitAnswer>)[] = [];
  readonly alone: ((write: RunWrite | null) => CommitAnswer)[] = [];
  locked: LockedRun | null = null;
  readonly pump = new StepPump({
    queue: 'q',
    concurrency: 10,
    claim: () => Promise.resolve(0),
    passOn: () => {},
    onError: () => {},
  });
  private readonly ends = new Map<Attempt, (fact: Fact) => void>();
  readonly desk: RunDesk;

  constructor() {
    const slots = new SlotOffice(
      () => {},
      () => true,
    );
    slots.add(this.pump);
    const door = {
      submit: async (prepare: () => RunWrite | null): Promise<CommitAnswer> => {
        await new Promise((resolve) => setImmediate(resolve));
        const write = prepare();
        return write === null ? { kind: 'nothing' } : (this.shared.shift() ?? (() => APPLIED))();
      },
      submitLocked: async (_id: string, decide: (locked: LockedRun | null) => RunWrite | null) => {
        await new Promise((resolve) => setImmediate(resolve));
        const write = decide(this.locked);
        return write === null ? { kind: 'nothing' as const } : (this.alone.shift() ?? (() => APPLIED))(write);
      },
    };
    const runner = {
      run: (attempt: Attempt) => {
        this.attempts.push(attempt);
        return new Promise<Fact>((resolve) => this.ends.set(attempt, resolve));
      },
    };
    const shelf = { get: () => Promise.resolve({ id: 1, graph, code: null }) };
    this.desk = new RunDesk({
      ...{ door, runner, shelf, slots, self: this.self, events: new EventHub() },
      ...{ onEnded: () => {}, onTimer: () => {} },
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
    ...{ priority: 0, input: '', failure: null, cancelReason: null, updatedAt: AT },
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
    const running = { status: 'running', worker: stage.self.id, attempt: 1, failures: 0, crashes: 0 } as const;
    stage.locked = { run: stored('cq.', 1), rows: new Map([['b', running]]) };
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
});
