import { LIST_ADMISSIBLE } from '../persistence/limit-statements.js';
import { IS_DUE, IS_SUPERSEDED } from '../persistence/schedule-statements.js';
import { CONNECTED_WORKERS } from '../persistence/store-statements.js';

/** The time of a test, and whose it is: the connection that holds it. */
export const CREATE_CLOCK = `
CREATE TABLE IF NOT EXISTS orchestrate_flow.test_clock (
  now timestamptz NOT NULL, holder integer NOT NULL, held_since timestamptz NOT NULL)`;

const LIVING_HOLDER = `
SELECT 1 FROM pg_catalog.pg_stat_get_activity(c.holder) a WHERE a.backend_start = c.held_since`;

/** Holds only while its holder lives: a test that was killed leaves a clock that goes right. */
export const STOP_THE_CLOCK = `
CREATE OR REPLACE FUNCTION orchestrate_flow.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $now$
  SELECT coalesce(
    (SELECT c.now FROM orchestrate_flow.test_clock c WHERE EXISTS (${LIVING_HOLDER})),
    pg_catalog.statement_timestamp())
$now$`;

/** As its migration made it. */
export const LET_THE_CLOCK_GO = `
CREATE OR REPLACE FUNCTION orchestrate_flow.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
  AS 'SELECT pg_catalog.statement_timestamp()';
DROP TABLE IF EXISTS orchestrate_flow.test_clock`;

/** Another test, or processes that do not know that they are in one. */
export const FIND_OTHERS = `
SELECT EXISTS (SELECT 1 FROM orchestrate_flow.test_clock c WHERE EXISTS (${LIVING_HOLDER})) AS tests,
  EXISTS (
    SELECT 1 FROM orchestrate_flow.workflow_worker
    WHERE status = 'alive' AND hashtext(id::text)::oid IN (${CONNECTED_WORKERS})) AS workers`;

/** @param $1 milliseconds since 1970; null: the machine's time */
export const HOLD_THE_CLOCK = `
WITH cleared AS (DELETE FROM orchestrate_flow.test_clock)
INSERT INTO orchestrate_flow.test_clock (now, holder, held_since)
SELECT coalesce(to_timestamp($1::float8 / 1000), date_trunc('milliseconds', statement_timestamp())), pid, backend_start
FROM pg_stat_get_activity(pg_backend_pid())
RETURNING now`;

export const SET_THE_CLOCK = `UPDATE orchestrate_flow.test_clock SET now = to_timestamp($1::float8 / 1000)`;

const msOf = (column: string) => `ceil(round(extract(epoch FROM ${column})::numeric * 1000, 3))::float8`;

/** Everything that waits for a time, in whatever status: runs and steps. */
const TIMERS = `
SELECT s.run_id, r.workflow, s.name AS step, s.status, s.due_at
FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_run r ON r.id = s.run_id
WHERE s.due_at IS NOT NULL
UNION ALL
SELECT id, workflow, NULL, status, due_at FROM orchestrate_flow.workflow_run WHERE due_at IS NOT NULL
UNION ALL
SELECT id, workflow, NULL, status, admit_at FROM orchestrate_flow.workflow_run WHERE admit_at IS NOT NULL
UNION ALL
SELECT id, workflow, NULL, status, deadline_at FROM orchestrate_flow.workflow_run WHERE deadline_at IS NOT NULL`;

/** When the nearest time comes that something waits for, in milliseconds since 1970. Schedules wait, too, but for nothing to end. */
export const FIND_NEXT_TIMER = `
SELECT ${msOf('min(due_at)')} AS due_ms FROM (
  SELECT due_at FROM (${TIMERS}) timers
  UNION ALL
  SELECT next_at FROM orchestrate_flow.workflow_schedule
  UNION ALL
  SELECT start_by FROM orchestrate_flow.workflow_step WHERE status = 'ready') times
WHERE due_at > orchestrate_flow.now()`;

export const LIST_TIMERS = `
SELECT run_id, workflow, step, status, due_at FROM (${TIMERS}) timers
WHERE due_at > orchestrate_flow.now() ORDER BY due_at, run_id, step LIMIT $1`;

/** What does not wait for a time and has not ended: each with a key that changes when something becomes of it. */
export const LIST_BUSY = `
SELECT run_id, key FROM (
  SELECT run_id, concat_ws('/', run_id, name, status, attempt, CASE WHEN start_by <= orchestrate_flow.now() THEN 'too late' END) AS key FROM orchestrate_flow.workflow_step
  WHERE (status IN ('ready', 'running') AND paused_at IS NULL) OR due_at <= orchestrate_flow.now()
  UNION ALL
  SELECT id, concat_ws('/', id, status, revision) FROM orchestrate_flow.workflow_run
  WHERE (worker IS NOT NULL AND ended_at IS NULL) OR (due_at <= orchestrate_flow.now() AND status = 'pending') OR deadline_at <= orchestrate_flow.now()
  UNION ALL
  SELECT r.id, concat_ws('/', r.id, 'signal', g.id)
  FROM orchestrate_flow.workflow_signal g JOIN orchestrate_flow.workflow_run r ON r.id = g.run_id WHERE NOT g.seen AND r.ended_at IS NULL
  UNION ALL
  SELECT NULL, concat_ws('/', 'schedule', s.name, s.revision) FROM orchestrate_flow.workflow_schedule s WHERE ${IS_DUE}
  UNION ALL
  SELECT r.id, concat_ws('/', r.id, r.status, r.revision)
  FROM orchestrate_flow.workflow_schedule s JOIN orchestrate_flow.workflow_run r ON r.schedule = s.name WHERE ${IS_SUPERSEDED}
  UNION ALL
  SELECT a.id, concat_ws('/', a.id, 'turn') FROM (${LIST_ADMISSIBLE}) a
) busy ORDER BY key LIMIT $1`;
