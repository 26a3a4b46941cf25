import { describe, expect, it } from '@jest/globals';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { Fact } from '../engine/facts.js';
import type { BeatNews, BeatRequest } from '../engine/ports.js';
import { EventHub } from '../events/event-hub.js';
import { Beat, type BeatPorts } from './beat.js';
import type { TakenOccurrences } from './occurrence-desk.js';
import { WorkerSelf } from './worker-self.js';
import { SYSTEM_CLOCK } from './system-clock.js';

const NOTHING: BeatNews = {
  ...{ alive: true, stoppedRuns: [], claims: [], heldRuns: [], readyQueues: [], suspects: [], wokenQueues: [] },
  signalledRuns: [],
  overdueRuns: [],
  unclaimed: [],
  dueSchedules: [],
  supersededRuns: [],
  ...{ dueRuns: [], lost: [], nextDueMs: null },
};

/** A beat whose store, desk and pumps the test plays, on a clock that the test turns. */
class Stage {
  readonly told: { runId: string; fact: Fact; hear: () => void }[] = [];
  readonly released: string[] = [];
  readonly woken: string[] = [];
  readonly taken: { names: readonly string[]; answer: (taken: TakenOccurrences) => void }[] = [];
  readonly events = new EventHub();
  readonly requests: BeatRequest[] = [];
  releasing: () => Promise<void> = () => Promise.resolve();
  private timer: (() => void) | null = null;
  private time = 0;
  readonly beat: Beat;

  constructor(private readonly news: readonly Partial<BeatNews>[]) {
    const clock = {
      ...SYSTEM_CLOCK,
      now: () => this.time,
      after: (_ms: number, callback: () => void) => {
        this.timer = callback;
        return () => (this.timer = null);
      },
    };
    const pump = (queue: string) => ({ slots: { free: 1 }, wake: () => Promise.resolve(this.woken.push(queue)) });
    this.beat = new Beat({
      clock,
      store: {
        registerWorker: () => Promise.resolve(),
        beat: (request: BeatRequest) => {
          this.requests.push(request);
          return Promise.resolve({ ...NOTHING, ...this.news[this.requests.length - 1] });
        },
        sweepDead: () => Promise.resolve(),
      },
      desk: {
        tell: (runId: string, fact: Fact) => new Promise<void>((hear) => this.told.push({ runId, fact, hear })),
        isOpen: (runId: string) => runId === 'open',
        releaseHolds: (runId: string) => {
          this.released.push(runId);
          return this.releasing();
        },
      },
      slots: { find: pump, ring: () => {} },
      occurrences: {
        known: { workflows: [], computed: ['slow'] },
        take: (names: readonly string[]) =>
          new Promise<TakenOccurrences>((answer) => this.taken.push({ names, answer })),
      },
      ward: { visit: () => {} },
      retention: { visit: () => {} },
      admissions: { visit: () => {} },
      self: new WorkerSelf(['a', 'b'], clock),
      shelf: { runnableIds: [] },
      events: this.events,
      codec: { encodeError: ({ code, message }: OrchestrateFlowError) => `${code}: ${message}` },
      ...{ queues: ['a', 'b'], leaseMs: 3_000, quarantine: { crashes: 5, error: 'poison' } },
    } as unknown as BeatPorts);
  }

  /** Lets the next beat happen so many milliseconds later. */
  async next(laterMs = 1_000): Promise<void> {
    this.time += laterMs;
    this.timer!();
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a beat', () => {
  it('takes what a lost worker leaves as soon as it is freed, bell or no bell', async () => {
    const stage = new Stage([{ lost: [{ runId: 'r', workers: ['dead'] }] }]);
    await stage.beat.start();
    await stage.next(0);
    expect(stage.told).toMatchObject([{ runId: 'r', fact: { type: 'workers-lost', workers: new Set(['dead']) } }]);
    expect(stage.woken).toEqual([]);
    stage.told[0]!.hear();
    await new Promise((resolve) => setImmediate(resolve));
    expect(stage.woken).toEqual(['a', 'b']);
  });

  it('takes what is due of schedules once, and lets no other wait for one whose input is computed', async () => {
    const dueSchedules = ['quick', 'slow', 'other'];
    const stage = new Stage([{ dueSchedules }, { dueSchedules }, { dueSchedules }]);
    await stage.beat.start();
    await stage.next();
    await stage.next();
    expect(stage.taken.map(({ names }) => names)).toEqual([['quick', 'other'], ['slow']]);
    stage.taken[0]!.answer({ runs: ['r'], lookInMs: 50 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(stage.told).toMatchObject([{ runId: 'r', fact: { type: 'begun' } }]);
    await stage.next(50);
    expect(stage.taken.map(({ names }) => names)).toEqual([['quick', 'other'], ['slow'], ['quick', 'other']]);
  });

  it('cancels the run whose place a later occurrence has taken, and says which schedule it was', async () => {
    const stage = new Stage([{ supersededRuns: [{ runId: 'r', schedule: 'tick' }] }]);
    await stage.beat.start();
    await stage.next();
    const reason = 'a later occurrence of schedule "tick" has begun';
    expect(stage.told).toMatchObject([
      { runId: 'r', fact: { type: 'cancel-requested', by: 'schedule "tick"', reason } },
    ]);
  });

  it('tells a run of all its steps at once that no worker has taken in time, and each why', async () => {
    const late = (runId: string, step: string) => ({ runId, step, attempt: 0, generation: 0, queue: 'gpu' });
    const stage = new Stage([{ unclaimed: [late('r', 'one'), late('other', 'one'), late('r', 'two')] }]);
    await stage.beat.start();
    await stage.next();
    const step = (name: string) => ({
      step: name,
      attempt: 0,
      generation: 0,
      error: expect.stringContaining(`"${name}"`),
    });
    expect(stage.told.map(({ runId, fact }) => [runId, fact])).toEqual([
      ['r', { type: 'steps-unclaimed', steps: [step('one'), step('two')] }],
      ['other', { type: 'steps-unclaimed', steps: [step('one')] }],
    ]);
  });

  it('takes what is ready without a bell, and rings for nobody else', async () => {
    const stage = new Stage([{ readyQueues: ['b'] }]);
    await stage.beat.start();
    await stage.next(0);
    expect(stage.woken).toEqual(['b']);
  });

  it('tells a run once as long as it has not heard', async () => {
    const lost = [{ runId: 'r', workers: ['dead'] }];
    const stage = new Stage([{ lost }, { lost }, { lost }]);
    await stage.beat.start();
    await stage.next();
    await stage.next();
    expect(stage.told).toHaveLength(1);
    stage.told[0]!.hear();
    await new Promise((resolve) => setImmediate(resolve));
    await stage.next();
    expect(stage.told).toHaveLength(2);
  });

  it('frees what it holds and nobody runs here once no answer can be on its way, and counts no crash', async () => {
    const heldRuns = ['open', 'lost'];
    const stage = new Stage([{ heldRuns }, { heldRuns }, { heldRuns }]);
    await stage.beat.start();
    await stage.next();
    await stage.next();
    expect(stage.released).toEqual([]);
    await stage.next();
    expect(stage.released).toEqual(['lost']);
    expect(stage.told).toEqual([]);
  });

  it.each([
    ['OF_DATABASE_UNAVAILABLE', 'database.lost'],
    ['OF_STOPPED', 'database.lost'],
    ['OF_STATE_CORRUPT', 'internal.error'],
  ] as const)('says what kept it from that: %s is %s', async (code, type) => {
    const heldRuns = ['lost'];
    const stage = new Stage([{ heldRuns }, { heldRuns }, { heldRuns }]);
    const events: string[] = [];
    stage.events.events$.subscribe((event) => events.push(event.type));
    stage.releasing = () => Promise.reject(new OrchestrateFlowError(code, 'as the test has it'));
    await stage.beat.start();
    for (let beats = 0; beats < 3; beats++) await stage.next();
    expect(events).toEqual(['worker.started', type]);
  });

  it('does not reap before it has renewed for a third of a lease, and after an outage for a whole one', async () => {
    const stage = new Stage([]);
    await stage.beat.start();
    await stage.next(0);
    await stage.next(1_000);
    // Nothing was heard for more than half a lease.
    await stage.next(2_000);
    await stage.next(1_000);
    await stage.next(1_000);
    await stage.next(1_000);
    expect(stage.requests.map(({ reap }) => reap)).toEqual(['witnessed', 'all', 'none', 'none', 'none', 'all']);
  });
});
