import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The time that workflows live in comes from a function of the library's own, so that a test can give another. PostgreSQL puts
 * its body in the place of each call: it costs nothing.
 */
export class TellTheTime1764300000000 implements MigrationInterface {
  readonly name = 'TellTheTime1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(UP);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(DOWN);
  }
}

/**
 * Made in the first schema of the search path, ours. Never called without its schema: `now()` alone is PostgreSQL's. It may be
 * there already: TypeORM's `dropSchema` drops tables and leaves functions.
 */
const UP = `CREATE OR REPLACE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
  AS 'SELECT pg_catalog.statement_timestamp()'`;

const DOWN = `DO $down$ BEGIN EXECUTE format('DROP FUNCTION %I.now()', current_schema()); END $down$`;
