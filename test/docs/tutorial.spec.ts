import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Orchestrator } from 'orchestrate-flow';
import { createTestDatabase, type TestDatabase, TestingFlow, withVirtualTime } from 'orchestrate-flow/testing';
import { DataSource } from 'typeorm';

import {
  Bank,
  type CarrierEvent,
  Invoices,
  Mail,
  OrderFulfilment,
  OrdersController,
  ShopModule,
  Warehouse,
} from './examples/tutorial.js';

let database: TestDatabase;
let app: INestApplication;
let flow: TestingFlow;
let shop: OrdersController;

beforeAll(async () => {
  database = await createTestDatabase();
  const typeorm = TypeOrmModule.forRoot({ type: 'postgres', url: database.url, autoLoadEntities: true });
  const builder = withVirtualTime(Test.createTestingModule({ imports: [typeorm, ShopModule] }), {
    now: new Date('2026-01-02T12:00:00Z'),
  });
  app = (await builder.compile()).createNestApplication({ logger: false });
  await app.init();
  await app.get(DataSource).query('CREATE TABLE shop_order (id text PRIMARY KEY, status text NOT NULL)');
  flow = TestingFlow.of(app);
  shop = app.get(OrdersController);
});

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

beforeEach(() => {
  for (const partner of [app.get(Bank), app.get(Warehouse), app.get(Mail)]) partner.done.clear();
});

const done = (partner: typeof Bank) => [...app.get(partner).done.values()];
const runOf = (key: string) => app.get(Orchestrator).get({ workflow: OrderFulfilment, key });
const resultOf = async (key: string) => app.get(Orchestrator).result((await runOf(key)).id);

async function place(id: string, customer = 'Ann'): Promise<void> {
  await shop.place({ id, customer, total: 40 });
  await flow.drain();
}

async function hear(type: CarrierEvent['type'], orderId: string): Promise<void> {
  await shop.hear({ type, orderId, tracking: `T-${orderId}` });
  await flow.drain();
}

describe('an order of the tutorial', () => {
  it('that is delivered in time, told twice, is asked for a review a week later', async () => {
    await place('1');
    expect(await shop.status('1')).toMatchObject({
      status: 'waiting',
      steps: { charge: 'completed', reserve: 'completed', delivery: 'waiting' },
    });
    await flow.advance('2d');
    await hear('shipment.delivered', '1');
    await hear('shipment.delivered', '1');
    await flow.advance('6d');
    expect(done(Mail)).toEqual([]);
    await flow.advance('1d');
    expect(done(Mail)).toEqual(['ask Ann how order 1 was']);
    expect(await resultOf('1')).toBe('T-1');
    expect([done(Bank), done(Warehouse)]).toEqual([['charge Ann 40'], ['reserve 1']]);
  });

  it.each([
    ['nobody delivers within three days', '2', () => flow.advance('3d')],
    ['comes back', '3', () => hear('shipment.returned', '3')],
    ['support cancels', '4', () => shop.cancel('4', 'the customer called')],
  ])('that %s is refunded and released', async (_, id, happens) => {
    await place(id);
    await happens();
    await expect(resultOf(id)).rejects.toThrow();
    expect(done(Bank)).toEqual(['charge Ann 40', 'refund charge Ann 40']);
    expect(done(Warehouse)).toEqual([`reserve ${id}`, `release ${id}`]);
  });

  it('that is cancelled after it has arrived is asked for nothing, and nothing is undone', async () => {
    await place('5');
    await hear('shipment.delivered', '5');
    await shop.cancel('5', 'too late');
    await expect(resultOf('5')).rejects.toMatchObject({ code: 'OF_RUN_CANCELLED' });
    await flow.advance('8d');
    expect([done(Bank), done(Warehouse), done(Mail)]).toEqual([['charge Ann 40'], ['reserve 5'], []]);
  });

  it('whose card is declined fails at once, and nothing is reserved', async () => {
    await place('6', 'refused');
    await expect(resultOf('6')).rejects.toMatchObject({ step: 'charge' });
    expect(done(Warehouse)).toEqual([]);
  });

  it('that is not saved is not fulfilled either', async () => {
    await place('7');
    await expect(shop.place({ id: '7', customer: 'Bob', total: 1 })).rejects.toThrow('duplicate key');
    await flow.drain();
    expect(done(Bank)).toEqual(['charge Ann 40']);
  });
});

describe('the invoices of the tutorial', () => {
  it('are sent once for each month and customer', async () => {
    const { nextAt } = await app.get(Orchestrator).schedules.get('invoices');
    await flow.advance(nextAt!.getTime() - flow.now().getTime());
    const { runs } = await app.get(Orchestrator).list({ workflow: Invoices });
    expect(await app.get(Orchestrator).result(runs[0]!.id)).toBe(3);
    const month = (runs[0]!.input as { month: string }).month;
    expect(done(Mail).toSorted()).toEqual(['Ann', 'Bob', 'Cid'].map((one) => `send ${one} the invoice of ${month}`));
  });
});
