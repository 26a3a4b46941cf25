import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schedules, and of which schedule and occurrence a run is. */
export class Schedules1765400000000 implements MigrationInterface {
  readonly name = 'Schedules1765400000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  // No input: the code that declares it computes one for each occurrence.
  `CREATE TABLE workflow_schedule (
     name text PRIMARY KEY,
     workflow text NOT NULL,
     cron text,
     time_zone text,
     every_ms bigint,
     overlap text NOT NULL CHECK (overlap IN ('skip', 'queue', 'allow', 'cancel')),
     catch_up integer NOT NULL CHECK (catch_up >= 0),
     input text,
     declared boolean NOT NULL,
     paused boolean NOT NULL DEFAULT false,
     orphaned boolean NOT NULL DEFAULT false,
     revision integer NOT NULL DEFAULT 0,
     next_at timestamptz,
     queued_at timestamptz,
     last_at timestamptz,
     last_run uuid,
     last_error text,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CHECK ((cron IS NULL) <> (every_ms IS NULL)),
     CHECK ((cron IS NULL) = (time_zone IS NULL)),
     CHECK (declared OR input IS NOT NULL),
     CHECK (NOT (paused OR orphaned) OR (next_at IS NULL AND queued_at IS NULL))
   )`,
  `CREATE INDEX workflow_schedule_due ON workflow_schedule (next_at) WHERE next_at IS NOT NULL`,
  `CREATE INDEX workflow_schedule_queued ON workflow_schedule (name) WHERE queued_at IS NOT NULL`,
  `CREATE INDEX workflow_schedule_cancels ON workflow_schedule (name) WHERE overlap = 'cancel'`,
  `ALTER TABLE workflow_run ADD COLUMN schedule text, ADD COLUMN scheduled_at timestamptz`,
  `CREATE INDEX workflow_run_open_of_schedule ON workflow_run (schedule, scheduled_at)
     WHERE schedule IS NOT NULL AND ended_at IS NULL`,
];

const DOWN = [
  `DROP INDEX workflow_run_open_of_schedule`,
  `ALTER TABLE workflow_run DROP COLUMN schedule, DROP COLUMN scheduled_at`,
  `DROP TABLE workflow_schedule`,
];
