import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { UseInterceptors } from '@nestjs/common';
import { Allow } from 'class-validator';
import { timeout } from 'rxjs';
import {
  Compensate,
  Ctx,
  Input,
  Item,
  NonRetryableError,
  Results,
  Result,
  Step,
  type StepContext,
  type Verdict,
  Workflow,
} from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';

const FAST = { backoff: 'fixed', delay: '1ms', jitter: 'none' } as const;

class Amount {
  @Allow() amount!: number;
}

/** What lies outside: payments by their idempotency keys, and how each attempt to pay goes. */
const bank = {
  paid: new Map<string, number>(),
  calls: [] as string[],
  gate: new Gate(),
  /** By attempts: paid and lost is the answer, lost is the order, or the bank refuses. */
  course: [] as ('hangs when paid' | 'hangs' | 'refuses')[],
  verify: (_: string): unknown => ({ done: false }),

  async pay(key: string, amount: number): Promise<string> {
    const course = bank.course[bank.calls.filter((call) => call.startsWith('pay')).length];
    bank.calls.push(`pay ${key}`);
    if (course === 'refuses') throw new Error('refused');
    if (course !== 'hangs') bank.paid.set(key, (bank.paid.get(key) ?? 0) + amount);
    if (course !== undefined) await bank.gate.pass();
    return `paid ${amount}`;
  },

  find(key: string): Verdict<string> {
    bank.calls.push(`look for ${key}`);
    const amount = bank.paid.get(key);
    return amount === undefined ? { done: false } : { done: true, result: `found ${amount}` };
  },
};

@Workflow({ name: 'payment', retry: { attempts: 3, ...FAST } })
class Payment {
  static readonly input = Amount;
  static readonly output = 'tell';
  @Step({ timeout: '50ms', verify: 'wasPaid' })
  pay(@Input() { amount }: Amount, @Ctx() { idempotencyKey }: StepContext): Promise<string> {
    return bank.pay(keyOf(idempotencyKey), amount);
  }
  wasPaid(@Ctx() { idempotencyKey }: StepContext): Verdict<string> {
    return bank.verify(keyOf(idempotencyKey)) as Verdict<string>;
  }
  @Step() tell(@Result('pay') paid: string): string {
    return paid;
  }
}

@Workflow({ name: 'payments', retry: { attempts: 2, ...FAST } })
class Payments {
  static readonly output = 'all';
  @Step() list(): string[] {
    return ['ann', 'bob'];
  }
  @Step({ verify: 'wasPaid', maxItems: 1 }) pay(@Item('list') name: string): Promise<string> {
    return bank.pay(name, 1);
  }
  wasPaid(@Item('list') name: string): Promise<Verdict<string>> {
    return Promise.resolve(bank.find(name));
  }
  @Step() all(@Results('pay') paid: string[]): string[] {
    return paid;
  }
}

@Workflow({ name: 'impatient', retry: { attempts: 2, ...FAST } })
class Impatient {
  static readonly input = Amount;
  @Step({ verify: 'wasPaid' })
  @UseInterceptors({ intercept: (_, next) => next.handle().pipe(timeout(30)) })
  pay(@Input() { amount }: Amount): Promise<string> {
    return bank.pay('pay', amount);
  }
  wasPaid(): Verdict<string> {
    return bank.verify('pay') as Verdict<string>;
  }
  @Step() fail(): void {
    throw new NonRetryableError('enough');
  }
  @Compensate('pay') undo(): void {
    bank.calls.push('undo');
  }
}

@Workflow({ name: 'unstorable', retry: 1 })
class Unstorable {
  @Step() pay(): unknown {
    bank.calls.push('pay');
    return () => 'a function';
  }
  @Compensate('pay') undo(@Ctx() { outcome }: StepContext): void {
    bank.calls.push(`undo, ${outcome}`);
  }
}

/** Without the run, which is another each time. */
function keyOf(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}

describe('a step whose result cannot be stored', () => {
  it('is undone: it has had its effect', async () => {
    const database = await createDatabase();
    const app = await startApp({ database, workflows: [Unstorable] });
    try {
      bank.calls = [];
      await expect(app.orchestrator.execute(Unstorable)).rejects.toMatchObject({
        cause: { code: 'OF_VALUE_NOT_STORABLE' },
      });
      expect(bank.calls).toEqual(['pay', 'undo, unknown']);
    } finally {
      await app.close();
      await database.drop();
    }
  });
});

describe('a step with verify', () => {
  let database: TestDatabase;
  let db: TestConnection;
  let apps: TestApp[];

  beforeAll(async () => {
    database = await createDatabase();
    db = await connect(database);
  });

  beforeEach(() => {
    apps = [];
    bank.paid.clear();
    bank.calls = [];
    bank.course = [];
    bank.gate = new Gate();
    bank.verify = (key) => bank.find(key);
  });

  afterEach(async () => {
    bank.gate.open();
    await Promise.all(apps.map((app) => app.close()));
  });

  afterAll(async () => {
    await db.close();
    await database.drop();
  });

  async function start(options: object = {}): Promise<TestApp> {
    const app = await startApp({ database, workflows: [Payment, Payments, Impatient, Unstorable], ...options });
    apps.push(app);
    return app;
  }

  it('is not asked where its attempts end as they should, or fail of themselves', async () => {
    bank.course = ['refuses'];
    const { orchestrator } = await start();
    await expect(orchestrator.execute(Payment, { amount: 5 })).resolves.toBe('paid 5');
    expect(bank.calls).toEqual(['pay pay', 'pay pay']);
  });

  it('is asked first where its run was retried', async () => {
    bank.course = ['hangs when paid'];
    bank.verify = () => {
      throw new NonRetryableError('nobody answers');
    };
    const { orchestrator } = await start();
    const run = await orchestrator.start(Payment, { amount: 5 });
    await expect(run.result()).rejects.toMatchObject({ cause: { message: 'nobody answers' } });
    bank.verify = (key) => bank.find(key);
    await run.retry();
    await expect(run.result()).resolves.toBe('found 5');
    expect(bank.paid).toEqual(new Map([['pay', 5]]));
  });

  it('has been done where an attempt that timed out had done it', async () => {
    bank.course = ['hangs when paid'];
    const { orchestrator } = await start();
    await expect(orchestrator.execute(Payment, { amount: 5 })).resolves.toBe('found 5');
    expect(bank.calls).toEqual(['pay pay', 'look for pay']);
    expect(bank.paid).toEqual(new Map([['pay', 5]]));
  });

  it('is run again where that had not', async () => {
    bank.course = ['hangs'];
    const { orchestrator } = await start();
    await expect(orchestrator.execute(Payment, { amount: 5 })).resolves.toBe('paid 5');
    expect(bank.calls).toEqual(['pay pay', 'look for pay', 'pay pay']);
  });

  it('has been done where a process had done it that handed it over', async () => {
    bank.course = ['hangs when paid'];
    const first = await start({ worker: { shutdownTimeout: '1ms' } });
    const run = await first.orchestrator.start(Payments);
    await bank.gate.arrival();
    await first.close();
    const { orchestrator } = await start();
    await expect(orchestrator.result(run.id)).resolves.toEqual(['found 1', 'paid 1']);
    expect(bank.calls).toEqual(['pay ann', 'look for ann', 'pay bob']);
  });

  it('does not begin where it was handed over while it was asked about', async () => {
    bank.course = ['hangs'];
    const asking = new Gate();
    bank.verify = async (key) => {
      await asking.pass();
      return bank.find(key);
    };
    const first = await start({ worker: { shutdownTimeout: '1ms' } });
    const run = await first.orchestrator.start(Payment, { amount: 5 });
    await asking.arrival();
    await first.close();
    asking.open();
    const { orchestrator } = await start();
    await expect(orchestrator.result(run.id)).resolves.toBe('paid 5');
    expect(bank.paid).toEqual(new Map([['pay', 5]]));
    expect(bank.calls.filter((call) => call === 'pay pay')).toHaveLength(2);
  });

  it('is asked about, and undone in the end, where an interceptor has given up waiting for it', async () => {
    bank.course = ['hangs when paid'];
    const { orchestrator } = await start();
    await expect(orchestrator.execute(Impatient, { amount: 5 })).rejects.toThrow('enough');
    expect(bank.calls).toEqual(['pay pay', 'look for pay', 'undo']);
    bank.calls = [];
    bank.paid.clear();
    bank.course = ['hangs when paid'];
    bank.verify = () => {
      throw new NonRetryableError('closed');
    };
    await expect(orchestrator.execute(Impatient, { amount: 5 })).rejects.toThrow('closed');
    expect(bank.calls).toEqual(['pay pay', 'undo']);
  });

  it('has been done where a process had done it that died', async () => {
    bank.paid.set('pay', 7);
    const { orchestrator } = await start({ worker: false });
    const run = await orchestrator.start(Payment, { amount: 7 });
    const dead = randomUUID();
    await db.query(
      `INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
       VALUES ($1, 'dead', 'elsewhere', 1, '{orchestrate-flow}', now() - interval '1 minute')`,
      [dead],
    );
    await db.query(
      `UPDATE orchestrate_flow.workflow_step SET status = 'running', attempt = 1, worker = $2, started_at = now() WHERE run_id = $1`,
      [run.id, dead],
    );
    await start({ lease: '1s' });
    await expect(run.result()).resolves.toBe('found 7');
    expect(bank.calls).toEqual(['look for pay']);
  });

  it('has failed where nobody can say, once it has been asked as often as the policy allows', async () => {
    bank.course = ['hangs when paid'];
    bank.verify = () => {
      bank.calls.push('ask');
      throw new Error('the bank is closed');
    };
    const { orchestrator } = await start();
    await expect(orchestrator.execute(Payment, { amount: 5 })).rejects.toThrow('the bank is closed');
    expect(bank.calls).toEqual(['pay pay', 'ask', 'ask']);
    bank.verify = () => {
      throw new NonRetryableError('ask them yourself');
    };
    bank.calls = [];
    bank.gate = new Gate();
    await expect(orchestrator.execute(Payment, { amount: 5 })).rejects.toThrow('ask them yourself');
    expect(bank.calls).toEqual(['pay pay']);
  });

  it.each([undefined, true, { done: 'yes' }, 'paid'])('has failed where %p is to be a verdict', async (verdict) => {
    bank.course = ['hangs when paid'];
    bank.verify = () => verdict;
    const { orchestrator } = await start();
    const run = await orchestrator.start(Payment, { amount: 5 });
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_VERDICT_INVALID' } });
    expect(bank.calls).toEqual(['pay pay']);
  });
});
