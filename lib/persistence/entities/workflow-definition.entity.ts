import { Column, Entity, PrimaryColumn } from 'typeorm';

import { DEFAULT_SCHEMA } from '../schema.js';

/**
 * A workflow's graph as runs were started with it. For reading; only the library writes it.
 *
 * @publicApi
 */
@Entity({ schema: DEFAULT_SCHEMA, name: 'workflow_definition', synchronize: false })
export class WorkflowDefinitionRecord {
  @PrimaryColumn({ type: 'integer' })
  id!: number;

  @Column({ type: 'text' })
  name!: string;

  /** Fingerprint of the graph. */
  @Column({ type: 'text' })
  hash!: string;

  @Column({ type: 'text', nullable: true })
  version!: string | null;

  /** The step whose result is the run's. */
  @Column({ type: 'text', nullable: true })
  output!: string | null;

  /** The graph, as JSON. */
  @Column({ type: 'text' })
  graph!: string;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
