import { Ctx, Input, Parallel, Result, Retry, Step, Workflow } from 'orchestrate-flow';
import type { RetryOptions, StepContext } from 'orchestrate-flow';

import { InvoicesService } from '../billing/invoices.service.js';
import { LoyaltyService } from '../billing/loyalty.service.js';
import { NotificationsService } from '../notifications/notifications.service.js';
import { CardDeclinedError, PaymentsService } from '../payments/payments.service.js';
import type { Charge, Risk } from '../payments/payments.service.js';
import { CustomsService } from '../shipping/customs.service.js';
import type { CustomsDeclaration } from '../shipping/customs.service.js';
import { ShippingService } from '../shipping/shipping.service.js';
import type { Label, Parcel, Pickup } from '../shipping/shipping.service.js';
import type { Quote } from '../stock/quote.js';
import { StockService } from '../stock/stock.service.js';
import { PlaceOrderDto } from './dto/place-order.dto.js';

/** Partners are away for a moment now and then: come back soon, then more and more slowly. */
const PARTNER_RETRY: RetryOptions = { attempts: 8, backoff: 'exponential', delay: '250ms', maxDelay: '30s' };

/** What its runs are stored under. */
export const ORDER_WORKFLOW = 'order-fulfilment';

/**
 * From the order to the doorstep: validate → reserve → charge ∥ fraudCheck ∥ customs → pack → printLabel ∥ invoice ∥
 * loyalty → ship → notify.
 *
 * A step may run more than once, when its process dies for instance. So each is safe to repeat: in our own tables by
 * primary key, at our partners by the step's idempotency key.
 */
@Workflow({ name: ORDER_WORKFLOW })
export class OrderWorkflow {
  static readonly input = PlaceOrderDto;
  static readonly output = 'ship';

  constructor(
    private readonly stock: StockService,
    private readonly payments: PaymentsService,
    private readonly customsOffice: CustomsService,
    private readonly shipping: ShippingService,
    private readonly invoices: InvoicesService,
    private readonly loyaltyProgramme: LoyaltyService,
    private readonly notifications: NotificationsService,
  ) {}

  @Step()
  validate(@Input() order: PlaceOrderDto): Promise<Quote> {
    return this.stock.quote(order.items);
  }

  @Step()
  reserve(@Input() order: PlaceOrderDto): Promise<void> {
    return this.stock.reserve(order.id, order.items);
  }

  @Parallel({ timeout: '2s' })
  @Retry(PARTNER_RETRY)
  async charge(
    @Input() order: PlaceOrderDto,
    @Result('validate') quote: Quote,
    @Ctx() step: StepContext,
  ): Promise<Charge> {
    const request = { orderId: order.id, cardToken: order.cardToken, amountCents: quote.totalCents };
    try {
      return await this.payments.charge(request, step);
    } catch (error) {
      if (error instanceof CardDeclinedError) await this.stock.release(order.id);
      throw error;
    }
  }

  @Parallel({ timeout: '2s' })
  @Retry(PARTNER_RETRY)
  fraudCheck(@Input() order: PlaceOrderDto, @Result('validate') quote: Quote, @Ctx() step: StepContext): Promise<Risk> {
    const { email } = order.customer;
    const { country } = order.address;
    return this.payments.assessRisk({ orderId: order.id, email, country, amountCents: quote.totalCents }, step);
  }

  @Parallel()
  customs(@Input() order: PlaceOrderDto, @Result('validate') quote: Quote): CustomsDeclaration {
    return this.customsOffice.declare(order.address.country, quote);
  }

  @Step()
  async pack(
    @Input() order: PlaceOrderDto,
    @Result('validate') quote: Quote,
    @Result('fraudCheck') risk: Risk,
  ): Promise<Parcel> {
    await this.stock.pack(order.id);
    return { weightGrams: quote.weightGrams, signatureRequired: risk.verdict === 'review' };
  }

  @Parallel({ timeout: '2s' })
  @Retry(PARTNER_RETRY)
  printLabel(
    @Input() order: PlaceOrderDto,
    @Result('pack') parcel: Parcel,
    @Result('customs') declaration: CustomsDeclaration,
    @Ctx() step: StepContext,
  ): Promise<Label> {
    const { country } = order.address;
    return this.shipping.printLabel({ orderId: order.id, country, tariffs: declaration.tariffs, ...parcel }, step);
  }

  @Parallel()
  invoice(@Input() order: PlaceOrderDto, @Result('charge') charge: Charge): Promise<{ number: number }> {
    return this.invoices.issue({ orderId: order.id, chargeId: charge.chargeId, totalCents: charge.amountCents });
  }

  @Parallel()
  loyalty(
    @Input() order: PlaceOrderDto,
    @Result('charge') charge: Charge,
  ): Promise<{ points: number; balance: number }> {
    return this.loyaltyProgramme.give(order.id, order.customer.email, charge.amountCents);
  }

  @Step({ timeout: '2s' })
  @Retry(PARTNER_RETRY)
  ship(@Input() order: PlaceOrderDto, @Result('printLabel') label: Label, @Ctx() step: StepContext): Promise<Pickup> {
    return this.shipping.bookPickup(order.id, label.tracking, step);
  }

  @Step()
  notify(
    @Input() order: PlaceOrderDto,
    @Result('ship') pickup: Pickup,
    @Result('invoice') invoice: { number: number },
  ): Promise<void> {
    const text = `Your parcel ${pickup.tracking} is on its way. Your invoice has number ${invoice.number}.`;
    return this.notifications.send({ orderId: order.id, kind: 'shipped', recipient: order.customer.email, text });
  }
}
