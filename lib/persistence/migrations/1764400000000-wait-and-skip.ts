import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs that wait for a time, steps that wait or are skipped, attempts that are no longer wanted. */
export class WaitAndSkip1764400000000 implements MigrationInterface {
  readonly name = 'WaitAndSkip1764400000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** NOT VALID: what is there satisfies the narrower constraint, and a large table need not be read under a lock. */
const check = (table: string, name: string, condition: string) => [
  `ALTER TABLE ${table} DROP CONSTRAINT ${name}`,
  `ALTER TABLE ${table} ADD CONSTRAINT ${name} CHECK (${condition}) NOT VALID`,
];

const OLD_RUN = `'pending', 'running', 'failing', 'cancelling', 'completed', 'failed', 'cancelled'`;
const OLD_STEP = `'ready', 'running', 'retrying', 'completed', 'failed', 'cancelled', 'quarantined'`;

const NEW_RUN = `'pending', 'running', 'waiting', 'failing', 'cancelling', 'completed', 'failed', 'cancelled'`;
const NEW_STEP = `'ready', 'running', 'retrying', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'quarantined'`;

/** Runs that nothing will ever move again; a step in one of these statuses moves its run by itself. */
const orphans = (waits: string) => `
  CREATE OR REPLACE VIEW orphans AS
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r
    WHERE r.ended_at IS NULL
      AND r.due_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
      AND NOT EXISTS (
        SELECT 1 FROM workflow_step s
        WHERE s.run_id = r.id AND s.generation = r.generation
          AND (s.status IN (${waits})
            OR s.status = 'running'
              AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))`;

const UP = [
  ...check('workflow_run', 'workflow_run_status_check', `status IN (${NEW_RUN})`),
  ...check('workflow_step', 'workflow_step_status_check', `status IN (${NEW_STEP})`),
  ...check(
    'workflow_step',
    'workflow_step_check1',
    `CASE status WHEN 'retrying' THEN due_at IS NOT NULL WHEN 'waiting' THEN true ELSE due_at IS NULL END`,
  ),
  `ALTER TABLE workflow_step
     ADD COLUMN stage text CHECK (stage IN ('admitted', 'parked')),
     ADD COLUMN aborting boolean NOT NULL DEFAULT false`,
  `DROP INDEX workflow_step_due`,
  `CREATE INDEX workflow_step_due ON workflow_step (due_at) WHERE due_at IS NOT NULL`,
  orphans(`'ready', 'retrying', 'waiting'`),
];

const DOWN = [
  orphans(`'ready', 'retrying'`),
  `UPDATE workflow_run SET status = 'running' WHERE status = 'waiting'`,
  `UPDATE workflow_step SET status = 'retrying' WHERE status = 'waiting' AND due_at IS NOT NULL`,
  `UPDATE workflow_step SET status = 'ready' WHERE status = 'waiting'`,
  `UPDATE workflow_step SET status = 'cancelled' WHERE status = 'skipped'`,
  `DROP INDEX workflow_step_due`,
  `CREATE INDEX workflow_step_due ON workflow_step (due_at) WHERE status = 'retrying'`,
  `ALTER TABLE workflow_step DROP COLUMN stage, DROP COLUMN aborting`,
  ...check('workflow_step', 'workflow_step_check1', `(status = 'retrying') = (due_at IS NOT NULL)`),
  ...check('workflow_step', 'workflow_step_status_check', `status IN (${OLD_STEP})`),
  ...check('workflow_run', 'workflow_run_status_check', `status IN (${OLD_RUN})`),
];
