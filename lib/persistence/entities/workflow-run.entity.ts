import { Column, Entity, PrimaryColumn } from 'typeorm';

import type { RunStatus } from '../../engine/words.js';
import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * One execution of a workflow. For reading and joining in your own queries; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_run', synchronize: false })
export class WorkflowRun {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  workflow!: string;

  /** Id of the definition the run started with. */
  @Column({ type: 'integer' })
  definition!: number;

  @Column({ type: 'text' })
  status!: RunStatus;

  /** Raised by every change of the run. */
  @Column({ type: 'integer' })
  revision!: number;

  @Column({ type: 'integer' })
  generation!: number;

  /** The library's own: what has become of each step. */
  @Column({ type: 'text' })
  state!: string;

  /** The worker that holds claims in the state, or null. */
  @Column({ type: 'uuid', nullable: true })
  worker!: string | null;

  /** The idempotency key it was started with. */
  @Column({ type: 'text', nullable: true })
  key!: string | null;

  @Column({ name: 'input_hash', type: 'bytea', nullable: true, select: false })
  inputHash!: Uint8Array | null;

  @Column({ type: 'integer' })
  priority!: number;

  /** Encoded; `orchestrator.get()` decodes it. */
  @Column({ type: 'text' })
  input!: string;

  /** Words by which it is found; null where it bears none. */
  @Column({ type: 'text', array: true, nullable: true })
  tags!: string[] | null;

  /** Whose it is; null where `start()` was not told. */
  @Column({ type: 'text', nullable: true })
  tenant!: string | null;

  /** What the module's option `context` captured where it was started, encoded. */
  @Column({ type: 'text', nullable: true, select: false })
  context!: string | null;

  @Column({ name: 'failed_step', type: 'text', nullable: true })
  failedStep!: string | null;

  /** The error of the failed step, encoded. */
  @Column({ type: 'text', nullable: true })
  failure!: string | null;

  @Column({ name: 'cancel_reason', type: 'text', nullable: true })
  cancelReason!: string | null;

  /** When a pending run begins. */
  @Column({ name: 'due_at', type: 'timestamptz', nullable: true })
  dueAt!: Date | null;

  /** Since when it waits for its turn, by the limits of its workflow, or from when on; null where it does not. */
  @Column({ name: 'admit_at', type: 'timestamptz', nullable: true })
  admitAt!: Date | null;

  /** When it had its turn; null of a workflow without limits. */
  @Column({ name: 'admitted_at', type: 'timestamptz', nullable: true })
  admittedAt!: Date | null;

  /** When the run must have ended; null without a deadline, and once it has been stopped. */
  @Column({ name: 'deadline_at', type: 'timestamptz', nullable: true })
  deadlineAt!: Date | null;

  /** The schedule that has started it. */
  @Column({ type: 'text', nullable: true })
  schedule!: string | null;

  /** The occurrence that it is of. */
  @Column({ name: 'scheduled_at', type: 'timestamptz', nullable: true })
  scheduledAt!: Date | null;

  /** The run that has begun it in one of its steps. */
  @Column({ name: 'parent_id', type: 'uuid', nullable: true })
  parentId!: string | null;

  /** That step, or item of a fan-out. */
  @Column({ name: 'parent_step', type: 'text', nullable: true })
  parentStep!: string | null;

  /** The library's own: by what its end is told to its parent; null where nobody waits for it. */
  @Column({ name: 'parent_notice', type: 'text', nullable: true, select: false })
  parentNotice!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'started_at', type: 'timestamptz', nullable: true })
  startedAt!: Date | null;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;

  @Column({ name: 'ended_at', type: 'timestamptz', nullable: true })
  endedAt!: Date | null;
}
