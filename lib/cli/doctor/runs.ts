import { setTimeout as sleep } from 'node:timers/promises';

import { qualify } from '../../persistence/schema.js';
import { type Check, fail, ok, warn } from './check.js';
import type { DatabaseSession } from './database-session.js';

/** Two beats at the default lease, within which orphans are found. */
const ORPHANS_WITHIN_MS = 7_000;
const LOOK_EVERY_MS = 500;

const ALIVE = `w.status = 'alive' AND w.lease_until > now()`;

export const WORKERS: Check<DatabaseSession> = {
  name: 'workers',
  async run(database) {
    const { alive, overdue } = await ask<{ alive: number; overdue: number }>(
      database,
      `SELECT (count(*) FILTER (WHERE ${ALIVE}))::int AS alive,
         (count(*) FILTER (WHERE lease_until < now() - interval '1 minute'
           AND (status = 'alive' OR lease_until < now() - interval '2 hours')))::int AS overdue
       FROM orchestrate_flow.workflow_worker w`,
    );
    if (overdue > 0)
      return warn(
        `${overdue} dead, long ago, and nobody has cleared up after them; ${alive} alive.`,
        'Start a process of the app that runs steps: it recovers what they left.',
      );
    return ok(alive === 0 ? 'none alive, and none dead.' : `${alive} alive.`);
  },
};

export const ORPHANS: Check<DatabaseSession> = {
  name: 'orphans',
  async run(database) {
    const count = async () =>
      (await ask<{ runs: number }>(database, 'SELECT count(*)::int AS runs FROM orchestrate_flow.orphans')).runs;
    // For a moment after a process has died there are some.
    const deadline = Date.now() + ORPHANS_WITHIN_MS;
    let runs = await count();
    while (runs > 0 && Date.now() < deadline) {
      await sleep(LOOK_EVERY_MS);
      runs = await count();
    }
    if (runs === 0) return ok('none.');
    return fail(
      `${runs} open ${runs === 1 ? 'run has' : 'runs have'} nobody to go on with: SELECT * FROM ${database.schema}.orphans.`,
      'Start a process of the app that runs steps. Where one is running, please report this.',
    );
  },
};

/** Ready for longer than a backlog explains: nothing of the same workflow is under way anywhere. */
const FIND_WAITING = `
SELECT d.name AS workflow, s.queue, count(*)::int AS steps,
  EXISTS (SELECT 1 FROM orchestrate_flow.workflow_worker w WHERE ${ALIVE} AND s.queue = ANY (w.queues)) AS served
FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_definition d ON d.id = s.definition
WHERE s.status = 'ready' AND s.paused_at IS NULL AND s.created_at < now() - interval '1 minute'
  AND NOT EXISTS (
    SELECT 1 FROM orchestrate_flow.workflow_step o JOIN orchestrate_flow.workflow_worker w ON w.id = o.worker
    WHERE o.status = 'running' AND o.definition = s.definition AND ${ALIVE})
  AND NOT EXISTS (
    SELECT 1 FROM orchestrate_flow.workflow_run r JOIN orchestrate_flow.workflow_worker w ON w.id = r.worker
    WHERE r.definition = s.definition AND ${ALIVE})
GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 20`;

export const WAITING_STEPS: Check<DatabaseSession> = {
  name: 'waiting steps',
  async run(database) {
    const rows = await database.query<{ workflow: string; queue: string; steps: number; served: boolean }>(
      qualify(FIND_WAITING, database.schema),
    );
    if (rows.length === 0) return ok('none that nobody takes.');
    return rows.map(({ workflow, queue, steps, served }) =>
      served
        ? warn(
            `${steps} of workflow "${workflow}" ready for over a minute, and no living process runs any of it.`,
            'Start a process that has this workflow as it was when these runs began.',
          )
        : warn(
            `${steps} of workflow "${workflow}" ready in queue "${queue}", which no living worker serves.`,
            `Start a worker for it: \`worker: { queues: ['${queue}'] }\`, or one for all queues.`,
          ),
    );
  },
};

export const QUARANTINED_STEPS: Check<DatabaseSession> = {
  name: 'quarantine',
  async run(database) {
    const rows = await database.query<{ step: string; steps: number }>(
      qualify(
        `SELECT d.name || '.' || s.name AS step, count(*)::int AS steps
         FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_definition d ON d.id = s.definition
         WHERE s.status = 'quarantined' GROUP BY 1 ORDER BY 2 DESC LIMIT 5`,
        database.schema,
      ),
    );
    if (rows.length === 0) return ok('empty.');
    const which = rows.map(({ step, steps }) => `${step} (${steps})`).join(', ');
    return warn(
      `steps that killed their process again and again: ${which}.`,
      'Mend them before you start such runs again.',
    );
  },
};

/** A transaction open for longer keeps every table from being cleared of old rows, which ours make by the thousand. */
const LONG_MINUTES = 5;

export function transactionsOver(minutes: number): Check<DatabaseSession> {
  return {
    name: 'long transactions',
    async run(database) {
      const rows = await database.query<{ pid: number; name: string; minutes: number }>(
        `SELECT pid, application_name AS name, (extract(epoch FROM now() - xact_start) / 60)::int AS minutes
         FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
           AND xact_start < now() - $1 * interval '1 minute'
         ORDER BY xact_start LIMIT 5`,
        [minutes],
      );
      if (rows.length === 0) return ok('none.');
      return rows.map(({ pid, name, minutes: open }) =>
        warn(
          `process ${pid} (${name || 'no name'}) has had one open for ${open} min: the tables cannot be vacuumed.`,
          `End it in the program that opened it, or by SELECT pg_terminate_backend(${pid}).`,
        ),
      );
    },
  };
}

export const LONG_TRANSACTIONS = transactionsOver(LONG_MINUTES);

/** Checks over a table need the table. */
export async function hasTables(database: DatabaseSession): Promise<boolean> {
  if (!(await database.mayUse(database.schema))) return false;
  const { may } = await database.ask<{ may: boolean }>(
    `SELECT coalesce(bool_and(has_table_privilege(to_regclass($1 || '.' || name)::oid, 'SELECT')), false)
       AND count(to_regclass($1 || '.' || name)) = count(*) AS may
     FROM unnest(ARRAY['workflow_run', 'workflow_step', 'workflow_worker', 'workflow_definition', 'orphans']) name`,
    [database.schema],
  );
  return may;
}

function ask<Row extends object>(database: DatabaseSession, sql: string): Promise<Row> {
  return database.ask<Row>(qualify(sql, database.schema));
}
