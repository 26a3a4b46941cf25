import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Steps that wait for a person to say whether they have been done. */
export class AskPeople1766300000000 implements MigrationInterface {
  readonly name = 'AskPeople1766300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(stages(`${OLD}, 'in-doubt', 'cleared'`));
    // Few rows at any time, and none that the others pay for.
    await runner.query(`CREATE INDEX workflow_step_in_doubt ON workflow_step (run_id) WHERE stage = 'in-doubt'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX workflow_step_in_doubt`);
    // What an older release does not know: it asks `verify`, or runs the step again.
    await runner.query(`UPDATE workflow_step SET status = 'ready' WHERE status = 'waiting' AND stage = 'in-doubt'`);
    await runner.query(`UPDATE workflow_step SET stage = NULL WHERE stage IN ('in-doubt', 'cleared')`);
    await runner.query(stages(OLD));
  }
}

const OLD = `'admitted', 'parked', 'received', 'expanded', 'committed'`;

/** NOT VALID: what is there satisfies it, and a large table need not be read under a lock. */
const stages = (words: string) => `
  ALTER TABLE workflow_step
    DROP CONSTRAINT workflow_step_stage_check,
    ADD CONSTRAINT workflow_step_stage_check CHECK (stage IN (${words})) NOT VALID`;
