import { Ctx, Input, Parallel, Result, Retry, Step, type StepContext, Workflow } from 'orchestrate-flow';

export class OrderDto {
  id!: string;
  items!: string[];
}

export interface Charge {
  id: string;
}

/** What the shop's providers do, in as few lines as may be. */
export class PaymentsService {
  readonly charged: string[] = [];

  async charge(order: OrderDto, { idempotencyKey }: { idempotencyKey: string; signal: AbortSignal }): Promise<Charge> {
    this.charged.push(idempotencyKey);
    return { id: `charge of ${order.id}` };
  }
}

@Workflow({ name: 'order-fulfilment' })
export class OrderWorkflow {
  static readonly input = OrderDto; // types start(), and is validated there
  static readonly output = 'ship'; // the step whose result is the run's

  constructor(private readonly payments: PaymentsService) {}

  @Step()
  reserve(@Input() order: OrderDto): string[] {
    return order.items.map((item) => `${item} of ${order.id}`);
  }

  @Parallel({ timeout: '30s' })
  @Retry({ attempts: 5, delay: '1s', maxDelay: '1m' })
  charge(@Input() order: OrderDto, @Ctx() { idempotencyKey, signal }: StepContext): Promise<Charge> {
    return this.payments.charge(order, { idempotencyKey, signal });
  }

  @Parallel()
  printLabels(@Result('reserve') reserved: string[]): string[] {
    return reserved.map((item) => `label for ${item}`);
  }

  @Step() // waits for both
  ship(@Result('charge') charge: Charge, @Result('printLabels') labels: string[]): string {
    return `${labels.length} parcels, paid by ${charge.id}`;
  }
}

@Workflow({ name: 'report' })
export class ReportWorkflow {
  static readonly output = 'publish';

  @Step()
  collect(): number[] {
    return [1, 2, 3];
  }

  @Step({ after: [], beside: true }) // starts at once, and nothing below waits for it
  warmCache(): void {}

  @Step({ after: ['collect'] })
  sum(@Result('collect') numbers: number[]): number {
    return numbers.reduce((one, other) => one + other, 0);
  }

  @Step({ after: ['collect'] })
  count(@Result('collect') numbers: number[]): number {
    return numbers.length;
  }

  @Step({ after: ['sum', 'count'] })
  publish(@Result('sum') sum: number, @Result('count') count: number): string {
    return `${count} numbers, ${sum} in all`;
  }
}
