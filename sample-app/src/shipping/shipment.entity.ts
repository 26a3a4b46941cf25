import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('shipments')
export class Shipment {
  @PrimaryColumn('text', { name: 'order_id' })
  orderId!: string;

  @Column('text')
  tracking!: string;

  @Column('text', { name: 'label_url' })
  labelUrl!: string;

  /** Null until the carrier has confirmed the pick-up. */
  @Column('timestamptz', { name: 'pickup_at', nullable: true })
  pickupAt!: Date | null;
}
