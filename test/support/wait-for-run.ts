import type { Orchestrator, RunDetails, RunStatus, StepDetails, StepStatus } from 'orchestrate-flow';

import { waitFor } from './wait-for.js';

/** Waits until a run has this status. */
export function waitForRun(orchestrator: Orchestrator, id: string, status: RunStatus): Promise<RunDetails> {
  return waitFor(`run ${id} is ${status}`, async () => {
    const run = await orchestrator.get(id);
    return run.status === status ? run : null;
  });
}

/** Waits until a step of a run has this status. */
export function waitForStep(
  orchestrator: Orchestrator,
  id: string,
  name: string,
  status: StepStatus,
): Promise<StepDetails> {
  return waitFor(`step ${name} of run ${id} is ${status}`, async () => {
    const step = await getStep(orchestrator, id, name);
    return step.status === status ? step : null;
  });
}

/** A step of a run as it stands. */
export async function getStep(orchestrator: Orchestrator, id: string, name: string): Promise<StepDetails> {
  const step = (await orchestrator.steps(id)).find((candidate) => candidate.name === name);
  if (!step) throw new Error(`Run ${id} has no step ${name}.`);
  return step;
}
