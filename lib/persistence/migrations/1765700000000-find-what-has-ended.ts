import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What retention looks for: runs by how and when they have ended. */
export class FindWhatHasEnded1765700000000 implements MigrationInterface {
  readonly name = 'FindWhatHasEnded1765700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX workflow_run_ended ON workflow_run (status, ended_at) WHERE ended_at IS NOT NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX workflow_run_ended');
  }
}
