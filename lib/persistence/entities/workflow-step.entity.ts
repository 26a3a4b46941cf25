import { Column, Entity, PrimaryColumn } from 'typeorm';

import type { StepStatus } from '../../engine/words.js';
import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * A step of a run, once it has ended or waits for a worker. A step that a worker took up directly after another has no row
 * until it ends; `orchestrator.steps()` shows both. For reading; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_step', synchronize: false })
export class WorkflowStep {
  /** Id of the run. */
  @PrimaryColumn({ name: 'run_id', type: 'uuid' })
  runId!: string;

  @PrimaryColumn({ type: 'integer' })
  generation!: number;

  @PrimaryColumn({ type: 'text' })
  name!: string;

  /** 0 of a step; the items of a fan-out count from 1. */
  @PrimaryColumn({ type: 'integer' })
  item!: number;

  @PrimaryColumn({ type: 'integer' })
  round!: number;

  @Column({ type: 'text' })
  status!: StepStatus;

  /** How often the step was taken up. */
  @Column({ type: 'integer' })
  attempt!: number;

  /** How many attempts failed: what the retry policy limits. */
  @Column({ type: 'integer' })
  failures!: number;

  /** How many attempts ended with their worker. */
  @Column({ type: 'integer' })
  crashes!: number;

  /** What is behind it of that which goes before its own code: `admitted`, its condition; `parked`, the choice of its time; `received`, its wait for a signal; `expanded`, the storing of its items. */
  @Column({ type: 'text', nullable: true })
  stage!: string | null;

  /** Of a step that is repeated: the rounds that are behind it; null: none. */
  @Column({ type: 'integer', nullable: true })
  rounds!: number | null;

  /** Whether it has lost a join while an attempt was under way: neither that nor its result is wanted any more. */
  @Column({ type: 'boolean' })
  aborting!: boolean;

  /** Whether an attempt was given up before it ended. */
  @Column({ name: 'in_doubt', type: 'boolean' })
  inDoubt!: boolean;

  /** Since when it waits in a run that is paused, so that no worker takes it up. */
  @Column({ name: 'paused_at', type: 'timestamptz', nullable: true })
  pausedAt!: Date | null;

  /** Whether its attempt runs in a process that runs nothing beside it: it is suspected of killing its workers. */
  @Column({ type: 'boolean' })
  alone!: boolean;

  @Column({ type: 'integer' })
  definition!: number;

  @Column({ type: 'text' })
  queue!: string;

  @Column({ type: 'integer' })
  priority!: number;

  @Column({ type: 'uuid', nullable: true })
  worker!: string | null;

  /** Of an item of a fan-out: the item, encoded. */
  @Column({ type: 'text', nullable: true })
  payload!: string | null;

  /** Encoded; `orchestrator.steps()` decodes it. */
  @Column({ type: 'text', nullable: true })
  result!: string | null;

  /** The errors of failed attempts, oldest first, encoded. */
  @Column({ type: 'text', array: true, nullable: true })
  errors!: string[] | null;

  @Column({ name: 'due_at', type: 'timestamptz', nullable: true })
  dueAt!: Date | null;

  /** Where the step may not wait for a worker for as long as it takes: by when one has to have taken it. */
  @Column({ name: 'start_by', type: 'timestamptz', nullable: true })
  startBy!: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'started_at', type: 'timestamptz', nullable: true })
  startedAt!: Date | null;

  @Column({ name: 'ended_at', type: 'timestamptz', nullable: true })
  endedAt!: Date | null;
}
