import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import {
  Ctx,
  Input,
  Parallel,
  Result,
  ResultTimeoutError,
  RunCancelledError,
  RunFailedError,
  Step,
  type FlowEvent,
  type RunDetails,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';
import { z } from 'zod';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';
import { getStep, waitForRun, waitForStep } from '../support/wait-for-run.js';

const Numbered = z.object({ n: z.number() });

@Workflow({ name: 'sequence' })
class Sequence {
  static readonly input = Numbered;
  static readonly output = 'third';

  @Step() first(@Input() { n }: { n: number }): number[] {
    return [n];
  }
  @Step() second(@Result('first') list: number[]): number[] {
    return [...list, list.at(-1)! + 1];
  }
  @Step() third(@Result('second') list: number[]): number[] {
    return [...list, list.at(-1)! + 1];
  }
}

@Workflow({ name: 'side-by-side' })
class SideBySide {
  static readonly output = 'join';
  private readonly both = new Gate();

  @Step() begin(): string {
    return 'begun';
  }
  @Parallel() left(@Result('begin') word: string): Promise<string> {
    return this.meet(`left ${word}`);
  }
  @Parallel() right(@Result('begin') word: string): Promise<string> {
    return this.meet(`right ${word}`);
  }
  @Step() join(@Result('left') left: string, @Result('right') right: string): string[] {
    return [left, right];
  }

  /** Neither ends before the other has begun: that they run at once is the condition of the test's end. */
  private async meet(word: string): Promise<string> {
    void this.both.pass();
    await this.both.arrival(2);
    return word;
  }
}

@Workflow({ name: 'diamond' })
class Diamond {
  static readonly output = 'e';

  @Step({ after: [] }) a(): string {
    return 'a';
  }
  @Step({ after: [] }) b(): string {
    return 'b';
  }
  @Step({ after: ['a', 'b'] }) c(@Result('a') a: string, @Result('b') b: string): string {
    return `c(${a}${b})`;
  }
  @Step({ after: ['b'] }) d(@Result('b') b: string): string {
    return `d(${b})`;
  }
  @Step({ after: ['c', 'd'] }) e(@Result('c') c: string, @Result('d') d: string): string {
    return `e(${c}${d})`;
  }
}

@Workflow({ name: 'nothing' })
class Nothing {
  @Step() one(): void {}
}

const gates = new Map<string, Gate>();

function gate(name: string): Gate {
  const existing = gates.get(name) ?? new Gate();
  gates.set(name, existing);
  return existing;
}

@Workflow({ name: 'gated' })
class Gated {
  static readonly input = z.object({ gate: z.string() });
  static readonly output = 'wait';
  static aborted = new Map<string, unknown>();
  static order: string[] = [];

  @Step() wait(@Input() input: { gate: string }, @Ctx() step: StepContext): Promise<string> {
    Gated.order.push(input.gate);
    return new Promise((resolve, reject) => {
      void gate(input.gate)
        .pass()
        .then(() => resolve(input.gate));
      step.signal.addEventListener('abort', () => {
        Gated.aborted.set(step.runId, step.signal.reason);
        reject(step.signal.reason as Error);
      });
    });
  }
  @Step() after(): string {
    return 'after';
  }
}

@Workflow({ name: 'solitary', queue: 'solitary' })
class Solitary extends Gated {}

class CardError extends Error {
  override readonly name = 'CardError';
  readonly declineCode = 'no_funds';
}

@Workflow({ name: 'failing', retry: 1 })
class Failing {
  static readonly output = 'charge';

  @Step() charge(): string {
    throw new CardError('The card was declined.', { cause: new Error('Socket closed.') });
  }
  @Step() ship(): void {}
}

@Workflow({ name: 'retrying', retry: { attempts: 2, backoff: 'fixed', delay: '1h', jitter: 'none' } })
class Retrying {
  @Step() stumble(): void {
    throw new Error('Not today.');
  }
  @Step() never(): void {}
}

@Workflow({ name: 'tagged', tags: ['billing'] })
class Tagged {
  @Step() fine(): void {}
}

@Workflow({ name: 'told' })
class Told {
  static readonly output = 'tell';

  @Step() tell(@Ctx() step: StepContext): string | null {
    return step.tenant;
  }
}

@Workflow({ name: 'unstorable' })
class Unstorable {
  static calls = 0;

  @Step() fine(): string {
    return 'fine';
  }
  @Step({ retry: 5 }) give(): unknown {
    Unstorable.calls += 1;
    return { order: { callback: () => {} } };
  }
}

class Item {
  @IsString() sku!: string;
  @IsInt() @Min(1) quantity!: number;
}

class OrderDto {
  @IsString() id!: string;
  @ValidateNested({ each: true }) @Type(() => Item) items!: Item[];
}

@Workflow({ name: 'order' })
class Order {
  static readonly input = OrderDto;
  static readonly output = 'count';

  @Step() count(@Input() order: OrderDto): number {
    return order.items[0] instanceof Item ? order.items.length : -1;
  }
}

@Workflow({ name: 'parsed' })
class Parsed {
  static readonly input = z.object({ at: z.coerce.number(), lines: z.array(z.object({ sku: z.string() })) });
  static readonly output = 'give';

  @Step() give(@Input() input: { at: number; lines: { sku: string }[] }): number {
    return input.at + 1;
  }
}

@Workflow({ name: 'anything' })
class Anything {
  static readonly output = 'echo';

  @Step() echo(@Input() input: unknown): unknown {
    return input;
  }
}

class Stranger {}

const workflows = [
  ...[Sequence, SideBySide, Diamond, Nothing, Gated, Solitary, Failing, Retrying, Unstorable, Order, Parsed, Anything],
];

let database: TestDatabase;
let db: TestConnection;
let app: TestApp;
/** A second process, as far as the library can tell. */
let other: TestApp;

beforeAll(async () => {
  database = await createDatabase();
  app = await startApp({ database, workflows });
  other = await startApp({ database, workflows, worker: false });
  db = await connect(database);
});

afterAll(async () => {
  for (const waiting of gates.values()) waiting.open();
  await app?.close();
  await other?.close();
  await db?.close();
  await database?.drop();
});

const code = (name: string) => expect.objectContaining({ code: name });

describe('starting', () => {
  it('runs the steps of a sequence one after the other, each with the results of earlier ones', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 });
    expect(run.created).toBe(true);
    await expect(run.result()).resolves.toEqual([1, 2, 3]);
    await expect(run.status()).resolves.toBe('completed');
  });

  it('runs parallel steps at once and joins them', async () => {
    await expect(app.orchestrator.execute(SideBySide)).resolves.toEqual(['left begun', 'right begun']);
  });

  it('runs any directed graph', async () => {
    await expect(app.orchestrator.execute(Diamond)).resolves.toBe('e(c(ab)d(b))');
  });

  it('gives undefined for a workflow without output', async () => {
    await expect(app.orchestrator.execute(Nothing)).resolves.toBeUndefined();
  });

  it('takes the name of a workflow for its class', async () => {
    await expect(app.orchestrator.execute('sequence', { n: 5 })).resolves.toEqual([5, 6, 7]);
    const run = await app.orchestrator.start('sequence', { n: 7 });
    await expect(run.result()).resolves.toEqual([7, 8, 9]);
  });

  it('refuses a workflow that the app does not have, and names those it has', async () => {
    await expect(app.orchestrator.start('sequenze')).rejects.toMatchObject({
      code: 'OF_WORKFLOW_UNKNOWN',
      message: expect.stringContaining('"sequence"') as unknown as string,
    });
    await expect(app.orchestrator.start(Stranger)).rejects.toEqual(code('OF_WORKFLOW_UNKNOWN'));
  });

  it('gives the run the id asked for, and refuses the same id twice', async () => {
    const id = randomUUID();
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { id });
    expect(run.id).toBe(id);
    await expect(app.orchestrator.start(Sequence, { n: 1 }, { id })).rejects.toEqual(code('OF_RUN_EXISTS'));
    await expect(app.orchestrator.start(Sequence, { n: 1 }, { id: id.toUpperCase() })).rejects.toEqual(
      code('OF_RUN_EXISTS'),
    );
    await expect(run.result()).resolves.toEqual([1, 2, 3]);
  });

  it('refuses options that cannot be meant, all in one error', async () => {
    const options = { id: 'seven', key: '', delay: 'soon' as '1s', priority: -1 };
    await expect(app.orchestrator.start(Sequence, { n: 1 }, options)).rejects.toMatchObject({
      code: 'OF_ARGUMENT_INVALID',
      message: expect.stringMatching(/id.*key.*delay.*priority/) as unknown as string,
    });
  });
});

describe('a key', () => {
  it('used again with the same input gives the same run', async () => {
    const first = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'again' });
    const second = await other.orchestrator.start(Sequence, { n: 1 }, { key: 'again' });
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.id).toBe(first.id);
    await expect(second.result()).resolves.toEqual([1, 2, 3]);
  });

  it('used again with other input is refused', async () => {
    const { id } = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'conflict' });
    await expect(app.orchestrator.start(Sequence, { n: 2 }, { key: 'conflict' })).rejects.toMatchObject({
      code: 'OF_KEY_CONFLICT',
      message: expect.stringContaining(id) as unknown as string,
    });
  });

  it('belongs to its workflow', async () => {
    const one = await app.orchestrator.start(Nothing, undefined, { key: 'shared' });
    const two = await app.orchestrator.start(Diamond, undefined, { key: 'shared' });
    expect([one.created, two.created]).toEqual([true, true]);
  });

  it('addresses its run', async () => {
    const { id } = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'address' });
    const address = { workflow: Sequence, key: 'address' };
    await expect(app.orchestrator.result(address)).resolves.toEqual([1, 2, 3]);
    await expect(app.orchestrator.get({ workflow: 'sequence', key: 'address' })).resolves.toMatchObject({ id });
    await expect(app.orchestrator.get({ workflow: Diamond, key: 'address' })).rejects.toEqual(code('OF_RUN_UNKNOWN'));
  });

  it('started by two processes at the same moment makes one run', async () => {
    for (let round = 0; round < 20; round++) {
      const key = `race ${round}`;
      const starts = [app, other, app, other].map(({ orchestrator }) =>
        orchestrator.start(Sequence, { n: round }, { key }),
      );
      const runs = await Promise.all(starts);
      expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
      expect(runs.filter(({ created }) => created)).toHaveLength(1);
      await expect(runs[0]!.result()).resolves.toEqual([round, round + 1, round + 2]);
    }
  });

  it('with other input at the same moment starts one run and refuses the others', async () => {
    const starts = [app, other, app].map(({ orchestrator }, n) =>
      orchestrator.start(Sequence, { n }, { key: 'conflict at once' }),
    );
    const settled = await Promise.allSettled(starts);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const { reason } of settled.filter((one) => one.status === 'rejected')) {
      expect(reason).toEqual(code('OF_KEY_CONFLICT'));
    }
  });
});

describe('a delay', () => {
  it('lets the run wait, pending, and never begin early', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { delay: '300ms' });
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ status: 'pending', startedAt: null });
    await run.result();
    const [times] = await db.query<{ waited: number }>(
      `SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 AS waited FROM orchestrate_flow.workflow_run WHERE id = $1`,
      [run.id],
    );
    expect(times!.waited).toBeGreaterThanOrEqual(300);
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ dueAt: null });
  });

  it('is kept by the workers where the process that starts runs no steps, and makes no worker of it', async () => {
    const workers = () => db.query(`SELECT id FROM orchestrate_flow.workflow_worker`);
    const run = await other.orchestrator.start(Sequence, { n: 1 }, { delay: '200ms' });
    await expect(run.result()).resolves.toEqual([1, 2, 3]);
    expect(await workers()).toHaveLength(1);
    expect(other.events.map(({ type }) => type)).not.toContain('worker.started');
  });
});

describe('a priority', () => {
  it('lets lower runs go first', async () => {
    const lone = await createDatabase();
    const one = await startApp({ database: lone, workflows: [Solitary], worker: { concurrency: 1 } });
    try {
      const start = (name: string, priority?: number) =>
        one.orchestrator.start(Solitary, { gate: name }, priority === undefined ? {} : { priority });
      const runs = [await start('blocker')];
      await gate('blocker').arrival();
      for (const priority of [7, 3, 9, 1]) runs.push(await start(`p${priority}`, priority));
      runs.push(await start('p0'));
      for (const name of ['p0', 'p1', 'p3', 'p7', 'p9', 'blocker']) gate(name).open();
      await Promise.all(runs.map((run) => run.result()));
      expect(Gated.order.filter((name) => /^p\d$/.test(name))).toEqual(['p0', 'p1', 'p3', 'p7', 'p9']);
    } finally {
      await one.close();
      await lone.drop();
    }
  });
});

describe('startMany', () => {
  it('starts all runs in one commit', async () => {
    const items = Array.from({ length: 1_000 }, (_, n) => ({ input: { n } }));
    const runs = await app.orchestrator.startMany(Sequence, items);
    const results = await Promise.all(runs.map((run) => run.result()));
    expect(results).toEqual(items.map(({ input: { n } }) => [n, n + 1, n + 2]));
    const moments = await db.query(
      `SELECT DISTINCT created_at FROM orchestrate_flow.workflow_run WHERE id = ANY ($1::uuid[])`,
      [runs.map(({ id }) => id)],
    );
    expect(moments).toHaveLength(1);
  });

  it('refuses more than a thousand, and starts none of them', async () => {
    const before = await countRuns();
    const items = Array.from({ length: 1_001 }, (_, n) => ({ input: { n } }));
    await expect(app.orchestrator.startMany(Sequence, items)).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    expect(await countRuns()).toBe(before);
  });

  it('starts none where one input is invalid', async () => {
    const before = await countRuns();
    const items = [{ input: { n: 1 } }, { input: { n: 'two' as unknown as number } }, { input: { n: 3 } }];
    await expect(app.orchestrator.startMany(Sequence, items)).rejects.toEqual(code('OF_INPUT_INVALID'));
    expect(await countRuns()).toBe(before);
  });

  it('gives the earlier run for a key that was used before', async () => {
    const earlier = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'many' });
    const runs = await app.orchestrator.startMany(Sequence, [
      { input: { n: 1 }, key: 'many' },
      { input: { n: 2 }, key: 'many more' },
      { input: { n: 2 }, key: 'many more' },
    ]);
    expect(runs.map(({ created }) => created)).toEqual([false, true, false]);
    expect(runs[0]!.id).toBe(earlier.id);
    expect(runs[2]!.id).toBe(runs[1]!.id);
    await expect(runs[2]!.result()).resolves.toEqual([2, 3, 4]);
  });

  it('starts none where a key was used with other input, or an id is taken', async () => {
    const { id } = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'many conflict' });
    const before = await countRuns();
    const conflict = [{ input: { n: 5 } }, { input: { n: 2 }, key: 'many conflict' }];
    await expect(app.orchestrator.startMany(Sequence, conflict)).rejects.toEqual(code('OF_KEY_CONFLICT'));
    const taken = [{ input: { n: 5 } }, { input: { n: 2 }, id }];
    await expect(app.orchestrator.startMany(Sequence, taken)).rejects.toEqual(code('OF_RUN_EXISTS'));
    expect(await countRuns()).toBe(before);
  });

  it('starts nothing for nothing', async () => {
    await expect(app.orchestrator.startMany(Sequence, [])).resolves.toEqual([]);
  });
});

describe('input', () => {
  it('that breaks the rules of its class is refused with every path', async () => {
    const input = { id: 7, items: [{ sku: 'A', quantity: 1 }, { quantity: 0 }] } as unknown as OrderDto;
    const error = await app.orchestrator.start(Order, input).catch((reason: unknown) => reason);
    expect(error).toEqual(code('OF_INPUT_INVALID'));
    const { faults } = error as { faults: { path: string }[] };
    expect(new Set(faults.map(({ path }) => path))).toEqual(new Set(['id', 'items.1.sku', 'items.1.quantity']));
  });

  it('of a class arrives as that class', async () => {
    await expect(app.orchestrator.execute(Order, { id: 'o', items: [{ sku: 'A', quantity: 1 }] })).resolves.toBe(1);
  });

  it('that breaks a schema is refused with every path', async () => {
    const input = { at: 1, lines: [{ sku: 'A' }, { sku: 2 }], more: 1 } as unknown as { at: number; lines: never[] };
    await expect(app.orchestrator.start(Parsed, input)).rejects.toMatchObject({
      code: 'OF_INPUT_INVALID',
      faults: [{ path: 'lines.1.sku' }],
    });
  });

  it('arrives as its schema made it', async () => {
    await expect(app.orchestrator.execute('parsed', { at: '41', lines: [] })).resolves.toBe(42);
  });

  it('that cannot be stored is refused with its path before a row is written', async () => {
    const before = await countRuns();
    const start = app.orchestrator.start('anything', { order: { done: () => {} } });
    await expect(start).rejects.toMatchObject({ code: 'OF_VALUE_NOT_STORABLE', path: 'order.done' });
    expect(await countRuns()).toBe(before);
  });

  it('that is too large is refused before a row is written', async () => {
    const before = await countRuns();
    const start = app.orchestrator.start('anything', 'x'.repeat(1_048_577));
    await expect(start).rejects.toEqual(code('OF_VALUE_NOT_STORABLE'));
    expect(await countRuns()).toBe(before);
  });

  it('beyond JSON comes back as it was', async () => {
    const input = { at: new Date(0), big: 10n, map: new Map([[1, new Set(['\0', '\ud800'])]]), none: undefined };
    await expect(app.orchestrator.execute('anything', input)).resolves.toEqual(input);
  });
});

describe('looking', () => {
  it('shows a run from its start to its end', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'look' }, { key: 'look', priority: 4 });
    await gate('look').arrival();
    const running = await app.orchestrator.get(run.id);
    expect(running).toMatchObject({
      ...{ id: run.id, workflow: 'gated', status: 'running', key: 'look', priority: 4, input: { gate: 'look' } },
      ...{ failure: null, cancelReason: null, dueAt: null, endedAt: null },
    });
    expect(running.startedAt).toEqual(running.createdAt);
    gate('look').open();
    await run.result();
    const ended = await app.orchestrator.get(run.id);
    expect(ended.status).toBe('completed');
    expect(ended.endedAt!.getTime()).toBeGreaterThanOrEqual(ended.startedAt!.getTime());
  });

  it('refuses a run that does not exist', async () => {
    for (const address of [randomUUID(), 'nonsense', { workflow: Sequence, key: 'unheard of' }]) {
      const { orchestrator } = app;
      await expect(orchestrator.get(address)).rejects.toEqual(code('OF_RUN_UNKNOWN'));
      await expect(orchestrator.steps(address)).rejects.toEqual(code('OF_RUN_UNKNOWN'));
      await expect(orchestrator.result(address)).rejects.toEqual(code('OF_RUN_UNKNOWN'));
      await expect(orchestrator.cancel(address)).rejects.toEqual(code('OF_RUN_UNKNOWN'));
    }
  });

  it('shows a step that is held in the state as running, with its worker', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'held' });
    await gate('held').arrival();
    const [worker] = await db.query<{ id: string }>('SELECT id FROM orchestrate_flow.workflow_worker');
    const [wait, after] = await app.orchestrator.steps(run.id);
    expect(wait).toMatchObject({ name: 'wait', status: 'running', attempt: 1, failures: 0, worker: worker!.id });
    expect(wait!.startedAt).toBeInstanceOf(Date);
    expect(after).toMatchObject({ name: 'after', status: 'pending', attempt: 0, worker: null, startedAt: null });
    gate('held').open();
    await run.result();
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.map(({ status, result }) => [status, result])).toEqual([
      ['completed', 'held'],
      ['completed', 'after'],
    ]);
    expect(steps[0]!.startedAt).toEqual(wait!.startedAt);
    expect(steps[0]!.endedAt!.getTime()).toBeGreaterThanOrEqual(wait!.startedAt!.getTime());
  });

  it('shows when a step that failed is tried again', async () => {
    const run = await app.orchestrator.start(Retrying);
    const step = await waitForStep(app.orchestrator, run.id, 'stumble', 'retrying');
    expect(step).toMatchObject({ attempt: 1, failures: 1, worker: null, error: { message: 'Not today.' } });
    const [row] = await db.query<{ ms: number }>(
      `SELECT extract(epoch FROM due_at - updated_at)::float8 * 1000 AS ms
       FROM (SELECT s.due_at, r.updated_at FROM orchestrate_flow.workflow_step s
         JOIN orchestrate_flow.workflow_run r ON r.id = s.run_id WHERE r.id = $1) x`,
      [run.id],
    );
    expect(row!.ms).toBe(3_600_000);
    expect(step.dueAt).toBeInstanceOf(Date);
    await run.cancel();
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.map(({ name, status, dueAt }) => [name, status, dueAt])).toEqual([
      ['stumble', 'cancelled', null],
      ['never', 'cancelled', null],
    ]);
    expect(steps[0]!.errors).toHaveLength(1);
  });

  it('gives the graph of a workflow as data and as text', () => {
    const graph = app.orchestrator.graphOf(SideBySide);
    expect(graph.nodes.map(({ name, after }) => [name, after])).toEqual([
      ['begin', []],
      ['left', ['begin']],
      ['right', ['begin']],
      ['join', ['left', 'right']],
    ]);
    expect(graph.toText()).toBe('side-by-side: begin → left ∥ right → join');
    expect(graph.toMermaid()).toContain('flowchart');
    expect(() => app.orchestrator.graphOf('nope')).toThrow(code('OF_WORKFLOW_UNKNOWN'));
  });
});

describe('a list', () => {
  it('of a workflow whose code this process lacks is that of its name', async () => {
    await expect(app.orchestrator.list({ workflow: 'of-another-app' })).resolves.toEqual({
      runs: [],
      nextCursor: null,
    });
    await expect(app.orchestrator.get({ workflow: 'of-another-app', key: 'k' })).rejects.toEqual(
      code('OF_RUN_UNKNOWN'),
    );
  });

  let listed: TestDatabase;
  let lister: TestApp;
  let rows: TestConnection;

  beforeAll(async () => {
    listed = await createDatabase();
    lister = await startApp({ database: listed, workflows: [Sequence, Failing, Retrying, Tagged, Told], entities: [] });
    rows = await connect(listed);
    const runs = await lister.orchestrator.startMany(
      Sequence,
      Array.from({ length: 25 }, (_, n) => ({ input: { n } })),
    );
    await Promise.all(runs.map((run) => run.result()));
    for (let count = 0; count < 6; count++) {
      const run = await lister.orchestrator.start(Failing);
      await run.result().catch(() => undefined);
    }
    await (await lister.orchestrator.start(Retrying)).cancel({ reason: 'enough' });
  });

  afterAll(async () => {
    await lister?.close();
    await rows?.close();
    await listed?.drop();
  });

  async function pages(options: Parameters<TestApp['orchestrator']['list']>[0]): Promise<RunDetails[]> {
    const all: RunDetails[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await lister.orchestrator.list({ ...options, ...(cursor ? { cursor } : {}) });
      expect(page.runs.length).toBeLessThanOrEqual(options!.limit!);
      all.push(...page.runs);
      cursor = page.nextCursor;
    }
    return all;
  }

  it('comes page by page, complete and without doubles, also where runs were created at the same moment', async () => {
    const ids = await rows.query<{ id: string }>(
      'SELECT id FROM orchestrate_flow.workflow_run ORDER BY created_at DESC, id DESC',
    );
    expect(ids).toHaveLength(32);
    for (const limit of [1, 4, 7, 31, 32, 33]) {
      expect((await pages({ limit })).map(({ id }) => id)).toEqual(ids.map(({ id }) => id));
    }
  });

  it('stays complete where runs differ by microseconds', async () => {
    await rows.query(
      `UPDATE orchestrate_flow.workflow_run r SET created_at = timestamptz '2026-01-01 00:00:00.000100+00' + x.n * interval '1 microsecond'
       FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orchestrate_flow.workflow_run) x WHERE x.id = r.id`,
    );
    const found = await pages({ limit: 5 });
    expect(new Set(found.map(({ id }) => id)).size).toBe(32);
    expect(found).toHaveLength(32);
  });

  it('is filtered by workflow, status and time', async () => {
    const { orchestrator } = lister;
    expect(await pages({ workflow: Failing, limit: 4 })).toHaveLength(6);
    expect(await pages({ workflow: 'failing', status: 'completed', limit: 4 })).toHaveLength(0);
    expect(await pages({ status: ['failed', 'cancelled'], limit: 4 })).toHaveLength(7);
    const [cancelled] = (await orchestrator.list({ status: 'cancelled' })).runs;
    expect(cancelled).toMatchObject({ cancelReason: 'enough', workflow: 'retrying' });
    await rows.query(
      `UPDATE orchestrate_flow.workflow_run SET created_at = timestamptz '2025-06-01 00:00+00' WHERE status = 'cancelled'`,
    );
    const day = new Date('2025-06-01T00:00:00Z');
    expect((await orchestrator.list({ to: new Date('2025-12-01') })).runs).toHaveLength(1);
    expect((await orchestrator.list({ from: day, to: new Date(day.getTime() + 1) })).runs).toHaveLength(1);
    expect((await orchestrator.list({ from: new Date('2020-01-01'), to: day })).runs).toHaveLength(0);
  });

  it('is filtered by tags: those of the workflow and those of the start, all of which a run must bear', async () => {
    const { orchestrator } = lister;
    const idsOf = async (...tags: string[]) => (await pages({ tags, limit: 2 })).map(({ id }) => id).sort();
    const plain = await orchestrator.start(Tagged);
    const vip = await orchestrator.start(Tagged, undefined, { tags: ['vip', 'billing', 'vip'] });
    const [many] = await orchestrator.startMany(Tagged, [{ tags: ['vip', 'a "quoted", one'] }]);
    const inTransaction = await lister.dataSource.transaction((manager) =>
      orchestrator.start(Tagged, undefined, { tags: ['vip', 'late'], manager }),
    );
    const all = [plain, vip, many!, inTransaction].map(({ id }) => id);
    expect(await idsOf('billing')).toEqual(all.toSorted());
    expect(await idsOf('vip')).toEqual(all.slice(1).toSorted());
    expect(await idsOf('late', 'vip')).toEqual([inTransaction.id]);
    expect(await idsOf('a "quoted", one')).toEqual([many!.id]);
    expect(await idsOf('late', 'unknown')).toEqual([]);
    expect(await orchestrator.get(vip.id)).toMatchObject({ tags: ['billing', 'vip'] });
    expect((await orchestrator.list({ workflow: Sequence, limit: 1 })).runs[0]).toMatchObject({ tags: [] });
  });

  it('is filtered by tenant, of which the steps of its runs are told', async () => {
    const { orchestrator } = lister;
    const tenant = 'acme';
    const one = await orchestrator.start(Told, undefined, { tenant });
    const [many] = await orchestrator.startMany(Told, [{ tenant }, { tenant: 'globex' }]);
    const inTransaction = await lister.dataSource.transaction((manager) =>
      orchestrator.start(Told, undefined, { tenant, manager }),
    );
    expect(await orchestrator.execute(Told, undefined, { tenant })).toBe(tenant);
    expect(await orchestrator.execute(Told)).toBeNull();
    for (const run of [one, many!, inTransaction]) expect(await run.result()).toBe(tenant);
    const listed = await pages({ tenant, limit: 2 });
    expect(listed.map(({ id }) => id)).toEqual(expect.arrayContaining([one.id, many!.id, inTransaction.id]));
    expect(listed).toHaveLength(4);
    expect(await orchestrator.get(one.id)).toMatchObject({ tenant });
    expect((await orchestrator.list({ workflow: Sequence, limit: 1 })).runs[0]).toMatchObject({ tenant: null });
  });

  it.each([[''], ['  '], ['x'.repeat(201)], ['a\0b'], [1], [null]])(
    'and a start take no such tenant: %j',
    async (given) => {
      const tenant = given as string;
      const refused = {
        code: 'OF_ARGUMENT_INVALID',
        message: expect.stringMatching(/^Expected tenant to be text of 1/),
      };
      await expect(lister.orchestrator.list({ tenant })).rejects.toMatchObject(refused);
      await expect(lister.orchestrator.start(Told, undefined, { tenant })).rejects.toMatchObject(refused);
    },
  );

  it('is found by the index of tags, in which runs without any are not', async () => {
    await rows.query('SET enable_seqscan = off');
    const plan = await rows.query("EXPLAIN SELECT * FROM orchestrate_flow.workflow_run r WHERE r.tags @> '{vip}'");
    expect(JSON.stringify(plan)).toContain('workflow_run_tags');
  });

  it.each([
    [['']],
    [['x'.repeat(101)]],
    [['a\0b']],
    [['\ud800']],
    [[1]],
    ['vip'],
    [Array.from({ length: 21 }, (_, n) => `t${n}`)],
  ])('and a start take no such tags: %j', async (given) => {
    const tags = given as string[];
    const refused = { code: 'OF_ARGUMENT_INVALID', message: expect.stringMatching(/^Expected tags to be a list of/) };
    await expect(lister.orchestrator.list({ tags })).rejects.toMatchObject(refused);
    await expect(lister.orchestrator.start(Tagged, undefined, { tags })).rejects.toMatchObject(refused);
  });

  it('is not given for a bad cursor, limit, status or time, or no tags at all', async () => {
    const bad = [
      { cursor: 'nonsense' },
      { cursor: Buffer.from('["2026-01-01","x"]').toString('base64url') },
      { cursor: Buffer.from(`["99-99-99","${randomUUID()}"]`).toString('base64url') },
      { limit: 0 },
      { limit: 1_001 },
      { limit: 1.5 },
      { status: 'done' as 'completed' },
      { status: [] },
      { tags: [] },
      { from: new Date(NaN) },
      { to: 'yesterday' as unknown as Date },
    ];
    for (const options of bad) {
      await expect(lister.orchestrator.list(options)).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    }
  });
});

describe('a result', () => {
  it('reaches a process that neither started nor ran it', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { delay: '100ms' });
    await expect(other.orchestrator.result(run.id)).resolves.toEqual([1, 2, 3]);
  });

  it('is waited for no longer than asked, and the run goes on', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'slow' });
    const error = await run.result({ timeout: '20ms' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResultTimeoutError);
    expect(error).toMatchObject({ code: 'OF_RESULT_TIMEOUT', runId: run.id, timeoutMs: 20 });
    await expect(run.result({ timeout: 'soon' as '1s' })).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    gate('slow').open();
    await expect(run.result({ timeout: '1h' })).resolves.toBe('slow');
  });

  it.each([
    ['where it ran', () => app],
    ['elsewhere', () => other],
  ])('of a failed run throws, with the cause, its stack and its fields, %s', async (_, where) => {
    const run = await app.orchestrator.start(Failing);
    const error = await where()
      .orchestrator.result(run.id)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunFailedError);
    expect(error).toMatchObject({
      ...{ code: 'OF_RUN_FAILED', runId: run.id, workflow: 'failing', step: 'charge' },
      cause: { name: 'CardError', message: 'The card was declined.', declineCode: 'no_funds' },
    });
    const { cause } = error as { cause: Error };
    expect(cause).toBeInstanceOf(Error);
    expect(cause.stack).toContain('Failing.charge');
    expect(cause.cause).toMatchObject({ message: 'Socket closed.' });
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({
      ...{ status: 'failed', failure: { step: 'charge', error: { message: 'The card was declined.' } } },
    });
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.map(({ status }) => status)).toEqual(['failed', 'cancelled']);
  });

  it('of a cancelled run throws, with the reason', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'cancelled result' });
    const waiting = other.orchestrator.result(run.id).catch((reason: unknown) => reason);
    await run.cancel({ reason: 'The customer changed their mind.' });
    for (const error of [await waiting, await run.result().catch((reason: unknown) => reason)]) {
      expect(error).toBeInstanceOf(RunCancelledError);
      expect(error).toMatchObject({ code: 'OF_RUN_CANCELLED', reason: 'The customer changed their mind.' });
    }
  });

  it('that cannot be stored is the failure of its step, and is not tried again', async () => {
    const run = await app.orchestrator.start(Unstorable);
    await expect(run.result()).rejects.toMatchObject({
      ...{ code: 'OF_RUN_FAILED', step: 'give' },
      cause: {
        code: 'OF_VALUE_NOT_STORABLE',
        message: expect.stringContaining('"order.callback"') as unknown as string,
      },
    });
    expect(Unstorable.calls).toBe(1);
    await expect(getStep(app.orchestrator, run.id, 'give')).resolves.toMatchObject({ attempt: 1, failures: 1 });
  });
});

describe('the audit log', () => {
  it('says who asked for what and why, newest first and a page at a time, and nothing of what changed nothing', async () => {
    const { orchestrator } = app;
    const run = await orchestrator.start(Sequence, { n: 1 }, { key: 'audited', delay: '1h' });
    const address = { workflow: Sequence, key: 'audited' };
    await Promise.all([
      other.orchestrator.cancel(address, { by: 'Ann', reason: 'ordered twice' }),
      run.cancel({ by: 'Ann', reason: 'ordered twice' }),
    ]);
    const second = await orchestrator.start(Sequence, { n: 1 }, { delay: '1h' });
    await orchestrator.terminate(second.id);
    const third = await orchestrator.start(Gated, { gate: 'audited' }, { delay: '1h' });
    await orchestrator.wake(third.id, { by: 'Bob' });
    await gate('audited').arrival();
    await orchestrator.wake(third.id, { by: 'Bob', reason: 'nothing waits' });
    gate('audited').open();
    await third.result();
    await expect(orchestrator.audit({ run: address })).resolves.toEqual({
      entries: [
        {
          ...{ id: expect.any(String), runId: run.id, workflow: 'sequence', action: 'cancel' },
          ...{ by: 'Ann', reason: 'ordered twice', at: expect.any(Date) },
        },
      ],
      nextCursor: null,
    });
    const first = await orchestrator.audit({ workflow: Sequence, limit: 1 });
    expect(first.entries).toMatchObject([{ runId: second.id, action: 'terminate', by: null, reason: null }]);
    const rest = await orchestrator.audit({ workflow: Sequence, limit: 1, cursor: first.nextCursor! });
    expect(rest.entries).toMatchObject([{ runId: run.id }]);
    const { entries } = await orchestrator.audit({ by: 'Bob' });
    expect(entries).toMatchObject([{ runId: third.id, action: 'wake', reason: null }]);
    await expect(orchestrator.audit({ run: randomUUID() })).rejects.toEqual(code('OF_RUN_UNKNOWN'));
    await expect(orchestrator.audit({ limit: 0 })).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
    await expect(orchestrator.audit({ cursor: '1; drop' })).rejects.toEqual(code('OF_ARGUMENT_INVALID'));
  });
});

describe('cancelling', () => {
  it('raises the AbortSignal of what runs and starts nothing more', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'cancel' });
    await gate('cancel').arrival();
    await run.cancel({ reason: 'enough' });
    const ended = await waitForRun(app.orchestrator, run.id, 'cancelled');
    expect(ended.cancelReason).toBe('enough');
    expect(Gated.aborted.get(run.id)).toEqual(code('OF_STEP_ABORTED'));
    const steps = await app.orchestrator.steps(run.id);
    expect(steps.map(({ status, failures }) => [status, failures])).toEqual([
      ['cancelled', 0],
      ['cancelled', 0],
    ]);
  });

  it('reaches a step that runs in another process', async () => {
    const run = await app.orchestrator.start(Gated, { gate: 'cancel elsewhere' });
    await gate('cancel elsewhere').arrival();
    await other.orchestrator.cancel(run.id);
    await expect(other.orchestrator.get(run.id)).resolves.toMatchObject({ status: 'cancelling' });
    await waitForRun(app.orchestrator, run.id, 'cancelled');
    expect(Gated.aborted.has(run.id)).toBe(true);
  });

  it('ends a run whose step waits for its next attempt', async () => {
    const run = await app.orchestrator.start(Retrying);
    await waitForStep(app.orchestrator, run.id, 'stumble', 'retrying');
    await run.cancel();
    await expect(run.status()).resolves.toBe('cancelled');
  });

  it('ends a run that waits for its time, and that never begins', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { delay: '1h' });
    await run.cancel();
    const ended = await app.orchestrator.get(run.id);
    expect(ended).toMatchObject({ status: 'cancelled', dueAt: null, startedAt: null });
    expect(ended.endedAt).toBeInstanceOf(Date);
  });

  it('twice is the same as once', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { delay: '1h' });
    await Promise.all([run.cancel({ reason: 'one' }), run.cancel({ reason: 'one' })]);
    await run.cancel({ reason: 'two' });
    await expect(app.orchestrator.get(run.id)).resolves.toMatchObject({ status: 'cancelled', cancelReason: 'one' });
  });

  it('is refused once the run has completed or failed', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 });
    await run.result();
    await expect(run.cancel()).rejects.toEqual(code('OF_RUN_ENDED'));
    const failed = await app.orchestrator.start(Failing);
    await failed.result().catch(() => undefined);
    await expect(failed.cancel()).rejects.toMatchObject({
      message: expect.stringContaining('failed') as unknown as string,
    });
  });
});

describe('events', () => {
  const of = (id: string) => app.events.filter((event) => 'runId' in event && event.runId === id);
  const words = (events: FlowEvent[]) =>
    events.map((event) => ('step' in event ? [event.type, event.step] : [event.type]));

  it('tell what happens to a run, in order', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 }, { key: 'told' });
    await run.result();
    expect(of(run.id)[0]).toEqual({ type: 'run.started', runId: run.id, workflow: 'sequence', key: 'told' });
    const told = words(of(run.id));
    expect(told.map(([type]) => type).filter((type) => type?.startsWith('run'))).toEqual([
      'run.started',
      'run.completed',
    ]);
    for (const step of ['first', 'second', 'third']) {
      const started = told.findIndex(([type, name]) => type === 'step.started' && name === step);
      const completed = told.findIndex(([type, name]) => type === 'step.completed' && name === step);
      expect(started).toBeGreaterThan(0);
      expect(completed).toBeGreaterThan(started);
    }
  });

  it('tell of failure with the error', async () => {
    const run = await app.orchestrator.start(Failing);
    await run.result().catch(() => undefined);
    const failed = await waitFor('the failure is told', () => of(run.id).find(({ type }) => type === 'run.failed'));
    expect(failed).toMatchObject({ step: 'charge', error: { name: 'CardError' } });
    expect(words(of(run.id))).toContainEqual(['step.failed', 'charge']);
  });

  it('do not tell of what other processes do', async () => {
    const run = await app.orchestrator.start(Sequence, { n: 1 });
    await run.result();
    expect(other.events.filter((event) => 'runId' in event && event.runId === run.id)).toEqual([]);
  });
});

describe('an app that has not begun or has ended', () => {
  it('refuses to be used', async () => {
    const lone = await createDatabase();
    const early: unknown[] = [];
    const late = await startApp({
      ...{ database: lone, workflows: [Sequence, Gated] },
      providers: [
        {
          provide: 'early',
          useFactory: async () => {
            const { Orchestrator } = await import('orchestrate-flow');
            await new Orchestrator().start(Sequence, { n: 1 }).catch((error: unknown) => early.push(error));
          },
        },
      ],
    });
    expect(early).toEqual([code('OF_STOPPED')]);
    const run = await late.orchestrator.start(Sequence, { n: 1 }, { delay: '1h' });
    const waiting = run.result().catch((error: unknown) => error);
    await late.close();
    expect(await waiting).toEqual(code('OF_STOPPED'));
    await expect(late.orchestrator.start(Sequence, { n: 1 })).rejects.toEqual(code('OF_STOPPED'));
    await expect(late.orchestrator.get(run.id)).rejects.toEqual(code('OF_STOPPED'));
    await expect(run.result()).rejects.toEqual(code('OF_STOPPED'));
    await expect(run.cancel()).rejects.toEqual(code('OF_STOPPED'));
    expect(() => late.orchestrator.graphOf(Sequence)).toThrow(code('OF_STOPPED'));
    await lone.drop();
  });
});

async function countRuns(): Promise<number> {
  const [row] = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM orchestrate_flow.workflow_run');
  return row!.count;
}
