import type { MigrationInterface, QueryRunner } from 'typeorm';

/** By when a worker has to have taken a step. */
export class WaitForAWorker1765900000000 implements MigrationInterface {
  readonly name = 'WaitForAWorker1765900000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_step ADD COLUMN start_by timestamptz');
    // Steps that may wait for as long as it takes are not in it, and cost nothing more.
    await runner.query(
      `CREATE INDEX workflow_step_start_by ON workflow_step (start_by) WHERE status = 'ready' AND start_by IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_step DROP COLUMN start_by');
  }
}
