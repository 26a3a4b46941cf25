import { show } from '../definition/option-readers.js';
import { findChildContent } from '../definition/child-request.js';
import type { WorkflowRegistry } from '../definition/registry.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import type { PayloadCodec } from '../engine/codec.js';
import { findDurationMs } from '../engine/duration.js';
import { ChildFailedError, OrchestrateFlowError } from '../engine/errors.js';
import type { Fact } from '../engine/facts.js';
import { noticeOfChild } from '../engine/notices.js';
import type { NewRun, RunStore } from '../engine/ports.js';
import type { EndStatus } from '../engine/words.js';
import type { Attempt } from './attempt.js';
import { childIdOf } from './child-id.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { InputDesk } from './input-desk.js';
import { toNewRun } from './run-writes.js';
import { readChildOptions } from './start-options.js';

export interface ChildDeskPorts {
  readonly registry: WorkflowRegistry;
  readonly shelf: DefinitionShelf;
  readonly inputs: InputDesk;
  readonly codec: PayloadCodec;
  readonly store: Pick<RunStore, 'loadSignal' | 'findEnded'>;
  /** Reads as often as it takes, also in a run that was stopped: what has come of a child is recorded whoever wants it. */
  readonly untilRead: <T>(attempt: Attempt, read: () => Promise<T>) => Promise<T>;
}

/** How a child has ended, as it told its parent: later a retry may have let it go on. */
interface ChildEnd {
  readonly status: EndStatus;
  /** Encoded. */
  readonly failure: string | null;
  readonly reason: string | null;
}

interface ChildStart {
  readonly workflow: WorkflowClass | string;
  readonly input: unknown;
  readonly options: unknown;
}

/** What `@Child` steps ask for, and what has come of it. */
export class ChildDesk {
  constructor(private readonly ports: ChildDeskPorts) {}

  /**
   * What the method of the step has returned, as a fact.
   *
   * @throws OrchestrateFlowError `OF_CHILD_INVALID`, `OF_WORKFLOW_UNKNOWN`, `OF_ARGUMENT_INVALID`; InputInvalidError, ValueNotStorableError
   */
  async request(attempt: Attempt, returned: unknown): Promise<Fact> {
    const { claim, node } = attempt;
    const { codec } = this.ports;
    const asked = findChildContent(returned);
    if (asked === null) throw notAsked(attempt, returned);
    if ('output' in asked) {
      const result = codec.encode(asked.output, `the result of step "${node.name}"`);
      return { type: 'step-completed', claim, result };
    }
    const { detached, ...child } = await this.toChild(attempt, asked);
    const result = detached ? codec.encode({ runId: child.id }, `the result of step "${node.name}"`) : null;
    return { type: 'child-requested', claim, child, result };
  }

  /** What has come of the child, of which the step has been told. */
  async end(attempt: Attempt): Promise<Fact> {
    const { claim, node, run } = attempt;
    const { store, codec, untilRead } = this.ports;
    const told = await untilRead(attempt, () => store.loadSignal(run.id, node.name));
    const childId = childIdOf(run.id, run.generation, node.name);
    const [child] = await untilRead(attempt, () => store.findEnded([childId]));
    if (!told) throw corrupt(attempt, 'how its child has ended');
    const { status, failure, reason } = JSON.parse(told.payload) as ChildEnd;
    if (status === 'completed') {
      if (!child) throw corrupt(attempt, 'its child');
      return { type: 'step-completed', claim, result: child.output ?? codec.encode(undefined, 'nothing') };
    }
    const cause = failure === null ? undefined : codec.decodeError(failure);
    const error = new ChildFailedError(childId, child?.workflow ?? '?', status, { cause, reason });
    return {
      type: 'step-failed',
      claim,
      failure: {
        error: codec.encodeError(error),
        retryable: false,
        retryAfterMs: null,
        aborted: attempt.abortReason !== null,
        // One that has failed, or was cancelled, has undone what it did; one that was terminated has not.
        inDoubt: status === 'terminated',
        random: 0,
      },
    };
  }

  private async toChild(
    { run, node }: Attempt,
    { workflow, input, options }: ChildStart,
  ): Promise<NewRun & { readonly detached: boolean }> {
    const { registry, shelf, inputs } = this.ports;
    const { detached, delay, deadline, startAt, tags = [], priority = run.priority } = readChildOptions(options);
    const code = registry.get(workflow);
    const text = await inputs.encode(code, input);
    const dueAt = startAt?.toISOString() ?? null;
    const deadlineMs = deadline === undefined ? code.graph.deadlineMs : findDurationMs(deadline);
    const notice = detached ? null : noticeOfChild(run.generation, node.name);
    const request = {
      id: childIdOf(run.id, run.generation, node.name),
      definition: shelf.currentOf(code),
      ...{ key: null, inputHash: null, priority, input: text, context: run.context, tenant: run.tenant },
      tags: [...new Set([...code.tags, ...tags])],
      // Like a scheduled run it is born before it begins, so that whoever sees it first lets it begin.
      delayMs: dueAt === null ? ((delay === undefined ? null : findDurationMs(delay)) ?? 0) : null,
      dueAt,
      deadlineMs: deadlineMs ?? null,
      isGated: code.limits !== null,
      parent: { runId: run.id, step: node.name, notice },
    };
    return { ...toNewRun(request, null), detached };
  }
}

function notAsked({ run, node }: Attempt, returned: unknown): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_CHILD_INVALID',
    `Cannot go on with step "${node.name}" of run ${run.id}: Expected ${run.workflow}.${node.item?.of ?? node.name}() to return child(…), got ${show(returned)}.`,
  );
}

function corrupt({ run, node }: Attempt, what: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_STATE_CORRUPT',
    `Cannot go on with step "${node.name}" of run ${run.id}: ${what} is not in the store.`,
  );
}
