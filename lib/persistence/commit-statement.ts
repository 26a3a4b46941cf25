import type { NewRun, QueuedStepWrite, RunWrite } from '../engine/ports.js';
import { GATE } from './gate.js';
import { STEP_NAME } from './step-name.js';

/**
 * One commit as one statement, and so as one transaction that no stopped client can hold open:
 *
 * 1. `lane`     the lane is still at the commit that its owner believes in, else nothing happens
 * 2. `locked`   the runs that still are at the revision they were decided from, locked in the order of their ids
 * 3. `guarded`  the step rows that still are at the attempt whose outcome is reported, locked after the runs
 * 4. `valid`    the runs of 2 without those that miss a row of 3, or begin to wait for a signal while there is one that nobody
 *               has taken: what comes later finds the run waiting
 * 5. writes of valid runs, what the audit log says of them, and new runs; a new run whose id or key is taken is left out
 * 6. the lane's number is raised and the answer kept beside it, for a client whose connection breaks before it reads it
 *
 * Every row is found by its primary key: LATERAL and ON CONFLICT leave the planner hardly another way (a plan made while a
 * table is small would scan it when it is large; ARCHITECTURE.md has the gap that is left). A status in the join of 2 would make PostgreSQL
 * take an index of open runs, four times slower. `(… IN …) IS TRUE` keeps a hashed lookup where a plain IN becomes a loop
 * over the batch. A row is as old as its first attempt: what a dead worker leaves ready goes before what came since.
 */
export const COMMIT_BATCH = `
WITH lane AS MATERIALIZED (
  SELECT id FROM orchestrate_flow.workflow_lane WHERE id = $1 AND epoch = $2 AND commit_no = $3 FOR UPDATE
),
locked AS MATERIALIZED (
  SELECT b.*
  FROM unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::bool[],
    $46::bool[], $63::bool[])
    AS b (id, revision, status, state, worker, failed_step, failure, cancel_reason, ended, expects_no_signals, hurries)
  CROSS JOIN LATERAL (
    SELECT r.id FROM orchestrate_flow.workflow_run r
    WHERE r.id = b.id AND r.revision = b.revision
    FOR NO KEY UPDATE SKIP LOCKED) r
  WHERE (SELECT count(*) FROM lane) = 1
),
step AS MATERIALIZED (
  SELECT * FROM unnest($13::uuid[], $14::int[], $15::int[], $16::text[], $17::int[], $18::bool[], $19::text[], $20::int[],
    $21::int[], $22::int[], $23::uuid[], $24::text[], $25::int[], $26::text[], $27::text[], $28::float8[], $29::timestamptz[],
    $30::timestamptz[], $31::text[], $32::bool[], $45::text[], $50::bool[], $52::int[], $60::float8[], $61::bool[], $64::int[])
    AS s (run_id, definition, generation, name, guard_attempt, guard_running, status, attempt, failures, crashes, worker,
      queue, priority, result, error, delay_ms, started_at, due_at, stage, aborting, guard_stage, in_doubt, item, start_within_ms, paused, rounds)
),
guarded AS MATERIALIZED (
  SELECT b.run_id, b.name, b.item
  FROM step b
  CROSS JOIN LATERAL (
    SELECT s.run_id FROM orchestrate_flow.workflow_step s
    WHERE s.run_id = b.run_id AND s.generation = b.generation AND s.name = b.name AND s.item = b.item AND s.round = 0
      AND s.attempt = b.guard_attempt AND (s.status = 'running') = b.guard_running
      AND s.stage IS NOT DISTINCT FROM b.guard_stage
    FOR UPDATE SKIP LOCKED) s
  WHERE b.guard_attempt IS NOT NULL AND (b.run_id IN (SELECT id FROM locked)) IS TRUE
),
valid AS MATERIALIZED (
  SELECT l.* FROM locked l
  WHERE l.id NOT IN (
    SELECT b.run_id FROM step b
    WHERE b.guard_attempt IS NOT NULL AND (b.run_id, b.name, b.item) NOT IN (SELECT g.run_id, g.name, g.item FROM guarded g))
  AND NOT (l.expects_no_signals AND EXISTS (
    SELECT 1 FROM orchestrate_flow.workflow_signal g WHERE g.run_id = l.id AND g.step IS NULL))
),
advanced AS (
  UPDATE orchestrate_flow.workflow_run r
  SET revision = r.revision + 1,
      status = v.status,
      state = v.state,
      worker = v.worker,
      failed_step = coalesce(v.failed_step, r.failed_step),
      failure = coalesce(v.failure, r.failure),
      cancel_reason = coalesce(v.cancel_reason, r.cancel_reason),
      admit_at = CASE
        WHEN v.status NOT IN ('pending', 'paused') THEN NULL
        WHEN (r.status = 'failed' AND r.admitted_at IS NOT NULL) OR (v.hurries AND r.admit_at IS NOT NULL) THEN orchestrate_flow.now()
        ELSE r.admit_at END,
      admitted_at = CASE
        WHEN v.status IN ('pending', 'paused') AND r.status = 'failed' THEN NULL
        WHEN v.status NOT IN ('pending', 'paused') AND r.admit_at IS NOT NULL THEN orchestrate_flow.now()
        ELSE r.admitted_at END,
      due_at = CASE WHEN v.status IN ('pending', 'paused') THEN r.due_at END,
      deadline_at = CASE WHEN v.status IN ('pending', 'running', 'waiting', 'paused') THEN r.deadline_at END,
      started_at = CASE WHEN v.status IN ('running', 'waiting') THEN coalesce(r.started_at, orchestrate_flow.now()) ELSE r.started_at END,
      updated_at = orchestrate_flow.now(),
      ended_at = CASE WHEN v.ended THEN orchestrate_flow.now() END
  FROM valid v
  WHERE r.id = v.id
),
created AS (
  INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, worker, key, input_hash, priority,
    input, context, tags, tenant, admit_at, due_at, deadline_at, created_at, updated_at, started_at)
  SELECT n.id, n.workflow, n.definition, n.status, n.state, n.worker, n.key, decode(n.input_hash, 'hex'), n.priority,
    n.input, n.context, n.tags::text[], n.tenant,
    CASE WHEN n.gated THEN coalesce(n.due_at, orchestrate_flow.now() + coalesce(n.delay_ms, 0) * interval '1 millisecond') END,
    CASE WHEN NOT n.gated THEN coalesce(n.due_at, orchestrate_flow.now() + n.delay_ms * interval '1 millisecond') END,
    coalesce(n.due_at, orchestrate_flow.now() + coalesce(n.delay_ms, 0) * interval '1 millisecond')
      + n.deadline_ms * interval '1 millisecond',
    orchestrate_flow.now(), orchestrate_flow.now(), CASE WHEN n.status <> 'pending' THEN orchestrate_flow.now() END
  FROM unnest($33::uuid[], $34::text[], $35::int[], $36::text[], $37::text[], $38::uuid[], $39::text[], $40::text[],
    $41::int[], $42::text[], $43::float8[], $44::timestamptz[], $51::float8[], $53::text[], $58::text[], $59::text[], $62::bool[])
    AS n (id, workflow, definition, status, state, worker, key, input_hash, priority, input, delay_ms, due_at, deadline_ms, context, tags, tenant, gated)
  WHERE (SELECT count(*) FROM lane) = 1
  ON CONFLICT DO NOTHING
  RETURNING id
),
written AS (
  INSERT INTO orchestrate_flow.workflow_step AS s (run_id, definition, generation, name, item, status, attempt, failures, crashes,
    worker, queue, priority, result, errors, due_at, created_at, started_at, ended_at, stage, aborting, in_doubt, start_by, paused_at,
    rounds)
  SELECT b.run_id, b.definition, b.generation, b.name, b.item, b.status, b.attempt, b.failures, b.crashes, b.worker, b.queue,
    b.priority, b.result, CASE WHEN b.error IS NOT NULL THEN ARRAY[b.error] END,
    coalesce(b.due_at, orchestrate_flow.now() + b.delay_ms * interval '1 millisecond'),
    coalesce(b.started_at, orchestrate_flow.now()),
    coalesce(b.started_at, CASE WHEN b.status = 'running' THEN orchestrate_flow.now() END),
    CASE WHEN b.status IN ('completed', 'failed', 'cancelled', 'skipped', 'quarantined') THEN orchestrate_flow.now() END,
    b.stage, b.aborting, b.in_doubt,
    coalesce(b.due_at, orchestrate_flow.now() + coalesce(b.delay_ms, 0) * interval '1 millisecond')
      + b.start_within_ms * interval '1 millisecond',
    CASE WHEN b.paused THEN orchestrate_flow.now() END, b.rounds
  FROM step b
  WHERE (b.run_id IN (SELECT id FROM valid UNION ALL SELECT id FROM created)) IS TRUE
  ON CONFLICT (run_id, generation, name, item, round) DO UPDATE
  SET status = excluded.status, attempt = excluded.attempt, failures = excluded.failures, crashes = excluded.crashes,
      worker = excluded.worker, result = coalesce(excluded.result, s.result), due_at = excluded.due_at, ended_at = excluded.ended_at,
      errors = CASE WHEN excluded.errors IS NULL THEN s.errors ELSE s.errors || excluded.errors END,
      started_at = CASE WHEN excluded.aborting THEN s.started_at ELSE coalesce(excluded.started_at, s.started_at) END,
      stage = excluded.stage, aborting = excluded.aborting, in_doubt = excluded.in_doubt, start_by = excluded.start_by,
      paused_at = excluded.paused_at, rounds = excluded.rounds
),
taken AS (
  UPDATE orchestrate_flow.workflow_signal s SET seen = true, step = g.step
  FROM unnest($47::uuid[], $48::bigint[], $49::text[]) AS g (run_id, id, step)
  WHERE s.id = g.id AND (g.run_id IN (SELECT id FROM valid)) IS TRUE
),
audited AS (
  INSERT INTO orchestrate_flow.workflow_event (run_id, workflow, action, by, reason, created_at)
  SELECT e.run_id, (SELECT r.workflow FROM orchestrate_flow.workflow_run r WHERE r.id = e.run_id), e.action, e.by, e.reason,
    orchestrate_flow.now()
  FROM unnest($54::uuid[], $55::text[], $56::text[], $57::text[]) AS e (run_id, action, by, reason)
  WHERE (e.run_id IN (SELECT id FROM valid)) IS TRUE
),
answer AS MATERIALIZED (
  SELECT jsonb_build_object(
    'at', orchestrate_flow.now(),
    'stale', coalesce((SELECT jsonb_agg(id) FROM unnest($4::uuid[]) u (id) WHERE id NOT IN (SELECT id FROM valid)), '[]'),
    'taken', coalesce((SELECT jsonb_agg(id) FROM unnest($33::uuid[]) u (id) WHERE id NOT IN (SELECT id FROM created)), '[]')
  )::text AS text
),
closed AS (
  UPDATE orchestrate_flow.workflow_lane l
  SET commit_no = l.commit_no + 1, answer = a.text, used_at = statement_timestamp()
  FROM answer a
  WHERE l.id = $1 AND (SELECT count(*) FROM lane) = 1
  RETURNING l.answer
)
SELECT answer FROM closed`;

const WAITS: ReadonlySet<string> = new Set(['ready', 'retrying', 'waiting']);

/** The parameters of a commit, column by column. */
export function commitParameters(unordered: readonly RunWrite[], starts: readonly NewRun[]): unknown[] {
  // Locked in this order: two processes that commit the same runs wait for each other in one direction only.
  const runs = [...unordered].sort((one, other) => (one.id < other.id ? -1 : 1));
  const steps: [run: RunWrite | NewRun, step: QueuedStepWrite][] = [];
  for (const run of runs) for (const step of run.steps) steps.push([run, step]);
  for (const run of starts) for (const step of run.steps) steps.push([run, step]);
  const audit = runs.flatMap((run) => run.audit.map((note) => [run.id, note] as const));
  const signals = runs.flatMap((run) => run.signals.map((signal) => [run.id, signal] as const));
  return [
    runs.map((run) => run.id),
    runs.map((run) => run.revision),
    runs.map((run) => run.status),
    runs.map((run) => run.state),
    runs.map((run) => run.worker),
    runs.map((run) => run.failedStep),
    runs.map((run) => run.failure),
    runs.map((run) => run.cancelReason),
    runs.map((run) => run.ended),
    steps.map(([run]) => run.id),
    steps.map(([run]) => run.definition),
    steps.map(([run]) => ('generation' in run ? run.generation : 0)),
    steps.map(([, step]) => step.row.name),
    steps.map(([, step]) => step.guard?.attempt ?? null),
    steps.map(([, step]) => step.guard?.running ?? null),
    steps.map(([, step]) => step.status),
    steps.map(([, step]) => step.tally.attempt),
    steps.map(([, step]) => step.tally.failures),
    steps.map(([, step]) => step.tally.crashes),
    steps.map(([, step]) => step.worker),
    steps.map(([, step]) => step.queue),
    steps.map(([, step]) => step.priority),
    steps.map(([, step]) => step.result),
    steps.map(([, step]) => step.error),
    steps.map(([, step]) => step.delayMs),
    steps.map(([, step]) => step.startedAt),
    steps.map(([, step]) => step.dueAt),
    steps.map(([, step]) => step.tally.stage ?? null),
    steps.map(([, step]) => step.aborting),
    starts.map((run) => run.id),
    starts.map((run) => run.workflow),
    starts.map((run) => run.definition),
    starts.map((run) => run.status),
    starts.map((run) => run.state),
    starts.map((run) => run.worker),
    starts.map((run) => run.key),
    starts.map((run) => (run.inputHash === null ? null : Buffer.from(run.inputHash).toString('hex'))),
    starts.map((run) => run.priority),
    starts.map((run) => run.input),
    starts.map((run) => run.delayMs),
    starts.map((run) => run.dueAt),
    steps.map(([, step]) => step.guard?.stage ?? null),
    runs.map((run) => run.expectsNoSignals),
    signals.map(([runId]) => runId),
    signals.map(([, { id }]) => id),
    signals.map(([, { step }]) => step),
    steps.map(([, step]) => step.tally.inDoubt === true),
    starts.map((run) => run.deadlineMs),
    steps.map(([, step]) => step.row.item),
    starts.map((run) => run.context),
    audit.map(([runId]) => runId),
    audit.map(([, { action }]) => action),
    audit.map(([, { by }]) => by),
    audit.map(([, { reason }]) => reason),
    starts.map((run) => toTextArray(run.tags)),
    starts.map((run) => run.tenant),
    steps.map(([, step]) => step.startWithinMs),
    // What waits in a run that is paused is passed by.
    steps.map(([run, step]) => run.status === 'paused' && WAITS.has(step.status)),
    starts.map((run) => run.isGated),
    runs.map((run) => run.hurries),
    steps.map(([, step]) => step.tally.rounds ?? null),
  ];
}

/** As PostgreSQL reads a text[], or null where it is empty: few runs bear any, and an index leaves out those that do not. */
export function toTextArray(texts: readonly string[]): string | null {
  if (texts.length === 0) return null;
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join()}}`;
}

/** The answer of a commit, as the lane keeps it. */
export interface BatchAnswer {
  /** The database's time of the commit. */
  readonly at: string;
  /** Runs that had moved on. */
  readonly stale: ReadonlySet<string>;
  /** New runs whose id or key was taken. */
  readonly taken: ReadonlySet<string>;
}

export function parseAnswer(text: string): BatchAnswer {
  const { at, stale, taken } = JSON.parse(text) as { at: string; stale: string[]; taken: string[] };
  return { at, stale: new Set(stale), taken: new Set(taken) };
}

/** Locks runs and reads them: the beginning of a commit that must see them. */
export const LOCK_RUNS = `
SELECT id, workflow, definition, status, revision, generation, state, worker, priority, input, context, tenant, ${GATE}, failed_step, failure,
  cancel_reason, updated_at::text
FROM orchestrate_flow.workflow_run WHERE id = ANY ($1::uuid[]) ORDER BY workflow_run.id FOR NO KEY UPDATE`;

/** The same, without those that somebody holds: among many nobody waits for one. */
export const LOCK_FREE_RUNS = `${LOCK_RUNS} SKIP LOCKED`;

/** The open rows of runs whose rows are locked, locked too: a claim may be changing one at this moment. */
export const LOCK_OPEN_ROWS = `
SELECT r.id AS "runId", s.*
FROM unnest($1::uuid[], $2::int[]) AS r (id, generation)
CROSS JOIN LATERAL (
  SELECT ${STEP_NAME} AS name, status, attempt, failures, crashes, stage, in_doubt AS "inDoubt", rounds, worker, alone
  FROM orchestrate_flow.workflow_step
  WHERE run_id = r.id AND generation = r.generation AND status IN ('ready', 'running', 'retrying', 'waiting')
  ORDER BY workflow_step.name, item FOR UPDATE) s`;

/**
 * Signals to runs that nobody has taken. In a statement begun after the runs were locked: its snapshot shows what was sent by
 * then. A plain `id` in ORDER BY would be the text of the output, in which 10 comes before 9.
 */
export const READ_INBOXES = `
SELECT s.run_id AS "runId", s.id::text, s.name, s.seen
FROM orchestrate_flow.workflow_signal s WHERE s.run_id = ANY ($1::uuid[]) AND s.step IS NULL ORDER BY s.id`;

/**
 * A pause of a run whose row is locked begins ($3) or ends: claims pass by what is paused, and times come due all the same. Where a
 * worker has to take a step in time that does not count what it was paused for.
 */
export const PAUSE_ROWS = `
UPDATE orchestrate_flow.workflow_step s
SET paused_at = CASE WHEN $3::bool THEN orchestrate_flow.now() END,
  start_by = CASE WHEN s.status = 'ready' AND s.paused_at IS NOT NULL THEN s.start_by + (orchestrate_flow.now() - s.paused_at) ELSE s.start_by END
WHERE s.run_id = $1 AND s.generation = $2 AND s.status IN ('ready', 'retrying', 'waiting')`;

/**
 * Begins a new generation ($2) of a run whose row is locked: what is kept of it goes on into that, rows of steps with those of
 * their items, signals with the steps that took them. Of a fan-out that begins anew the items keep the results they have (also
 * where they had them from a generation before, and the last one ended before it came to them), and are otherwise as if they had never begun. What is not kept stays where it is: nobody looks there any more. Signals that
 * nobody has taken, or whose taker begins anew, are there for the run to look at.
 */
export const RENEW_RUN = `
WITH run AS (
  UPDATE orchestrate_flow.workflow_run SET generation = $2::int,
    failed_step = CASE WHEN $5::bool THEN NULL ELSE failed_step END, failure = CASE WHEN $5::bool THEN NULL ELSE failure END
  WHERE id = $1
),
items AS (
  UPDATE orchestrate_flow.workflow_step
  SET generation = $2::int, status = 'pending', attempt = 0, failures = 0, crashes = 0, errors = NULL, stage = NULL, aborting = false,
    in_doubt = false, alone = false, started_at = NULL, ended_at = NULL
  WHERE run_id = $1 AND generation = $2::int - 1 AND name = ANY ($4::text[]) AND item > 0 AND result IS NOT NULL
),
signals AS (
  UPDATE orchestrate_flow.workflow_signal SET step = NULL, seen = false
  WHERE run_id = $1 AND (step IS NULL OR step <> ALL ($3::text[]))
)
UPDATE orchestrate_flow.workflow_step SET generation = $2::int
WHERE run_id = $1 AND generation = $2::int - 1 AND name = ANY ($3::text[])`;
