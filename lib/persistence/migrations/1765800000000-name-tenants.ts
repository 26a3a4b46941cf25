import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose runs are. */
export class NameTenants1765800000000 implements MigrationInterface {
  readonly name = 'NameTenants1765800000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run ADD COLUMN tenant text');
    // Nobody's runs are not in it, and cost nothing more.
    await runner.query(
      'CREATE INDEX workflow_run_tenant ON workflow_run (tenant, created_at, id) WHERE tenant IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_run DROP COLUMN tenant');
  }
}
