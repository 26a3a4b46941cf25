import { Injectable } from '@nestjs/common';

/** Refuses every order once, so that each run needs a retry. */
@Injectable()
export class PaymentsService {
  private readonly refused = new Set<string>();

  async charge(order: string): Promise<number> {
    if (!this.refused.has(order)) {
      this.refused.add(order);
      throw new Error('The payment provider is busy.');
    }
    return 20;
  }
}
