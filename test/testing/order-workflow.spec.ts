import 'reflect-metadata';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { getDataSourceToken } from '@nestjs/typeorm';
import { createTestDatabase, type TestDatabase, TestingFlow, withVirtualTime } from 'orchestrate-flow/testing';
import type { DataSource } from 'typeorm';

import { AppModule } from '../../sample-app/src/app.module.js';
import { Notification } from '../../sample-app/src/notifications/notification.entity.js';
import { OrdersService } from '../../sample-app/src/orders/orders.service.js';
import { type ChargeRequest, PaymentsService } from '../../sample-app/src/payments/payments.service.js';
import { DailyReport } from '../../sample-app/src/reports/daily-report.entity.js';
import { ShippingService } from '../../sample-app/src/shipping/shipping.service.js';

/** A payment provider that is away twice. */
class FlakyPayments {
  readonly asked: string[] = [];
  readonly charged: ChargeRequest[] = [];

  async charge(request: ChargeRequest, { idempotencyKey }: { idempotencyKey: string }) {
    this.asked.push(idempotencyKey);
    if (this.asked.length < 3) throw new Error('503 Service Unavailable');
    this.charged.push(request);
    return { chargeId: 'ch_1', amountCents: request.amountCents };
  }

  async assessRisk() {
    return { score: 1, verdict: 'pass' };
  }
}

class Carrier {
  async printLabel({ orderId }: { orderId: string }) {
    return { tracking: `track-${orderId}` };
  }

  async bookPickup(_: string, tracking: string) {
    return { tracking, pickupAt: '2026-01-02' };
  }
}

describe('the order workflow of the sample shop', () => {
  const payments = new FlakyPayments();
  let database: TestDatabase;
  let flow: TestingFlow;
  let orders: OrdersService;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createTestDatabase();
    const shop = AppModule.forRoot({
      ...{ role: 'all', port: 0, database, worker: { concurrency: 10 } },
      ...{ paymentProviderUrl: 'unused', carrierUrl: 'unused' },
    });
    const builder = Test.createTestingModule({ imports: [shop] })
      .overrideProvider(PaymentsService)
      .useValue(payments)
      .overrideProvider(ShippingService)
      .useClass(Carrier);
    const app = (await withVirtualTime(builder).compile()).createNestApplication();
    await app.init();
    flow = TestingFlow.of(app);
    orders = app.get(OrdersService);
    dataSource = app.get<DataSource>(getDataSourceToken());
  });

  afterAll(async () => {
    await flow?.close();
    await database?.drop();
  });

  it('charges an order once, after the payment provider was away twice', async () => {
    const began = flow.now().getTime();
    const { runId } = await orders.place(ORDER);

    expect(await flow.drain()).toMatchObject([{ runId, step: 'charge', status: 'retrying' }]);
    expect((await flow.stepsOf(runId))['charge']).toMatchObject({ attempt: 1, failures: 1 });
    // Of 250 ms and 500 ms each a part by chance, so that many who fail together do not come back together.
    await flow.advance('750ms');

    expect(await flow.stepsOf(runId)).toMatchObject({
      charge: { status: 'completed', attempt: 3, failures: 2, result: { chargeId: 'ch_1' } },
      notify: { status: 'completed' },
    });
    expect(payments.charged).toMatchObject([{ orderId: ORDER.id }]);
    expect(new Set(payments.asked).size).toBe(1);
    expect(flow.now().getTime() - began).toBe(750);
    expect(await dataSource.getRepository(Notification).findBy({ orderId: ORDER.id })).toMatchObject([
      { kind: 'shipped' },
    ]);
  });

  it('is followed by the report of the night, at two in Berlin', async () => {
    const { nextAt } = await flow.orchestrator.schedules.get('nightly-report');
    await flow.advance(nextAt!.getTime() - flow.now().getTime());
    expect(await dataSource.getRepository(DailyReport).find()).toMatchObject([{ until: nextAt }]);
    const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', timeStyle: 'short' });
    expect(clock.format(nextAt!)).toBe('02:00');
  });
});

const ORDER = {
  id: '3001',
  customer: { name: 'Aino Virtanen', email: 'aino.virtanen@example.com' },
  address: { street: 'Rantakatu 11', postalCode: '33100', city: 'Tampere', country: 'FI' },
  items: [{ sku: 'BRW-CONE-01', quantity: 1 }],
  cardToken: 'tok_visa_4f9a',
};
