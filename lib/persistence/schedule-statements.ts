/** Whole milliseconds since 1970. What is stored has no more; of the time that is now the rest is cut, so that it is never early. */
const MS = `extract(epoch FROM AT)::numeric * 1000`;
const AT_NEXT = `round(${MS.replace('AT', 's.next_at')})::float8`;
const AT_QUEUED = `round(${MS.replace('AT', 's.queued_at')})::float8`;
const AT_LAST = `round(${MS.replace('AT', 's.last_at')})::float8`;
const AT_NOW = `floor(${MS.replace('AT', 'orchestrate_flow.now()')})::float8`;

/** Whether a run of schedule `s` is open. */
const IS_RUNNING = `EXISTS (
  SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.schedule = s.name AND r.ended_at IS NULL)`;

/** Whether an occurrence of schedule `s` is due, or waits and need not wait any longer. */
export const IS_DUE = `(s.next_at <= orchestrate_flow.now() OR (s.queued_at IS NOT NULL AND NOT ${IS_RUNNING}))`;

/** Open runs `r` of schedule `s` after which one has begun that takes their place. */
export const IS_SUPERSEDED = `s.overlap = 'cancel' AND r.ended_at IS NULL
  AND r.scheduled_at < s.last_at AND r.status IN ('pending', 'running', 'waiting', 'paused')`;

export const READ_TIME = `SELECT ${AT_NOW} AS now`;

const READ_SCHEDULES = `
SELECT s.name, s.workflow, s.cron, s.time_zone, s.every_ms::float8 AS every_ms, s.overlap, s.catch_up, s.input, s.declared, s.paused,
  s.orphaned, s.revision, ${AT_NEXT} AS next_ms, ${AT_QUEUED} AS queued_ms, ${AT_LAST} AS last_ms, s.last_run, s.last_error,
  ${IS_RUNNING} AS is_running, ${AT_NOW} AS now
FROM orchestrate_flow.workflow_schedule s`;

export const FIND_SCHEDULES = `${READ_SCHEDULES} WHERE s.name = ANY ($1::text[]) ORDER BY s.name`;

export const LIST_SCHEDULES = `${READ_SCHEDULES}
WHERE ($1::text IS NULL OR s.workflow = $1) AND ($2::text IS NULL OR s.name > $2) ORDER BY s.name LIMIT $3`;

/**
 * What is missed while nobody was there is still due afterwards: the next occurrence stays where the timing does. Whoever made a
 * schedule keeps it, but for one that nobody declares any more.
 */
export const PUT_SCHEDULE = `
INSERT INTO orchestrate_flow.workflow_schedule AS s
  (name, workflow, cron, time_zone, every_ms, overlap, catch_up, input, declared, next_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5::bigint, $6, $7, $8, $9, to_timestamp($10::float8 / 1000), orchestrate_flow.now(), orchestrate_flow.now())
ON CONFLICT (name) DO UPDATE SET workflow = excluded.workflow, cron = excluded.cron, time_zone = excluded.time_zone,
  every_ms = excluded.every_ms, overlap = excluded.overlap, catch_up = excluded.catch_up, input = excluded.input, declared = excluded.declared,
  next_at = CASE
    WHEN s.paused THEN NULL
    WHEN NOT s.orphaned AND (s.workflow, s.cron, s.time_zone, s.every_ms) IS NOT DISTINCT FROM
      (excluded.workflow, excluded.cron, excluded.time_zone, excluded.every_ms) THEN s.next_at
    ELSE excluded.next_at END,
  queued_at = CASE WHEN excluded.overlap = 'queue' AND s.workflow = excluded.workflow THEN s.queued_at END,
  orphaned = false, revision = s.revision + 1, updated_at = orchestrate_flow.now()
WHERE s.declared = excluded.declared OR s.orphaned
RETURNING s.name`;

/** Those whose `@Schedule` is gone rest, and are not forgotten: an older build that boots again takes them up again. */
export const ORPHAN_SCHEDULES = `
UPDATE orchestrate_flow.workflow_schedule s
SET orphaned = true, next_at = NULL, queued_at = NULL, revision = s.revision + 1, updated_at = orchestrate_flow.now()
WHERE s.declared AND NOT s.orphaned AND s.workflow = ANY ($1::text[]) AND NOT s.name = ANY ($2::text[])`;

export const REMOVE_SCHEDULE = `
DELETE FROM orchestrate_flow.workflow_schedule WHERE name = $1 AND revision = $2 RETURNING name`;

export const PAUSE_SCHEDULE = `
UPDATE orchestrate_flow.workflow_schedule s
SET paused = true, next_at = NULL, queued_at = NULL, revision = s.revision + 1, updated_at = orchestrate_flow.now()
WHERE s.name = $1 RETURNING s.name`;

export const RESUME_SCHEDULE = `
UPDATE orchestrate_flow.workflow_schedule s
SET paused = false, next_at = CASE WHEN NOT s.orphaned THEN to_timestamp($3::float8 / 1000) END, revision = s.revision + 1,
  updated_at = orchestrate_flow.now()
WHERE s.name = $1 AND s.revision = $2 AND s.paused RETURNING s.name`;

/**
 * Moves schedules on and gives birth to their runs, in one transaction: an occurrence is taken up by whoever finds its schedule as it
 * was when that was read, and by nobody else. The id of a run comes from schedule and occurrence: also a schedule that was removed
 * and made again has one run of it.
 */
export const TAKE_OCCURRENCES = `
WITH picked AS MATERIALIZED (
  SELECT m.*
  FROM unnest($1::text[], $2::int[], $3::float8[], $4::float8[], $5::float8[], $6::uuid[], $7::text[])
    AS m (name, revision, next_ms, queued_ms, last_ms, last_run, last_error)
  CROSS JOIN LATERAL (
    SELECT s.name FROM orchestrate_flow.workflow_schedule s
    WHERE s.name = m.name AND s.revision = m.revision
    FOR NO KEY UPDATE SKIP LOCKED) s
),
moved AS (
  UPDATE orchestrate_flow.workflow_schedule s
  SET next_at = to_timestamp(p.next_ms / 1000), queued_at = to_timestamp(p.queued_ms / 1000),
    last_at = to_timestamp(p.last_ms / 1000), last_run = p.last_run, last_error = p.last_error,
    revision = s.revision + 1, updated_at = orchestrate_flow.now()
  FROM picked p WHERE s.name = p.name
),
born AS (
  INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, priority, input, context, tags, admit_at, due_at, deadline_at,
    schedule, scheduled_at, created_at, updated_at)
  SELECT n.id, n.workflow, n.definition, 'pending', n.state, n.priority, n.input, n.context, n.tags::text[],
    CASE WHEN n.gated THEN orchestrate_flow.now() END, CASE WHEN NOT n.gated THEN orchestrate_flow.now() END,
    orchestrate_flow.now() + n.deadline_ms * interval '1 millisecond', n.schedule, to_timestamp(n.scheduled_ms / 1000),
    orchestrate_flow.now(), orchestrate_flow.now()
  FROM unnest($8::uuid[], $9::text[], $10::float8[], $11::text[], $12::int[], $13::text[], $14::int[], $15::text[], $16::float8[], $17::text[],
    $18::text[], $19::bool[])
    AS n (id, schedule, scheduled_ms, workflow, definition, state, priority, input, deadline_ms, context, tags, gated)
  WHERE n.schedule IN (SELECT name FROM picked)
  ON CONFLICT DO NOTHING
)
SELECT name FROM picked`;
