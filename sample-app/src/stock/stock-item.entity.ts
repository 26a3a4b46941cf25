import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('stock_items')
export class StockItem {
  @PrimaryColumn('text')
  sku!: string;

  @Column('text')
  name!: string;

  @Column('int', { name: 'unit_cents' })
  unitCents!: number;

  @Column('int', { name: 'weight_grams' })
  weightGrams!: number;

  @Column('int', { name: 'on_hand' })
  onHand!: number;

  /** Held for orders that have not been packed yet; part of what is on hand. */
  @Column('int', { default: 0 })
  reserved!: number;
}
