import { writeFileSync } from 'node:fs';

import { drawSeeded } from '../partners/seeded.js';
import { CATALOGUE } from '../src/stock/catalogue.js';
import { ORDERS_FILE } from './orders-file.js';
import { REGIONS } from './people.js';

// Makes orders.jsonl: the same 200 orders every time. The file is committed; run this only to change it.

const SEED = 2_026;
const FIRST_ID = 1_001;
const COUNT = 200;
const ON_SALE = CATALOGUE.filter((item) => item.onHand > 0);
const SOLD_OUT = CATALOGUE.filter((item) => item.onHand === 0);
const DECLINE_REASONS = ['insufficientfunds', 'expired', 'blocked'];

type Order = ReturnType<typeof makeOrder>;

/** What is wrong with some orders. Each is what a careless client really sends. */
const FAULTS: readonly ((order: Order) => object)[] = [
  (order) => ({ ...order, items: [] }),
  (order) => ({ ...order, customer: { ...order.customer, email: order.customer.email.replace('@', ' at ') } }),
  (order) => ({ ...order, items: order.items.map((item, index) => (index === 0 ? { ...item, quantity: 0 } : item)) }),
  (order) => ({ ...order, address: { ...order.address, country: 'Deutschland' } }),
  (order) => ({ ...order, cardToken: '4242 4242 4242 4242' }),
  (order) => ({ ...order, address: { ...order.address, postalCode: '' } }),
];

function makeOrder(id: number) {
  const luck = (what: string) => drawSeeded(SEED, id, what);
  const pick = <T>(from: readonly T[], what: string): T => from[Math.floor(luck(what) * from.length)]!;

  const region = pick(REGIONS, 'region');
  const first = pick(region.first, 'first');
  const last = pick(region.last, 'last');
  const [postalCode, city] = pick(region.towns, 'town');
  const house = 1 + Math.floor(luck('house') * 140);
  const street = pick(region.streets, 'street');
  return {
    id: String(id),
    customer: {
      name: `${first} ${last}`,
      email: `${plain(first)}.${plain(last)}@${pick(['example.com', 'example.org', 'example.net'], 'mail')}`,
    },
    address: {
      street: region.numberFirst ? `${house} ${street}` : `${street} ${house}`,
      postalCode,
      city,
      country: region.country,
    },
    items: makeItems(luck),
    cardToken: `tok_${pick(['visa', 'mastercard', 'amex'], 'card')}_${luck('token').toString(36).slice(2, 10)}`,
  };
}

function makeItems(luck: (what: string) => number) {
  const count = 1 + Math.floor(luck('count') ** 2 * 6);
  const shuffled = [...ON_SALE].sort((a, b) => luck(a.sku) - luck(b.sku));
  return shuffled.slice(0, count).map(({ sku, unitCents }) => ({
    sku,
    quantity: 1 + Math.floor(luck(`quantity ${sku}`) * (unitCents < 2_000 ? 4 : 2)),
  }));
}

/** About one order in twelve wants what is sold out, as many have a bad card, one in sixteen is not an order at all. */
function spoil(order: Order): object {
  const drawn = drawSeeded(SEED, order.id, 'kind');
  const which = (count: number) => Math.floor(drawSeeded(SEED, order.id, 'which') * count);
  if (drawn < 0.06) return FAULTS[which(FAULTS.length)]!(order);
  if (drawn < 0.13)
    return { ...order, items: [...order.items, { sku: SOLD_OUT[which(SOLD_OUT.length)]!.sku, quantity: 1 }] };
  if (drawn < 0.2) return { ...order, cardToken: `tok_declined_${DECLINE_REASONS[which(DECLINE_REASONS.length)]!}` };
  return order;
}

function plain(name: string): string {
  return name
    .replace('ı', 'i')
    .replace('ł', 'l')
    .normalize('NFD')
    .replace(/[^a-zA-Z]/g, '')
    .toLowerCase();
}

const orders = Array.from({ length: COUNT }, (_, index) => spoil(makeOrder(FIRST_ID + index)));
writeFileSync(ORDERS_FILE, orders.map((order) => `${JSON.stringify(order)}\n`).join(''));
