import { NEEDS_ROWS, type Decision, type NeedsRows, type OpenRow, type Place, type RunView } from './decision.js';
import { Draft } from './draft.js';
import type { AttemptFailure, Claim, Fact, Quarantine } from './facts.js';
import { MARK, type Tally } from './run-state.js';
import { computeBackoffMs } from './retry-policy.js';
import { isEnded, isStopping } from './words.js';

/**
 * What happens next in a run, given what has happened. Pure: the same view, facts and place give the same decision.
 * Several facts are folded in their order, so that one commit carries them all.
 *
 * @returns the decision, or `needs-rows` where it depends on open rows that the view does not show, or would refuse an
 * outcome although nobody has checked that the view is the newest
 */
export function decide(view: RunView, facts: readonly Fact[], place: Place): Decision | NeedsRows {
  const draft = new Draft(view, place);
  for (const fact of facts) {
    if (fold(draft, fact) === NEEDS_ROWS) return NEEDS_ROWS;
  }
  const decision = draft.toDecision();
  // Where nothing is written no guard checks the view, and it may itself be what is late.
  if (decision.stale.length > 0 && !decision.changed && view.rows === null) return NEEDS_ROWS;
  return decision;
}

function fold(draft: Draft, fact: Fact): NeedsRows | void {
  switch (fact.type) {
    case 'begun':
      return begin(draft);
    case 'step-completed':
      return completeStep(draft, fact.claim, fact.result);
    case 'step-failed':
      return failStep(draft, fact.claim, fact.failure);
    case 'step-released':
      return releaseStep(draft, fact.claim);
    case 'workers-lost':
      return loseWorkers(draft, fact.workers, fact.quarantine);
    case 'cancel-requested':
      return cancel(draft, fact.reason);
    default:
      return assertNever(fact);
  }
}

function begin(draft: Draft): void {
  if (draft.status !== 'pending') return;
  draft.moveRun('running');
  draft.view.graph.before.forEach((before, position) => {
    if (before.length === 0) draft.begin(position);
  });
}

function completeStep(draft: Draft, claim: Claim, result: string): void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  draft.complete(position, tallyOf(claim), result, claim.startedAt);
  draft.announce({ step: claim.step, status: 'completed', attempt: claim.attempt, error: null, delayMs: null });
  if (isStopping(draft.status)) return endIfSettled(draft);
  if (draft.isEverythingCompleted()) return draft.moveRun('completed');
  for (const next of draft.view.graph.behind[position]!) {
    if (isReady(draft, next)) draft.begin(next);
  }
}

function isReady(draft: Draft, position: number): boolean {
  return draft.view.graph.before[position]!.every((before) => draft.markOf(before) === MARK.completed);
}

function failStep(draft: Draft, claim: Claim, failure: AttemptFailure): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  const tally = { ...tallyOf(claim), failures: claim.failures + 1 };
  if (isStopping(draft.status)) return endStopped(draft, position, claim, failure);

  const policy = draft.node(position).retry;
  if (failure.retryable && tally.failures < policy.attempts) {
    const delayMs = failure.retryAfterMs ?? computeBackoffMs(policy, tally.failures, failure.random);
    draft.retry(position, tally, delayMs, failure.error, claim.startedAt);
    draft.announce({ step: claim.step, status: 'retrying', attempt: claim.attempt, error: failure.error, delayMs });
    return;
  }
  // Whether a queued sibling is ready (and cancelled now) or running (and may still report) only its row knows.
  const siblings = draft.positionsOf(MARK.queued).filter((other) => other !== position);
  if (siblings.length > 0 && draft.view.rows === null) return NEEDS_ROWS;
  draft.fail(position, tally, failure.error, claim.startedAt);
  draft.announce({ step: claim.step, status: 'failed', attempt: claim.attempt, error: failure.error, delayMs: null });
  failRun(draft, claim.step, failure.error);
}

function failRun(draft: Draft, step: string, error: string): void {
  draft.failure = { step, error };
  draft.moveRun('failing');
  stop(draft);
}

/** An attempt that was under way when its run was stopped has ended without a result. */
function endStopped(draft: Draft, position: number, claim: Claim, failure: AttemptFailure): void {
  const status = failure.aborted ? 'cancelled' : 'failed';
  if (failure.aborted) draft.abort(position, tallyOf(claim), failure.error, claim.startedAt);
  else draft.fail(position, { ...tallyOf(claim), failures: claim.failures + 1 }, failure.error, claim.startedAt);
  draft.announce({ step: claim.step, status, attempt: claim.attempt, error: failure.error, delayMs: null });
  endIfSettled(draft);
}

function releaseStep(draft: Draft, claim: Claim): void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  free(draft, position, tallyOf(claim), claim.startedAt);
}

function loseWorkers(draft: Draft, workers: ReadonlySet<string>, limit: Quarantine): NeedsRows | void {
  if (isEnded(draft.status)) return;
  const { rows, worker } = draft.view;
  if (rows === null) return NEEDS_ROWS;
  for (const [step, row] of rows) {
    const position = draft.position(step);
    if (position === undefined || row.status !== 'running' || row.worker === null || !workers.has(row.worker)) continue;
    if (draft.wasWritten(step)) continue;
    if (isPoison(row, limit) && !isStopping(draft.status)) quarantine(draft, position, crashed(row), limit.error);
    else free(draft, position, crashed(row), null);
  }
  if (worker === null || !workers.has(worker)) return;
  for (const [step, hold] of draft.heldSteps()) free(draft, draft.position(step)!, crashed(hold), hold.since ?? null);
}

/** Only a step that ran alone can be blamed for a death: any other may have been a bystander. */
function isPoison({ crashes, alone }: OpenRow, limit: Quarantine): boolean {
  return alone && crashes + 1 >= limit.crashes;
}

function quarantine(draft: Draft, position: number, tally: Tally, error: string): void {
  const step = draft.node(position).name;
  draft.quarantine(position, tally, error);
  draft.announce({ step, status: 'quarantined', attempt: tally.attempt, error, delayMs: null });
  failRun(draft, step, error);
}

/** An attempt has ended without an outcome: the step waits for a worker again, or ends with its stopped run. */
function free(draft: Draft, position: number, tally: Tally, startedAt: string | null): void {
  const stopping = isStopping(draft.status);
  if (stopping) draft.abort(position, tally, null, null);
  else draft.release(position, tally, startedAt);
  announceEnd(draft, position, stopping ? 'cancelled' : 'ready', tally.attempt);
  if (stopping) endIfSettled(draft);
}

/** An attempt, or a wait for one, has ended without an outcome. */
function announceEnd(draft: Draft, position: number, status: 'cancelled' | 'ready', attempt: number): void {
  draft.announce({ step: draft.node(position).name, status, attempt, error: null, delayMs: null });
}

function cancel(draft: Draft, reason: string | null): NeedsRows | void {
  if (isEnded(draft.status) || isStopping(draft.status)) return;
  if (draft.view.rows === null && draft.positionsOf(MARK.queued).length > 0) return NEEDS_ROWS;
  draft.cancelReason = reason;
  if (draft.status === 'running') draft.moveRun('cancelling');
  stop(draft);
}

/** Nothing new starts: what waits is cancelled here and now, what runs may still report. */
function stop(draft: Draft): void {
  draft.withdrawStarts();
  for (const position of draft.positionsOf(MARK.pending)) draft.drop(position);
  for (const position of draft.positionsOf(MARK.queued)) {
    const waiting = draft.findWaiting(position);
    if (!waiting) continue;
    draft.cancelWaiting(position, tallyOf(waiting));
    announceEnd(draft, position, 'cancelled', waiting.attempt);
  }
  endIfSettled(draft);
}

function endIfSettled(draft: Draft): void {
  if (draft.isAnythingOpen()) return;
  draft.moveRun(draft.status === 'failing' ? 'failed' : 'cancelled');
}

/** The position of the step whose running attempt this claim is; else the outcome is stale and changes nothing. */
function findRunning(draft: Draft, claim: Claim): number | undefined {
  const position = draft.position(claim.step);
  if (position !== undefined && isRunning(draft, position, claim)) return position;
  draft.stale.push(claim);
  return undefined;
}

function isRunning(draft: Draft, position: number, claim: Claim): boolean {
  const mark = draft.markOf(position);
  if (mark === MARK.held) return draft.holdOf(claim.step)?.attempt === claim.attempt;
  if (mark !== MARK.queued || draft.wasWritten(claim.step)) return false;
  const row = draft.view.rows?.get(claim.step);
  // Without the rows the commit's own guard on the attempt decides.
  return draft.view.rows === null || (row?.status === 'running' && row.attempt === claim.attempt);
}

function tallyOf({ attempt, failures, crashes }: Tally): Tally {
  return { attempt, failures, crashes };
}

function crashed(tally: Tally): Tally {
  return { ...tallyOf(tally), crashes: tally.crashes + 1 };
}

function assertNever(fact: never): never {
  throw new Error(`Unknown fact ${JSON.stringify(fact)}.`);
}
