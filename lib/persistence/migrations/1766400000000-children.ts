import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs that a step of another run has begun, and the notice by which their end is told to it. */
export class Children1766400000000 implements MigrationInterface {
  readonly name = 'Children1766400000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE workflow_run ADD COLUMN parent_id uuid, ADD COLUMN parent_step text, ADD COLUMN parent_notice text',
    );
    // Runs without a parent are not in it, and cost nothing more.
    await runner.query(
      'CREATE INDEX workflow_run_children ON workflow_run (parent_id, parent_step) WHERE parent_id IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM workflow_signal WHERE name = ''`);
    await runner.query(
      'ALTER TABLE workflow_run DROP COLUMN parent_id, DROP COLUMN parent_step, DROP COLUMN parent_notice',
    );
  }
}
