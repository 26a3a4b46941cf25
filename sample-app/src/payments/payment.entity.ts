import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

@Entity('payments')
export class Payment {
  @PrimaryColumn('text', { name: 'order_id' })
  orderId!: string;

  @Column('text', { name: 'charge_id' })
  chargeId!: string;

  @Column('int', { name: 'amount_cents' })
  amountCents!: number;

  @Column('text', { default: 'captured' })
  state!: 'captured' | 'refunded';

  @CreateDateColumn({ type: 'timestamptz', name: 'paid_at' })
  paidAt!: Date;
}
