import type { FileOrder } from '../data/orders-file.js';
import type { Summary } from '../data/shop-client.js';
import type { LedgerEntry, LedgerKind } from '../partners/ledger.js';
import { CATALOGUE } from '../src/stock/catalogue.js';
import { bold, green, red } from './paint.js';

export interface Evidence {
  readonly orders: readonly FileOrder[];
  readonly rejectedIds: ReadonlySet<string>;
  readonly summary: Summary;
  readonly completedIds: readonly string[];
  readonly ledger: readonly LedgerEntry[];
}

/** Prints what came of the orders and what the payment provider's book says. True where all of it is as it must be. */
export function printReport(evidence: Evidence): boolean {
  let isRight = true;
  for (const chapter of [outcomes, charges]) {
    for (const { ok, text } of chapter(evidence)) {
      console.log(`  ${ok ? green('✔') : red('✘')} ${text}`);
      isRight &&= ok;
    }
  }
  return isRight;
}

interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

/** The file says what has to come of each order: the shelf and the cards are known. */
function* outcomes({ orders, rejectedIds, summary }: Evidence): Generator<Finding> {
  const accepted = orders.filter((order) => !rejectedIds.has(order.id));
  const soldOut = accepted.filter((order) => order.items.some(({ sku }) => isSoldOut(sku)));
  const declined = accepted.filter((order) => !soldOut.includes(order) && order.cardToken.startsWith('tok_declined_'));
  const fine = accepted.length - soldOut.length - declined.length;
  const ended = Object.values(summary).reduce((sum, count) => sum + count, 0);

  console.log(bold(`\n${orders.length} orders`));
  yield expect('rejected at the door: not valid', rejectedIds.size, orders.length - ended);
  yield expect('completed: on their way', summary['completed'] ?? 0, fine);
  yield expect('failed at reserve: out of stock', summary['failed at reserve'] ?? 0, soldOut.length);
  yield expect('failed at charge: card declined', summary['failed at charge'] ?? 0, declined.length);
}

function* charges({ completedIds, ledger }: Evidence): Generator<Finding> {
  const count = (kind: LedgerKind) => ledger.filter((entry) => entry.kind === kind).length;
  const chargesOf = new Map<string, number>();
  for (const { kind, orderId } of ledger)
    if (kind === 'charged') chargesOf.set(orderId, (chargesOf.get(orderId) ?? 0) + 1);
  const most = Math.max(0, ...chargesOf.values());
  const unpaid = completedIds.filter((id) => !chargesOf.has(id));

  console.log(bold(`\nThe payment provider's own ledger: ${ledger.length} requests for a charge`));
  console.log(`    ${count('turned away')} turned away with 503 or 429, asked again later`);
  console.log(
    `    ${count('repeated')} repeated under a known idempotency key: answered with the first charge, not charged again`,
  );
  yield {
    ok: most <= 1,
    text: `${String(count('charged')).padStart(3)} charges for ${chargesOf.size} orders: at most ${most} per order`,
  };
  yield { ok: unpaid.length === 0, text: `${String(unpaid.length).padStart(3)} completed orders without a charge` };
  const idle = [...chargesOf.keys()].filter((id) => !completedIds.includes(id));
  yield { ok: idle.length === 0, text: `${String(idle.length).padStart(3)} charges for orders that did not complete` };
}

function expect(what: string, actual: number, expected: number): Finding {
  const ok = actual === expected;
  return { ok, text: `${String(actual).padStart(3)} ${what}${ok ? '' : ` (expected ${expected})`}` };
}

function isSoldOut(sku: string): boolean {
  return CATALOGUE.some((item) => item.sku === sku && item.onHand === 0);
}
