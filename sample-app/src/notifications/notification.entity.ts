import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** The outbox of the mail server. */
@Entity('notifications')
export class Notification {
  @PrimaryColumn('text', { name: 'order_id' })
  orderId!: string;

  @PrimaryColumn('text')
  kind!: 'shipped' | 'cancelled';

  @Column('text')
  recipient!: string;

  @Column('text')
  text!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'queued_at' })
  queuedAt!: Date;
}
