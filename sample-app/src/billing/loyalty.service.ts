import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { LoyaltyEntry } from './loyalty-entry.entity.js';

const CENTS_PER_POINT = 100;

@Injectable()
export class LoyaltyService {
  constructor(@InjectRepository(LoyaltyEntry) private readonly entries: Repository<LoyaltyEntry>) {}

  /** One entry per order, so that points are given once; the balance is their sum. */
  async give(orderId: string, email: string, spentCents: number): Promise<{ points: number; balance: number }> {
    const points = Math.floor(spentCents / CENTS_PER_POINT);
    await this.entries.upsert({ orderId, email, points }, ['orderId']);
    return { points, balance: (await this.entries.sum('points', { email })) ?? points };
  }
}
