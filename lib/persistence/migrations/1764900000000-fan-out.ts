import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Items of fan-outs: rows with a payload, which are there before they begin. */
export class FanOut1764900000000 implements MigrationInterface {
  readonly name = 'FanOut1764900000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** NOT VALID: what is there satisfies the narrower constraint, and a large table need not be read under a lock. */
const check = (name: string, condition: string) => [
  `ALTER TABLE workflow_step DROP CONSTRAINT ${name}`,
  `ALTER TABLE workflow_step ADD CONSTRAINT ${name} CHECK (${condition}) NOT VALID`,
];

const OLD_STEP = `'ready', 'running', 'retrying', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'quarantined'`;
const OLD_STAGE = `'admitted', 'parked', 'received'`;

/** A fan-out moves its run only by its items: its own row keeps no run from being one that nothing will ever move. */
const orphans = (waiting: string) => `
  CREATE OR REPLACE VIEW orphans AS
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r
    WHERE r.ended_at IS NULL
      AND r.due_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
      AND NOT EXISTS (
        SELECT 1 FROM workflow_step s
        WHERE s.run_id = r.id AND s.generation = r.generation
          AND (s.status IN ('ready', 'retrying')
            OR ${waiting}
            OR s.status = 'running'
              AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))
    UNION
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r JOIN workflow_signal s ON s.run_id = r.id
    WHERE r.ended_at IS NULL AND NOT s.seen AND s.created_at < statement_timestamp() - interval '20 seconds'`;

const UP = [
  ...check('workflow_step_status_check', `status IN ('pending', ${OLD_STEP})`),
  ...check('workflow_step_stage_check', `stage IN (${OLD_STAGE}, 'expanded')`),
  `ALTER TABLE workflow_step ADD COLUMN payload text`,
  // What a commit alone locks: not to be looked for among the hundred thousand items that have ended or not begun.
  `CREATE INDEX workflow_step_open ON workflow_step (run_id)
     WHERE status IN ('ready', 'running', 'retrying', 'waiting')`,
  orphans(`s.status = 'waiting' AND s.stage IS DISTINCT FROM 'expanded'`),
];

const DOWN = [
  orphans(`s.status = 'waiting'`),
  // What an older release does not know: it runs the whole step again.
  `DELETE FROM workflow_step WHERE item > 0`,
  `UPDATE workflow_step SET status = 'ready' WHERE status = 'waiting' AND stage = 'expanded'`,
  `UPDATE workflow_step SET stage = NULL WHERE stage = 'expanded'`,
  `DROP INDEX workflow_step_open`,
  `ALTER TABLE workflow_step DROP COLUMN payload`,
  ...check('workflow_step_stage_check', `stage IN (${OLD_STAGE})`),
  ...check('workflow_step_status_check', `status IN (${OLD_STEP})`),
];
