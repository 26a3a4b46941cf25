import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BESIDE_THE_SOURCE = new URL('./orders.jsonl', import.meta.url);
const FROM_DIST = new URL('../../data/orders.jsonl', import.meta.url);

/** The file is data, not code: it is not copied to dist/. */
export const ORDERS_FILE = fileURLToPath(import.meta.url.includes('/dist/') ? FROM_DIST : BESIDE_THE_SOURCE);

/** An order as it stands in the file; some of them are not valid, so nothing else is certain. */
export interface FileOrder {
  readonly id: string;
  readonly customer: { readonly name: string };
  readonly cardToken: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly address: { readonly city: string; readonly country: string };
}

export function readOrders(): FileOrder[] {
  if (!existsSync(ORDERS_FILE)) throw new Error(`There is no file ${ORDERS_FILE}: make-orders.ts writes it.`);
  const lines = readFileSync(ORDERS_FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as FileOrder);
}
