import type { RunDetails, StepDetails } from 'orchestrate-flow';

/** What the shop's API says of a run: its input is the order, which stands beside it. */
export function toRunView({ id, status, failure, cancelReason, createdAt, endedAt }: RunDetails) {
  const reason = failure && { step: failure.step, message: messageOf(failure.error) };
  return { id, status, failure: reason, cancelReason, createdAt, endedAt };
}

export function toStepView(step: StepDetails) {
  const { name, status, attempt, crashes, startedAt, endedAt } = step;
  // Errors come back as errors, and those are empty in JSON.
  return { name, status, attempt, crashes, errors: step.errors.map(messageOf), startedAt, endedAt };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
