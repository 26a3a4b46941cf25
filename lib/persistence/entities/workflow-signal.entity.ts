import { Column, Entity, PrimaryColumn } from 'typeorm';

import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * A signal that was sent to a run, or, without a name, what another run lets it know. For reading; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_signal', synchronize: false })
export class WorkflowSignal {
  /** A whole number, as text: signals of one name are taken in its order. */
  @PrimaryColumn({ type: 'bigint' })
  id!: string;

  /** Id of the run. */
  @Column({ name: 'run_id', type: 'uuid' })
  runId!: string;

  @Column({ type: 'text' })
  name!: string;

  /** Its idempotency key. */
  @Column({ type: 'text', nullable: true })
  key!: string | null;

  /** Encoded. */
  @Column({ type: 'text' })
  payload!: string;

  /** Whether its run has looked at it. */
  @Column({ type: 'boolean' })
  seen!: boolean;

  /** The step that has taken it. */
  @Column({ type: 'text', nullable: true })
  step!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
