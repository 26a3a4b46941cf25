import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Steps that are repeated: the rounds that are behind them, and one whose end nobody has judged yet. */
export class RepeatSteps1766300000000 implements MigrationInterface {
  readonly name = 'RepeatSteps1766300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE workflow_step ADD COLUMN rounds integer');
    await runner.query(stages(`${OLD}, 'tried'`));
  }

  async down(runner: QueryRunner): Promise<void> {
    // An older release knows no rounds: it does the last one again.
    await runner.query(`UPDATE workflow_step SET stage = 'admitted' WHERE stage = 'tried'`);
    await runner.query('ALTER TABLE workflow_step DROP COLUMN rounds');
    await runner.query(stages(OLD));
  }
}

const OLD = `'admitted', 'parked', 'received', 'expanded', 'committed'`;

/** NOT VALID: what is there satisfies it, and a large table need not be read under a lock. */
const stages = (words: string) => `
  ALTER TABLE workflow_step
    DROP CONSTRAINT workflow_step_stage_check,
    ADD CONSTRAINT workflow_step_stage_check CHECK (stage IN (${words})) NOT VALID`;
