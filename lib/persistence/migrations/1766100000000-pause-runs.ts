import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs that are paused, and their rows, which claims pass by. */
export class PauseRuns1766100000000 implements MigrationInterface {
  readonly name = 'PauseRuns1766100000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** NOT VALID: what is there satisfies the narrower constraint, and a large table need not be read under a lock. */
const check = (name: string, condition: string) => [
  `ALTER TABLE workflow_run DROP CONSTRAINT ${name}`,
  `ALTER TABLE workflow_run ADD CONSTRAINT ${name} CHECK (${condition}) NOT VALID`,
];

const OLD_RUN = `'pending', 'running', 'waiting', 'failing', 'cancelling', 'compensating', 'completed', 'failed', 'cancelled', 'terminated'`;
const NEW_RUN = `'pending', 'running', 'waiting', 'paused', 'failing', 'cancelling', 'compensating', 'completed', 'failed', 'cancelled', 'terminated'`;

/** Runs that nothing will ever move again. One that is paused waits for somebody. */
const orphans = (isPaused: string) => `
  CREATE OR REPLACE VIEW orphans AS
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r
    WHERE r.ended_at IS NULL
      AND r.due_at IS NULL${isPaused}
      AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
      AND NOT EXISTS (
        SELECT 1 FROM workflow_step s
        WHERE s.run_id = r.id AND s.generation = r.generation
          AND (s.status IN ('ready', 'retrying')
            OR (s.status = 'waiting' AND s.stage IS DISTINCT FROM 'expanded')
            OR s.status = 'running'
              AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))
    UNION
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r JOIN workflow_signal s ON s.run_id = r.id
    WHERE r.ended_at IS NULL AND NOT s.seen AND s.created_at < statement_timestamp() - interval '20 seconds'`;

const UP = [
  ...check('workflow_run_status_check', `status IN (${NEW_RUN})`),
  ...check(
    'workflow_run_check1',
    `CASE status WHEN 'pending' THEN due_at IS NOT NULL WHEN 'paused' THEN true ELSE due_at IS NULL END`,
  ),
  `ALTER TABLE workflow_step ADD COLUMN paused_at timestamptz`,
  `DROP INDEX workflow_step_ready`,
  `CREATE INDEX workflow_step_ready ON workflow_step (queue, priority, created_at) WHERE status = 'ready' AND paused_at IS NULL`,
  orphans(`\n      AND r.status <> 'paused'`),
];

/** What a run would have begun while it was paused nobody would begin: a build that knows no pause must not meet one. */
const REFUSE_PAUSED = `
  DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM workflow_run WHERE status = 'paused') THEN
      RAISE EXCEPTION 'Cannot migrate down: there are runs that are paused. Resume, cancel or terminate them first.';
    END IF;
  END $$`;

const DOWN = [
  REFUSE_PAUSED,
  orphans(''),
  `DROP INDEX workflow_step_ready`,
  `ALTER TABLE workflow_step DROP COLUMN paused_at`,
  `CREATE INDEX workflow_step_ready ON workflow_step (queue, priority, created_at) WHERE status = 'ready'`,
  ...check('workflow_run_check1', `(status = 'pending') = (due_at IS NOT NULL)`),
  ...check('workflow_run_status_check', `status IN (${OLD_RUN})`),
];
