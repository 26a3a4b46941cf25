import { Column, CreateDateColumn, Entity, OneToMany, PrimaryColumn } from 'typeorm';
import type { Relation } from 'typeorm';

import { OrderItem } from './order-item.entity.js';

/** An order has no status column: how far it is, is what its run says. */
@Entity('orders')
export class Order {
  @PrimaryColumn('text')
  id!: string;

  @Column('text', { name: 'customer_name' })
  customerName!: string;

  @Column('text')
  email!: string;

  @Column('text')
  street!: string;

  @Column('text', { name: 'postal_code' })
  postalCode!: string;

  @Column('text')
  city!: string;

  @Column('text')
  country!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'placed_at' })
  placedAt!: Date;

  @OneToMany(() => OrderItem, (item) => item.order)
  items!: Relation<OrderItem>[];
}
