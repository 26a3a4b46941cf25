/** Whether a run `r` of workflow `l` waits for its turn, and for no start time. */
const IS_WANTED = `EXISTS (
  SELECT 1 FROM orchestrate_flow.workflow_run r WHERE r.workflow = l.workflow AND r.admit_at <= orchestrate_flow.now())`;

/** Whose a run is, for the limits: runs of nobody share a place. */
const TENANT = `coalesce(r.tenant, '')`;

/**
 * Which runs of the workflows in `open_gate` may have their turn: at most $LIMIT of each workflow. Among those that wait the lower priority
 * is first, then the tenant of whom fewer are under way, then whoever has waited longest. Of each tenant and priority only as many
 * are read as there is room for: `queue` walks from one to the next by the index, however many wait in it.
 */
const CHOOSE_ADMISSIBLE = `
held AS MATERIALIZED (
  SELECT r.workflow, ${TENANT} AS tenant, count(*) AS runs
  FROM open_gate g JOIN orchestrate_flow.workflow_run r ON r.workflow = g.workflow
  WHERE r.admitted_at IS NOT NULL AND r.ended_at IS NULL
  GROUP BY r.workflow, ${TENANT}
),
room AS MATERIALIZED (
  SELECT g.workflow, g.per_tenant,
    greatest(0, least($LIMIT::bigint, g.total - coalesce((SELECT sum(h.runs) FROM held h WHERE h.workflow = g.workflow), 0))) AS places
  FROM open_gate g
),
queue (workflow, tenant, priority) AS (
  SELECT q.* FROM room o
  CROSS JOIN LATERAL (
    SELECT r.workflow, ${TENANT}, r.priority FROM orchestrate_flow.workflow_run r
    WHERE r.workflow = o.workflow AND r.admit_at IS NOT NULL
    ORDER BY ${TENANT}, r.priority LIMIT 1) q
  WHERE o.places > 0
  UNION ALL
  SELECT q.* FROM queue p
  CROSS JOIN LATERAL (
    SELECT r.workflow, ${TENANT}, r.priority FROM orchestrate_flow.workflow_run r
    WHERE r.workflow = p.workflow AND r.admit_at IS NOT NULL AND (${TENANT}, r.priority) > (p.tenant, p.priority)
    ORDER BY ${TENANT}, r.priority LIMIT 1) q
),
candidate AS (
  SELECT q.workflow, q.tenant, q.priority, c.id, c.admit_at, o.places, o.per_tenant,
    coalesce((SELECT h.runs FROM held h WHERE h.workflow = q.workflow AND h.tenant = q.tenant), 0)
      + row_number() OVER (PARTITION BY q.workflow, q.tenant ORDER BY q.priority, c.admit_at, c.id) AS nth
  FROM queue q JOIN room o ON o.workflow = q.workflow
  CROSS JOIN LATERAL (
    SELECT r.id, r.admit_at FROM orchestrate_flow.workflow_run r
    WHERE r.workflow = q.workflow AND ${TENANT} = q.tenant AND r.priority = q.priority
      AND r.admit_at <= orchestrate_flow.now() AND r.status = 'pending'
    ORDER BY r.admit_at, r.id LIMIT o.places) c
),
ranked AS (
  SELECT c.id, c.workflow, c.places,
    row_number() OVER (PARTITION BY c.workflow ORDER BY c.priority, c.nth, c.admit_at, c.id) AS place
  FROM candidate c WHERE c.per_tenant IS NULL OR c.nth <= c.per_tenant
)`;

const CHOOSE_AT_MOST = CHOOSE_ADMISSIBLE.replace('$LIMIT', () => '$2');
const CHOOSE_FEW = CHOOSE_ADMISSIBLE.replace('$LIMIT', '1000');

/**
 * Lets runs have their turn. Whoever admits runs of a workflow has locked its row and raised its revision, and counts in the
 * snapshot of this very statement: where the row that was locked is not the one of the snapshot, somebody has admitted runs since
 * who are not counted, and nothing is done. What ends meanwhile makes room that is not seen, which does no harm. Places are
 * counted and not kept: a run that has ended, however it has, holds none.
 */
export const ADMIT_RUNS = `
WITH RECURSIVE wanted AS MATERIALIZED (
  SELECT l.workflow, l.revision FROM orchestrate_flow.workflow_limit l WHERE l.workflow = ANY ($1::text[]) AND ${IS_WANTED}
),
gate AS MATERIALIZED (
  SELECT l.workflow, l.revision, l.total, l.per_tenant
  FROM wanted w
  CROSS JOIN LATERAL (
    SELECT g.* FROM orchestrate_flow.workflow_limit g WHERE g.workflow = w.workflow FOR NO KEY UPDATE SKIP LOCKED) l
),
open_gate AS MATERIALIZED (
  SELECT g.* FROM gate g JOIN wanted w ON w.workflow = g.workflow WHERE w.revision = g.revision
),
${CHOOSE_AT_MOST},
chosen AS MATERIALIZED (
  SELECT r.id, k.workflow FROM ranked k
  CROSS JOIN LATERAL (
    SELECT r.id FROM orchestrate_flow.workflow_run r
    WHERE r.id = k.id AND r.admit_at IS NOT NULL AND r.status = 'pending'
    FOR NO KEY UPDATE SKIP LOCKED) r
  WHERE k.place <= k.places
),
admitted AS (
  UPDATE orchestrate_flow.workflow_run r
  SET admit_at = NULL, admitted_at = orchestrate_flow.now(), due_at = orchestrate_flow.now(), updated_at = orchestrate_flow.now()
  FROM chosen c WHERE r.id = c.id
),
raised AS (
  UPDATE orchestrate_flow.workflow_limit l SET revision = l.revision + 1
  WHERE l.workflow IN (SELECT c.workflow FROM chosen c)
)
SELECT ARRAY(SELECT c.id FROM chosen c) AS admitted,
  (SELECT count(*) FROM wanted) > (SELECT count(*) FROM open_gate) AS is_busy,
  (SELECT extract(epoch FROM min(r.admit_at) - orchestrate_flow.now())::float8 * 1000 FROM orchestrate_flow.workflow_run r
   WHERE r.workflow = ANY ($1::text[]) AND r.admit_at > orchestrate_flow.now()) AS next_due_ms`;

/** Runs that have to be given their turn: there is room for them. */
export const LIST_ADMISSIBLE = `
WITH RECURSIVE open_gate AS MATERIALIZED (
  SELECT l.workflow, l.total, l.per_tenant FROM orchestrate_flow.workflow_limit l WHERE ${IS_WANTED}
),
${CHOOSE_FEW}
SELECT id FROM ranked WHERE place <= places`;

/**
 * The limits of the build that boots last are in force. Of a workflow that has none any more whoever waits is let in. One row each,
 * in the order of their names.
 */
export const PUT_LIMITS = `
WITH put AS (
  INSERT INTO orchestrate_flow.workflow_limit AS l (workflow, total, per_tenant)
  SELECT n.workflow, n.total, n.per_tenant FROM unnest($1::text[], $2::int[], $3::int[]) AS n (workflow, total, per_tenant)
  ORDER BY n.workflow
  ON CONFLICT (workflow) DO UPDATE
  SET total = excluded.total, per_tenant = excluded.per_tenant, revision = l.revision + 1
  WHERE (l.total, l.per_tenant) IS DISTINCT FROM (excluded.total, excluded.per_tenant)
),
lifted AS (
  UPDATE orchestrate_flow.workflow_limit l SET total = NULL, per_tenant = NULL, revision = l.revision + 1
  WHERE l.workflow = ANY ($4::text[]) AND (l.total IS NOT NULL OR l.per_tenant IS NOT NULL)
)
SELECT u.workflow FROM unnest($1::text[]) AS u (workflow)
UNION
SELECT l.workflow FROM orchestrate_flow.workflow_limit l WHERE l.workflow = ANY ($4::text[])`;
