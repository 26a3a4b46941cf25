import { readOrders } from '../data/orders-file.js';
import { ShopClient } from '../data/shop-client.js';
import { Ledger } from '../partners/ledger.js';
import { CleanUp } from './clean-up.js';
import { Deadline } from './deadline.js';
import { OrderWatch } from './order-watch.js';
import { IN_THE_CRASH, Play } from './play.js';
import { printReport } from './report.js';
import { openScreen } from './screen.js';
import { Stage } from './stage.js';
import { drawWaterfall, legend } from './waterfall.js';

// 200 orders, a worker that is killed in the middle of them, and a payment provider that counts its charges.

const DEADLINE_SECONDS = 50;
const DECLINED_ORDER = '1003';

async function demo(cleanUp: CleanUp): Promise<boolean> {
  const startedAt = Date.now();
  const deadline = new Deadline(DEADLINE_SECONDS);
  const screen = openScreen(startedAt);
  cleanUp.add(() => screen.close());
  screen.say('opening a fresh PostgreSQL, a payment provider, a carrier, the shop and its worker');
  const stage = await Stage.open(cleanUp);

  const shop = new ShopClient(stage.shopUrl);
  const orders = readOrders();
  const watch = new OrderWatch(shop, screen, startedAt);
  const play = new Play({ orders, stage, shop, watch, screen, deadline });
  const end = new AbortController();
  const isThrough = Promise.all([watch.run(end.signal), play.perform().finally(() => end.abort())]);
  await isThrough.catch((error: unknown) => {
    screen.close();
    if (!cleanUp.hasBegun) console.error(stage.lastLogLines());
    throw error;
  });
  screen.close();

  for (const id of [...IN_THE_CRASH, DECLINED_ORDER]) console.log(`\n${drawWaterfall(watch.timelines.get(id)!)}`);
  console.log(`\n${legend()}`);
  return printReport({
    orders,
    rejectedIds: play.rejectedIds,
    summary: watch.summary,
    completedIds: await shop.findIds('completed'),
    ledger: new Ledger(stage.ledgerFile).all(),
  });
}

const cleanUp = new CleanUp();
cleanUp.onInterrupt();
const isRight = await demo(cleanUp).catch((error: unknown) => {
  if (!cleanUp.hasBegun) console.error(error);
  return false;
});
await cleanUp.run();
process.exit(isRight ? 0 : 1);
