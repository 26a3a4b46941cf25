import type { FileOrder } from '../data/orders-file.js';
import type { ShopClient } from '../data/shop-client.js';
import type { Deadline } from './deadline.js';
import type { OrderWatch } from './order-watch.js';
import { bold, green, red } from './paint.js';
import type { Screen } from './screen.js';
import type { Stage } from './stage.js';

/** Shown live before the crash: two good orders, a declined card, a sold-out item. */
const BEFORE_THE_CRASH = ['1001', '1002', '1003', '1023'];
/** Shown live when the worker dies. */
export const IN_THE_CRASH = ['1004', '1008', '1011', '1019'];
const CHARGES_AT_THE_CRASH = 2;
const IMPORTED_AT_ONCE = 20;

export interface Props {
  readonly orders: readonly FileOrder[];
  readonly stage: Stage;
  readonly shop: ShopClient;
  readonly watch: OrderWatch;
  readonly screen: Screen;
  readonly deadline: Deadline;
}

/** What happens in the demo, scene by scene. */
export class Play {
  readonly rejectedIds = new Set<string>();

  constructor(private readonly props: Props) {}

  async perform(): Promise<void> {
    await this.firstOrders();
    await Promise.all([this.allOtherOrders(), this.crash()]);
    await this.untilTheEnd();
  }

  private async firstOrders(): Promise<void> {
    const { screen, deadline, watch } = this.props;
    screen.say(`orders ${BEFORE_THE_CRASH.join(', ')} come in`);
    await this.place(BEFORE_THE_CRASH);
    await deadline.until('the first orders to end', () => watch.haveEnded(BEFORE_THE_CRASH));
  }

  private async allOtherOrders(): Promise<void> {
    const { orders, shop, screen } = this.props;
    screen.say(`orders ${IN_THE_CRASH.join(', ')} come in, and with them all others of the file`);
    await this.place(IN_THE_CRASH);
    const rest = orders.filter(({ id }) => !BEFORE_THE_CRASH.includes(id) && !IN_THE_CRASH.includes(id));
    for (let start = 0; start < rest.length; start += IMPORTED_AT_ONCE) {
      const { rejected } = await shop.import(rest.slice(start, start + IMPORTED_AT_ONCE));
      for (const { id } of rejected) this.rejectedIds.add(id);
    }
    screen.say(`${this.rejectedIds.size} of ${orders.length} orders were turned away: not valid`);
  }

  private async crash(): Promise<void> {
    const { stage, screen, deadline, watch } = this.props;
    await deadline.until('charges under way', () => watch.countRunning(IN_THE_CRASH, 'charge') >= CHARGES_AT_THE_CRASH);
    const { pid } = stage.worker;
    await stage.worker.kill('SIGKILL');
    watch.workerDied();
    screen.say(bold(red(`kill -9 ${pid}: the worker is dead, and cards were being charged at that moment`)));

    const worker = stage.startWorkerAgain();
    await worker.ready();
    screen.say(green(`a new worker, process ${worker.pid}, takes the orders that wait`));
    screen.say('  what the dead worker held follows when its lease, 10 s, has run out');
  }

  private async untilTheEnd(): Promise<void> {
    const { screen, deadline, watch, orders } = this.props;
    const accepted = orders.length - this.rejectedIds.size;
    await deadline.until('all orders to end', () => watch.countEnded() === accepted && watch.haveEnded(IN_THE_CRASH));
    screen.say(bold('every order has ended'));
  }

  private async place(ids: readonly string[]): Promise<void> {
    const { orders, shop, watch } = this.props;
    for (const order of orders.filter(({ id }) => ids.includes(id))) {
      await shop.place(order);
      watch.follow(order.id);
    }
  }
}
