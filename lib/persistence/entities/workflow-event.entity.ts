import { Column, Entity, PrimaryColumn } from 'typeorm';

import type { ControlAction } from '../../engine/words.js';
import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * An entry of the audit log: what somebody asked of a run, and was done. For reading; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_event', synchronize: false })
export class WorkflowEvent {
  /** A whole number, as text: later entries have higher ones. */
  @PrimaryColumn({ type: 'bigint' })
  id!: string;

  /** Id of the run. */
  @Column({ name: 'run_id', type: 'uuid' })
  runId!: string;

  @Column({ type: 'text' })
  workflow!: string;

  @Column({ type: 'text' })
  action!: ControlAction;

  /** Who asked for it. */
  @Column({ type: 'text', nullable: true })
  by!: string | null;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
