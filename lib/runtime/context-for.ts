import { Logger } from '@nestjs/common';

import type { StepContext } from '../definition/step-context.js';
import type { TakenSignal } from '../engine/ports.js';
import { MARK } from '../engine/run-state.js';
import type { Attempt } from './attempt.js';

/** What a step is told about its attempt. */
export function contextFor(
  attempt: Attempt,
  signal: TakenSignal | null,
  { heartbeat, lastHeartbeat }: Pick<StepContext, 'heartbeat' | 'lastHeartbeat'>,
): StepContext {
  const { run, node, claim } = attempt;
  const { rounds = 0 } = claim;
  const logger = new Logger(`${run.workflow}.${node.name} ${run.id}`);
  return {
    runId: run.id,
    workflow: run.workflow,
    tenant: run.tenant,
    step: node.name,
    attempt: claim.attempt,
    round: rounds + 1,
    idempotencyKey: `${run.id}:${node.name}${rounds === 0 ? '' : `#${rounds + 1}`}`,
    signal: attempt.signal,
    signalName: signal?.name ?? null,
    outcome: outcomeOf(attempt),
    heartbeat,
    lastHeartbeat,
    logger: logger,
  };
}

/** Of a compensation: what is known of the step that it undoes. */
function outcomeOf({ node, run, marks }: Attempt): StepContext['outcome'] {
  if (node.compensates === undefined) return null;
  const mark = marks[run.definition.graph.positions.get(node.compensates)!];
  return mark === MARK.completed || mark === MARK.late ? 'completed' : 'unknown';
}
