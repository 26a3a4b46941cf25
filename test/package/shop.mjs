import { deepEqual, equal, match } from 'node:assert/strict';

import { open } from './commands.mjs';

/** Drives the shop on the given Node over HTTP, through orders that go well and that do not, and two ends by SIGTERM. */
export async function driveShop(node, folder, dataDir) {
  await withShop(node, folder, dataDir, async (shop) => {
    await takesOrders(shop);
    equal((await shop.post({ id: 'waits', items: ['patience'] })).status, 201);
    await shop.waitFor(/a label waits for the end/);
  });
  // The step that was at work when the process ended would wait for another end, had its outcome not been recorded.
  await withShop(node, folder, dataDir, async ({ get }) => {
    match((await get('waits/result')).result, /^patience-reserved for 20, paid at attempt [23]$/);
  });
}

async function takesOrders({ post, get, waitFor }) {
  const order = { id: 'order-1', items: ['book', 'pen'] };
  deepEqual(await post(order), { status: 201, body: { created: true } });
  deepEqual(await post(order), { status: 201, body: { created: false } });
  deepEqual(await get('order-1/result'), { result: 'book-reserved+pen-reserved for 20, paid at attempt 2' });
  deepEqual(await get('order-1'), { items: order.items, status: 'completed' });
  await waitFor(/^step\.retrying$/m);

  // Input that class-validator refuses, and a transaction that is rolled back after the start, leave nothing.
  deepEqual(await post({ id: 'empty', items: [] }), { status: 400, body: { code: 'OF_INPUT_INVALID' } });
  equal((await post({ id: 'undone', items: ['trouble'] })).status, 400);
  deepEqual(await get('empty'), { items: null, status: null });
  deepEqual(await get('undone'), { items: null, status: null });
}

/** One life of the shop, which ends by SIGTERM and in order. */
async function withShop(node, folder, dataDir, visit) {
  const env = { ...process.env, SHOP_DATA_DIR: dataDir };
  const shop = open(node, ['dist/main.js'], { cwd: folder, env });
  try {
    const [, url] = await shop.waitFor(/^open at (\S+)$/m);
    await visit({ waitFor: shop.waitFor, ...callsTo(`${url}/orders`) });
    shop.process.kill('SIGTERM');
    await shop.waitFor(/^worker\.drained$/m);
    await shop.ended;
    // Nest lets the signal end the process once its hooks are done.
    equal(shop.process.signalCode, 'SIGTERM', shop.output());
  } catch (error) {
    throw new Error(`${error.message}\n${shop.output()}`, { cause: error });
  } finally {
    shop.process.kill('SIGKILL');
  }
}

function callsTo(url) {
  return {
    async post(order) {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(order) });
      return { status: response.status, body: await response.json() };
    },
    async get(path) {
      const response = await fetch(`${url}/${path}`);
      return response.json();
    },
  };
}
