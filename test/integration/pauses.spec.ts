import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Allow } from 'class-validator';
import {
  Compensate,
  Ctx,
  Input,
  Item,
  NonRetryableError,
  Parallel,
  Results,
  SignalPayload,
  Sleep,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

/** What happened, in order, and what is to go wrong. */
let log: string[] = [];
let broken = new Set<string>();
let gate = new Gate();

async function call(name: string): Promise<string> {
  log.push(name);
  if (name === 'held' || name.startsWith('line')) await gate.pass();
  if (broken.has(name)) throw new NonRetryableError(`${name} is broken`);
  return name;
}

@Workflow({ name: 'parcel', retry: { attempts: 2, delay: '1ms' } })
class Parcel {
  static readonly output = 'ship';
  @Step() pack(): Promise<string> {
    return call('pack');
  }
  @Step() hold(): Promise<string> {
    return call('held');
  }
  @Step() ship(): Promise<string> {
    return call('ship');
  }
  @Compensate('pack') unpack(): Promise<string> {
    return call('unpack');
  }
}

class Lines {
  @Allow() lines!: string[];
}

@Workflow({ name: 'visit' })
class Visit {
  static readonly output = 'greet';
  static readonly signals = { rung: Lines };
  @Sleep('1ms') nap!: void;
  @WaitForSignal('rung', { timeout: '1h' }) bell(@SignalPayload() { lines }: Lines): Promise<string> {
    return call(lines.join());
  }
  @Step() greet(): Promise<string> {
    return call('greet');
  }
}

@Workflow({ name: 'letters' })
class Letters {
  static readonly input = Lines;
  static readonly output = 'post';
  @Parallel({ maxItems: 2 }) write(@Item('input.lines') line: string): Promise<string> {
    return call(line);
  }
  @Step() post(@Results('write') letters: string[]): string {
    return letters.join();
  }
}

@Workflow({ name: 'late', deadline: '200ms' })
class Late {
  static readonly input = Lines;
  @Step() wait(@Input() _: Lines, @Ctx() { signal }: StepContext): Promise<void> {
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  }
}

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  const workflows = [Parcel, Visit, Letters, Late];
  app = await startApp({ database, workflows, lease: '1s' });
  other = await startApp({ database, workflows, lease: '1s' });
  db = await connect(database);
});

afterAll(async () => {
  await app?.close();
  await other?.close();
  await db?.close();
  await database?.drop();
});

beforeEach(() => {
  log = [];
  broken = new Set();
  gate = new Gate();
});

const code = (name: string) => expect.objectContaining({ code: name });
const expectNoOrphans = async () => expect(await db.query('SELECT * FROM orchestrate_flow.orphans')).toEqual([]);
/** Long enough for two beats of both. */
const forAWhile = () => new Promise((resolve) => setTimeout(resolve, 800));

describe('a run that is paused', () => {
  it('begins nothing in any process until it is resumed; what is under way is recorded, and who asked is kept', async () => {
    const run = await app.orchestrator.start(Parcel);
    await waitForStep(app.orchestrator, run.id, 'hold', 'running');
    await other.orchestrator.pause(run.id, { by: 'Ann', reason: 'the carrier is on strike' });
    await expect(run.status()).resolves.toBe('paused');
    await run.pause({ by: 'Bob' });
    gate.open();
    await waitForStep(app.orchestrator, run.id, 'hold', 'completed');
    await forAWhile();
    expect(log).toEqual(['pack', 'held']);
    await expectNoOrphans();
    await run.resume({ by: 'Ann' });
    await expect(run.result()).resolves.toBe('ship');
    expect(log).toEqual(['pack', 'held', 'ship']);
    const { entries } = await app.orchestrator.audit({ run: run.id });
    expect(entries).toMatchObject([
      { action: 'resume', by: 'Ann', reason: null },
      { action: 'pause', by: 'Ann', reason: 'the carrier is on strike' },
    ]);
    expect([...app.events, ...other.events].map(({ type }) => type)).toEqual(
      expect.arrayContaining(['run.paused', 'run.resumed']),
    );
  });

  it('lets times come due once it is resumed, and gives it the signals that were sent meanwhile', async () => {
    const run = await app.orchestrator.start(Visit);
    await run.pause();
    await run.signal('rung', { lines: ['Bob'] });
    await forAWhile();
    expect(log).toEqual([]);
    await run.resume();
    await expect(run.result()).resolves.toBe('greet');
    expect(log).toEqual(['Bob', 'greet']);
  });

  it('takes a signal while it is paused, and handles it once it is resumed', async () => {
    const run = await app.orchestrator.start(Visit);
    await waitForRun(app.orchestrator, run.id, 'waiting');
    await waitForStep(app.orchestrator, run.id, 'bell', 'waiting');
    await run.pause();
    await run.signal('rung', { lines: ['Ann'] });
    await waitForStep(app.orchestrator, run.id, 'bell', 'ready');
    await forAWhile();
    expect(log).toEqual([]);
    await run.resume();
    await expect(run.result()).resolves.toBe('greet');
  });

  it('begins no items of a fan-out', async () => {
    const run = await app.orchestrator.start(Letters, { lines: ['line a', 'line b', 'c', 'd'] });
    await waitForStep(app.orchestrator, run.id, 'write[1]', 'running').catch(() => undefined);
    await run.pause();
    gate.open();
    await forAWhile();
    const begun = log.length;
    expect(begun).toBeLessThanOrEqual(2);
    await run.resume();
    await expect(run.result()).resolves.toBe('line a,line b,c,d');
    expect(log).toHaveLength(4);
  });

  it('does not begin before it is resumed, and then at its start time', async () => {
    const run = await app.orchestrator.start(Parcel, undefined, { delay: '300ms' });
    await run.pause();
    await forAWhile();
    expect(log).toEqual([]);
    await expect(run.status()).resolves.toBe('paused');
    gate.open();
    await other.orchestrator.resume(run.id);
    await expect(run.result()).resolves.toBe('ship');
    const later = await app.orchestrator.start(Parcel, undefined, { delay: '1h' });
    await later.pause();
    await later.resume();
    await expect(later.status()).resolves.toBe('pending');
    await later.cancel();
  });

  it('stops, and is undone, once it is resumed where a step has failed for good meanwhile', async () => {
    broken.add('held');
    const run = await app.orchestrator.start(Parcel);
    await waitForStep(app.orchestrator, run.id, 'hold', 'running');
    await run.pause();
    gate.open();
    await waitForStep(app.orchestrator, run.id, 'hold', 'failed');
    await forAWhile();
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ status: 'paused', failure: { step: 'hold' } });
    expect(log).toEqual(['pack', 'held']);
    await run.resume();
    await expect(run.result()).rejects.toMatchObject({ step: 'hold' });
    expect(log).toEqual(['pack', 'held', 'unpack']);
  });

  it('is cancelled, terminated and overdue like any other; one that had failed stops as failed', async () => {
    const cancelled = await app.orchestrator.start(Parcel);
    await waitForStep(app.orchestrator, cancelled.id, 'hold', 'running');
    await cancelled.pause();
    await cancelled.cancel();
    gate.open();
    await expect(cancelled.result()).rejects.toEqual(code('OF_RUN_CANCELLED'));
    expect(log).toContain('unpack');
    const ended = await app.orchestrator.start(Visit);
    await ended.pause();
    await app.orchestrator.terminate(ended.id);
    await expect(ended.result()).rejects.toEqual(code('OF_RUN_TERMINATED'));
    const late = await app.orchestrator.start(Late, { lines: [] });
    await late.pause();
    await expect(late.result()).rejects.toMatchObject({ cause: { code: 'OF_DEADLINE_PASSED' } });
    broken.add('held');
    gate = new Gate();
    const failed = await app.orchestrator.start(Parcel);
    await waitForStep(app.orchestrator, failed.id, 'hold', 'running');
    await failed.pause();
    gate.open();
    await waitForStep(app.orchestrator, failed.id, 'hold', 'failed');
    await failed.cancel();
    await expect(failed.result()).rejects.toMatchObject({ step: 'hold' });
    await expectNoOrphans();
  });

  it('is not woken, nor resumed twice, nor paused once it has ended: each says why', async () => {
    const run = await app.orchestrator.start(Visit);
    await run.pause();
    await expect(app.orchestrator.wake(run.id)).rejects.toEqual(code('OF_RUN_PAUSED'));
    await expect(run.retry()).rejects.toEqual(code('OF_RUN_NOT_FAILED'));
    await run.resume();
    await expect(run.resume()).rejects.toEqual(code('OF_RUN_NOT_PAUSED'));
    await run.cancel();
    await expect(run.result()).rejects.toEqual(code('OF_RUN_CANCELLED'));
    await expect(run.pause()).rejects.toEqual(code('OF_RUN_ENDED'));
    await expect(run.resume()).rejects.toEqual(code('OF_RUN_NOT_PAUSED'));
  });
});
