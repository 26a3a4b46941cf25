import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Allow } from 'class-validator';
import {
  Compensate,
  Ctx,
  type FlowEvent,
  Item,
  NonRetryableError,
  Parallel,
  Result,
  Results,
  SignalPayload,
  Sleep,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitForRun, waitForStep } from '../support/wait-for-run.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

/** What happened, in order, and what is to go wrong. */
let log: string[] = [];
let broken = new Set<string>();
let gate = new Gate();
let isHeld = false;

function call(name: string): string {
  log.push(name);
  if (broken.has(name)) throw new NonRetryableError(`${name} is broken`);
  return name;
}

@Workflow({ name: 'delivery', deadline: '1h' })
class Delivery {
  static readonly output = 'ship';
  @Step() reserve(): string {
    return call('reserve');
  }
  @Parallel() charge(@Ctx() { idempotencyKey }: StepContext): string {
    log.push(idempotencyKey.slice(36));
    return call('charge');
  }
  @Parallel() async print(@Ctx() { signal }: StepContext): Promise<string> {
    log.push('print');
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
    await Promise.race([gate.pass(), aborted]);
    return 'label';
  }
  @Step({ onFailure: 'continue' }) notify(): string {
    return call('notify');
  }
  @Step() ship(@Result('reserve') reserve: string, @Result('charge') charge: string): string {
    return call(`ship ${reserve} ${charge}`);
  }
}

@Workflow({ name: 'booking', retry: { attempts: 2, ...FAST } })
class Booking {
  @Step() book(): string {
    return call('book');
  }
  @Step() pay(): string {
    return call('pay');
  }
  @Step() async confirm(@Ctx() { signal }: StepContext): Promise<string> {
    if (isHeld) await new Promise((_, reject) => signal.addEventListener('abort', reject));
    return call('confirm');
  }
  @Compensate('book') cancelBooking(@Result('book', { optional: true }) book?: string): string {
    return call(`cancel ${book}`);
  }
  @Compensate('pay') payBack(): string {
    return call('pay back');
  }
}

class Lines {
  @Allow() lines!: string[];
}

@Workflow({ name: 'billing' })
class Billing {
  static readonly input = Lines;
  static readonly output = 'sum';
  @Step({ maxItems: 2 }) bill(@Item('input.lines') line: string): string {
    return call(line);
  }
  @Step() sum(@Results('bill') bills: string[]): string {
    return bills.join();
  }
}

@Workflow({ name: 'parcel' })
class Parcel {
  static readonly output = 'sign';
  static readonly signals = { delivered: Lines };
  @Sleep('1ms') pause!: void;
  @WaitForSignal('delivered') sign(@SignalPayload() { lines }: Lines): string {
    return call(lines[0]!);
  }
}

let database: TestDatabase;
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  const workflows = [Delivery, Booking, Billing, Parcel];
  database = await createDatabase();
  app = await startApp({ database, workflows });
  other = await startApp({ database, workflows });
});

afterAll(async () => {
  await app?.close();
  await other?.close();
  await database?.drop();
});

beforeEach(() => {
  log = [];
  broken = new Set();
  gate = new Gate();
  isHeld = false;
});

const code = (name: string) => expect.objectContaining({ code: name });
const stepsOf = async (id: string) =>
  Object.fromEntries((await app.orchestrator.steps(id)).map(({ name, status }) => [name, status]));

describe('a run that is retried', () => {
  it('goes on from what failed, in either process: what has completed keeps its results and is not called again', async () => {
    broken = new Set(['charge', 'notify']);
    const run = await app.orchestrator.start(Delivery);
    await expect(run.result()).rejects.toMatchObject({ step: 'charge' });
    expect(await stepsOf(run.id)).toMatchObject({ reserve: 'completed', charge: 'failed', print: 'cancelled' });
    expect(log.sort()).toEqual([':charge', 'charge', 'print', 'reserve']);
    log = [];
    broken = new Set(['notify']);
    gate.open();
    await other.orchestrator.retry(run.id, { by: 'Ann', reason: 'the bank is back' });
    await expect(run.result()).resolves.toBe('ship reserve charge');
    expect(log.sort()).toEqual([':charge', 'charge', 'notify', 'print', 'ship reserve charge']);
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ failure: null, deadlineAt: null });
    expect(await app.orchestrator.steps(run.id)).toMatchObject([
      ...[{ name: 'reserve' }, { name: 'charge', attempt: 1, errors: [] }, { name: 'print' }],
      ...[{ name: 'notify', status: 'failed' }, { name: 'ship' }],
    ]);
    const { entries } = await app.orchestrator.audit({ run: run.id });
    expect(entries).toMatchObject([{ action: 'retry', by: 'Ann', reason: 'the bank is back' }]);
  });

  it('fails again where the fault is still there, and may be retried again; two who retry it at once do it once', async () => {
    broken = new Set(['reserve']);
    const retried: string[] = [];
    const note = ({ type }: FlowEvent) => type === 'run.retried' && retried.push(type);
    const listening = [app, other].map(({ orchestrator }) => orchestrator.events$.subscribe(note));
    const run = await app.orchestrator.start(Delivery);
    await expect(run.result()).rejects.toMatchObject({ step: 'reserve' });
    await run.retry();
    await expect(run.result()).rejects.toMatchObject({ step: 'reserve' });
    broken.clear();
    gate.open();
    await Promise.allSettled([app.orchestrator.retry(run.id), other.orchestrator.retry(run.id)]);
    await expect(run.result()).resolves.toBe('ship reserve charge');
    expect(log.filter((name) => name === 'reserve')).toHaveLength(3);
    expect((await app.orchestrator.audit({ run: run.id })).entries).toHaveLength(2);
    expect(retried).toHaveLength(2);
    for (const subscription of listening) subscription.unsubscribe();
  });

  it('begins its failed compensations anew, and nothing else; what has been undone cannot be retried', async () => {
    broken = new Set(['confirm', 'cancel book']);
    const run = await app.orchestrator.start(Booking);
    await expect(run.result()).rejects.toMatchObject({ step: 'confirm' });
    expect(await stepsOf(run.id)).toMatchObject({ payBack: 'completed', cancelBooking: 'failed' });
    log = [];
    broken.delete('cancel book');
    await run.retry();
    await waitForRun(app.orchestrator, run.id, 'failed');
    expect(log).toEqual(['cancel book']);
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ failure: { step: 'confirm' } });
    await expect(run.retry()).rejects.toEqual(code('OF_RUN_UNDONE'));
    await expect(run.status()).resolves.toBe('failed');
    expect((await app.orchestrator.audit({ run: run.id })).entries).toHaveLength(1);
  });

  it('ends as cancelled where it had been, once its compensations have not failed again', async () => {
    broken = new Set(['pay back']);
    isHeld = true;
    const run = await app.orchestrator.start(Booking);
    await waitForStep(app.orchestrator, run.id, 'confirm', 'running');
    await expect(run.retry()).rejects.toEqual(code('OF_RUN_NOT_FAILED'));
    await run.cancel({ reason: 'no longer wanted' });
    await expect(run.result()).rejects.toMatchObject({ step: 'payBack' });
    broken.clear();
    await run.retry();
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED', reason: 'no longer wanted' });
    await expect(run.retry()).rejects.toEqual(code('OF_RUN_NOT_FAILED'));
  });

  it('runs the items of a fan-out that have no result, and no others', async () => {
    broken = new Set(['c']);
    const lines = ['a', 'b', 'c', 'd'];
    const run = await app.orchestrator.start(Billing, { lines });
    await expect(run.result()).rejects.toMatchObject({ step: 'bill[2]' });
    const done = log.filter((line) => line !== 'c');
    expect(done).toEqual(expect.arrayContaining(['a', 'b']));
    log = [];
    broken.clear();
    await run.retry();
    await expect(run.result()).resolves.toBe('a,b,c,d');
    expect(log.sort()).toEqual(lines.filter((line) => !done.includes(line)));
    const { items } = await app.orchestrator.items(run.id, 'bill');
    expect(items.map(({ status, result }) => [status, result])).toEqual(lines.map((line) => ['completed', line]));
  });

  it('has the signal again that a failed step had taken, and takes signals again', async () => {
    broken = new Set(['hall']);
    const run = await app.orchestrator.start(Parcel);
    await run.signal('delivered', { lines: ['hall'] });
    await expect(run.result()).rejects.toMatchObject({ step: 'sign' });
    await expect(run.signal('delivered', { lines: ['door'] })).rejects.toEqual(code('OF_RUN_ENDED'));
    broken.clear();
    await run.retry();
    await expect(run.result()).resolves.toBe('hall');
    expect(log).toEqual(['hall', 'hall']);
  });
});
