import { randomUUID } from 'node:crypto';

import type { StepContext, StepLogger } from '../definition/step-context.js';

/**
 * The context of an attempt, for the unit test of a single step: what `@Ctx()` would give it. What is left out is made up:
 * the first attempt of step `step` of a run of its own, with a signal that is never raised and a logger that says nothing.
 *
 * @example
 * const charge = await workflow.charge(order, stepContext({ attempt: 2 }));
 *
 * @publicApi
 */
export function stepContext(given: Partial<StepContext> = {}): StepContext {
  const { runId = randomUUID(), step = 'step' } = given;
  return {
    ...{ runId, step, workflow: 'workflow', tenant: null, attempt: 1, round: 1, signalName: null, outcome: null },
    ...{ heartbeat: say, lastHeartbeat: undefined },
    ...{ idempotencyKey: `${runId}:${step}`, signal: new AbortController().signal, logger: SILENT },
    ...given,
  };
}

const say = () => undefined;
const SILENT: StepLogger = { log: say, error: say, warn: say, debug: say, verbose: say };
