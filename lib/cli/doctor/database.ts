import { messageOf } from '../../engine/errors.js';
import { cannotConnect } from '../../persistence/connect-failure.js';
import type { CommandOptions } from '../options.js';
import { clientConfigOf, type Target } from '../target.js';
import { type Check, type Diagnosis, examine } from './check.js';
import { DatabaseSession } from './database-session.js';
import { NOTIFICATIONS, PREPARED_STATEMENTS, SESSION_SETTINGS } from './pooler.js';
import { hasTables, LONG_TRANSACTIONS, ORPHANS, QUARANTINED_STEPS, WAITING_STEPS, WORKERS } from './runs.js';
import { BULL_TABLES, rights, TABLES } from './schema.js';
import { CLOCK, CONNECTIONS, DURABLE, PRIMARY, SERVER_VERSION, TIME_LIMITS } from './server.js';

const SERVER_CHECKS = [SERVER_VERSION, PRIMARY, CLOCK, CONNECTIONS, TIME_LIMITS, DURABLE, LONG_TRANSACTIONS];
const POOLER_CHECKS = [NOTIFICATIONS, PREPARED_STATEMENTS, SESSION_SETTINGS];
const RUN_CHECKS = [WORKERS, ORPHANS, WAITING_STEPS, QUARANTINED_STEPS];

/** What is looked at in a database, in this order. */
export async function diagnoseDatabase(target: Target, options: CommandOptions): Promise<readonly Diagnosis[]> {
  const config = clientConfigOf(target);
  let database: DatabaseSession;
  try {
    database = await DatabaseSession.open(config, options.schema);
  } catch (error) {
    return [{ check: 'database', state: 'fail', says: messageOf(cannotConnect(config, target.source, error)) }];
  }
  try {
    return [...(await examine(checksFor(options), database)), ...(await examineRuns(database))];
  } finally {
    await database.close();
  }
}

function checksFor({ queue }: CommandOptions): readonly Check<DatabaseSession>[] {
  const isQueueHere = queue === 'postgres';
  const ofQueue = isQueueHere ? [BULL_TABLES] : [];
  return [...SERVER_CHECKS, rights(isQueueHere), TABLES, ...ofQueue, ...POOLER_CHECKS];
}

/** What is in the tables says nothing where they cannot be read: that has been told before. */
async function examineRuns(database: DatabaseSession): Promise<readonly Diagnosis[]> {
  if (await hasTables(database)) return examine(RUN_CHECKS, database);
  return [{ check: 'runs', state: 'skip', says: 'the tables are not there, or may not be read.' }];
}
