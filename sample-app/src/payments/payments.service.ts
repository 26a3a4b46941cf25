import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { NonRetryableError } from 'orchestrate-flow';
import { Repository } from 'typeorm';

import { callPartner, PartnerRefusedError } from '../partners/call-partner.js';
import type { PartnerCall } from '../partners/call-partner.js';
import { ShopConfig } from '../shop.config.js';
import { Payment } from './payment.entity.js';

const PAYMENT_REQUIRED = 402;

export interface ChargeRequest {
  readonly orderId: string;
  readonly cardToken: string;
  readonly amountCents: number;
}

export interface Charge {
  readonly chargeId: string;
  readonly amountCents: number;
}

export interface RiskRequest {
  readonly orderId: string;
  readonly email: string;
  readonly country: string;
  readonly amountCents: number;
}

export interface Risk {
  readonly score: number;
  readonly verdict: 'pass' | 'review';
}

export class CardDeclinedError extends NonRetryableError {
  constructor(reason: string) {
    super(`Card declined: ${reason}`);
  }
}

@Injectable()
export class PaymentsService {
  constructor(
    private readonly config: ShopConfig,
    @InjectRepository(Payment) private readonly payments: Repository<Payment>,
  ) {}

  async charge(request: ChargeRequest, call: PartnerCall): Promise<Charge> {
    const charge = await this.post<Charge>('charges', request, call).catch(declined);
    // A repeated attempt finds its payment written already.
    await this.payments.upsert({ orderId: request.orderId, ...charge }, ['orderId']);
    return charge;
  }

  assessRisk(request: RiskRequest, call: PartnerCall): Promise<Risk> {
    return this.post<Risk>('risk', request, call);
  }

  /** Returns whatever was charged for an order: also a charge whose answer never reached us. */
  async refund(orderId: string, call: PartnerCall): Promise<{ refundedCents: number }> {
    const refund = await this.post<{ refundedCents: number }>('refunds', { orderId }, call);
    await this.payments.update({ orderId }, { state: 'refunded' });
    return refund;
  }

  private post<Answer>(path: string, body: object, call: PartnerCall): Promise<Answer> {
    return callPartner<Answer>(`${this.config.paymentProviderUrl}/${path}`, body, call);
  }
}

function declined(error: unknown): never {
  const isDeclined = error instanceof PartnerRefusedError && error.statusCode === PAYMENT_REQUIRED;
  throw isDeclined ? new CardDeclinedError(error.reason) : error;
}
