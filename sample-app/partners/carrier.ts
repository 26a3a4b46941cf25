import type { Partner, PartnerAnswer, PartnerRequest } from './partner-server.js';
import { drawSeeded } from './seeded.js';

/** Prints labels and sends vans. A tracking number follows from the key, so that asking twice gives the same one. */
export class Carrier implements Partner {
  private readonly pickups = new Map<string, string>();

  answer({ method, path, idempotencyKey, body }: PartnerRequest): PartnerAnswer | null {
    switch (`${method} ${path}`) {
      case 'POST /labels':
        return label(idempotencyKey);
      case 'POST /pickups':
        return this.book(String(body['tracking']));
      default:
        return null;
    }
  }

  private book(tracking: string): PartnerAnswer {
    const pickupAt = this.pickups.get(tracking) ?? new Date(Date.now() + 4 * 3_600_000).toISOString();
    this.pickups.set(tracking, pickupAt);
    return { status: 200, body: { tracking, pickupAt } };
  }
}

function label(key: string): PartnerAnswer {
  const tracking = `PX${Math.floor(drawSeeded('label', key) * 1e9)
    .toString()
    .padStart(9, '0')}`;
  return { status: 200, body: { tracking, labelUrl: `https://labels.example.com/${tracking}.pdf` } };
}
