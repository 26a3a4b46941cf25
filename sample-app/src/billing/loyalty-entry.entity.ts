import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('loyalty_entries')
export class LoyaltyEntry {
  @PrimaryColumn('text', { name: 'order_id' })
  orderId!: string;

  @Index()
  @Column('text')
  email!: string;

  @Column('int')
  points!: number;
}
