import { Column, Entity, PrimaryColumn } from 'typeorm';

/** `held` counts in the item's `reserved`; `packed` has left the shelf; `released` has gone back. */
export type ReservationState = 'held' | 'packed' | 'released';

/** One line of one order. Its primary key is what makes reserving, packing and releasing safe to repeat. */
@Entity('stock_reservations')
export class StockReservation {
  @PrimaryColumn('text', { name: 'order_id' })
  orderId!: string;

  @PrimaryColumn('text')
  sku!: string;

  @Column('int')
  quantity!: number;

  @Column('text', { default: 'held' })
  state!: ReservationState;
}
