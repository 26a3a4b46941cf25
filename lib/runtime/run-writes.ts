import type { Decision } from '../engine/decision.js';
import type { NewRun, QueuedStepWrite, RunWrite } from '../engine/ports.js';
import { encodeRunState, newRunState } from '../engine/run-state.js';
import { isEnded } from '../engine/words.js';
import type { ShelvedDefinition } from './definition-shelf.js';
import type { OpenRun } from './open-run.js';

/** A run to start. */
export interface StartRequest {
  readonly id: string;
  readonly definition: ShelvedDefinition;
  readonly key: string | null;
  readonly inputHash: Uint8Array | null;
  readonly priority: number;
  /** Encoded. */
  readonly input: string;
  readonly delayMs: number | null;
}

/** What a decision changes in a run, for the door. */
export function toRunWrite(run: OpenRun, decision: Decision): RunWrite {
  return {
    id: run.id,
    definition: run.definition.id,
    generation: run.generation,
    revision: run.revision,
    priority: run.priority,
    status: decision.status,
    state: encodeRunState(decision.state),
    worker: decision.worker,
    failedStep: decision.failure?.step ?? null,
    failure: decision.failure?.error ?? null,
    cancelReason: decision.cancelReason,
    ended: isEnded(decision.status),
    steps: queuedWrites(run.definition, run.priority, decision),
  };
}

/** A run to be born with its first decision, or, before its start time, without one. */
export function toNewRun(
  { id, definition, key, inputHash, priority, input, delayMs }: StartRequest,
  decision: Decision | null,
): NewRun {
  const { graph } = definition;
  const state = decision?.state ?? newRunState(graph.nodes.length);
  return {
    id,
    workflow: graph.graph.workflow,
    definition: definition.id,
    status: decision ? 'running' : 'pending',
    state: encodeRunState(state),
    worker: decision?.worker ?? null,
    key,
    inputHash,
    priority,
    input,
    delayMs,
    wakes: decision ? [...decision.rings] : [graph.nodes[0]!.queue],
    steps: decision ? queuedWrites(definition, priority, decision) : [],
  };
}

/** A run's own priority comes before its steps': lower runs first, as in BullMQ. */
function queuedWrites({ graph }: ShelvedDefinition, runPriority: number, { writes }: Decision): QueuedStepWrite[] {
  return writes.map((write) => {
    const node = graph.nodes[graph.positions.get(write.step)!]!;
    return { ...write, queue: node.queue, priority: runPriority + node.priority };
  });
}
