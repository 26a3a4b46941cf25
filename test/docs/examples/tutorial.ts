import { Body, Controller, Get, HttpCode, Injectable, Module, Param, Post } from '@nestjs/common';
import {
  Compensate,
  Ctx,
  Input,
  Item,
  NonRetryableError,
  Orchestrator,
  OrchestrateFlowModule,
  Result,
  Schedule,
  SignalPayload,
  Sleep,
  Step,
  WaitForSignal,
  Workflow,
  type StepContext,
} from 'orchestrate-flow';
import { DataSource } from 'typeorm';

/** A partner of the shop: what it is asked again under the same key it answers again, and does once. */
class Partner {
  readonly done = new Map<string, string>();

  do(what: string, key: string): string {
    if (what.includes('refused')) throw new NonRetryableError(`The partner will not ${what}.`);
    this.done.set(key, this.done.get(key) ?? what);
    return this.done.get(key)!;
  }
}

export class Bank extends Partner {}
export class Warehouse extends Partner {}
export class Mail extends Partner {}

export class Order {
  id!: string;
  customer!: string;
  total!: number;
}

export class CarrierEvent {
  type!: 'shipment.delivered' | 'shipment.returned';
  orderId!: string;
  tracking!: string;
}

@Workflow({ name: 'order-fulfilment', deadline: '30d' })
export class OrderFulfilment {
  static readonly input = Order;
  static readonly output = 'delivery';
  static readonly signals = { 'shipment.delivered': CarrierEvent, 'shipment.returned': CarrierEvent };

  constructor(
    private readonly bank: Bank,
    private readonly warehouse: Warehouse,
    private readonly mail: Mail,
  ) {}

  @Step({ retry: { attempts: 5, delay: '2s' } })
  charge(@Input() { customer, total }: Order, @Ctx() { idempotencyKey }: StepContext): string {
    return this.bank.do(`charge ${customer} ${total}`, idempotencyKey);
  }

  @Step()
  reserve(@Input() { id }: Order, @Ctx() { idempotencyKey }: StepContext): string {
    return this.warehouse.do(`reserve ${id}`, idempotencyKey);
  }

  @WaitForSignal(['shipment.delivered', 'shipment.returned'], { timeout: '3d', pointOfNoReturn: true })
  delivery(@SignalPayload() event: CarrierEvent, @Ctx() { signalName }: StepContext): string {
    if (signalName === 'shipment.returned') throw new NonRetryableError(`Order ${event.orderId} came back.`);
    return event.tracking;
  }

  @Sleep('7d') week!: void;

  @Step()
  askForReview(@Input() { id, customer }: Order, @Ctx() { idempotencyKey }: StepContext): string {
    return this.mail.do(`ask ${customer} how order ${id} was`, idempotencyKey);
  }

  @Compensate('charge')
  refund(@Result('charge', { optional: true }) charge: string | undefined, @Ctx() { idempotencyKey }: StepContext) {
    return this.bank.do(`refund ${charge ?? 'what may have been charged'}`, idempotencyKey);
  }

  @Compensate('reserve')
  release(@Input() { id }: Order, @Ctx() { idempotencyKey }: StepContext): string {
    return this.warehouse.do(`release ${id}`, idempotencyKey);
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly dataSource: DataSource,
    private readonly orchestrator: Orchestrator,
  ) {}

  /** The order and its fulfilment exist together, or not at all. */
  place(order: Order) {
    return this.dataSource.transaction(async (manager) => {
      await manager.query('INSERT INTO shop_order (id, status) VALUES ($1, $2)', [order.id, 'placed']);
      const { id: runId } = await this.orchestrator.start(OrderFulfilment, order, { key: order.id, manager });
      return { ...order, runId };
    });
  }

  /** The carrier sends it again until it hears 200: the tracking number makes it one signal. */
  tell(event: CarrierEvent) {
    const status = event.type.replace('shipment.', '');
    return this.dataSource.transaction(async (manager) => {
      await manager.query('UPDATE shop_order SET status = $2 WHERE id = $1', [event.orderId, status]);
      const run = { workflow: OrderFulfilment, key: event.orderId } as const;
      await this.orchestrator.signal(run, event.type, event, { key: event.tracking, manager });
    });
  }
}

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: Orders,
    private readonly orchestrator: Orchestrator,
  ) {}

  @Post() place(@Body() order: Order) {
    return this.orders.place(order);
  }

  @Post('carrier') @HttpCode(200) async hear(@Body() event: CarrierEvent) {
    await this.orders.tell(event);
  }

  @Get(':id') async status(@Param('id') key: string) {
    const { id, status } = await this.orchestrator.get({ workflow: OrderFulfilment, key });
    const steps = await this.orchestrator.steps(id);
    return { status, steps: Object.fromEntries(steps.map((step) => [step.name, step.status])) };
  }

  @Post(':id/cancel') @HttpCode(202) async cancel(@Param('id') key: string, @Body('reason') reason: string) {
    await this.orchestrator.cancel({ workflow: OrderFulfilment, key }, { by: 'support', reason });
  }
}

export class Month {
  month!: string;
  customers!: string[];
}

@Workflow({ name: 'invoices', priority: 10 }) // behind the orders, whose priority is 0
@Schedule('0 2 1 * *', {
  timeZone: 'America/New_York',
  catchUp: 'latest', // a deploy at 02:00 delays the month, and skips none
  input: ({ scheduledAt }: { scheduledAt: Date }): Month => ({
    month: new Date(scheduledAt.getTime() - 86_400_000).toISOString().slice(0, 7),
    customers: ['Ann', 'Bob', 'Cid'],
  }),
})
export class Invoices {
  static readonly input = Month;
  static readonly output = 'total';

  constructor(private readonly mail: Mail) {}

  @Step({ maxItems: 20 }) // one durable step for each customer, twenty at a time
  render(@Item('input.customers') customer: string, @Input() { month }: Month, @Ctx() { idempotencyKey }: StepContext) {
    return this.mail.do(`send ${customer} the invoice of ${month}`, idempotencyKey);
  }

  @Step()
  total(@Input() { customers }: Month): number {
    return customers.length;
  }
}

@Module({
  imports: [OrchestrateFlowModule.forRoot()], // in the database of TypeOrmModule.forRoot({ …, autoLoadEntities: true })
  controllers: [OrdersController],
  providers: [Bank, Warehouse, Mail, Orders, OrderFulfilment, Invoices],
})
export class ShopModule {}
