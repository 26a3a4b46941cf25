import { once } from 'node:events';

import { Ctx, Input, Parallel, Result, Retry, Step, type StepContext, Workflow } from 'orchestrate-flow';

import { OrderDto } from './order.dto.js';
import { PaymentsService } from './payments.service.js';

@Workflow({ name: 'order' })
export class OrderWorkflow {
  static readonly input = OrderDto;
  static readonly output = 'ship';

  // Nest finds the service by the type of the parameter: this needs the metadata the compiler emits.
  constructor(private readonly payments: PaymentsService) {}

  @Step()
  reserve(@Input() order: OrderDto): string[] {
    return order.items.map((item) => `${item}-reserved`);
  }

  @Parallel()
  @Retry({ attempts: 3, delay: '10ms' })
  async charge(@Input() order: OrderDto, @Ctx() step: StepContext): Promise<{ amount: number; attempt: number }> {
    return { amount: await this.payments.charge(order.id), attempt: step.attempt };
  }

  @Parallel()
  async printLabel(@Result('reserve') lines: string[]): Promise<string> {
    if (lines.includes('patience-reserved')) await untilToldToEnd();
    return lines.join('+');
  }

  @Step()
  ship(@Result('charge') charge: { amount: number; attempt: number }, @Result('printLabel') label: string): string {
    return `${label} for ${charge.amount}, paid at attempt ${charge.attempt}`;
  }
}

/** So that this step is at work when the process is told to end. */
async function untilToldToEnd(): Promise<void> {
  const toldToEnd = once(process, 'SIGTERM');
  console.log('a label waits for the end');
  await toldToEnd;
}
