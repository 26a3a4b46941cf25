import { Column, Entity, PrimaryColumn } from 'typeorm';

import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * A process that runs steps. For reading; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_worker', synchronize: false })
export class WorkflowWorker {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  status!: 'alive' | 'dead';

  @Column({ type: 'text' })
  host!: string;

  @Column({ type: 'integer' })
  pid!: number;

  @Column({ type: 'text', array: true })
  queues!: string[];

  @Column({ name: 'started_at', type: 'timestamptz' })
  startedAt!: Date;

  /** Until when it counts as alive without a further sign of life. */
  @Column({ name: 'lease_until', type: 'timestamptz' })
  leaseUntil!: Date;
}
