import { NEEDS_ROWS, type Decision, type NeedsRows, type OpenRow, type Place, type RunView } from './decision.js';
import { Draft, sinceOf, tallyOf } from './draft.js';
import type { Asked, AttemptFailure, Claim, Fact, Quarantine, Unclaimed, WaitEnd } from './facts.js';
import { baseOf } from './indexed-graph.js';
import { findAnew } from './renewal.js';
import { findTurn, loseJoin } from './turns.js';
import { doubted, MARK, type Mark, type Tally } from './run-state.js';
import { computeBackoffMs } from './retry-policy.js';
import { isEnded, isStopping, type RunStatus } from './words.js';

/** Marks of steps that had their effect, or may have had it. */
const MAY_BE_DONE: ReadonlySet<Mark> = new Set([MARK.completed, MARK.late, MARK.failedInDoubt, MARK.cancelledInDoubt]);

/** Statuses of runs whose waiting steps take what is sent: while it is paused the code of such a step does not begin. */
const TAKES_SIGNALS: ReadonlySet<RunStatus> = new Set<RunStatus>(['running', 'waiting', 'paused']);

const NOT_ENDED: ReadonlySet<Mark> = new Set([
  MARK.pending,
  MARK.held,
  MARK.queued,
  MARK.waiting,
  MARK.fanned,
  MARK.aborting,
]);

const PLAIN_FAILURE = { retryable: false, retryAfterMs: null, aborted: false, inDoubt: false, random: 0 } as const;

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
    case 'step-admitted':
      return admitStep(draft, fact.claim);
    case 'step-skipped':
      return skipStep(draft, fact.claim);
    case 'step-expanded':
      return expandStep(draft, fact);
    case 'step-parked':
      return parkStep(draft, fact);
    case 'step-tried':
      return tryStep(draft, fact.claim, fact.result);
    case 'step-repeated':
      return repeatStep(draft, fact.claim, fact.error);
    case 'wait-ended':
      return endWait(draft, fact.claim, fact.end);
    case 'signalled':
      return receiveSignals(draft);
    case 'step-awake':
      return awakeStep(draft, fact.claim);
    case 'steps-unclaimed':
      return failUnclaimed(draft, fact.steps);
    case 'step-released':
      return releaseStep(draft, fact.claim);
    case 'workers-lost':
      return loseWorkers(draft, fact.workers, fact.quarantine);
    case 'cancel-requested':
      return cancel(draft, fact);
    case 'deadline-passed':
      return passDeadline(draft, fact.error);
    case 'terminate-requested':
      return terminate(draft, fact);
    case 'pause-requested':
      return pause(draft, fact);
    case 'resume-requested':
      return resume(draft, fact);
    case 'wake-requested':
      return wake(draft, fact);
    case 'retry-requested':
      return retry(draft, fact);
    default:
      return assertNever(fact);
  }
}

function begin(draft: Draft): NeedsRows | void {
  if (draft.status !== 'pending') return;
  // Whoever says that it has had its turn may know more than this view.
  if (draft.waitsForTurn) return draft.view.rows === null ? NEEDS_ROWS : undefined;
  draft.moveRun('running');
  if (draft.view.generation > 0) return giveTurns(draft, draft.positionsOf(MARK.pending));
  draft.view.graph.before.forEach((before, position) => {
    if (before.length === 0 && draft.markOf(position) === MARK.pending) draft.begin(position);
  });
}

// ── outcomes of attempts ───────────────────────────────────────────────────────────────────────────────────────────────

function completeStep(draft: Draft, claim: Claim, result: string): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  draft.complete(position, tallyOf(claim), result, claim.startedAt);
  draft.announce({ step: claim.step, status: 'completed', attempt: claim.attempt, error: null, delayMs: null });
  return goOn(draft, position);
}

/** A step has ended, and that may let others begin, or the run end. */
function goOn(draft: Draft, position: number): NeedsRows | void {
  if (draft.items.isItem(position)) return goOnWithItems(draft, baseOf(draft.view.graph, position));
  if (isStopping(draft.status)) return endIfSettled(draft);
  return giveTurns(draft, draft.view.graph.behind[position]!);
}

/** An item has ended: the next begins, or its fan-out has ended. */
function goOnWithItems(draft: Draft, fanOut: number): NeedsRows | void {
  draft.beginItems(fanOut);
  if (!draft.items.isSettled(fanOut)) return;
  endFanOut(draft, fanOut);
  return goOn(draft, fanOut);
}

function endFanOut(draft: Draft, fanOut: number): void {
  const { attempt } = draft.items.get(fanOut).tally;
  const status = draft.settleFanOut(fanOut);
  draft.announce({ step: draft.node(fanOut).name, status, attempt, error: null, delayMs: null });
}

/** Those of these steps that now have their turn begin, or are skipped, which may let others have theirs, or the run end. */
function giveTurns(draft: Draft, steps: readonly number[]): NeedsRows | void {
  const { behind } = draft.view.graph;
  // While the run is paused they do so when it is resumed.
  const waiting = draft.status === 'paused' ? [] : [...steps];
  // The list grows while it is walked, by those behind each step that ends.
  for (const next of waiting) {
    const turn = findTurn(draft, next);
    if (turn === 'skip') {
      draft.skip(next);
      announceEnd(draft, next, 'skipped', 0);
      waiting.push(...behind[next]!);
    } else if (turn === 'begin') {
      const losers = loseJoin(draft, next);
      if (losers === null) return NEEDS_ROWS;
      for (const { position: loser, attempt } of losers) {
        if (draft.markOf(loser) !== MARK.aborting) announceEnd(draft, loser, 'cancelled', attempt);
        waiting.push(...behind[loser]!);
      }
      draft.begin(next);
    }
  }
  if (draft.isAnythingOpen() || draft.isAnythingPending()) return;
  if (draft.status === 'compensating') endStopped(draft);
  else if (draft.status !== 'paused' || draft.notedFailure === null) draft.moveRun('completed');
}

function failStep(draft: Draft, claim: Claim, failure: AttemptFailure): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  const tally = { ...givenUp(draft, position, claim, failure.inDoubt), failures: claim.failures + 1 };
  if (isUnwanted(draft, position)) return endUnwanted(draft, position, claim, failure);

  const { retry: policy } = draft.node(position);
  if (failure.retryable && tally.failures < policy.attempts) {
    const delayMs = failure.retryAfterMs ?? computeBackoffMs(policy, tally.failures, failure.random);
    draft.retry(position, tally, delayMs, failure.error, claim.startedAt);
    draft.announce({ step: claim.step, status: 'retrying', attempt: claim.attempt, error: failure.error, delayMs });
    return;
  }
  const blame = judge(draft, position);
  if (!blame.isTolerated && mustSeeRows(draft, position)) return NEEDS_ROWS;
  draft.fail(position, tally, failure.error, claim.startedAt);
  draft.announce({ step: claim.step, status: 'failed', attempt: claim.attempt, error: failure.error, delayMs: null });
  return bearFailure(draft, position, blame, failure.error);
}

/** Steps that are still ready although they may not be any more have failed. That no attempt has is for the error to say. */
function failUnclaimed(draft: Draft, steps: readonly Unclaimed[]): NeedsRows | void {
  // While it is paused no worker may take them.
  if (isEnded(draft.status) || draft.status === 'paused') return;
  const { rows } = draft.view;
  if (rows === null) return NEEDS_ROWS;
  for (const unclaimed of steps) {
    const { step, attempt, error } = unclaimed;
    const row = rows.get(step);
    const isReady = row?.status === 'ready' && isSame(row, unclaimed) && draft.isOfNow(unclaimed);
    if (!isReady || draft.wasWritten(step)) continue;
    const position = draft.position(step)!;
    const blame = judge(draft, position);
    draft.failReady(position, tallyOf(row), error);
    draft.announce({ step, status: 'failed', attempt, error, delayMs: null });
    // The rows are at hand: whatever comes of it can be decided.
    void bearFailure(draft, position, blame, error);
  }
}

/** A step has failed for good: the run goes on all the same, or fails. */
function bearFailure(draft: Draft, position: number, blame: Blame, error: string): NeedsRows | void {
  const { name: step, kind } = draft.node(position);
  if (kind === 'compensation') noteHalfUndone(draft, step, error);
  blameFanOut(draft, position, blame, error);
  if (blame.isTolerated) return goOn(draft, position);
  failRun(draft, step, error);
}

/** What a failure for good means. To be asked before it is counted. */
interface Blame {
  /** The run goes on all the same. */
  readonly isTolerated: boolean;
  /** It is that of an item, and one more than its fan-out tolerates. */
  readonly isLastStraw: boolean;
}

function judge(draft: Draft, position: number): Blame {
  const { onFailure, kind } = draft.node(position);
  const isItem = draft.items.isItem(position);
  const isLastStraw = isItem && draft.items.isLastStraw(position);
  return { isLastStraw, isTolerated: onFailure === 'continue' || kind === 'compensation' || (isItem && !isLastStraw) };
}

/** One failure too many: no more items begin. */
function blameFanOut(draft: Draft, position: number, { isLastStraw }: Blame, error: string): void {
  if (isLastStraw) draft.blame(baseOf(draft.view.graph, position), error);
}

/** Whether a queued sibling is ready (and cancelled now) or running (and may still report) only its row knows. */
function mustSeeRows(draft: Draft, except: number | null): boolean {
  if (draft.view.rows !== null) return false;
  return [MARK.queued, MARK.waiting, MARK.fanned].some((mark) =>
    draft.positionsOf(mark).some((other) => other !== except),
  );
}

/** A run that is paused stops when it is resumed: what stops may be undone, and nothing begins now. */
function failRun(draft: Draft, step: string, error: string): void {
  const failure = draft.status === 'paused' ? draft.notedFailure : null;
  draft.failure = failure ?? { step, error };
  if (draft.status !== 'paused') stopFailed(draft);
}

function stopFailed(draft: Draft): void {
  draft.moveRun('failing');
  stop(draft);
}

/** A cancelled run of which something could not be undone has failed. */
function noteHalfUndone(draft: Draft, step: string, error: string): void {
  if (draft.view.failure === null) draft.failure ??= { step, error };
}

/** An attempt that was under way when its run was stopped, or its step was given up, has ended without a result. */
function endUnwanted(draft: Draft, position: number, claim: Claim, failure: AttemptFailure): NeedsRows | void {
  const isConsequence = failure.aborted || draft.markOf(position) === MARK.aborting;
  const status = isConsequence ? 'cancelled' : 'failed';
  const tally = givenUp(draft, position, claim, failure.inDoubt);
  if (isConsequence) draft.abort(position, tally, failure.error, claim.startedAt);
  else draft.fail(position, { ...tally, failures: claim.failures + 1 }, failure.error, claim.startedAt);
  draft.announce({ step: claim.step, status, attempt: claim.attempt, error: failure.error, delayMs: null });
  return goOn(draft, position);
}

function admitStep(draft: Draft, claim: Claim): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return free(draft, position, tallyOf(claim), claim.startedAt);
  const { delayMs, kind } = draft.node(position);
  if (kind === 'signal') return awaitSignal(draft, position, claim);
  if (delayMs === undefined) return draft.resume(position, tallyOf(claim), claim.startedAt);
  draft.park(position, tallyOf(claim), { stage: 'admitted', delayMs });
}

/** The step's condition was met: it takes the signal that is there for it, or waits for one. */
function awaitSignal(draft: Draft, position: number, claim: Claim): void {
  if (draft.takeSignal(position)) draft.resume(position, tallyOf(claim), claim.startedAt, 'received');
  else draft.parkForSignal(position, tallyOf(claim));
}

/** The time of a wait is over. A signal that came before it was ended is taken all the same. */
function endWait(draft: Draft, claim: Claim, end: WaitEnd): NeedsRows | void {
  const { inbox } = draft.view;
  const position = draft.position(claim.step);
  if (position !== undefined && isRunning(draft, position, claim) && !isUnwanted(draft, position)) {
    if (inbox === null) return NEEDS_ROWS;
    if (draft.takeSignal(position)) return draft.resume(position, tallyOf(claim), claim.startedAt, 'received');
  }
  if (end.kind === 'completes') return completeStep(draft, claim, end.result);
  if (end.kind === 'is skipped') return skipStep(draft, claim);
  return failStep(draft, claim, { ...PLAIN_FAILURE, error: end.error });
}

/** Whoever waits for a signal that is there takes it. */
function receiveSignals(draft: Draft): NeedsRows | void {
  if (isEnded(draft.status)) return;
  if (draft.view.inbox === null || draft.view.rows === null) return NEEDS_ROWS;
  if (TAKES_SIGNALS.has(draft.status)) {
    for (const position of draft.positionsOf(MARK.waiting)) {
      const waiting = draft.findWaitForSignal(position);
      if (waiting && draft.takeSignal(position)) draft.receive(position, waiting);
    }
  }
  draft.lookAtSignals();
}

function skipStep(draft: Draft, claim: Claim): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return free(draft, position, tallyOf(claim), claim.startedAt);
  draft.skipClaimed(position, tallyOf(claim), claim.startedAt);
  announceEnd(draft, position, 'skipped', claim.attempt);
  return goOn(draft, position);
}

/** The items of a fan-out are stored. One without any has ended. */
function expandStep(
  draft: Draft,
  { claim, count }: { readonly claim: Claim; readonly count: number },
): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return free(draft, position, tallyOf(claim), claim.startedAt);
  draft.expand(position, tallyOf(claim), count, claim.startedAt);
  if (!draft.items.isSettled(position)) return;
  endFanOut(draft, position);
  return goOn(draft, position);
}

function parkStep(
  draft: Draft,
  { claim, until, result }: { readonly claim: Claim; readonly until: string; readonly result: string },
): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return free(draft, position, tallyOf(claim), claim.startedAt);
  draft.park(position, tallyOf(claim), { stage: 'parked', dueAt: until, result });
}

/** What a round has given is recorded before anybody asks whether it is enough. Where nobody will, it is the step's result. */
function tryStep(draft: Draft, claim: Claim, result: string): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return completeStep(draft, claim, result);
  draft.record(position, tallyOf(claim), result, claim.startedAt);
}

/** The next round begins, now or when its time has come, unless there is none. */
function repeatStep(draft: Draft, claim: Claim, error: string): NeedsRows | void {
  const position = findRunning(draft, claim);
  if (position === undefined) return;
  if (isUnwanted(draft, position)) return settle(draft, position, claim);
  const { everyMs, max } = draft.node(position).repeat!;
  const rounds = (claim.rounds ?? 0) + 1;
  if (rounds >= max) return failStep(draft, claim, { ...PLAIN_FAILURE, error });
  draft.beginRound(position, claim, { rounds, everyMs });
}

/** From now on the run is no longer one that only waits. */
function awakeStep(draft: Draft, claim: Claim): void {
  const position = draft.position(claim.step);
  if (draft.isOfNow(claim) && position !== undefined && draft.markOf(position) === MARK.waiting) draft.rouse(position);
}

function releaseStep(draft: Draft, claim: Claim): NeedsRows | void {
  // Whoever hands it over does not know whether its transaction has come in.
  const isCommitted = isSame(draft.view.rows?.get(claim.step), { ...claim, stage: 'committed' });
  const known: Claim = isCommitted ? { ...claim, stage: 'committed' } : claim;
  const position = findRunning(draft, known);
  if (position === undefined) return;
  if (known.stage === 'committed') return settle(draft, position, known);
  return free(draft, position, givenUp(draft, position, claim, true), claim.startedAt);
}

/** The attempt's own transaction has come in with its result, whatever became of the attempt. */
function settle(draft: Draft, position: number, tally: Tally): NeedsRows | void {
  completeCommitted(draft, position, tally);
  return goOn(draft, position);
}

function completeCommitted(draft: Draft, position: number, tally: Tally): void {
  draft.complete(position, tallyOf(tally), null, null);
  const { name: step } = draft.node(position);
  draft.announce({ step, status: 'completed', attempt: tally.attempt, error: null, delayMs: null });
}

// ── workers that are no more ───────────────────────────────────────────────────────────────────────────────────────────

function loseWorkers(draft: Draft, workers: ReadonlySet<string>, limit: Quarantine): NeedsRows | void {
  if (isEnded(draft.status)) return;
  const { rows, worker } = draft.view;
  if (rows === null) return NEEDS_ROWS;
  for (const [step, row] of rows) {
    const position = draft.position(step);
    if (position === undefined || row.status !== 'running' || row.worker === null || !workers.has(row.worker)) continue;
    if (draft.wasWritten(step)) continue;
    if (row.stage === 'committed') void settle(draft, position, row);
    else if (isPoison(row, limit) && !isUnwanted(draft, position))
      quarantine(draft, position, crashed(row), limit.error);
    else free(draft, position, crashed(row), null);
  }
  if (worker === null || !workers.has(worker)) return;
  for (const [step, hold] of draft.heldSteps()) free(draft, draft.position(step)!, crashed(hold), sinceOf(hold));
}

/** Only a step that ran alone can be blamed for a death: any other may have been a bystander. */
function isPoison({ crashes, alone }: OpenRow, limit: Quarantine): boolean {
  return alone && crashes + 1 >= limit.crashes;
}

function quarantine(draft: Draft, position: number, tally: Tally, error: string): void {
  const { name: step } = draft.node(position);
  const blame = judge(draft, position);
  draft.quarantine(position, tally, error);
  draft.announce({ step, status: 'quarantined', attempt: tally.attempt, error, delayMs: null });
  // The rows are at hand: who has lost a worker is told under the run's lock.
  void bearFailure(draft, position, blame, error);
}

/** An attempt has ended without an outcome: the step waits for a worker again, or ends with its run or its join. */
function free(draft: Draft, position: number, tally: Tally, startedAt: string | null): NeedsRows | void {
  const isOver = isUnwanted(draft, position);
  if (isOver) draft.abort(position, tally, null, null);
  else draft.release(position, tally, startedAt);
  announceEnd(draft, position, isOver ? 'cancelled' : 'ready', tally.attempt);
  if (isOver) return goOn(draft, position);
}

/** Whether nobody wants this step's outcome any more. */
function isUnwanted(draft: Draft, position: number): boolean {
  return isStopping(draft.status) || draft.markOf(position) === MARK.aborting;
}

/** An attempt, or a wait for one, has ended without an outcome. */
function announceEnd(draft: Draft, position: number, status: 'cancelled' | 'ready' | 'skipped', attempt: number): void {
  draft.announce({ step: draft.node(position).name, status, attempt, error: null, delayMs: null });
}

// ── what people want ───────────────────────────────────────────────────────────────────────────────────────────────────

function cancel(draft: Draft, asked: Asked): NeedsRows | void {
  if (isEnded(draft.status) || isStopping(draft.status) || draft.status === 'compensating') return;
  if (mustSeeRows(draft, null)) return NEEDS_ROWS;
  draft.note('cancel', asked);
  draft.cancelReason = asked.reason;
  draft.failure = draft.notedFailure;
  if (draft.failure !== null) return stopFailed(draft);
  // One that was retried has done something that may have to be undone.
  if (draft.status !== 'pending' || draft.isRetried) draft.moveRun('cancelling');
  stop(draft);
}

/** The run fails in the first step that has not ended. What is being undone is not hurried. */
function passDeadline(draft: Draft, error: string): NeedsRows | void {
  if (isEnded(draft.status) || isStopping(draft.status) || draft.status === 'compensating') return;
  if (mustSeeRows(draft, null)) return NEEDS_ROWS;
  const step = draft.view.graph.nodes.find((_, position) => NOT_ENDED.has(draft.markOf(position)));
  if (draft.status === 'pending') draft.moveRun('running');
  draft.failure = draft.notedFailure ?? { step: step!.name, error };
  stopFailed(draft);
}

/** It ends here and now: what waits or runs is cancelled, and nothing is undone. */
function terminate(draft: Draft, asked: Asked): NeedsRows | void {
  if (isEnded(draft.status)) return;
  if (mustSeeRows(draft, null) || (draft.view.rows === null && draft.positionsOf(MARK.aborting).length > 0))
    return NEEDS_ROWS;
  draft.note('terminate', asked);
  draft.cancelReason = asked.reason ?? draft.cancelReason;
  draft.withdrawStarts();
  for (const position of draft.positionsOf(MARK.pending)) draft.drop(position);
  recordCommitted(draft);
  for (const { position, attempt } of draft.cancelOpen()) announceEnd(draft, position, 'cancelled', attempt);
  draft.moveRun('terminated');
}

/** What transactions of steps have brought in is done, although their attempts have not reported. */
function recordCommitted(draft: Draft): void {
  for (const [step, row] of draft.view.rows ?? []) {
    if (row.stage !== 'committed' || draft.wasWritten(step)) continue;
    completeCommitted(draft, draft.position(step)!, row);
  }
}

/** What runs may report, and what has come due becomes ready; but nothing begins. */
function pause(draft: Draft, asked: Asked): NeedsRows | void {
  if (draft.status !== 'pending' && draft.status !== 'running' && draft.status !== 'waiting') return;
  // Such a commit goes alone: the rows that wait are passed by from then on.
  if (draft.view.rows === null) return NEEDS_ROWS;
  draft.note('pause', asked);
  draft.postponeStarts();
  draft.moveRun('paused');
}

/** Whatever has its turn by now begins. A run in which a step has failed for good stops. */
function resume(draft: Draft, asked: Asked): NeedsRows | void {
  if (draft.status !== 'paused') return;
  if (draft.view.rows === null) return NEEDS_ROWS;
  draft.note('resume', asked);
  if (draft.isUntouched || draft.waitsForTurn) return draft.moveRun('pending');
  draft.failure = draft.notedFailure;
  if (draft.failure !== null) return stopFailed(draft);
  draft.moveRun('running');
  draft.freeRows();
  for (const fanOut of draft.positionsOf(MARK.fanned)) draft.beginItems(fanOut);
  return giveTurns(draft, [...draft.view.graph.nodes.keys()]);
}

/** Everything that waits for a time, be it its own or that of its next attempt, is ready. */
function wake(draft: Draft, asked: Asked): NeedsRows | void {
  if (draft.status === 'pending') {
    draft.note('wake', asked);
    return draft.waitsForTurn ? draft.hurry() : begin(draft);
  }
  if (isEnded(draft.status) || isStopping(draft.status) || draft.status === 'paused') return;
  if (mustSeeRows(draft, null)) return NEEDS_ROWS;
  const waiting = openSteps(draft).flatMap((position) => {
    const tally = draft.findWaitForTime(position);
    return tally ? [{ position, tally }] : [];
  });
  if (waiting.length > 0) draft.note('wake', asked);
  for (const { position, tally } of waiting) draft.wake(position, tally);
}

/** What failed begins anew, and with it what was cancelled when the run was stopped; what has completed keeps its results. */
function retry(draft: Draft, asked: Asked): NeedsRows | void {
  // What this very fold has ended is not written yet, and cannot be carried over.
  if (draft.status !== 'failed' || draft.view.status !== 'failed' || draft.hasBegunAnew) return;
  // Such a commit goes alone: what is kept is carried over in it.
  if (draft.view.rows === null) return NEEDS_ROWS;
  const { graph, state, failure } = draft.view;
  const anew = findAnew(graph, state.marks, failure!.step);
  if (anew === null) return;
  draft.note('retry', asked);
  // One that has limits waits for its turn, as it did before.
  if (!draft.renew(anew)) return;
  return giveTurns(draft, anew.positions);
}

/** Nothing new starts: what waits is cancelled here and now, what runs may still report. */
function stop(draft: Draft): void {
  draft.withdrawStarts();
  for (const position of draft.positionsOf(MARK.pending)) draft.drop(position);
  for (const fanOut of draft.positionsOf(MARK.fanned)) draft.items.close(fanOut, 'cancelled');
  for (const position of openSteps(draft)) {
    const waiting = draft.findWaiting(position);
    if (!waiting) continue;
    draft.cancelWaiting(position, tallyOf(waiting));
    announceEnd(draft, position, 'cancelled', waiting.attempt);
  }
  for (const fanOut of draft.positionsOf(MARK.fanned)) if (draft.items.isSettled(fanOut)) endFanOut(draft, fanOut);
  endIfSettled(draft);
}

/** Steps and items that wait or run, in rows of their own. */
function openSteps(draft: Draft): number[] {
  return [...draft.positionsOf(MARK.queued), ...draft.positionsOf(MARK.waiting), ...draft.openItems()];
}

function endIfSettled(draft: Draft): void {
  if (draft.isAnythingOpen()) return;
  if (draft.status !== 'pending' && beginToUndo(draft)) return;
  endStopped(draft);
}

function endStopped(draft: Draft): void {
  const hasFailed = draft.status === 'failing' || draft.failure !== null || draft.view.failure !== null;
  draft.moveRun(hasFailed ? 'failed' : 'cancelled');
}

/** Calls for the compensations of all that was done or may have been. @returns false where there is nothing to undo */
function beginToUndo(draft: Draft): boolean {
  const { nodes, positions } = draft.view.graph;
  const dormant = draft.positionsOf(MARK.dormant);
  const due = dormant.filter((one) => MAY_BE_DONE.has(draft.markOf(positions.get(nodes[one]!.compensates!)!)));
  if (due.length === 0) return false;
  draft.moveRun('compensating');
  for (const position of dormant) {
    if (due.includes(position)) draft.awaken(position);
    else draft.skip(position);
  }
  for (const position of due) if (findTurn(draft, position) === 'begin') draft.begin(position);
  return true;
}

// ── claims ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The position of the step whose running attempt this claim is; else the outcome is stale and changes nothing. */
function findRunning(draft: Draft, claim: Claim): number | undefined {
  const position = draft.position(claim.step);
  if (position !== undefined && isRunning(draft, position, claim)) return position;
  draft.stale.push(claim);
  return undefined;
}

function isRunning(draft: Draft, position: number, claim: Claim): boolean {
  if (!draft.isOfNow(claim)) return false;
  const mark = draft.markOf(position);
  if (mark === MARK.held) return isSame(draft.holdOf(claim.step), claim);
  if (mark !== MARK.queued && mark !== MARK.waiting && mark !== MARK.aborting) return false;
  const written = draft.findWritten(claim.step);
  // What this very fold has given up may still report in it.
  if (written) return mark === MARK.aborting && written.status === 'running' && isSame(written.tally, claim);
  const row = draft.view.rows?.get(claim.step);
  // Without the rows the commit's own guard on the attempt decides.
  return draft.view.rows === null || (row?.status === 'running' && isSame(row, claim));
}

/** An attempt that goes on after its condition was met is the same attempt and another claim. */
function isSame(tally: Tally | undefined, claim: Pick<Claim, 'attempt' | 'stage'>): boolean {
  return tally?.attempt === claim.attempt && tally.stage === claim.stage;
}

/** The counters of a step of which an attempt has ended, perhaps before its code had. Noted where somebody may have to undo it, or is asked what has come of it. */
function givenUp(draft: Draft, position: number, tally: Tally, inDoubt: boolean): Tally {
  // A transaction that has not come in has had no effect.
  const matters = draft.node(position).transactional === undefined;
  return { ...tallyOf(tally), ...doubted(matters && (inDoubt || tally.inDoubt)) };
}

function crashed(tally: Tally): Tally {
  return { ...tallyOf(tally), crashes: tally.crashes + 1 };
}

function assertNever(fact: never): never {
  throw new Error(`Unknown fact ${JSON.stringify(fact)}.`);
}
