import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Limits of workflows, and runs that wait for their turn by them. */
export class LimitRuns1766200000000 implements MigrationInterface {
  readonly name = 'LimitRuns1766200000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** NOT VALID: rows that are there are not read through under the lock, and meet it. */
const pending = (condition: string) => [
  `ALTER TABLE workflow_run DROP CONSTRAINT workflow_run_check1`,
  `ALTER TABLE workflow_run ADD CONSTRAINT workflow_run_check1 CHECK (${condition}) NOT VALID`,
];

const orphans = (moves: string) => `
  CREATE OR REPLACE VIEW orphans AS
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r
    WHERE r.ended_at IS NULL
      AND ${moves}
      AND r.status <> 'paused'
      AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
      AND NOT EXISTS (
        SELECT 1 FROM workflow_step s
        WHERE s.run_id = r.id AND s.generation = r.generation
          AND (s.status IN ('ready', 'retrying')
            OR s.status = 'waiting' AND s.stage IS DISTINCT FROM 'expanded'
            OR s.status = 'running'
              AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))
    UNION
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r JOIN workflow_signal s ON s.run_id = r.id
    WHERE r.ended_at IS NULL AND NOT s.seen AND s.created_at < statement_timestamp() - interval '20 seconds'`;

const UP = [
  `CREATE TABLE workflow_limit (
     workflow text PRIMARY KEY,
     total integer CHECK (total > 0),
     per_tenant integer CHECK (per_tenant > 0),
     revision integer NOT NULL DEFAULT 0
   ) WITH (fillfactor = 50)`,
  `ALTER TABLE workflow_run ADD COLUMN admit_at timestamptz, ADD COLUMN admitted_at timestamptz`,
  // Runs of workflows without limits are in none of these, and cost nothing more.
  `CREATE INDEX workflow_run_waits_by_tenant ON workflow_run (workflow, coalesce(tenant, ''), priority, admit_at, id)
     WHERE admit_at IS NOT NULL`,
  `CREATE INDEX workflow_run_waits ON workflow_run (workflow, admit_at) WHERE admit_at IS NOT NULL`,
  `CREATE INDEX workflow_run_admitted ON workflow_run (workflow, coalesce(tenant, ''))
     WHERE admitted_at IS NOT NULL AND ended_at IS NULL`,
  ...pending(
    `CASE status WHEN 'pending' THEN (due_at IS NULL) <> (admit_at IS NULL) WHEN 'paused' THEN true ELSE due_at IS NULL AND admit_at IS NULL END`,
  ),
  orphans('r.due_at IS NULL AND r.admit_at IS NULL'),
];

const DOWN = [
  // An older release knows no limits: whoever waits may begin.
  `UPDATE workflow_run SET due_at = admit_at, admit_at = NULL WHERE admit_at IS NOT NULL`,
  orphans('r.due_at IS NULL'),
  ...pending(`CASE status WHEN 'pending' THEN due_at IS NOT NULL WHEN 'paused' THEN true ELSE due_at IS NULL END`),
  `ALTER TABLE workflow_run DROP COLUMN admit_at, DROP COLUMN admitted_at`,
  `DROP TABLE workflow_limit`,
];
