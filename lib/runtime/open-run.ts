import type { Decision, Renewal, RunFailure, RunView } from '../engine/decision.js';
import type { Claim, Fact } from '../engine/facts.js';
import type { Gate } from '../engine/limits.js';
import type { LockedRun, StoredRun } from '../engine/ports.js';
import { decodeRunState, MARK, type RunState } from '../engine/run-state.js';
import type { RunStatus } from '../engine/words.js';
import type { Attempt } from './attempt.js';
import type { ShelvedDefinition } from './definition-shelf.js';

/** A fact on its way into a run. */
export interface PendingFact {
  readonly fact: Fact;
  /** The queue whose slot the ended attempt holds until its outcome is committed. */
  readonly slot: string | null;
  /** Whether the database has refused this fact's values and they were replaced. */
  readonly replaced?: boolean;
  /** Told when the fact has been folded into a commit, or has come too late. */
  readonly settle?: ((error?: Error) => void) | undefined;
}

/** What a run has from its start on. */
type Birth = Pick<StoredRun, 'id' | 'priority' | 'input' | 'context' | 'tenant' | 'reportsTo'>;

/** A run on which this process works: its newest committed state as far as known here, and what waits to be committed. */
export class OpenRun {
  facts: PendingFact[] = [];
  /** One commit of a run is under way per process; later facts wait for its answer. */
  isCommitting = false;
  /** The next commit goes alone: the last one missed, or the engine has to see the open rows. */
  mustLock = false;
  /** So many of the facts that wait are committed one by one: the database has refused a value of one of them. */
  apart = 0;
  readonly attempts = new Map<string, Attempt>();
  /** Encoded results of completed steps, as far as this process knows them. */
  readonly results = new Map<string, string>();
  readonly id: string;
  readonly priority: number;
  readonly input: string;
  readonly context: string | null;
  readonly tenant: string | null;
  /** The parent that waits for its end, or null. */
  readonly reportsTo: string | null;
  status!: RunStatus;
  revision!: number;
  generation = 0;
  gate: Gate | null = null;
  state!: RunState;
  worker!: string | null;
  failure: RunFailure | null = null;
  cancelReason: string | null = null;
  private updatedAt!: string;

  constructor(
    readonly definition: ShelvedDefinition,
    born: Birth,
  ) {
    this.id = born.id;
    this.priority = born.priority;
    this.input = born.input;
    this.context = born.context;
    this.tenant = born.tenant;
    this.reportsTo = born.reportsTo ?? null;
  }

  static from(stored: StoredRun, definition: ShelvedDefinition): OpenRun {
    const run = new OpenRun(definition, stored);
    run.refresh(stored);
    return run;
  }

  get workflow(): string {
    return this.definition.graph.graph.workflow;
  }

  get isIdle(): boolean {
    return !this.isCommitting && this.facts.length === 0 && this.attempts.size === 0;
  }

  /** Takes over what the store says. */
  refresh(stored: StoredRun): void {
    if (stored.generation !== this.generation) this.results.clear();
    this.status = stored.status;
    this.revision = stored.revision;
    this.generation = stored.generation;
    this.gate = stored.gate;
    this.worker = stored.worker;
    this.failure = stored.failure;
    this.cancelReason = stored.cancelReason;
    this.updatedAt = stored.updatedAt;
    this.state = dated(decodeRunState(stored.state), this.updatedAt);
  }

  /** Takes over what a commit has just written. */
  advance(decision: Decision, revision: number, at: string): void {
    if (decision.renewal) this.renew(decision.renewal);
    const rests = decision.status === 'pending' || decision.status === 'paused';
    if (decision.renewal && rests && this.gate !== null) this.gate = 'waits';
    this.status = decision.status;
    this.revision = revision;
    this.worker = decision.worker;
    this.failure ??= decision.failure;
    this.cancelReason ??= decision.cancelReason;
    this.updatedAt = at;
    this.state = dated(decision.state, at);
  }

  private renew({ forgetsFailure }: Renewal): void {
    this.generation += 1;
    this.results.clear();
    if (forgetsFailure) this.failure = null;
  }

  view(locked: Pick<LockedRun, 'rows' | 'inbox'> | null): RunView {
    const { status, state, generation, gate, worker, failure } = this;
    const { rows = null, inbox = null } = locked ?? {};
    return { graph: this.definition.graph, status, state, generation, gate, worker, failure, inbox, rows };
  }

  takeFacts(): PendingFact[] {
    if (this.apart === 0) return this.facts.splice(0);
    this.apart -= 1;
    return this.facts.splice(0, 1);
  }

  /** Puts facts back whose commit missed, before those that came since. */
  returnFacts(facts: readonly PendingFact[]): void {
    this.facts = [...facts, ...this.facts];
  }

  /** Whether the step has completed, and not after it had lost a join. */
  hasCompleted(step: string): boolean {
    return this.state.marks[this.definition.graph.positions.get(step)!] === MARK.completed;
  }

  /** Whether this claim runs here. */
  isRunning({ step, attempt, generation }: Claim): boolean {
    const claim = this.attempts.get(step)?.claim;
    return claim?.attempt === attempt && claim.generation === generation;
  }
}

/** A claim made by the newest commit carries no time in the stored state: it is the commit's own. */
function dated(state: RunState, at: string): RunState {
  if (state.holds.size === 0) return state;
  const holds = [...state.holds].map(([step, hold]) => [step, hold.since ? hold : { ...hold, since: at }] as const);
  return { ...state, holds: new Map(holds) };
}
