import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Words by which runs are found. */
export class TagRuns1765500000000 implements MigrationInterface {
  readonly name = 'TagRuns1765500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run ADD COLUMN tags text[]');
    // Runs that bear none are not in it, and cost nothing more.
    await runner.query('CREATE INDEX workflow_run_tags ON workflow_run USING gin (tags) WHERE tags IS NOT NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run DROP COLUMN tags');
  }
}
