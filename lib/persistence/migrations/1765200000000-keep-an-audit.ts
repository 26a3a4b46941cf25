import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log: what people asked of runs, who and why. */
export class KeepAnAudit1765200000000 implements MigrationInterface {
  readonly name = 'KeepAnAudit1765200000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE workflow_event`);
  }
}

const UP = [
  // No foreign key: it would lock the run against whoever commits it. Nor a list of actions: the next release has more.
  `CREATE TABLE workflow_event (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     run_id uuid NOT NULL,
     workflow text NOT NULL,
     action text NOT NULL,
     by text,
     reason text,
     created_at timestamptz NOT NULL
   )`,
  `CREATE INDEX workflow_event_of_run ON workflow_event (run_id, id)`,
  `CREATE INDEX workflow_event_of_workflow ON workflow_event (workflow, id)`,
];
