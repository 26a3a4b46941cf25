import { SUSPECT_CRASHES } from '../engine/suspects.js';
import { GATE } from './gate.js';
import { STEP_NAME } from './step-name.js';
import { IS_DUE, IS_SUPERSEDED } from './schedule-statements.js';

// Two clocks: workflows live in the time of `orchestrate_flow.now()`, which a test may set. Whether a process lives is a matter of
// the machine's, `statement_timestamp()`.

const IS_SUSPECT = `crashes >= ${SUSPECT_CRASHES}`;

/** Claims ready steps: changes step rows only and raises no revision. Whoever stops a run changes its ready rows itself. */
const claimSteps = (which: string, alone: string) => `
WITH picked AS MATERIALIZED (
  SELECT run_id, generation, name, item, round FROM orchestrate_flow.workflow_step
  WHERE queue = $1 AND status = 'ready' AND paused_at IS NULL AND definition = ANY ($2::int[]) AND ${which}
  ORDER BY priority, created_at LIMIT $3
  FOR UPDATE SKIP LOCKED
),
claimed AS (
  UPDATE orchestrate_flow.workflow_step s
  SET status = 'running', attempt = s.attempt + 1, worker = $4, started_at = orchestrate_flow.now(), alone = ${alone}, start_by = NULL
  FROM picked p
  WHERE s.run_id = p.run_id AND s.generation = p.generation AND s.name = p.name AND s.item = p.item AND s.round = p.round
  RETURNING s.run_id, ${STEP_NAME.replace(/\b(item|name)\b/g, 's.$1')} AS step, s.attempt, s.failures, s.crashes, s.stage, s.in_doubt, s.rounds, s.started_at::text
)
SELECT c.step, c.attempt, c.failures, c.crashes, c.stage, c.in_doubt, c.rounds, c.started_at, r.id, r.workflow, r.definition, r.status, r.revision,
  r.generation, r.state, r.worker, r.priority, r.input, r.context, r.tenant, ${GATE}, r.failed_step, r.failure, r.cancel_reason, r.updated_at::text
FROM claimed c JOIN orchestrate_flow.workflow_run r ON r.id = c.run_id`;

/** Suspects are left to `CLAIM_SUSPECT`. */
export const CLAIM_STEPS = claimSteps(`NOT ${IS_SUSPECT}`, 'false');

/** One that needs a single crash more to be quarantined ($6), or one that does not yet. $7: it runs with nothing beside it. */
export const CLAIM_SUSPECT = claimSteps(`${IS_SUSPECT} AND (crashes >= $5::int - 1) = $6::bool`, '$7::bool');

export const FIND_RUN = `
SELECT id, workflow, definition, status, revision, generation, state, worker, priority, input, context, tenant, ${GATE}, failed_step, failure,
  cancel_reason, updated_at::text
FROM orchestrate_flow.workflow_run WHERE id = $1`;

export const FIND_BY_KEY = `
SELECT id, encode(input_hash, 'hex') AS input_hash FROM orchestrate_flow.workflow_run WHERE workflow = $1 AND key = $2`;

export const LOAD_RESULTS = `
SELECT name, result FROM orchestrate_flow.workflow_step
WHERE run_id = $1 AND generation = $2 AND name = ANY ($3::text[]) AND item = 0 AND round = 0 AND result IS NOT NULL`;

/** The last error of each of these steps that has failed. */
export const LOAD_FAILURES = `
SELECT name, errors[array_upper(errors, 1)] AS error FROM orchestrate_flow.workflow_step
WHERE run_id = $1 AND generation = $2 AND name = ANY ($3::text[]) AND item = 0 AND round = 0
  AND status IN ('failed', 'quarantined')`;

/** The signal that a step has taken. */
export const LOAD_SIGNAL = `
SELECT name, payload FROM orchestrate_flow.workflow_signal WHERE run_id = $1 AND step = $2 ORDER BY id DESC LIMIT 1`;

/**
 * What attempts have told, in place of what was told of the same steps before. One that a later attempt has followed is not heard any
 * more: each after the first is claimed in the row of its step. In the order of the rows, as whoever tells of the same step does it.
 */
export const SAVE_HEARTBEATS = `
INSERT INTO orchestrate_flow.workflow_heartbeat AS h (run_id, generation, name, item, attempt, details, told_at)
SELECT b.run_id, b.generation, b.name, b.item, b.attempt, b.details, orchestrate_flow.now()
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::int[], $6::text[])
  AS b (run_id, generation, name, item, attempt, details)
CROSS JOIN LATERAL (
  SELECT r.id FROM orchestrate_flow.workflow_run r
  WHERE r.id = b.run_id AND r.generation = b.generation AND r.ended_at IS NULL) r
WHERE NOT EXISTS (
  SELECT 1 FROM orchestrate_flow.workflow_step s
  WHERE s.run_id = b.run_id AND s.generation = b.generation AND s.name = b.name AND s.item = b.item AND s.round = 0
    AND s.attempt > b.attempt OFFSET 0)
ORDER BY b.run_id, b.generation, b.name, b.item
ON CONFLICT (run_id, generation, name, item) DO UPDATE
SET attempt = excluded.attempt, details = excluded.details, told_at = excluded.told_at
WHERE h.attempt <= excluded.attempt`;

export const LOAD_HEARTBEAT = `
SELECT details FROM orchestrate_flow.workflow_heartbeat WHERE run_id = $1 AND generation = $2 AND name = $3 AND item = $4`;

/**
 * Signals to runs that have not ended, in their order. The same key again is the same signal, and has come before: also to one that
 * has. Answers with the places of those that have come, now or before, counted from 1.
 */
export const ADD_SIGNALS = `
WITH given AS MATERIALIZED (
  SELECT g.*, r.id IS NOT NULL AS is_open
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS g (run_id, name, key, payload, place)
  LEFT JOIN orchestrate_flow.workflow_run r ON r.id = g.run_id AND r.ended_at IS NULL
),
added AS (
  INSERT INTO orchestrate_flow.workflow_signal (run_id, name, key, payload)
  SELECT run_id, name, key, payload FROM given WHERE is_open ORDER BY place
  ON CONFLICT DO NOTHING
)
SELECT place::int FROM given
WHERE is_open OR (key IS NOT NULL AND EXISTS (
  SELECT 1 FROM orchestrate_flow.workflow_signal s WHERE s.run_id = given.run_id AND s.name = given.name AND s.key = given.key))`;

/** Whether a later attempt of a fan-out than this one has been claimed: by then it has a row. */
const IS_OVERTAKEN = `EXISTS (
  SELECT 1 FROM orchestrate_flow.workflow_step f
  WHERE f.run_id = $1 AND f.generation = $2 AND f.name = $3 AND f.item = 0 AND f.round = 0 AND f.attempt > $4)`;

/**
 * Stores items of a fan-out, from the given number on, in a run that has not ended. What an attempt had stored that has died, and
 * that may have had another list, is replaced. One that is believed dead, and stores too late, changes nothing: a statement that has
 * begun after the later attempt was claimed sees that one, and one that has begun before it is older than what that has stored.
 */
export const ADD_ITEMS = `
INSERT INTO orchestrate_flow.workflow_step AS s (run_id, definition, generation, name, item, status, attempt, failures, crashes, queue,
  priority, payload, created_at)
SELECT r.id, r.definition, r.generation, $3, $5::int + p.number::int - 1, 'pending', 0, 0, 0, $6, $7::int, p.payload,
  orchestrate_flow.now()
FROM orchestrate_flow.workflow_run r, unnest($8::text[]) WITH ORDINALITY AS p (payload, number)
WHERE r.id = $1 AND r.generation = $2 AND r.ended_at IS NULL AND NOT ${IS_OVERTAKEN}
ON CONFLICT (run_id, generation, name, item, round) DO UPDATE
SET payload = excluded.payload, created_at = excluded.created_at
WHERE s.status = 'pending' AND s.result IS NULL AND s.created_at <= excluded.created_at`;

/** What an earlier attempt has stored beyond the list: nothing that was stored since this statement has begun. */
export const DROP_ITEMS = `
DELETE FROM orchestrate_flow.workflow_step s
WHERE s.run_id = $1 AND s.generation = $2 AND s.name = $3 AND s.item > $5::int AND s.item > 0 AND s.round = 0
  AND s.status = 'pending' AND s.result IS NULL AND s.created_at <= orchestrate_flow.now() AND NOT ${IS_OVERTAKEN}`;

export const LOAD_ITEM = `
SELECT payload, result FROM orchestrate_flow.workflow_step
WHERE run_id = $1 AND generation = $2 AND name = $3 AND item = $4 AND round = 0`;

/** Results of the items of a fan-out, in their order, a page at a time. */
export const LOAD_ITEM_RESULTS = `
SELECT item, result FROM orchestrate_flow.workflow_step
WHERE run_id = $1 AND generation = $2 AND name = $3 AND item > $4 AND item > 0 AND round = 0 AND status = 'completed'
ORDER BY item LIMIT $5`;

/** The output is where it was written: in the row of the step that the run's definition names, unless that has lost a join. */
export const FIND_ENDED = `
SELECT r.id, r.workflow, r.status, r.failed_step, r.failure, r.cancel_reason, s.result AS output
FROM orchestrate_flow.workflow_run r
JOIN orchestrate_flow.workflow_definition d ON d.id = r.definition
LEFT JOIN orchestrate_flow.workflow_step s
  ON s.run_id = r.id AND s.generation = r.generation AND s.name = d.output AND s.item = 0 AND s.round = 0
    AND s.status = 'completed' AND NOT s.aborting
WHERE r.id = ANY ($1::uuid[]) AND r.ended_at IS NOT NULL`;

export const REGISTER_WORKER = `
INSERT INTO orchestrate_flow.workflow_worker (id, status, host, pid, queues, lease_until)
VALUES ($1, 'alive', $2, $3, $4, statement_timestamp() + $5 * interval '1 millisecond')`;

/** A worker that has handed over everything leaves no trace; one that could not is left for the others to find. */
export const REMOVE_WORKER = `
DELETE FROM orchestrate_flow.workflow_worker w WHERE id = $1
  AND NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.worker = w.id)
  AND NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_step s WHERE s.worker = w.id AND s.status = 'running')`;

/** A dead worker never lives again: its renewal matches no row, and that tells its process. */
export const RENEW_LEASE = `
UPDATE orchestrate_flow.workflow_worker SET lease_until = statement_timestamp() + $2 * interval '1 millisecond'
WHERE id = $1 AND status = 'alive' RETURNING id`;

/** First half of the advisory lock that a living worker's heartbeat connection holds; the second is a hash of its id. "OFWK". */
const WORKER_LOCK = 0x4f46574b;

/** Shared, so that it never waits: the server may not have noticed yet that the same worker's last connection is gone. */
export const HOLD_WORKER_LOCK = `SELECT pg_advisory_lock_shared(${WORKER_LOCK}, hashtext($1::uuid::text))`;

/** The workers whose heartbeat is connected. The connection of a killed process is gone at once, that of a stopped one is not. */
export const CONNECTED_WORKERS = `
SELECT objid FROM pg_locks
WHERE locktype = 'advisory' AND classid = ${WORKER_LOCK} AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** When a worker counts as dead unless it renews: half a lease earlier where its heartbeat is not even connected. */
const DEAD_AT = `w.lease_until
  - CASE WHEN hashtext(w.id::text)::oid IN (${CONNECTED_WORKERS}) THEN 0 ELSE 0.5 END * $LEASE * interval '1 millisecond'`;

/**
 * Declares workers dead whose lease ran out. No lease runs out before the server has been up for one lease: a restart of
 * the database kills nobody. $3: all of them; else those of which it is witnessed, because another worker, be it dead by
 * now, was heard after they should have been, and a fifth of a lease has passed since: whoever lives renews again within a
 * tenth of it once the database is back.
 */
export const BURY_WORKERS = `
WITH silent AS (
  SELECT w.id, ${DEAD_AT.replace('$LEASE', '$2::float8')} AS dead_at
  FROM orchestrate_flow.workflow_worker w WHERE w.status = 'alive' AND w.id <> $1
)
UPDATE orchestrate_flow.workflow_worker SET status = 'dead'
WHERE id IN (
  SELECT w.id FROM orchestrate_flow.workflow_worker w JOIN silent USING (id)
  WHERE w.status = 'alive' AND dead_at < statement_timestamp()
    AND statement_timestamp() > pg_postmaster_start_time() + $2::float8 * interval '1 millisecond'
    AND ($3::boolean OR EXISTS (
      SELECT 1 FROM orchestrate_flow.workflow_worker o
      WHERE o.id <> w.id AND o.lease_until - $2::float8 * interval '1 millisecond'
        BETWEEN dead_at AND statement_timestamp() - $2::float8 / 5 * interval '1 millisecond'))
  FOR UPDATE OF w SKIP LOCKED)`;

/** What workers that are not alive still hold, in runs' state and in step rows: every pass sees all of them. */
export const FIND_LOST = `
SELECT run_id, array_agg(DISTINCT worker) AS workers
FROM (
  SELECT id AS run_id, worker FROM orchestrate_flow.workflow_run
  WHERE worker IS NOT NULL AND worker NOT IN (SELECT id FROM orchestrate_flow.workflow_worker WHERE status = 'alive')
  UNION ALL
  SELECT run_id, worker FROM orchestrate_flow.workflow_step
  WHERE status = 'running' AND worker NOT IN (SELECT id FROM orchestrate_flow.workflow_worker WHERE status = 'alive')
) lost
GROUP BY run_id LIMIT $1`;

/**
 * Dead workers that nothing names any more, and lanes that nobody has used for a day. Signals that came as their run ended are
 * looked at by nobody, and not to be looked through at each beat. What an attempt told of a run that was just then deleted.
 */
export const SWEEP_DEAD = `
WITH lanes AS (
  DELETE FROM orchestrate_flow.workflow_lane WHERE used_at < statement_timestamp() - interval '1 day'
),
heartbeats AS (
  DELETE FROM orchestrate_flow.workflow_heartbeat h
  WHERE NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.id = h.run_id)
),
signals AS (
  UPDATE orchestrate_flow.workflow_signal g SET seen = true
  FROM (SELECT DISTINCT run_id FROM orchestrate_flow.workflow_signal WHERE NOT seen) s
  WHERE g.run_id = s.run_id AND NOT g.seen AND EXISTS (
    SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.id = s.run_id AND r.ended_at IS NOT NULL OFFSET 0)
)
DELETE FROM orchestrate_flow.workflow_worker w
WHERE status = 'dead' AND lease_until < statement_timestamp() - interval '1 hour'
  AND NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.worker = w.id)
  AND NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_step s WHERE s.worker = w.id AND s.status = 'running')`;

/** Deletes runs that are locked, steps and signals after them, and what the audit log says of them where `events` says so. */
const deleteRuns = (doomed: string, events: string) => `
WITH doomed AS MATERIALIZED (${doomed}),
steps AS (
  DELETE FROM orchestrate_flow.workflow_step s USING doomed d WHERE s.run_id = d.id
),
signals AS (
  DELETE FROM orchestrate_flow.workflow_signal s USING doomed d WHERE s.run_id = d.id
),
heartbeats AS (
  DELETE FROM orchestrate_flow.workflow_heartbeat h USING doomed d WHERE h.run_id = d.id
),
events AS (${events})
DELETE FROM orchestrate_flow.workflow_run r USING doomed d WHERE r.id = d.id RETURNING r.id`;

/**
 * Those that have ended in one of these ways so long ago, the oldest of each first. Whatever comes late to one of them finds
 * that it has ended, or is not there: both change nothing.
 */
export const PURGE_RUNS = deleteRuns(
  `
  SELECT r.id FROM unnest($1::text[], $2::float8[]) AS p (status, age_ms)
  CROSS JOIN LATERAL (
    SELECT e.id FROM orchestrate_flow.workflow_run e
    WHERE e.status = p.status AND e.ended_at <= orchestrate_flow.now() - p.age_ms * interval '1 millisecond'
      AND ($3::text IS NULL OR e.workflow = $3) AND ($4::text[] IS NULL OR e.tags @> $4::text[])
    ORDER BY e.ended_at LIMIT $5
    FOR UPDATE SKIP LOCKED) r`,
  `DELETE FROM orchestrate_flow.workflow_event e USING doomed d WHERE e.run_id = d.id`,
);

export const DELETE_RUN = deleteRuns(
  `SELECT id, workflow FROM orchestrate_flow.workflow_run WHERE id = $1 AND ended_at IS NOT NULL FOR UPDATE`,
  `
  INSERT INTO orchestrate_flow.workflow_event (run_id, workflow, action, by, reason, created_at)
  SELECT id, workflow, 'delete', $2, $3, orchestrate_flow.now() FROM doomed`,
);

/**
 * Makes the steps ready whose next attempt, or whose time, is due. Step rows only, like a claim. Where a worker has to take it in time
 * that counts from now on, however late this is.
 */
export const WAKE_DUE_STEPS = `
UPDATE orchestrate_flow.workflow_step s
SET status = 'ready', due_at = NULL, start_by = s.start_by + (orchestrate_flow.now() - s.due_at),
  paused_at = CASE WHEN s.paused_at IS NOT NULL THEN orchestrate_flow.now() END
FROM (
  SELECT run_id, generation, name, item, round FROM orchestrate_flow.workflow_step
  WHERE due_at <= orchestrate_flow.now()
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) d
WHERE s.run_id = d.run_id AND s.generation = d.generation AND s.name = d.name AND s.item = d.item AND s.round = d.round
RETURNING s.queue`;

/** Schedules of which a worker can start runs, by its workflows ($8) and the inputs that its code computes ($9). */
const IS_MINE = `s.workflow = ANY ($8::text[]) AND (s.input IS NOT NULL OR s.name = ANY ($9::text[]))`;

/**
 * What a worker has to know at each beat, in one look: the runs it works on that were stopped, its own claims, in rows and
 * (where nothing has moved for half a lease) in runs' state, its queues
 * with ready rows, runs whose time has come, and how long until the nearest timer or the end of another's lease. Signals that
 * nobody has looked at are bounded after those of others' and of ended runs are left out, which would hide the rest. OFFSET 0
 * keeps the planner from looking for signals in every open run. An occurrence that waits for the end of a run is looked at each second,
 * and one that is due once in a beat: it may be one that nobody can take.
 */
export const LOOK_ROUND = `
SELECT
  ARRAY(
    SELECT id FROM orchestrate_flow.workflow_run WHERE worker = $1 AND status IN ('failing', 'cancelling')
    UNION
    SELECT r.id FROM orchestrate_flow.workflow_step s JOIN orchestrate_flow.workflow_run r ON r.id = s.run_id
    WHERE s.worker = $1 AND s.status = 'running' AND r.status IN ('failing', 'cancelling')
    UNION
    SELECT o.id FROM unnest($7::uuid[]) o (id)
    WHERE NOT EXISTS (SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.id = o.id AND r.ended_at IS NULL)
  ) AS stopped_runs,
  ARRAY(
    SELECT json_build_array(run_id, ${STEP_NAME}, attempt, failures, crashes, started_at::text, stage, aborting, in_doubt, generation, rounds)::text FROM orchestrate_flow.workflow_step
    WHERE worker = $1 AND status = 'running'
  ) AS claims,
  ARRAY(
    SELECT id FROM orchestrate_flow.workflow_run
    WHERE worker = $1 AND updated_at < orchestrate_flow.now() - $5::float8 / 2 * interval '1 millisecond'
  ) AS held_runs,
  ARRAY(
    SELECT q FROM unnest($2::text[]) q
    WHERE EXISTS (
      SELECT 1 FROM orchestrate_flow.workflow_step s
      WHERE s.queue = q AND s.status = 'ready' AND s.paused_at IS NULL AND s.definition = ANY ($3::int[]) AND NOT s.${IS_SUSPECT})
  ) AS ready_queues,
  ARRAY(
    SELECT json_build_array(q, is_accused)::text FROM unnest($2::text[]) q, unnest(ARRAY[false, true]) is_accused
    WHERE EXISTS (
      SELECT 1 FROM orchestrate_flow.workflow_step s
      WHERE s.queue = q AND s.status = 'ready' AND s.paused_at IS NULL AND s.definition = ANY ($3::int[])
        AND s.${IS_SUSPECT} AND (s.crashes >= $6::int - 1) = is_accused)
  ) AS suspects,
  ARRAY(
    SELECT id FROM orchestrate_flow.workflow_run
    WHERE deadline_at <= orchestrate_flow.now() AND definition = ANY ($3::int[]) ORDER BY deadline_at LIMIT $4
  ) AS overdue_runs,
  ARRAY(
    SELECT json_build_array(run_id, ${STEP_NAME}, attempt, stage, generation, queue)::text FROM orchestrate_flow.workflow_step
    WHERE status = 'ready' AND paused_at IS NULL AND start_by <= orchestrate_flow.now() ORDER BY start_by LIMIT $4
  ) AS unclaimed,
  ARRAY(
    SELECT s.run_id FROM (SELECT DISTINCT run_id FROM orchestrate_flow.workflow_signal WHERE NOT seen) s
    WHERE EXISTS (
      SELECT 1 FROM orchestrate_flow.workflow_run r
      WHERE r.id = s.run_id AND r.definition = ANY ($3::int[]) AND r.ended_at IS NULL OFFSET 0)
    LIMIT $4
  ) AS signalled_runs,
  ARRAY(
    SELECT id FROM orchestrate_flow.workflow_run
    WHERE due_at <= orchestrate_flow.now() AND status = 'pending' AND definition = ANY ($3::int[]) ORDER BY due_at LIMIT $4
  ) AS due_runs,
  ARRAY(
    SELECT s.name FROM orchestrate_flow.workflow_schedule s WHERE ${IS_DUE} AND ${IS_MINE} ORDER BY s.next_at LIMIT $4
  ) AS due_schedules,
  ARRAY(
    SELECT json_build_array(r.id, s.name)::text
    FROM orchestrate_flow.workflow_schedule s JOIN orchestrate_flow.workflow_run r ON r.schedule = s.name
    WHERE ${IS_SUPERSEDED} AND r.definition = ANY ($3::int[]) LIMIT $4
  ) AS superseded_runs,
  (
    SELECT extract(epoch FROM min(due_in))::float8 * 1000
    FROM (
      SELECT min(due_at) - orchestrate_flow.now() AS due_in FROM orchestrate_flow.workflow_step WHERE due_at IS NOT NULL
      UNION ALL
      SELECT min(start_by) - orchestrate_flow.now() FROM orchestrate_flow.workflow_step
      WHERE status = 'ready' AND paused_at IS NULL AND start_by > orchestrate_flow.now()
      UNION ALL
      SELECT min(due_at) - orchestrate_flow.now() FROM orchestrate_flow.workflow_run
      WHERE due_at IS NOT NULL AND status = 'pending' AND definition = ANY ($3::int[])
      UNION ALL
      SELECT min(deadline_at) - orchestrate_flow.now() FROM orchestrate_flow.workflow_run
      WHERE deadline_at IS NOT NULL AND definition = ANY ($3::int[])
      UNION ALL
      SELECT min(s.next_at) - orchestrate_flow.now() FROM orchestrate_flow.workflow_schedule s
      WHERE s.next_at > orchestrate_flow.now() AND ${IS_MINE}
      UNION ALL
      SELECT interval '1 second' FROM orchestrate_flow.workflow_schedule s WHERE s.queued_at IS NOT NULL AND ${IS_MINE}
      UNION ALL
      SELECT min(dead_at) - statement_timestamp() FROM (
        SELECT ${DEAD_AT.replace('$LEASE', '$5::float8')} AS dead_at FROM orchestrate_flow.workflow_worker w
        WHERE w.status = 'alive' AND w.id <> $1) others
      WHERE dead_at > statement_timestamp()) timers
  ) AS next_due_ms`;

export const FIND_DEFINITION = `SELECT id FROM orchestrate_flow.workflow_definition WHERE name = $1 AND hash = $2`;

export const REGISTER_DEFINITION = `
INSERT INTO orchestrate_flow.workflow_definition (name, hash, version, output, graph) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING`;

export const LOAD_DEFINITIONS = `
SELECT id, name, hash, version, output, graph FROM orchestrate_flow.workflow_definition WHERE name = ANY ($1::text[])`;
