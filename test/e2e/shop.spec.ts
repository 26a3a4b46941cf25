import 'reflect-metadata';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';

import type { Partners } from '../../sample-app/partners/partners.js';
import { startPartners } from '../../sample-app/partners/partners.js';
import { FAIR_WEATHER, Weather } from '../../sample-app/partners/weather.js';
import { AppModule } from '../../sample-app/src/app.module.js';
import { Invoice } from '../../sample-app/src/billing/invoice.entity.js';
import { Notification } from '../../sample-app/src/notifications/notification.entity.js';
import { StockItem } from '../../sample-app/src/stock/stock-item.entity.js';
import type { TestDatabase } from '../support/create-database.js';
import { createDatabase } from '../support/create-database.js';
import { waitFor } from '../support/wait-for.js';

const ENDED = ['completed', 'failed', 'cancelled'];
const SOLD_OUT_SKU = 'BRW-SIPH-05';
const SLOW_ORDER = '2007';
/** Its charge takes long enough to be paused meanwhile. */
const HELD_ORDER = '2021';

/** Fair weather, but for one order whose charges and refunds the provider takes very long to answer. */
class SlowForOne extends Weather {
  override next(matter: string): ReturnType<Weather['next']> {
    if (matter === `/charges ${HELD_ORDER}`) return { fate: 'fine', latencyMs: 1_000 };
    return matter === `/charges ${SLOW_ORDER}` ? { fate: 'fine', latencyMs: 60_000 } : super.next(matter);
  }
}

interface OrderBody {
  readonly order: { readonly id: string; readonly items: readonly unknown[] };
  readonly run: {
    readonly id: string;
    readonly status: string;
    readonly failure: { step: string; message: string } | null;
  };
  readonly steps: readonly { readonly name: string; readonly status: string; readonly attempt: number }[];
}

describe('the shop', () => {
  let database: TestDatabase;
  let partners: Partners;
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    database = await createDatabase();
    partners = await startPartners({ weather: new SlowForOne(FAIR_WEATHER) });
    const { host, port, user: username, database: name } = database.connection;
    const shop = AppModule.forRoot({
      role: 'all',
      port: 0,
      database: { host, port, username, database: name },
      paymentProviderUrl: partners.paymentProvider.url,
      carrierUrl: partners.carrier.url,
      worker: { concurrency: 10 },
    });
    app = await NestFactory.create(shop, { logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterAll(async () => {
    await app?.close();
    await partners?.close();
    await database?.drop();
  });

  async function call<Body>(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: Body }> {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as Body };
  }

  async function waitForEnd(id: string): Promise<OrderBody> {
    return waitFor(`order ${id} has ended`, async () => {
      const { body } = await call<OrderBody>('GET', `/orders/${id}`);
      return ENDED.includes(body.run.status) ? body : null;
    });
  }

  it('an order goes through all its steps', async () => {
    const placed = await call<{ id: string; created: boolean }>('POST', '/orders', makeOrder('2001'));
    expect(placed).toMatchObject({ status: 201, body: { id: '2001', created: true } });

    const { run, steps, order } = await waitForEnd('2001');
    expect(run).toMatchObject({ status: 'completed', failure: null });
    expect(order.items).toHaveLength(2);
    expect(steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'validate completed',
      'reserve completed',
      'charge completed',
      'fraudCheck completed',
      'customs completed',
      'pack completed',
      'printLabel completed',
      'invoice completed',
      'loyalty completed',
      'ship completed',
      'notify completed',
    ]);
    const mails = await app.get(DataSource).getRepository(Notification).findBy({ orderId: '2001' });
    expect(mails).toMatchObject([{ kind: 'shipped', recipient: 'aino.virtanen@example.com' }]);
  });

  it('an order for what is sold out fails and says why', async () => {
    await call('POST', '/orders', makeOrder('2002', { items: [{ sku: SOLD_OUT_SKU, quantity: 1 }] }));

    const { run, steps } = await waitForEnd('2002');
    const message = expect.stringContaining(`Out of stock: 1 × ${SOLD_OUT_SKU}`);
    expect(run).toMatchObject({ status: 'failed', failure: { step: 'reserve', message } });
    expect(steps.find(({ name }) => name === 'reserve')?.attempt).toBe(1);
  });

  it('a declined card fails the order and gives its stock back', async () => {
    const sku = 'TMP-PALM-58';
    await call(
      'POST',
      '/orders',
      makeOrder('2003', { items: [{ sku, quantity: 2 }], cardToken: 'tok_declined_expired' }),
    );

    const { run } = await waitForEnd('2003');
    expect(run.failure).toMatchObject({ step: 'charge', message: expect.stringContaining('Card declined: expired') });
    expect(await findStock(sku)).toMatchObject({ onHand: 300, reserved: 0 });
  });

  it('an order that is not valid is refused with the path of each fault', async () => {
    const order = makeOrder('2004', { items: [{ sku: 'BRW-CONE-01', quantity: 0 }], cardToken: '4242 4242' });
    const { status, body } = await call<{ message: string[] }>('POST', '/orders', order);
    expect(status).toBe(400);
    expect(body.message).toContain('items.0.quantity must not be less than 1');
    expect(body.message).toContain('cardToken must be a token of the payment form');
    expect((await call('GET', '/orders/2004')).status).toBe(404);
  });

  it('the same order twice is one order with one run', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(() => call<{ runId: string; created: boolean }>('POST', '/orders', makeOrder('2005'))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    expect(new Set(answers.map(({ body }) => body.runId)).size).toBe(1);

    const other = await call<{ code: string }>('POST', '/orders', makeOrder('2005', { cardToken: 'tok_visa_other' }));
    expect(other).toMatchObject({ status: 409, body: { code: 'OF_KEY_CONFLICT' } });
    await waitForEnd('2005');
  });

  it('a cancelled order stops, gives its stock back and tells its customer', async () => {
    const sku = 'BRW-MOKA-06';
    await call('POST', '/orders', makeOrder(SLOW_ORDER, { items: [{ sku, quantity: 3 }] }));
    await waitFor('the charge is under way', async () => {
      const { body } = await call<OrderBody>('GET', `/orders/${SLOW_ORDER}`);
      return body.steps.some(({ name, status }) => name === 'charge' && status === 'running');
    });
    expect(await findStock(sku)).toMatchObject({ reserved: 3 });

    expect((await call('POST', `/orders/${SLOW_ORDER}/cancel`, { reason: 'found it cheaper' })).status).toBe(202);
    const { run, steps } = await waitForEnd(SLOW_ORDER);
    expect(run).toMatchObject({ status: 'cancelled', cancelReason: 'found it cheaper' });
    expect(steps.find(({ name }) => name === 'pack')?.status).toBe('cancelled');
    await waitFor('the stock is back', async () => (await findStock(sku)).reserved === 0);
    await waitFor('the customer knows', () =>
      app.get(DataSource).getRepository(Notification).existsBy({ orderId: SLOW_ORDER, kind: 'cancelled' }),
    );
  });

  it('a completed order cannot be cancelled', async () => {
    await call('POST', '/orders', makeOrder('2008'));
    await waitForEnd('2008');
    expect((await call('POST', '/orders/2008/cancel', {})).status).toBe(409);
  });

  it('support holds an order and lets it go on, and the log says who did it and why', async () => {
    const ann = { 'x-agent': 'Ann' };
    await call('POST', '/orders', makeOrder(HELD_ORDER));
    await waitFor('the charge is under way', async () => {
      const { body } = await call<OrderBody>('GET', `/orders/${HELD_ORDER}`);
      return body.steps.some(({ name, status }) => name === 'charge' && status === 'running');
    });
    expect((await call('POST', `/support/orders/${HELD_ORDER}/pause`, {})).status).toBe(400);
    const reason = 'is the address right?';
    expect((await call('POST', `/support/orders/${HELD_ORDER}/pause`, { reason }, ann)).status).toBe(204);
    const held = await waitFor('the charge has come in', async () => {
      const { body } = await call<OrderBody>('GET', `/orders/${HELD_ORDER}`);
      return body.steps.some(({ name, status }) => name === 'charge' && status === 'completed') ? body : null;
    });
    expect(held.run.status).toBe('paused');
    expect(held.steps.find(({ name }) => name === 'pack')?.status).toBe('pending');
    expect((await call('POST', `/support/orders/${HELD_ORDER}/resume`, {}, ann)).status).toBe(204);
    expect((await waitForEnd(HELD_ORDER)).run.status).toBe('completed');
    expect((await call('POST', `/support/orders/${HELD_ORDER}/resume`, {}, ann)).status).toBe(409);
    const log = await call('GET', `/support/orders/${HELD_ORDER}/log`);
    expect(log.body).toMatchObject([
      { action: 'resume', by: 'Ann' },
      { action: 'pause', by: 'Ann', reason },
    ]);
  });

  it('support retries an order that failed for want of stock, and all others that can', async () => {
    const ann = { 'x-agent': 'Ann' };
    const sku = SOLD_OUT_SKU;
    for (const id of ['2022', '2023']) await call('POST', '/orders', makeOrder(id, { items: [{ sku, quantity: 1 }] }));
    for (const id of ['2022', '2023']) expect((await waitForEnd(id)).run.status).toBe('failed');
    const stock = app.get(DataSource).getRepository(StockItem);
    await stock.increment({ sku }, 'onHand', 10);
    expect((await call('POST', '/support/orders/2022/retry', { reason: 'new stock' }, ann)).status).toBe(204);
    expect((await waitForEnd('2022')).run.status).toBe('completed');
    expect((await call('POST', '/support/orders/2022/retry', {}, ann)).status).toBe(409);
    const all = await call<{ count: number }>('POST', '/support/orders/retry', { reason: 'new stock' }, ann);
    expect(all.status).toBe(200);
    expect(all.body.count).toBeGreaterThan(0);
    await waitFor('the other goes on, too', async () => {
      const { body } = await call<OrderBody>('GET', '/orders/2023');
      return body.run.status === 'completed';
    });
    await stock.update({ sku }, { onHand: 0, reserved: 0 });
  });

  it('orders are found by the status of their runs', async () => {
    await call('POST', '/orders', makeOrder('2009', { items: [{ sku: SOLD_OUT_SKU, quantity: 1 }] }));
    await waitForEnd('2009');
    const { body } = await call<{ id: string }[]>('GET', '/orders?status=failed');
    expect(body).toContainEqual(expect.objectContaining({ id: '2009', status: 'failed', failedStep: 'reserve' }));
    expect((await call('GET', '/orders?status=lost')).status).toBe(400);
  });

  it('an import takes the good orders and says what is wrong with the others', async () => {
    const orders = [makeOrder('2010'), makeOrder('2011', { items: [] }), makeOrder('2012')];
    const { body } = await call('POST', '/orders/import', { orders });
    expect(body).toEqual({
      accepted: 2,
      repeated: 0,
      rejected: [{ id: '2011', errors: expect.arrayContaining(['items should not be empty']) }],
    });
    await Promise.all([waitForEnd('2010'), waitForEnd('2012')]);
  });

  it('the report of the day counts what was sold, country by country, and is written without waiting for the night', async () => {
    expect((await call('GET', '/reports/latest')).status).toBe(404);
    await call('POST', '/orders', makeOrder('2013'));
    await waitForEnd('2013');
    expect((await call('POST', '/reports')).status).toBe(202);
    const { lines } = await waitFor('there is a report', async () => {
      const { status, body } = await call<{ lines: { country: string; orders: number; totalCents: number }[] }>(
        'GET',
        '/reports/latest',
      );
      return status === 200 ? body : null;
    });
    const invoices = await app.get(DataSource).getRepository(Invoice).find();
    expect(lines).toEqual([
      {
        country: 'FI',
        orders: invoices.length,
        totalCents: invoices.reduce((sum, { totalCents }) => sum + totalCents, 0),
      },
    ]);
  });

  function findStock(sku: string): Promise<StockItem> {
    return app.get(DataSource).getRepository(StockItem).findOneByOrFail({ sku });
  }
});

function makeOrder(id: string, changes: object = {}): object {
  return {
    id,
    customer: { name: 'Aino Virtanen', email: 'aino.virtanen@example.com' },
    address: { street: 'Rantakatu 11', postalCode: '33100', city: 'Tampere', country: 'FI' },
    items: [
      { sku: 'BRW-CONE-01', quantity: 1 },
      { sku: 'FLT-CONE-100', quantity: 2 },
    ],
    cardToken: 'tok_visa_4f9a',
    ...changes,
  };
}
