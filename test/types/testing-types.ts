// What must compile of orchestrate-flow/testing, and behind each @ts-expect-error what must not. Checked by `tsc --noEmit`;
// nothing here runs.
import { Test } from '@nestjs/testing';
import {
  createTestingFlow,
  OrchestrateFlowTestingModule,
  stepContext,
  withVirtualTime,
} from '../../lib/testing/index.js';
import type { StepStub, TestingFlow } from '../../lib/testing/index.js';
import { OrderWorkflow } from './workflow-types.js';

export async function use(flow: TestingFlow): Promise<void> {
  flow.stub(OrderWorkflow, 'charge', () => ({ chargeId: 'c' }));
  flow.stub(OrderWorkflow, 'charge', async (step) => ({ chargeId: step.idempotencyKey }));
  flow.stub(OrderWorkflow, 'charge', () => {
    throw new Error('declined');
  });
  const stub: StepStub<typeof OrderWorkflow, 'notify'> = flow.stub(OrderWorkflow, 'notify', (lines, charge) => {
    void [lines[0]?.sku, charge?.chargeId];
  });
  stub.calls[0]?.[0].map(({ sku }) => sku.length);
  // @ts-expect-error no such step
  flow.stub(OrderWorkflow, 'chrge', () => ({ chargeId: 'c' }));
  // @ts-expect-error not what the step gives
  flow.stub(OrderWorkflow, 'charge', () => ({ amount: 1 }));
  // @ts-expect-error not what the step gives, in a promise
  flow.stub(OrderWorkflow, 'charge', async () => 'charged');
  // @ts-expect-error not what the step takes
  flow.stub(OrderWorkflow, 'charge', (amount: number) => ({ chargeId: String(amount) }));
  // @ts-expect-error private methods are no steps of others
  flow.stub(OrderWorkflow, 'secret', () => 1);
  await flow.advance('3d');
  // @ts-expect-error not a duration
  await flow.advance('3 days');
  const [waiting] = await flow.drain({ timeout: '1s' });
  waiting?.dueAt.getTime();
  const run = await flow.orchestrator.start(OrderWorkflow, { id: '1', items: [] });
  (await flow.result(run)).tracking.toUpperCase();
  stepContext({ attempt: 2, signal: AbortSignal.timeout(1) });
  // @ts-expect-error no such thing in a context
  stepContext({ attemp: 2 });
  await withVirtualTime(Test.createTestingModule({ imports: [OrchestrateFlowTestingModule.forRoot()] })).compile();
  await createTestingFlow({ workflows: [OrderWorkflow], providers: [{ provide: String, useValue: '' }], lease: '5s' });
  // @ts-expect-error the database of a test is not chosen that way
  await createTestingFlow({ workflows: [OrderWorkflow], embedded: true });
}
