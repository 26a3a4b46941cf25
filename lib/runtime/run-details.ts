import type { PayloadCodec } from '../engine/codec.js';
import type { IndexedGraph } from '../engine/indexed-graph.js';
import { messageOf } from '../engine/errors.js';
import type { BlockedStepView, ItemCounts, RunRecordView, StepRecordView } from '../engine/ports.js';
import { decodeRunState, MARK } from '../engine/run-state.js';
import { isEnded, type RunStatus, type StepStatus } from '../engine/words.js';

/**
 * Why a run does not go on by itself.
 *
 * @publicApi
 */
export interface RunBlock {
  /** The step that waits, or the item of a fan-out, as in `bill[7]`. */
  readonly step: string;
  /** What somebody has to see to. */
  readonly reason: string;
}

/**
 * A run as it stands.
 *
 * @publicApi
 */
export interface RunDetails {
  readonly id: string;
  readonly workflow: string;
  readonly status: RunStatus;
  /** Where a step of it waits for somebody to look whether it has been done: `orchestrator.resolve()`; else null. */
  readonly blocked: RunBlock | null;
  readonly key: string | null;
  readonly priority: number;
  /** Those of its workflow when it was started, and those of `start()`. */
  readonly tags: readonly string[];
  /** Whose it is, as `start()` was told, or null. */
  readonly tenant: string | null;
  readonly input: unknown;
  /** The step that failed and its error, once the run is failing or failed. */
  readonly failure: { readonly step: string; readonly error: unknown } | null;
  readonly cancelReason: string | null;
  /** When a pending run begins; where it waits for its turn, when it might have begun. */
  readonly dueAt: Date | null;
  /** `limit`: a pending run waits for its turn, by the limits of its workflow, from its start time on. Else null. */
  readonly waitsFor: 'limit' | null;
  /** When it must have ended; null without a deadline, and once it has been stopped. */
  readonly deadlineAt: Date | null;
  /** The schedule that has started it, or null. */
  readonly schedule: string | null;
  /** The occurrence of that schedule that it is of: when it was to be. For a triggered run, when that was. */
  readonly scheduledAt: Date | null;
  /** The run that has begun it in a `@Child`, with that step (`step[index]` of a fan-out), or null. That run may have been deleted. */
  readonly parent: { readonly runId: string; readonly step: string } | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/**
 * A step of a run as it stands.
 *
 * @publicApi
 */
export interface StepDetails {
  readonly name: string;
  readonly status: StepStatus;
  readonly queue: string;
  /** How often it was taken up. */
  readonly attempt: number;
  /** How many attempts failed. */
  readonly failures: number;
  /** How many attempts ended with their worker. */
  readonly crashes: number;
  /** The worker that runs it, while it is running. */
  readonly worker: string | null;
  /** Its result, once it has completed. */
  readonly result: unknown;
  /** The error of its last failed attempt, or null. */
  readonly error: unknown;
  /** The errors of all failed attempts, oldest first. */
  readonly errors: readonly unknown[];
  /** When its next attempt is due, while it is retrying, or until when it waits. */
  readonly dueAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** Of a fan-out whose list is known: how far its items are. */
  readonly items?: ItemCounts;
  /** Of a `@Child` that has begun a run: the id of that. */
  readonly childRunId?: string;
}

/**
 * A page of runs, newest first.
 *
 * @publicApi
 */
export interface RunPage {
  readonly runs: readonly RunDetails[];
  /** Pass it on as `cursor` for the next page; null on the last. */
  readonly nextCursor: string | null;
}

export function toRunDetails(
  record: RunRecordView,
  codec: PayloadCodec,
  blocks: readonly BlockedStepView[],
): RunDetails {
  const block = blocks.find(({ runId }) => runId === record.id);
  const { id, workflow, status, key, priority, tags, tenant, cancelReason, deadlineAt, createdAt, startedAt, endedAt } =
    record;
  const { schedule, scheduledAt, admitAt, parentId, parentStep } = record;
  const parent = parentId === null ? null : { runId: parentId, step: parentStep! };
  const failure = record.failure && { step: record.failure.step, error: codec.decodeError(record.failure.error) };
  const input = codec.decode(record.input);
  return {
    id,
    workflow,
    status,
    blocked: block ? { step: block.step, reason: messageOf(codec.decodeError(block.error)) } : null,
    key,
    priority,
    tags,
    tenant,
    input,
    failure,
    cancelReason,
    dueAt: record.dueAt ?? admitAt,
    waitsFor: admitAt === null ? null : 'limit',
    deadlineAt,
    schedule,
    scheduledAt,
    parent,
    createdAt,
    startedAt,
    endedAt,
  };
}

/** What belongs to steps and stands elsewhere, by their names. */
interface FoundAbout {
  readonly counts: ReadonlyMap<string, ItemCounts>;
  readonly children: ReadonlyMap<string, string>;
}

/** The steps of a run in the order of its graph: their rows, and the claims that lie in the run's state. */
export function toStepDetails(
  run: RunRecordView,
  graph: IndexedGraph,
  rows: readonly StepRecordView[],
  codec: PayloadCodec,
  { counts, children }: FoundAbout,
): StepDetails[] {
  const state = decodeRunState(run.state);
  const byName = new Map(rows.map((row) => [row.name, row]));
  return graph.nodes.map(({ name, queue }, position): StepDetails => {
    const row = byName.get(name);
    const child = children.get(name);
    if (row)
      return { ...fromRow(row, codec), ...countsOf(row, counts), ...(child !== undefined && { childRunId: child }) };
    const hold = state.holds.get(name);
    if (!hold) return { ...UNTOUCHED, name, queue, status: statusWithoutRow(run, state.marks[position]) };
    const startedAt = hold.since ? new Date(hold.since) : run.updatedAt;
    const { attempt, failures, crashes } = hold;
    return { ...UNTOUCHED, name, queue, status: 'running', attempt, failures, crashes, worker: run.worker, startedAt };
  });
}

/** A fan-out waits in its row while its items run. */
function countsOf({ name, status, stage }: StepRecordView, counts: ReadonlyMap<string, ItemCounts>) {
  const items = counts.get(name);
  if (!items || stage !== 'expanded') return {};
  return { items, ...(status === 'waiting' && { status: 'running' as const }) };
}

const UNTOUCHED = {
  attempt: 0,
  failures: 0,
  crashes: 0,
  worker: null,
  result: undefined,
  error: null,
  errors: [],
  dueAt: null,
  startedAt: null,
  endedAt: null,
} as const;

function statusWithoutRow(run: RunRecordView, mark: string | undefined): StepStatus {
  if (mark === MARK.skipped) return 'skipped';
  if (mark === MARK.dormant && isEnded(run.status)) return 'skipped';
  return mark === MARK.cancelled || isEnded(run.status) ? 'cancelled' : 'pending';
}

function fromRow(row: StepRecordView, codec: PayloadCodec): StepDetails {
  const errors = row.errors.map((error) => codec.decodeError(error));
  const { name, status, queue, attempt, failures, crashes, worker, dueAt, startedAt, endedAt } = row;
  const result = row.result === null || row.status !== 'completed' ? undefined : codec.decode(row.result);
  const error = errors.at(-1) ?? null;
  return { name, status, queue, attempt, failures, crashes, worker, result, error, errors, dueAt, startedAt, endedAt };
}
