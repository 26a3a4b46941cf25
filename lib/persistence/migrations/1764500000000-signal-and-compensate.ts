import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Signals to runs; deadlines; runs that undo what they did, or were terminated; attempts of which nobody knows the effect. */
export class SignalAndCompensate1764500000000 implements MigrationInterface {
  readonly name = 'SignalAndCompensate1764500000000';

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

const OLD_RUN = `'pending', 'running', 'waiting', 'failing', 'cancelling', 'completed', 'failed', 'cancelled'`;
const NEW_RUN = `'pending', 'running', 'waiting', 'failing', 'cancelling', 'compensating', 'completed', 'failed', 'cancelled', 'terminated'`;

const ended = (words: string) => `(status IN (${words})) = (ended_at IS NOT NULL)`;

/** Runs that nothing will ever move again, or to which a signal was sent at which nobody looks. */
const orphans = (unheard: string) => `
  CREATE OR REPLACE VIEW orphans AS
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r
    WHERE r.ended_at IS NULL
      AND r.due_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
      AND NOT EXISTS (
        SELECT 1 FROM workflow_step s
        WHERE s.run_id = r.id AND s.generation = r.generation
          AND (s.status IN ('ready', 'retrying', 'waiting')
            OR s.status = 'running'
              AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))${unheard}`;

/** Two leases at their default. */
const UNHEARD = `
    UNION
    SELECT r.id, r.workflow, r.status, r.updated_at
    FROM workflow_run r JOIN workflow_signal s ON s.run_id = r.id
    WHERE r.ended_at IS NULL AND NOT s.seen AND s.created_at < statement_timestamp() - interval '20 seconds'`;

const UP = [
  ...check('workflow_run', 'workflow_run_status_check', `status IN (${NEW_RUN})`),
  ...check('workflow_run', 'workflow_run_check', ended(`'completed', 'failed', 'cancelled', 'terminated'`)),
  `ALTER TABLE workflow_step
     ADD COLUMN in_doubt boolean NOT NULL DEFAULT false,
     DROP CONSTRAINT workflow_step_stage_check,
     ADD CONSTRAINT workflow_step_stage_check CHECK (stage IN ('admitted', 'parked', 'received')) NOT VALID`,
  // Only of runs that it can still stop.
  `ALTER TABLE workflow_run ADD COLUMN deadline_at timestamptz`,
  `CREATE INDEX workflow_run_deadline ON workflow_run (deadline_at) WHERE deadline_at IS NOT NULL`,
  // No foreign key: it would lock the run against whoever commits it.
  `CREATE TABLE workflow_signal (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     run_id uuid NOT NULL,
     name text NOT NULL,
     key text,
     payload text NOT NULL,
     seen boolean NOT NULL DEFAULT false,
     step text,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  `CREATE UNIQUE INDEX workflow_signal_one_per_key ON workflow_signal (run_id, name, key) WHERE key IS NOT NULL`,
  `CREATE INDEX workflow_signal_of_run ON workflow_signal (run_id, id)`,
  `CREATE INDEX workflow_signal_unseen ON workflow_signal (run_id) WHERE NOT seen`,
  orphans(UNHEARD),
];

const DOWN = [
  orphans(''),
  `DROP TABLE workflow_signal`,
  `ALTER TABLE workflow_run DROP COLUMN deadline_at`,
  `UPDATE workflow_run SET status = 'cancelled' WHERE status = 'terminated'`,
  `UPDATE workflow_run SET status = 'failing' WHERE status = 'compensating'`,
  `UPDATE workflow_step SET stage = 'parked' WHERE stage = 'received'`,
  `ALTER TABLE workflow_step
     DROP COLUMN in_doubt,
     DROP CONSTRAINT workflow_step_stage_check,
     ADD CONSTRAINT workflow_step_stage_check CHECK (stage IN ('admitted', 'parked')) NOT VALID`,
  ...check('workflow_run', 'workflow_run_check', ended(`'completed', 'failed', 'cancelled'`)),
  ...check('workflow_run', 'workflow_run_status_check', `status IN (${OLD_RUN})`),
];
