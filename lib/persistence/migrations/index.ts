import type { MigrationInterface } from 'typeorm';

import { CreateWorkflowTables1764000000000 } from './1764000000000-create-workflow-tables.js';
import { QuarantineSteps1764100000000 } from './1764100000000-quarantine-steps.js';
import { TellTheTime1764300000000 } from './1764300000000-tell-the-time.js';
import { WaitAndSkip1764400000000 } from './1764400000000-wait-and-skip.js';
import { SignalAndCompensate1764500000000 } from './1764500000000-signal-and-compensate.js';
import { FanOut1764900000000 } from './1764900000000-fan-out.js';
import { TransactionalSteps1765100000000 } from './1765100000000-transactional-steps.js';
import { KeepAnAudit1765200000000 } from './1765200000000-keep-an-audit.js';
import { CarryContext1765300000000 } from './1765300000000-carry-context.js';
import { Schedules1765400000000 } from './1765400000000-schedules.js';
import { TagRuns1765500000000 } from './1765500000000-tag-runs.js';
import { FindWhatHasEnded1765700000000 } from './1765700000000-find-what-has-ended.js';
import { NameTenants1765800000000 } from './1765800000000-name-tenants.js';
import { WaitForAWorker1765900000000 } from './1765900000000-wait-for-a-worker.js';
import { KeepHeartbeats1766000000000 } from './1766000000000-keep-heartbeats.js';
import { PauseRuns1766100000000 } from './1766100000000-pause-runs.js';
import { LimitRuns1766200000000 } from './1766200000000-limit-runs.js';
import { RepeatSteps1766300000000 } from './1766300000000-repeat-steps.js';

/** A migration and what it asks of the processes that run beside it. */
export interface SchemaMigration {
  readonly migration: MigrationInterface & { readonly name: string };
  /** The oldest release of the library that works on the schema this migration leaves. */
  readonly servesFrom: string;
}

/** All migrations, oldest first. */
export const MIGRATIONS: readonly SchemaMigration[] = [
  { migration: new CreateWorkflowTables1764000000000(), servesFrom: '0.1.0' },
  { migration: new QuarantineSteps1764100000000(), servesFrom: '0.1.0' },
  { migration: new TellTheTime1764300000000(), servesFrom: '0.1.0' },
  { migration: new WaitAndSkip1764400000000(), servesFrom: '0.1.0' },
  { migration: new SignalAndCompensate1764500000000(), servesFrom: '0.1.0' },
  { migration: new FanOut1764900000000(), servesFrom: '0.1.0' },
  { migration: new TransactionalSteps1765100000000(), servesFrom: '0.1.0' },
  { migration: new KeepAnAudit1765200000000(), servesFrom: '0.1.0' },
  { migration: new CarryContext1765300000000(), servesFrom: '0.1.0' },
  { migration: new Schedules1765400000000(), servesFrom: '0.1.0' },
  { migration: new TagRuns1765500000000(), servesFrom: '0.1.0' },
  { migration: new FindWhatHasEnded1765700000000(), servesFrom: '0.1.0' },
  { migration: new NameTenants1765800000000(), servesFrom: '0.1.0' },
  { migration: new WaitForAWorker1765900000000(), servesFrom: '0.1.0' },
  { migration: new KeepHeartbeats1766000000000(), servesFrom: '0.1.0' },
  { migration: new PauseRuns1766100000000(), servesFrom: '0.1.0' },
  { migration: new LimitRuns1766200000000(), servesFrom: '0.1.0' },
  { migration: new RepeatSteps1766300000000(), servesFrom: '0.1.0' },
];
