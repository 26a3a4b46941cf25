import { stepContext, type TestingFlow } from 'orchestrate-flow/testing';

import { OrderWorkflow, PaymentsService } from './authoring.js';
import { SubscriptionWorkflow } from './control-flow.js';

/** A step is a plain method. */
export function chargeOnce() {
  const workflow = new OrderWorkflow(new PaymentsService());
  return workflow.charge({ id: 'o1', items: [] }, stepContext({ attempt: 2 }));
}

/** A run of weeks takes a moment: time stands still until the test sets it. */
export async function renewsInTime(flow: TestingFlow): Promise<string[]> {
  const remind = flow.stub(
    SubscriptionWorkflow,
    'remind',
    (at) => `reminded at ${at.getTime() - flow.now().getTime()}`,
  );
  const endsAt = new Date(flow.now().getTime() + 30 * 86_400_000);
  const run = await flow.orchestrator.start(SubscriptionWorkflow, { endsAt });
  await flow.advance('23d');
  const due = await flow.drain(); // what waits for a time now
  await flow.advance('7d');
  return [`${remind.calls.length} call`, `${due[0]?.step} waits`, await run.result()];
}
