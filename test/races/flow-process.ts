import { randomUUID } from 'node:crypto';

import type pg from 'pg';
import type { EntityManager } from 'typeorm';

import type { Fact } from '../../lib/engine/facts.js';
import type { GraphNode } from '../../lib/engine/graph.js';
import { indexGraph, type IndexedGraph } from '../../lib/engine/indexed-graph.js';
import type { BeatNews, Clock, LostClaims } from '../../lib/engine/ports.js';
import { DEFAULT_RETRY } from '../../lib/engine/retry-policy.js';
import { EventHub } from '../../lib/events/event-hub.js';
import { JsonCodec } from '../../lib/persistence/codec.js';
import { Committer } from '../../lib/persistence/committer.js';
import { SqlTransactionalStarts } from '../../lib/persistence/sql-transactional-starts.js';
import { SqlRunStore } from '../../lib/persistence/sql-run-store.js';
import type { Attempt } from '../../lib/runtime/attempt.js';
import { RunDesk, type RunDeskPorts } from '../../lib/runtime/run-desk.js';
import { OccurrenceDesk, type OccurrenceDeskPorts } from '../../lib/runtime/occurrence-desk.js';
import { InputDesk } from '../../lib/runtime/input-desk.js';
import { RunStarter, type RunStarterPorts, type Started } from '../../lib/runtime/run-starter.js';
import { SlotOffice } from '../../lib/runtime/slot-office.js';
import { StepPump } from '../../lib/runtime/step-pump.js';
import { SYSTEM_CLOCK } from '../../lib/runtime/system-clock.js';
import { WorkerSelf } from '../../lib/runtime/worker-self.js';
import type { TestConnection } from '../support/connect.js';
import type { TestDatabase } from '../support/create-database.js';
import { named } from './turnstile.js';

/** Long, so that nothing here depends on how fast the machine is. */
const LEASE_MS = 120_000;
/** For the beat: nobody is buried before the server has been up for so long. */
export const BEAT_LEASE_MS = 3_000;
const FAR = '3650d';
const SCHEMA = 'orchestrate_flow';
const QUARANTINE = { crashes: 5, error: '"poison"' };

/** The one workflow of a race: steps with what each waits for. Earlier ones are claimed first; `fan` is a fan-out, and no worker takes `hurried` in time. */
export function graphOf(steps: Readonly<Record<string, readonly string[]>>): IndexedGraph {
  const nodes = Object.entries(steps).map(([name, after], priority): GraphNode => {
    const retry = { ...DEFAULT_RETRY, attempts: 3 };
    const node = { name, after, results: after, queue: 'q', priority, retry, timeoutMs: null };
    if (name === 'hurried') return { ...node, startWithinMs: 0 };
    return name === 'fan' ? { ...node, fanOut: { maxItems: 2, tolerate: 0 } } : node;
  });
  return indexGraph({ workflow: 'race', version: null, output: null, nodes });
}

/**
 * What one process does with runs, over connections of its own: the library's desk, door and store, with steps that the
 * test plays and without the beat, whose work the test calls for when it wants it.
 */
export class FlowProcess {
  readonly door: Committer;
  readonly store: SqlRunStore;
  readonly desk: RunDesk;
  readonly starter: RunStarter;
  readonly occurrences: OccurrenceDesk;
  /** Attempts that began here. */
  private begun: { readonly run: string; readonly token: string }[] = [];
  /** Whether what begins here goes on until the test ends it; else it completes at once. */
  isHolding = true;
  /** Meanwhile nothing starts here. */
  private isExpanding = false;
  private readonly held = new Map<string, (fact: Fact) => void>();
  private readonly attempts = new Map<string, Attempt>();
  private readonly self: WorkerSelf;
  private readonly pump: StepPump;
  private readonly definition: { readonly id: number; readonly graph: IndexedGraph; readonly code: object };

  constructor(
    readonly name: string,
    database: TestDatabase,
    graph: IndexedGraph,
  ) {
    // Nothing here sleeps or wakes by itself.
    const clock: Clock = { ...SYSTEM_CLOCK, after: () => () => {} };
    const config = named(database.connection, name);
    const codec = new JsonCodec();
    this.door = new Committer(config, { schema: SCHEMA, leaseMs: LEASE_MS, onHealth: () => {} });
    this.store = new SqlRunStore(config, { schema: SCHEMA, leaseMs: LEASE_MS, onUnavailable: () => {} });
    this.self = new WorkerSelf(['q'], clock);
    this.definition = { id: 1, graph, code: {} };
    const shelf = {
      get: () => Promise.resolve(this.definition),
      currentOf: () => this.definition,
      runnableIds: [this.definition.id],
    };
    const slots = new SlotOffice(
      () => {},
      () => !this.isExpanding,
    );
    this.pump = new StepPump({
      ...{ queue: 'q', concurrency: 10, clock, claim: () => Promise.resolve(0), passOn: () => {}, onError: () => {} },
    });
    slots.add(this.pump);
    this.desk = new RunDesk({
      ...{ door: this.door, store: this.store, shelf, slots, self: this.self, codec, events: new EventHub() },
      ...{
        runner: { run: (attempt: Attempt) => this.run(attempt) },
        onEnded: () => {},
        onWaits: () => {},
        onTimer: () => {},
      },
    } as unknown as RunDeskPorts);
    const code = { name: 'race', target: {}, graph: graph.graph, schedules: [], tags: [], limits: null };
    this.occurrences = new OccurrenceDesk({
      ...{ store: this.store.schedules, registry: { getByName: () => code }, shelf, clock },
    } as unknown as OccurrenceDeskPorts);
    this.starter = new RunStarter({
      ...{ shelf, desk: this.desk, store: this.store, codec, inputs: new InputDesk(codec), clock },
      transactions: new SqlTransactionalStarts(SCHEMA, null),
      registry: { get: () => code },
    } as unknown as RunStarterPorts);
  }

  /** What began here of a run, as `step#attempt`. */
  begunOf(runId: string): string[] {
    return this.begun.filter(({ run }) => run === runId).map(({ token }) => token);
  }

  get worker(): string {
    return this.self.id;
  }

  /** What began here last. */
  get latest(): string {
    return this.begun.at(-1)!.token.split('#')[0]!;
  }

  get slotsInUse(): number {
    return this.pump.slots.capacity - this.pump.slots.free;
  }

  /** Is known as a worker. */
  async register(db: TestConnection): Promise<void> {
    await db.query(
      `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
       VALUES ($1, 'alive', 'here', 1, '{q}', now() + interval '1 day')
       ON CONFLICT DO NOTHING`,
      [this.worker],
    );
  }

  /** Registers, and connects, so that no race begins with it. */
  async open(db: TestConnection): Promise<void> {
    await this.register(db);
    await this.store.findRun(randomUUID());
    await this.look();
    await this.starter.start('race', 1, { delay: FAR });
    await this.starter.start('race', 1, { delay: FAR, key: randomUUID() });
    await this.door.submitLocked(randomUUID(), () => null);
  }

  /** From now on steps that follow are started here. */
  awake(): void {
    void this.pump.wake();
  }

  async close(): Promise<void> {
    this.pump.stop();
    await this.door.close();
    await this.store.close();
  }

  /** Starts a run of which one step begins here, in the run's own state, and the others are left ready. */
  async startHere(): Promise<string> {
    const others = this.pump.slots.capacity - 1;
    this.pump.slots.take(others);
    const id = await this.start();
    this.pump.slots.release(others);
    return id;
  }

  /** Starts a run with its first steps. */
  async start(): Promise<string> {
    const id = randomUUID();
    const request = {
      id,
      definition: this.definition,
      key: null,
      inputHash: null,
      priority: 0,
      input: '1',
      context: null,
      tags: [],
      tenant: null,
      isGated: false,
      delayMs: null,
      dueAt: null,
      deadlineMs: null,
    };
    await this.desk.start([request as never], false);
    return id;
  }

  /** Starts a run in the open transaction of a client. */
  startIn(client: pg.Client, key: string): Promise<Started> {
    const query = async (text: string, values: unknown[]) => (await client.query<object>(text, values)).rows;
    const manager = { query, queryRunner: { isTransactionActive: true } };
    return this.starter.start('race', 1, { key, manager: manager as unknown as EntityManager });
  }

  /** Claims so many ready steps and begins them. */
  async take(limit = 1): Promise<number> {
    const claimed = await this.store.claim({
      queue: 'q',
      worker: this.worker,
      definitions: [this.definition.id],
      limit,
    });
    this.pump.slots.take(claimed.length);
    for (const step of claimed) await this.desk.admit(step, this.worker);
    return claimed.length;
  }

  /** Claims one ready step and stays until it has ended, and all that follows here. */
  async takeAndFinish(): Promise<void> {
    this.isHolding = false;
    await this.take();
    await this.desk.settled();
  }

  /** The step that is held here completes, and so does at once whatever follows here. Resolves when nothing is under way. */
  async complete(step: string): Promise<void> {
    const [attempt, end] = this.find(step);
    await this.end(() => end(completed(attempt)));
  }

  /** The fan-out that is held here stores so many items; those that begin are left ready. */
  async expand(step: string, count: number): Promise<void> {
    const [{ claim, run }, end] = this.find(step);
    const payloads = Array.from({ length: count }, (_, index) => `${index}`);
    const place = { runId: run.id, generation: 0, step, attempt: claim.attempt };
    await this.store.addItems({ ...place, queue: 'q', priority: 0, first: 0, payloads });
    this.isExpanding = true;
    await this.end(() => end({ type: 'step-expanded', claim, count }));
    this.isExpanding = false;
  }

  /** The step that is held here completes, and what follows here stays under way. Resolves when that has begun. */
  async completeAndStay(step: string): Promise<void> {
    const [attempt, end] = this.find(step);
    const count = this.begun.length;
    end(completed(attempt));
    while (this.begun.length === count && !this.desk.isQuiet) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Whatever is held here completes, and so does at once whatever follows here. */
  async completeHeld(): Promise<void> {
    await this.end(() => {
      for (const [name, end] of this.held) end(completed(this.attempts.get(name)!));
    });
  }

  /** The step that is held here fails: for good, or to be tried again at once. */
  async fail(step: string, { retryable }: { readonly retryable: boolean }): Promise<void> {
    const [{ claim }, end] = this.find(step);
    const failure = { error: '"failed"', retryable, retryAfterMs: 0, aborted: false, inDoubt: false, random: 0 };
    await this.end(() => end({ type: 'step-failed', claim, failure }));
  }

  async cancel(runId: string): Promise<void> {
    await this.desk.tell(runId, { type: 'cancel-requested', by: 'me', reason: null });
    await this.desk.settled();
  }

  async pause(runId: string): Promise<void> {
    await this.desk.tell(runId, { type: 'pause-requested', by: 'me', reason: null });
  }

  async resume(runId: string): Promise<void> {
    await this.desk.tell(runId, { type: 'resume-requested', by: 'me', reason: null });
  }

  async retry(runId: string): Promise<void> {
    await this.desk.tell(runId, { type: 'retry-requested', by: 'me', reason: null });
  }

  /** A look round, after which steps of a run that no worker has taken in time fail. */
  async lookAndGiveUp(runId: string): Promise<void> {
    const late = (await this.beat()).unclaimed.filter((one) => one.runId === runId);
    const steps = late.map(({ runId: _, queue: __, ...step }) => ({ ...step, error: '"nobody came"' }));
    await this.desk.tell(runId, { type: 'steps-unclaimed', steps });
    await this.desk.settled();
  }

  /** A look round. @returns in which runs workers were found lost */
  async look(): Promise<readonly LostClaims[]> {
    return (await this.beat()).lost;
  }

  private beat(): Promise<BeatNews> {
    const [worker, definitions] = [this.worker, [this.definition.id]];
    const request = {
      worker,
      definitions,
      queues: ['q'],
      workflows: [],
      computed: [],
      leaseMs: BEAT_LEASE_MS,
      maxCrashes: 5,
      openRuns: [],
      reap: 'all' as const,
    };
    return this.store.beat(request);
  }

  /** Takes from lost workers what they held. */
  async reap(lost: readonly LostClaims[]): Promise<void> {
    for (const { runId, workers } of lost) {
      await this.desk.tell(runId, { type: 'workers-lost', workers: new Set(workers), quarantine: QUARANTINE });
    }
    await this.desk.settled();
  }

  async lookAndReap(): Promise<void> {
    await this.reap(await this.look());
  }

  /** Claims and completes until nothing is ready. */
  async finishAll(): Promise<void> {
    this.isHolding = false;
    while ((await this.take(10)) > 0) await this.desk.settled();
    this.isHolding = true;
  }

  /** Forgets what began here in the last race. */
  reset(): void {
    this.begun = [];
    this.held.clear();
    this.isHolding = true;
  }

  private async end(report: () => void): Promise<void> {
    this.isHolding = false;
    report();
    await this.desk.settled();
    this.isHolding = true;
  }

  private find(step: string): [Attempt, (fact: Fact) => void] {
    return [this.attempts.get(step)!, this.held.get(step)!];
  }

  private run(attempt: Attempt): Promise<Fact> {
    this.begun.push({ run: attempt.run.id, token: tokenOf(attempt) });
    if (!this.isHolding) return Promise.resolve(completed(attempt));
    this.attempts.set(attempt.node.name, attempt);
    return new Promise((resolve) => this.held.set(attempt.node.name, resolve));
  }
}

/** Each generation of a run counts its attempts anew. */
function tokenOf({ claim: { step, attempt, generation = 0 } }: Attempt): string {
  return generation === 0 ? `${step}#${attempt}` : `${step}#${attempt}/${generation}`;
}

function completed(attempt: Attempt): Fact {
  return { type: 'step-completed', claim: attempt.claim, result: `"${tokenOf(attempt)}"` };
}
