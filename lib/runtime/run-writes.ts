import type { Decision, StepWrite } from '../engine/decision.js';
import type { NewRun, QueuedStepWrite, RunWrite } from '../engine/ports.js';
import { nodeOf, placeOf } from '../engine/indexed-graph.js';
import { encodeRunState, newRunState } from '../engine/run-state.js';
import { isEnded } from '../engine/words.js';
import { childIdOf } from './child-id.js';
import type { ShelvedDefinition } from './definition-shelf.js';
import type { OpenRun } from './open-run.js';

/** What a run to be born gets from its first decision, or, before its start time, from its definition. */
type Decided = 'workflow' | 'definition' | 'status' | 'state' | 'worker' | 'wakes' | 'steps';

/** A run to start. */
export interface StartRequest extends Omit<NewRun, Decided> {
  readonly definition: ShelvedDefinition;
}

/** What a decision changes in a run, for the door. */
export function toRunWrite(run: OpenRun, decision: Decision): RunWrite {
  return {
    id: run.id,
    definition: run.definition.id,
    generation: run.generation + (decision.renewal ? 1 : 0),
    revision: run.revision,
    priority: run.priority,
    status: decision.status,
    state: encodeRunState(decision.state),
    worker: decision.worker,
    failedStep: decision.failure?.step ?? null,
    failure: decision.failure?.error ?? null,
    cancelReason: decision.cancelReason,
    ended: isEnded(decision.status),
    expectsNoSignals: decision.expectsNoSignals,
    signals: decision.signals,
    births: decision.births,
    orders: decision.orders.map(({ step, order }) => ({ child: childIdOf(run.id, run.generation, step), order })),
    audit: decision.audit,
    renewal: decision.renewal,
    pause: decision.pause,
    hurries: decision.hurries,
    steps: queuedWrites(run.definition, run.priority, decision),
  };
}

/** A run to be born with its first decision, or, before its start time, without one. */
export function toNewRun({ definition, ...request }: StartRequest, decision: Decision | null): NewRun {
  const { graph } = definition;
  const state = decision?.state ?? newRunState(graph.nodes);
  return {
    ...request,
    workflow: graph.graph.workflow,
    definition: definition.id,
    status: decision?.status ?? 'pending',
    state: encodeRunState(state),
    worker: decision?.worker ?? null,
    wakes: decision ? queuesOf(definition, decision) : [graph.nodes[0]!.queue],
    steps: decision ? queuedWrites(definition, request.priority, decision) : [],
  };
}

/** Those with ready steps, and those of steps that wait for a time: of a near one a worker has to know. */
function queuesOf({ graph }: ShelvedDefinition, { rings, writes }: Decision): string[] {
  const waiting = writes.filter(({ status }) => status === 'waiting');
  const queues = waiting.map(({ step }) => nodeOf(graph, step).queue);
  return [...new Set([...rings, ...queues])];
}

/** A run's own priority comes before its steps': lower runs first, as in BullMQ. */
function queuedWrites({ graph }: ShelvedDefinition, runPriority: number, { writes }: Decision): QueuedStepWrite[] {
  return writes.map((write) => {
    const node = nodeOf(graph, write.step);
    const { queue, priority, startWithinMs = null } = node;
    const row = { row: placeOf(node), queue, priority: runPriority + priority };
    return { ...write, ...row, startWithinMs: willBeReady(write) ? startWithinMs : null };
  });
}

/** Whether it is ready, or will be when its time has come. */
function willBeReady({ status, delayMs, dueAt }: StepWrite): boolean {
  return status === 'ready' || delayMs !== null || dueAt !== null;
}
