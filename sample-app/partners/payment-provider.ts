import type { Ledger } from './ledger.js';
import type { Partner, PartnerAnswer, PartnerRequest } from './partner-server.js';
import { drawSeeded } from './seeded.js';

const REVIEW_ABOVE = 0.9;

/**
 * Charges cards. It knows nothing of orders: two requests with two keys are two charges, however alike they look. Two
 * with the same key are one.
 */
export class PaymentProvider implements Partner {
  constructor(private readonly ledger: Ledger) {}

  answer(request: PartnerRequest): PartnerAnswer | null {
    switch (`${request.method} ${request.path}`) {
      case 'POST /charges':
        return this.charge(request);
      case 'POST /refunds':
        return this.refund(request);
      case 'POST /risk':
        return assessRisk(String(request.body['email']));
      case 'GET /ledger':
        return { status: 200, body: this.ledger.all() };
      default:
        return null;
    }
  }

  turnedAway({ path, idempotencyKey: key, body }: PartnerRequest): void {
    if (path !== '/charges') return;
    this.ledger.write({
      kind: 'turned away',
      key,
      orderId: String(body['orderId']),
      amountCents: Number(body['amountCents']),
    });
  }

  private charge({ idempotencyKey: key, body }: PartnerRequest): PartnerAnswer {
    const orderId = String(body['orderId']);
    const amountCents = Number(body['amountCents']);
    const cardToken = String(body['cardToken']);
    const first = this.ledger.findByKey(key);
    if (first) {
      this.ledger.write({ kind: 'repeated', key, orderId, amountCents });
      return first.chargeId ? charged(first.chargeId, first.amountCents) : declined(cardToken);
    }
    if (isBad(cardToken)) {
      this.ledger.write({ kind: 'declined', key, orderId, amountCents });
      return declined(cardToken);
    }
    const chargeId = `ch_${String(this.ledger.all().length + 1).padStart(6, '0')}`;
    this.ledger.write({ kind: 'charged', key, orderId, amountCents, chargeId });
    return charged(chargeId, amountCents);
  }

  /** Returns all that was charged for an order and not returned yet. */
  private refund({ idempotencyKey: key, body }: PartnerRequest): PartnerAnswer {
    const orderId = String(body['orderId']);
    const open = this.ledger.ofOrder(orderId).reduce((sum, entry) => sum + signOf(entry.kind) * entry.amountCents, 0);
    if (open > 0) this.ledger.write({ kind: 'refunded', key, orderId, amountCents: open });
    const refundedCents = this.ledger
      .ofOrder(orderId)
      .reduce((sum, { kind, amountCents }) => sum + (kind === 'refunded' ? amountCents : 0), 0);
    return { status: 200, body: { refundedCents } };
  }
}

function signOf(kind: string): number {
  if (kind === 'charged') return 1;
  return kind === 'refunded' ? -1 : 0;
}

function charged(chargeId: string, amountCents: number): PartnerAnswer {
  return { status: 200, body: { chargeId, amountCents } };
}

/** `tok_declined_expired`: a test card says itself why it is refused. */
function isBad(cardToken: string): boolean {
  return cardToken.startsWith('tok_declined_');
}

function declined(cardToken: string): PartnerAnswer {
  return { status: 402, body: { reason: cardToken.slice('tok_declined_'.length) } };
}

function assessRisk(email: string): PartnerAnswer {
  const score = Number(drawSeeded('risk', email).toFixed(2));
  return { status: 200, body: { score, verdict: score > REVIEW_ABOVE ? 'review' : 'pass' } };
}
