import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What attempts of long steps have told last of how far they are. */
export class KeepHeartbeats1766000000000 implements MigrationInterface {
  readonly name = 'KeepHeartbeats1766000000000';

  async up(runner: QueryRunner): Promise<void> {
    // A table of its own: rows of steps are not written anew each second. Room on its pages keeps these updates out of the index.
    await runner.query(`
      CREATE TABLE workflow_heartbeat (
        run_id uuid NOT NULL,
        generation integer NOT NULL,
        name text NOT NULL,
        item integer NOT NULL,
        attempt integer NOT NULL,
        details text NOT NULL,
        told_at timestamptz NOT NULL,
        PRIMARY KEY (run_id, generation, name, item)
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE workflow_heartbeat');
  }
}
