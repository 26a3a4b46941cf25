import { decide } from '../engine/decide.js';
import type { Decision, StartHere } from '../engine/decision.js';
import { nodeOf } from '../engine/indexed-graph.js';
import type { LockedRun, RunWrite } from '../engine/ports.js';
import { newRunState } from '../engine/run-state.js';
import type { ShelvedDefinition } from './definition-shelf.js';
import type { OpenRun, PendingFact } from './open-run.js';
import { toRunWrite, type StartRequest } from './run-writes.js';
import type { SlotOffice } from './slot-office.js';
import type { WorkerSelf } from './worker-self.js';

/** A fold under way: what was decided from which facts, and the slots taken for what starts here. */
export interface Folded {
  readonly facts: readonly PendingFact[];
  readonly decision: Decision | null;
  readonly write: RunWrite | null;
  /** As which worker this process decided. */
  readonly worker: string;
  /** Slots by queue that the ended attempts give back, and that the steps which start here use. */
  readonly own: ReadonlyMap<string, number>;
  readonly used: ReadonlyMap<string, number>;
}

/** Folds facts into decisions: shows the engine the run and the free slots, and takes the slots of what starts here. */
export class Folder {
  constructor(
    private readonly slots: SlotOffice,
    private readonly self: WorkerSelf,
  ) {}

  fold(run: OpenRun, facts: readonly PendingFact[], locked: Pick<LockedRun, 'rows' | 'inbox'> | null): Folded {
    const own = countSlots(facts);
    // A process may move a run whose code it lacks: wake it, or free what a dead worker held. It begins none of its steps.
    const slots = run.definition.code ? this.slots.offer(own) : NO_SLOTS;
    const place = { worker: this.self.id, slots };
    const decision = decide(
      run.view(locked),
      facts.map(({ fact }) => fact),
      place,
    );
    if (decision.kind === 'needs-rows')
      return { facts, own, used: NO_SLOTS, decision: null, write: null, worker: place.worker };
    const used = this.slots.use(own, queuesOf(run.definition, decision.starts));
    const write = decision.changed ? toRunWrite(run, decision) : null;
    return { facts, own, used, decision, write, worker: place.worker };
  }

  /** The commit did not come to pass: slots taken for it are free again, those of the ended attempts are still theirs. */
  undo({ own, used }: Folded): void {
    this.slots.giveBack(used, own);
  }

  /** The first decision of a run. `held`: one that claims nothing here. */
  foldStart(request: StartRequest, held: boolean): Folded {
    if (request.delayMs !== null || request.dueAt !== null || request.isGated) return nothingFolded([]);
    const { graph } = request.definition;
    const view = {
      graph,
      status: 'pending',
      state: newRunState(graph.nodes),
      generation: 0,
      gate: null,
      worker: null,
      failure: null,
      // Nobody can have sent anything yet.
      inbox: [],
      rows: null,
    } as const;
    const slots = held ? NO_SLOTS : this.slots.offer(NO_SLOTS);
    const worker = this.self.id;
    const decision = decide(view, [{ type: 'begun' }], { worker, slots });
    if (decision.kind === 'needs-rows') throw new Error('A run that begins has no rows to see.');
    const used = this.slots.use(NO_SLOTS, queuesOf(request.definition, decision.starts));
    return { facts: [], own: NO_SLOTS, used, decision, write: null, worker };
  }
}

export const NO_SLOTS: ReadonlyMap<string, number> = new Map();

/** Facts that nothing was decided from. */
export function nothingFolded(facts: readonly PendingFact[]): Folded {
  return { facts, decision: null, write: null, own: countSlots(facts), used: NO_SLOTS, worker: '' };
}

function countSlots(facts: readonly PendingFact[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { slot } of facts) if (slot !== null) counts.set(slot, (counts.get(slot) ?? 0) + 1);
  return counts;
}

/** The queue of a step. */
function queueOf({ graph }: ShelvedDefinition, step: string): string {
  return nodeOf(graph, step).queue;
}

function queuesOf(definition: ShelvedDefinition, starts: readonly StartHere[]): string[] {
  return starts.map(({ step }) => queueOf(definition, step));
}
