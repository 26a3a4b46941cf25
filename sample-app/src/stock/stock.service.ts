import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { NonRetryableError } from 'orchestrate-flow';
import type { EntityManager } from 'typeorm';
import { DataSource, In, Repository } from 'typeorm';

import type { OrderLine, Quote } from './quote.js';
import { StockItem } from './stock-item.entity.js';
import { StockReservation } from './stock-reservation.entity.js';
import type { ReservationState } from './stock-reservation.entity.js';

/** Called from steps, which may run more than once: every method may be repeated without harm. */
@Injectable()
export class StockService {
  constructor(
    private readonly dataSource: DataSource,
    @InjectRepository(StockItem) private readonly items: Repository<StockItem>,
  ) {}

  async quote(lines: readonly OrderLine[]): Promise<Quote> {
    const found = await this.items.findBy({ sku: In(lines.map((line) => line.sku)) });
    const items = new Map(found.map((item) => [item.sku, item]));
    const unknown = lines.filter((line) => !items.has(line.sku));
    if (unknown.length > 0) throw new NonRetryableError(`Not in our catalogue: ${list(unknown)}`);

    const priced = lines.map(({ sku, quantity }) => ({ quantity, item: items.get(sku)! }));
    return {
      lines: priced.map(({ item, quantity }) => ({
        sku: item.sku,
        name: item.name,
        quantity,
        unitCents: item.unitCents,
      })),
      totalCents: priced.reduce((sum, { item, quantity }) => sum + quantity * item.unitCents, 0),
      weightGrams: priced.reduce((sum, { item, quantity }) => sum + quantity * item.weightGrams, 0),
    };
  }

  /** Holds all lines of an order, or none. */
  async reserve(orderId: string, lines: readonly OrderLine[]): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const inserted = await manager
        .createQueryBuilder()
        .insert()
        .into(StockReservation)
        .values(lines.map(({ sku, quantity }) => ({ orderId, sku, quantity })))
        .orIgnore()
        .returning('sku')
        .execute();
      const isRepetition = (inserted.raw as unknown[]).length === 0;
      if (isRepetition) return;

      const missing: OrderLine[] = [];
      // Every order takes its items in the same sequence: two orders with the same items cannot block each other.
      for (const line of inSequence(lines)) if (!(await hold(manager, line))) missing.push(line);
      if (missing.length > 0) throw new NonRetryableError(`Out of stock: ${list(missing)}`);
    });
  }

  /** Takes what was held off the shelf. */
  pack(orderId: string): Promise<void> {
    return this.settle(orderId, 'packed', { reserved: -1, onHand: -1 });
  }

  /** Gives back what was held. */
  release(orderId: string): Promise<void> {
    return this.settle(orderId, 'released', { reserved: -1, onHand: 0 });
  }

  private async settle(orderId: string, state: ReservationState, sign: { reserved: number; onHand: number }) {
    await this.dataSource.transaction(async (manager) => {
      const held = await manager.find(StockReservation, {
        where: { orderId, state: 'held' },
        lock: { mode: 'pessimistic_write' },
      });
      for (const { sku, quantity } of inSequence(held)) {
        await manager.increment(StockItem, { sku }, 'reserved', sign.reserved * quantity);
        await manager.increment(StockItem, { sku }, 'onHand', sign.onHand * quantity);
      }
      await manager.update(StockReservation, { orderId, state: 'held' }, { state });
    });
  }
}

/** The condition and the change are one statement: two orders cannot both take the last piece. */
async function hold(manager: EntityManager, { sku, quantity }: OrderLine): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(StockItem)
    .set({ reserved: () => 'reserved + :quantity' })
    .where('sku = :sku AND on_hand - reserved >= :quantity', { sku, quantity })
    .execute();
  return affected === 1;
}

function inSequence<Line extends OrderLine>(lines: readonly Line[]): Line[] {
  return [...lines].sort((a, b) => a.sku.localeCompare(b.sku));
}

function list(lines: readonly OrderLine[]): string {
  return lines.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(', ');
}
