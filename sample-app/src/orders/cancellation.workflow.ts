import { IsEmail, IsString } from 'class-validator';
import {
  Ctx,
  Input,
  NonRetryableError,
  Orchestrator,
  Parallel,
  Result,
  Retry,
  RetryAfterError,
  Step,
  Workflow,
} from 'orchestrate-flow';
import type { StepContext } from 'orchestrate-flow';

import { NotificationsService } from '../notifications/notifications.service.js';
import { PaymentsService } from '../payments/payments.service.js';
import { StockService } from '../stock/stock.service.js';
import { OrderWorkflow } from './order.workflow.js';

export class Cancellation {
  @IsString()
  orderId!: string;

  @IsEmail()
  email!: string;

  @IsString()
  reason!: string;
}

/** Stops an order and undoes what it has done. A workflow too: a cancellation must not end half-way. */
@Workflow({ name: 'order-cancellation' })
export class CancellationWorkflow {
  static readonly input = Cancellation;

  constructor(
    private readonly orchestrator: Orchestrator,
    private readonly stock: StockService,
    private readonly payments: PaymentsService,
    private readonly notifications: NotificationsService,
  ) {}

  /** Ends when the order's last running step has ended: only then is it certain what there is to undo. */
  @Step({ retry: 120 })
  async stop(@Input() { orderId, reason }: Cancellation): Promise<void> {
    const order = { workflow: OrderWorkflow, key: orderId };
    const { status } = await this.orchestrator.get(order);
    if (status === 'cancelled' || status === 'failed') return;
    if (status === 'completed') throw new NonRetryableError(`Order ${orderId} is on its way already`);
    if (status !== 'cancelling') await this.orchestrator.cancel(order, { reason });
    throw new RetryAfterError('500ms', `Order ${orderId} still has steps running`);
  }

  @Parallel()
  releaseStock(@Input() { orderId }: Cancellation): Promise<void> {
    return this.stock.release(orderId);
  }

  @Parallel({ timeout: '2s' })
  @Retry({ attempts: 20, delay: '250ms', maxDelay: '1m' })
  refund(@Input() { orderId }: Cancellation, @Ctx() step: StepContext): Promise<{ refundedCents: number }> {
    return this.payments.refund(orderId, step);
  }

  @Step()
  notify(
    @Input() { orderId, email }: Cancellation,
    @Result('refund') refund: { refundedCents: number },
  ): Promise<void> {
    const text = `Your order has been cancelled. We returned ${(refund.refundedCents / 100).toFixed(2)} EUR.`;
    return this.notifications.send({ orderId, kind: 'cancelled', recipient: email, text });
  }
}
