import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity('invoices')
export class Invoice {
  @PrimaryGeneratedColumn('identity')
  number!: number;

  @Column('text', { name: 'order_id', unique: true })
  orderId!: string;

  @Column('text', { name: 'charge_id' })
  chargeId!: string;

  @Column('int', { name: 'total_cents' })
  totalCents!: number;

  @CreateDateColumn({ type: 'timestamptz', name: 'issued_at' })
  issuedAt!: Date;
}
