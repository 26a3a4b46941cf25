import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Steps that keep killing their workers run alone and end as `quarantined`. */
export class QuarantineSteps1764100000000 implements MigrationInterface {
  readonly name = 'QuarantineSteps1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** NOT VALID: what is there satisfies the narrower constraint, and a large table need not be read under a lock. */
const allow = (words: string) =>
  `ALTER TABLE workflow_step ADD CONSTRAINT workflow_step_status_check CHECK (status IN (${words})) NOT VALID`;

const OLD_WORDS = `'ready', 'running', 'retrying', 'completed', 'failed', 'cancelled'`;

const UP = [
  `ALTER TABLE workflow_step DROP CONSTRAINT workflow_step_status_check`,
  allow(`${OLD_WORDS}, 'quarantined'`),
  `ALTER TABLE workflow_step ADD COLUMN alone boolean NOT NULL DEFAULT false`,
  `CREATE INDEX workflow_step_suspects ON workflow_step (queue, priority, created_at) WHERE status = 'ready' AND crashes >= 2`,
];

const DOWN = [
  `DROP INDEX workflow_step_suspects`,
  `UPDATE workflow_step SET status = 'failed' WHERE status = 'quarantined'`,
  `ALTER TABLE workflow_step DROP COLUMN alone`,
  `ALTER TABLE workflow_step DROP CONSTRAINT workflow_step_status_check`,
  allow(OLD_WORDS),
];
