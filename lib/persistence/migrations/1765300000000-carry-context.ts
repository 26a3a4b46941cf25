import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a run carries from where it was started into its steps. */
export class CarryContext1765300000000 implements MigrationInterface {
  readonly name = 'CarryContext1765300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run ADD COLUMN context text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run DROP COLUMN context');
  }
}
