import { Column, Entity, PrimaryColumn } from 'typeorm';

import type { Overlap } from '../../engine/occurrences.js';
import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * What starts runs by the clock. For reading; `orchestrator.schedules` writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_schedule', synchronize: false })
export class WorkflowSchedule {
  @PrimaryColumn({ type: 'text' })
  name!: string;

  @Column({ type: 'text' })
  workflow!: string;

  /** A cron expression; null of an interval. */
  @Column({ type: 'text', nullable: true })
  cron!: string | null;

  @Column({ name: 'time_zone', type: 'text', nullable: true })
  timeZone!: string | null;

  /** Milliseconds of an interval, as text. */
  @Column({ name: 'every_ms', type: 'bigint', nullable: true })
  everyMs!: string | null;

  @Column({ type: 'text' })
  overlap!: Overlap;

  /** The most occurrences that are caught up. */
  @Column({ name: 'catch_up', type: 'integer' })
  catchUp!: number;

  /** Encoded; null where the code that declares it computes one. */
  @Column({ type: 'text', nullable: true })
  input!: string | null;

  /** Whether a `@Schedule` says so; else `schedules.upsert()` did. */
  @Column({ type: 'boolean' })
  declared!: boolean;

  @Column({ type: 'boolean' })
  paused!: boolean;

  /** Whether its `@Schedule` is gone. */
  @Column({ type: 'boolean' })
  orphaned!: boolean;

  /** Raised by every change. */
  @Column({ type: 'integer' })
  revision!: number;

  @Column({ name: 'next_at', type: 'timestamptz', nullable: true })
  nextAt!: Date | null;

  /** The occurrence that waits for the end of the run before. */
  @Column({ name: 'queued_at', type: 'timestamptz', nullable: true })
  queuedAt!: Date | null;

  /** The last occurrence of which a run was started. */
  @Column({ name: 'last_at', type: 'timestamptz', nullable: true })
  lastAt!: Date | null;

  @Column({ name: 'last_run', type: 'uuid', nullable: true })
  lastRun!: string | null;

  /** Why the last occurrence has no run, where its input was to blame. */
  @Column({ name: 'last_error', type: 'text', nullable: true })
  lastError!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
