import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs with `search_path` set to the library's schema, so that it serves every schema name. */
export class CreateWorkflowTables1764000000000 implements MigrationInterface {
  readonly name = 'CreateWorkflowTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

// A migration never changes once it is released: the words it checks are those of its own day.
const RUN_WORDS = `'pending', 'running', 'failing', 'cancelling', 'completed', 'failed', 'cancelled'`;
const STEP_WORDS = `'ready', 'running', 'retrying', 'completed', 'failed', 'cancelled'`;

const UP = [
  `CREATE TABLE workflow_definition (
     id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     name text NOT NULL,
     hash text NOT NULL,
     version text,
     output text,
     graph text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     UNIQUE (name, hash)
   )`,

  // fillfactor: a run's row is rewritten with every commit; room on its page keeps those updates out of the indexes.
  // No foreign keys on the hot path: each would read and lock another row per insert; only the library writes here.
  `CREATE TABLE workflow_run (
     id uuid PRIMARY KEY,
     workflow text NOT NULL,
     definition integer NOT NULL,
     status text NOT NULL CHECK (status IN (${RUN_WORDS})),
     revision integer NOT NULL DEFAULT 0,
     generation integer NOT NULL DEFAULT 0,
     state text NOT NULL,
     worker uuid,
     key text,
     input_hash bytea,
     priority integer NOT NULL DEFAULT 0,
     input text NOT NULL,
     failed_step text,
     failure text,
     cancel_reason text,
     due_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     started_at timestamptz,
     updated_at timestamptz NOT NULL DEFAULT now(),
     ended_at timestamptz,
     CHECK ((status IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
     CHECK ((status = 'pending') = (due_at IS NOT NULL))
   ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX workflow_run_one_per_key ON workflow_run (workflow, key) WHERE key IS NOT NULL`,
  `CREATE INDEX workflow_run_held_by_worker ON workflow_run (worker) WHERE worker IS NOT NULL`,
  `CREATE INDEX workflow_run_due ON workflow_run (due_at) WHERE due_at IS NOT NULL`,
  `CREATE INDEX workflow_run_newest ON workflow_run (created_at, id)`,
  `CREATE INDEX workflow_run_newest_by_workflow ON workflow_run (workflow, created_at, id)`,
  `CREATE INDEX workflow_run_newest_unfinished ON workflow_run (status, created_at, id) WHERE status <> 'completed'`,

  `CREATE TABLE workflow_step (
     run_id uuid NOT NULL,
     generation integer NOT NULL DEFAULT 0,
     name text NOT NULL,
     item integer NOT NULL DEFAULT 0,
     round integer NOT NULL DEFAULT 0,
     status text NOT NULL CHECK (status IN (${STEP_WORDS})),
     attempt integer NOT NULL,
     failures integer NOT NULL,
     crashes integer NOT NULL,
     definition integer NOT NULL,
     queue text NOT NULL,
     priority integer NOT NULL,
     worker uuid,
     result text,
     errors text[],
     due_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     started_at timestamptz,
     ended_at timestamptz,
     PRIMARY KEY (run_id, generation, name, item, round),
     CHECK ((status = 'running') = (worker IS NOT NULL)),
     CHECK ((status = 'retrying') = (due_at IS NOT NULL))
   ) WITH (fillfactor = 90)`,
  `CREATE INDEX workflow_step_ready ON workflow_step (queue, priority, created_at) WHERE status = 'ready'`,
  `CREATE INDEX workflow_step_running_by_worker ON workflow_step (worker) WHERE status = 'running'`,
  `CREATE INDEX workflow_step_due ON workflow_step (due_at) WHERE status = 'retrying'`,

  `CREATE TABLE workflow_worker (
     id uuid PRIMARY KEY,
     status text NOT NULL CHECK (status IN ('alive', 'dead')),
     host text NOT NULL,
     pid integer NOT NULL,
     queues text[] NOT NULL,
     started_at timestamptz NOT NULL DEFAULT now(),
     lease_until timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE workflow_lane (
     id uuid PRIMARY KEY,
     epoch integer NOT NULL DEFAULT 0,
     commit_no bigint NOT NULL DEFAULT 0,
     answer text,
     used_at timestamptz NOT NULL DEFAULT now()
   ) WITH (fillfactor = 50)`,

  // Runs that nothing will ever move again. Empty, unless a worker has just died and nobody has noticed yet.
  `CREATE VIEW orphans AS
     SELECT r.id, r.workflow, r.status, r.updated_at
     FROM workflow_run r
     WHERE r.ended_at IS NULL
       AND r.due_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = r.worker AND w.status = 'alive')
       AND NOT EXISTS (
         SELECT 1 FROM workflow_step s
         WHERE s.run_id = r.id AND s.generation = r.generation
           AND (s.status IN ('ready', 'retrying')
             OR s.status = 'running'
               AND EXISTS (SELECT 1 FROM workflow_worker w WHERE w.id = s.worker AND w.status = 'alive')))`,
];

const DOWN = [
  `DROP VIEW orphans`,
  `DROP TABLE workflow_lane`,
  `DROP TABLE workflow_worker`,
  `DROP TABLE workflow_step`,
  `DROP TABLE workflow_run`,
  `DROP TABLE workflow_definition`,
];
