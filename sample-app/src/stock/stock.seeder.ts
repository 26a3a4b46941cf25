import type { OnApplicationBootstrap } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { ShopConfig } from '../shop.config.js';
import { CATALOGUE } from './catalogue.js';
import { StockItem } from './stock-item.entity.js';

/** Fills the shelves on the first day. */
@Injectable()
export class StockSeeder implements OnApplicationBootstrap {
  constructor(
    private readonly config: ShopConfig,
    @InjectRepository(StockItem) private readonly items: Repository<StockItem>,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.role === 'worker') return;
    await this.items.createQueryBuilder().insert().values(CATALOGUE).orIgnore().execute();
  }
}
