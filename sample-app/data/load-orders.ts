import { readOrders } from './orders-file.js';
import { ShopClient } from './shop-client.js';

// Sends the file to a running shop, as another system would: over its HTTP API, twenty at a time.

const CHUNK = 20;
const shop = new ShopClient(process.env['SHOP_URL'] ?? 'http://127.0.0.1:3000');
const orders = readOrders();

for (let start = 0; start < orders.length; start += CHUNK) {
  const report = await shop.import(orders.slice(start, start + CHUNK));
  console.log(`${report.accepted} accepted, ${report.repeated} there already, ${report.rejected.length} rejected`);
  for (const { id, errors } of report.rejected) console.log(`  order ${id}: ${errors.join('; ')}`);
}
