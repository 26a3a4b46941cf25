import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Subscription } from 'rxjs';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';
import { DataSource } from 'typeorm';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { appDatabase } from '../support/start-app.js';
import { OrderWorkflow, PaymentsService, ReportWorkflow } from './examples/authoring.js';
import {
  FilmWorkflow,
  OfferWorkflow,
  SubscriptionWorkflow,
  SupplierService,
  TicketWorkflow,
  VoteWorkflow,
} from './examples/control-flow.js';
import { AuditWorkflow, Desk, spans, Spans, tenantContext, tenants } from './examples/context.js';
import { DataWorkflow } from './examples/data.js';
import { report, SurveyWorkflow } from './examples/evolution.js';
import { type Charge, ChargeOnceWorkflow, OldBank } from './examples/exactness.js';
import {
  Busy,
  HttpService,
  MigrationWorkflow,
  ThumbnailWorkflow,
  tryAgain,
  WebhookWorkflow,
} from './examples/failure.js';
import { Bank, follow, InvoicesWorkflow } from './examples/fan-out.js';
import { Archive, ImportWorkflow, pipelineProvider } from './examples/graphs.js';
import { CartWorkflow, FulfilmentWorkflow, giveUp, onAdded, onDelivered, Partners } from './examples/fulfilment.js';
import { waitFor } from '../support/wait-for.js';
import { CrawlWorkflow, crawlFor } from './examples/limits.js';
import { FeedWorkflow, NightlyReport, repair, watchFeed } from './examples/schedules.js';
import * as running from './examples/running.js';
import { chargeOnce, renewsInTime } from './examples/testing.js';

let database: TestDatabase;
let dataSource: DataSource;
let flow: TestingFlow;
let watching: Subscription | undefined;
const partners = new Partners();

/** Charges, and gives no answer. */
class SilentBank extends OldBank {
  override async charge(reference: string, amount: number): Promise<Charge> {
    await super.charge(reference, amount);
    return new Promise(() => {});
  }
}
const bank = new SilentBank();

beforeAll(async () => {
  database = await createDatabase();
  const keepDataSource = { provide: 'kept', inject: [DataSource], useFactory: (its: DataSource) => (dataSource = its) };
  flow = await createTestingFlow({
    workflows: [
      ...[OrderWorkflow, ReportWorkflow, OfferWorkflow, TicketWorkflow, VoteWorkflow, SubscriptionWorkflow],
      ...[
        DataWorkflow,
        WebhookWorkflow,
        running.SignupWorkflow,
        running.TransferWorkflow,
        FulfilmentWorkflow,
        CartWorkflow,
      ],
      ...[ImportWorkflow, SurveyWorkflow],
      InvoicesWorkflow,
      AuditWorkflow,
      ChargeOnceWorkflow,
      ThumbnailWorkflow,
      FilmWorkflow,
      MigrationWorkflow,
      NightlyReport,
      FeedWorkflow,
      CrawlWorkflow,
    ],
    context: tenantContext,
    providers: [
      Spans,
      Desk,
      { provide: OldBank, useValue: bank },
      PaymentsService,
      SupplierService,
      HttpService,
      Bank,
      Archive,
      pipelineProvider,
      { provide: Partners, useValue: partners },
      keepDataSource,
    ],
    imports: [appDatabase(database)],
    now: new Date('2026-01-01'),
  });
  await dataSource.query('CREATE TABLE signup (email text PRIMARY KEY)');
});

afterEach(() => {
  watching?.unsubscribe();
  flow.restoreStubs();
});

afterAll(async () => {
  await flow?.close();
  await database?.drop();
});

describe('the examples of authoring', () => {
  it('an order is fulfilled, and its charge has one idempotency key', async () => {
    const run = await flow.orchestrator.start(OrderWorkflow, { id: 'o1', items: ['a', 'b'] });
    expect(await run.result()).toBe('2 parcels, paid by charge of o1');
    expect(flow.orchestrator.graphOf(OrderWorkflow).toText()).toContain('reserve → charge ∥ printLabels');
  });

  it('a report waits for what its steps say', async () => {
    expect(await flow.orchestrator.execute(ReportWorkflow)).toBe('3 numbers, 6 in all');
  });

  it('a step is a plain method', async () => {
    expect(await chargeOnce()).toEqual({ id: 'charge of o1' });
  });
});

describe('the examples of control flow', () => {
  it.each([
    [10, '20'],
    [2_000, '4000, 2000 pieces are approved'],
    [1_000_000, '2000000, 1000000 pieces are approved, Nobody may sign that.'],
  ])('an offer for %i is answered', async (amount, answer) => {
    const run = await flow.orchestrator.start(OfferWorkflow, { amount });
    expect(await flow.drain()).toMatchObject([{ step: 'coolDown', status: 'waiting', dueInMs: 3 * 86_400_000 }]);
    expect(await run.status()).toBe('waiting');
    expect(await flow.result(run)).toBe(answer);
  });

  it.each([
    ['refund', 'refunded'],
    ['repair', 'repaired'],
    ['question', 'answered'],
  ])('a ticket for a %s is %s', async (kind, end) => {
    expect(await flow.orchestrator.execute(TicketWorkflow, { kind })).toBe(end);
  });

  it('each customer is billed, one of ten may fail, and support sees which', async () => {
    const customers = ['Ann', 'Bob', '!', 'Eve', 'Ida', 'Jim', 'Kim', 'Leo', 'Mia', 'Ned'];
    const run = await flow.orchestrator.start(InvoicesWorkflow, { customers });
    expect(await flow.result(run)).toBe('9 bills, 3 letters');
    expect(await follow(flow.orchestrator, run.id)).toBe('9 of 10, without !');
    const two = await flow.orchestrator.start(InvoicesWorkflow, { customers: ['!', 'Ann'] });
    await expect(flow.result(two)).rejects.toMatchObject({ code: 'OF_RUN_FAILED', step: 'bill[0]' });
    expect(await flow.stepsOf(two.id)).toMatchObject({ cancelBills: { result: '1 bills are void' } });
  });

  it('two votes decide, and the third is not asked', async () => {
    const eve = flow.stub(VoteWorkflow, 'askEve', () => true);
    const run = await flow.orchestrator.start(VoteWorkflow);
    expect(await run.result()).toBe(2);
    await flow.advance('1d');
    expect(eve.calls).toEqual([]);
    expect(await flow.stepsOf(run.id)).toMatchObject({ askEve: { status: 'cancelled' } });
  });

  it('the third is asked where one of the others takes longer than a day', async () => {
    const gate = new Gate();
    flow.stub(VoteWorkflow, 'askBob', () => gate.pass().then(() => true));
    const eve = flow.stub(VoteWorkflow, 'askEve', () => true);
    const run = await flow.orchestrator.start(VoteWorkflow);
    await gate.arrival();
    await flow.advance('1d', { patience: '50ms' });
    gate.open();
    expect(await run.result()).toBe(2);
    expect(eve.calls).toHaveLength(1);
  });

  it('a subscription is renewed in time', async () => {
    expect(await renewsInTime(flow)).toEqual(['1 call', 'renew waits', 'reminded at 0, renewed']);
  });
});

describe('the example of failures', () => {
  it('a hook is tried again where it may answer, and no more where it is gone', async () => {
    const away = flow.stub(WebhookWorkflow, 'deliver', () => {
      if (away.calls.length < 3) throw new Error('away');
      return 200;
    });
    const run = await flow.orchestrator.start(WebhookWorkflow, { url: 'https://example.org' });
    expect(await flow.result(run)).toBe(200);
    flow.restoreStubs();
    const gone = await flow.orchestrator.start(WebhookWorkflow, { url: 'https://example.org/gone' });
    await expect(gone.result()).rejects.toMatchObject({ cause: { message: 'This hook is gone.' } });
    expect(await flow.stepsOf(gone.id)).toMatchObject({ deliver: { attempt: 1 } });
    flow.stub(WebhookWorkflow, 'deliver', () => 201);
    expect(await tryAgain(flow.orchestrator, { by: 'Ann', reason: 'the hook is there again' })).toBe(1);
    expect(await flow.result(gone)).toBe(201);
  });

  it('a copy goes on from the last page that it has told', async () => {
    const post = jest.spyOn(HttpService.prototype, 'post');
    post.mockResolvedValueOnce({ status: 200 }).mockRejectedValueOnce(new Error('away'));
    const run = await flow.orchestrator.start(MigrationWorkflow);
    expect(await flow.result(run)).toBe(2);
    expect(post.mock.calls.map(([page]) => page)).toEqual(['/pages/1', '/pages/2', '/pages/2', '/pages/3']);
    post.mockRestore();
  });

  it('a thumbnail is rendered where there is a worker for it', async () => {
    expect(await flow.orchestrator.execute(ThumbnailWorkflow)).toBe('rendered');
  });

  it('a report that nobody has the time to take is tried again in an hour', async () => {
    const before = flow.now().getTime();
    const busy = flow.stub(WebhookWorkflow, 'report', () => {
      if (busy.calls.length === 1) throw new Busy();
      return 'taken';
    });
    const run = await flow.orchestrator.start(WebhookWorkflow, { url: 'https://example.org' });
    expect(await flow.result(run)).toBe(200);
    expect(flow.now().getTime() - before).toBe(3_600_000);
    expect(busy.calls).toHaveLength(2);
  });
});

describe('the example of a step that is repeated', () => {
  it('a film is looked at every ten minutes until it is rendered', async () => {
    const before = flow.now().getTime();
    const run = await flow.orchestrator.start(FilmWorkflow);
    expect(await flow.result(run)).toBe('published at 100 %');
    expect(flow.now().getTime() - before).toBe(3 * 600_000);
  });
});

describe('the example of contexts', () => {
  it('an audit is that of the tenant for whom it was started', async () => {
    const run = await tenants.run('acme', () => flow.orchestrator.start(AuditWorkflow));
    expect(await flow.result(run)).toBe("acme's desk for report");
    expect(spans).toEqual(['audit.report#1 for acme']);
  });
});

describe('the example of effects in doubt', () => {
  it('an order whose charge timed out is charged once', async () => {
    const run = await flow.orchestrator.start(ChargeOnceWorkflow, { amount: 20 });
    await flow.advance('1m', { patience: '50ms' });
    expect(await flow.result(run)).toEqual({ id: 'charge 1', amount: 20 });
    expect(bank.charges.size).toBe(1);
    expect(await flow.stepsOf(run.id)).toMatchObject({ charge: { attempt: 2, failures: 1 } });
  });
});

describe('the examples of runs', () => {
  it('a key has one run, which is described, hurried and watched', async () => {
    const lines: string[] = [];
    watching = running.watch(flow.orchestrator, (line) => lines.push(line));
    const email = 'ada@example.org';
    const [first, second] = [
      await running.signUp(flow.orchestrator, { email }),
      await running.signUp(flow.orchestrator, { email }),
    ];
    expect([first.created, second.created, first.id === second.id]).toEqual([true, false, true]);
    await flow.drain();
    expect(await running.describe(flow.orchestrator, email)).toEqual([
      ...['the run is waiting', 'wait is waiting', 'greet is pending', '1 asleep'],
    ]);
    await running.stopOrHurry(flow.orchestrator, email, 'hurry');
    expect(await running.resultOrReason(first)).toBe(`Hello ${email}`);
    expect(lines).toEqual(['wait waits', 'signup has completed']);
  });

  it('a run that is held begins nothing, and goes on where its time has come meanwhile', async () => {
    const run = await running.signUp(flow.orchestrator, { email: 'kay' });
    await flow.drain();
    expect(await running.hold(flow.orchestrator, true, { by: 'Ann', reason: 'the mail is down' })).toBe(1);
    await flow.advance('2d');
    await flow.drain();
    expect(await run.status()).toBe('paused');
    expect(await running.hold(flow.orchestrator, false, { by: 'Ann' })).toBe(1);
    expect(await running.resultOrReason(run)).toBe('Hello kay');
    expect(await running.whoDidWhat(flow.orchestrator, 'kay')).toEqual([
      ...['resume by Ann: no reason', 'pause by Ann: the mail is down'],
    ]);
  });

  it('tags find runs that bear them all', async () => {
    await flow.orchestrator.start(running.SignupWorkflow, { email: 'yan' }, { tags: ['vip'] });
    expect(await running.findVips(flow.orchestrator)).toEqual(['zoe']);
    const { runs } = await flow.orchestrator.list({ tags: ['vip'] });
    for (const { id } of runs) await flow.orchestrator.cancel(id);
  });

  it('runs that have ended are forgotten, by name and by age', async () => {
    for (const email of ['old', 'new']) {
      await running.signUp(flow.orchestrator, { email });
      await flow.advance('31d');
    }
    await expect(running.forget(flow.orchestrator, 'nobody')).rejects.toMatchObject({ code: 'OF_RUN_UNKNOWN' });
    expect(await running.forget(flow.orchestrator, 'new')).toBeGreaterThan(0);
    const { runs } = await flow.orchestrator.list({ workflow: running.SignupWorkflow, status: 'completed' });
    expect(runs).toEqual([]);
  });

  it('tenants find their own runs', async () => {
    const other = await flow.orchestrator.start(running.SignupWorkflow, { email: 'eve' }, { tenant: 'globex' });
    expect(await running.findRunsOf(flow.orchestrator, 'acme')).toEqual(['ann']);
    const { runs } = await flow.orchestrator.list({ tenant: 'acme' });
    for (const { id } of [...runs, other]) await flow.orchestrator.cancel(id);
  });

  it('a row and its run are there together or not at all', async () => {
    const signup = { email: 'bob@example.org' };
    const run = await running.signUpWithRow(flow.orchestrator, dataSource, signup);
    await expect(running.signUpWithRow(flow.orchestrator, dataSource, signup)).rejects.toThrow('signup_pkey');
    await running.stopOrHurry(flow.orchestrator, signup.email, 'stop');
    expect(await running.whoDidWhat(flow.orchestrator, signup.email)).toEqual(['cancel by Ann: unsubscribed']);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED', reason: 'unsubscribed' });
  });

  it('what a transactional step writes is there once', async () => {
    await dataSource.query(`CREATE TABLE account (name text, balance integer)`);
    await dataSource.query(`INSERT INTO account VALUES ('ann', 10), ('bob', 0)`);
    const transfer = { from: 'ann', to: 'bob', amount: 7 };
    expect(await flow.orchestrator.execute(running.TransferWorkflow, transfer)).toBe(7);
    expect(await dataSource.query('SELECT balance FROM account ORDER BY name')).toEqual([
      { balance: 3 },
      { balance: 7 },
    ]);
  });

  it('many begin at their time, and a failure tells its reason', async () => {
    flow.stub(running.SignupWorkflow, 'greet', ({ email }) => {
      if (email === 'eve') throw new Error('no such address');
      return email;
    });
    const startAt = new Date(flow.now().getTime() + 3_600_000);
    const runs = await running.signUpAll(flow.orchestrator, [{ email: 'dan' }, { email: 'eve' }], startAt);
    expect(await flow.drain()).toMatchObject([{ step: null, dueAt: startAt }, { step: null }]);
    expect(await flow.result(runs[0]!)).toBe('dan');
    await flow.advance('1d');
    expect(await running.resultOrReason(runs[1]!)).toBe('failed: Error: no such address');
  });
});

describe('the examples of graphs that are data', () => {
  it.each([
    [{ rows: 2 }, '2 rows, translated: undefined'],
    [{ rows: 2, language: 'fr' }, '2 rows, translated: row 0,row 1'],
  ])('%j is imported', async (input, total) => {
    const run = await flow.orchestrator.start(ImportWorkflow, input);
    await flow.drain();
    await flow.advance('1h');
    expect(await run.result()).toBe(total);
  });

  it('a graph from a text runs the functions that a factory gave it', async () => {
    expect(await flow.orchestrator.execute('pipeline')).toBe('c of (a of (),b of ())');
  });
});

describe('the example of evolution', () => {
  it('has steps with former names', async () => {
    const run = await flow.orchestrator.start(SurveyWorkflow);
    expect(await report(flow.orchestrator)).toContain('1 of survey: safe');
    await flow.drain();
    await flow.advance('3d');
    expect(await run.result()).toBe('invited, and evaluated');
  });
});

describe('the example of data', () => {
  it('arrives as it was', async () => {
    expect(await flow.orchestrator.execute(DataWorkflow)).toEqual(new DataWorkflow().find());
  });
});

describe('the example of fulfilment', () => {
  const calls = () => partners.calls;

  async function place(id: string) {
    calls().length = 0;
    const run = await flow.orchestrator.start(FulfilmentWorkflow, { id, total: 40 }, { key: id });
    await flow.drain();
    expect(calls().toSorted()).toEqual([`charge 40 for ${id}`, `reserve for ${id}`]);
    return run;
  }

  it('an order that is delivered in time is asked for a review a week later', async () => {
    const run = await place('f1');
    await flow.advance('2d');
    await onDelivered(flow.orchestrator, 'f1', 'hook-1');
    await onDelivered(flow.orchestrator, 'f1', 'hook-1');
    await flow.drain();
    await flow.advance('6d');
    expect(await run.status()).toBe('waiting');
    await flow.advance('1d');
    expect(await run.result()).toBe('ask Ann how f1 was');
    expect(calls()).toHaveLength(3);
  });

  it('one that is not is refunded and released', async () => {
    const run = await place('f2');
    await flow.advance('3d');
    await expect(run.result()).rejects.toMatchObject({ step: 'delivered', cause: { code: 'OF_SIGNAL_TIMEOUT' } });
    expect(calls().slice(2).toSorted()).toEqual(['refund charge 40 for f2 (completed)', 'release f2']);
  });

  it('one that support cancels as well, and one that it terminates is left as it is', async () => {
    const run = await place('f3');
    await giveUp(flow.orchestrator, 'f3', true);
    await expect(run.result()).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED' });
    expect(calls()).toHaveLength(4);
    const other = await place('f4');
    await giveUp(flow.orchestrator, 'f4', false);
    await expect(other.result()).rejects.toMatchObject({ code: 'OF_RUN_TERMINATED' });
    expect(calls()).toHaveLength(2);
  });

  it('a cart is started by whatever is added first, and keeps what comes early', async () => {
    const run = await onAdded(flow.orchestrator, 'cart', 'shoe');
    expect((await onAdded(flow.orchestrator, 'cart', 'hat')).id).toBe(run.id);
    expect(await run.result()).toBe('added: hat');
    const lonely = await onAdded(flow.orchestrator, 'lonely', 'shoe');
    await flow.drain();
    await flow.advance('1h');
    expect(await lonely.result()).toBe('nothing');
  });
});

describe('the examples of limits', () => {
  it('runs of a tenant wait for their turn, and have it as others end', async () => {
    let open = () => {};
    CrawlWorkflow.open = () => new Promise((resolve) => (open = resolve));
    await crawlFor(flow.orchestrator, 'acme', ['a', 'b', 'c']);
    const statuses = async () => {
      const { runs } = await flow.orchestrator.list({ workflow: CrawlWorkflow });
      return runs.map(({ status, waitsFor }) => waitsFor ?? status).sort();
    };
    await waitFor('two of three run', async () => (await statuses()).join() === 'limit,running,running');
    CrawlWorkflow.open = async () => {};
    open();
    await waitFor(
      'one has made room',
      async () => (await statuses()).filter((one) => one === 'completed').length === 2,
    );
    const { runs } = await flow.orchestrator.list({ workflow: CrawlWorkflow, status: 'running' });
    for (const { id } of runs) await flow.orchestrator.terminate(id);
  });
});

describe('the examples of schedules', () => {
  it('a report is written each night, in the time of its zone', async () => {
    const at = (await flow.orchestrator.schedules.get('nightly-report')).nextAt!;
    await flow.advance(at.getTime() - flow.now().getTime());
    const { runs } = await flow.orchestrator.list({ workflow: NightlyReport, limit: 1 });
    expect(runs[0]).toMatchObject({
      status: 'completed',
      scheduledAt: at,
      input: { date: at.toISOString().slice(0, 10) },
    });
    expect(at.toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin' })).toBe('02:00:00');
    expect(await flow.orchestrator.result(runs[0]!.id)).toBe(`the report of ${at.toISOString().slice(0, 10)}`);
  });

  it('a feed has a schedule of its own, which rests while support looks at it', async () => {
    const { schedules } = flow.orchestrator;
    const made = await watchFeed(flow.orchestrator, 'acme', 'https://acme.example/feed');
    expect(made).toMatchObject({ everyMs: 900_000, overlap: 'queue', catchUp: 0, declared: false, status: 'active' });
    const run = await repair(flow.orchestrator, 'acme');
    expect(await run.result()).toBeUndefined();
    await flow.advance('30m');
    const { runs } = await flow.orchestrator.list({ workflow: FeedWorkflow });
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
    await schedules.remove(made.name);
  });
});
