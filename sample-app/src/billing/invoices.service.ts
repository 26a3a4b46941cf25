import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { Invoice } from './invoice.entity.js';

@Injectable()
export class InvoicesService {
  constructor(@InjectRepository(Invoice) private readonly invoices: Repository<Invoice>) {}

  /** An order has one invoice: asked again, the one it has. */
  async issue(draft: Pick<Invoice, 'orderId' | 'chargeId' | 'totalCents'>): Promise<{ number: number }> {
    await this.invoices.createQueryBuilder().insert().values(draft).orIgnore().execute();
    const { number } = await this.invoices.findOneByOrFail({ orderId: draft.orderId });
    return { number };
  }
}
