import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { OrderWorkflow } from './order.workflow.js';
import { PaymentsService } from './payments.service.js';
import { Clerk, ReceiptWorkflow } from './receipt.workflow.js';

describe('workflows in virtual time', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({
      workflows: [OrderWorkflow, ReceiptWorkflow],
      providers: [PaymentsService, Clerk],
    });
  });

  afterAll(() => flow.close());

  it('an order is shipped once it is paid, at the second attempt', async () => {
    const run = await flow.orchestrator.start(OrderWorkflow, { id: 'order-2', items: ['book'] });
    await flow.advance('1m');
    expect(await flow.result(run)).toBe('book-reserved for 20, paid at attempt 2');
    expect(await flow.stepsOf(run.id)).toMatchObject({ charge: { status: 'completed', failures: 1 } });
  });

  it('a request-scoped workflow has an instance for the step, and its interceptor around it', async () => {
    const run = await flow.orchestrator.start(ReceiptWorkflow);
    expect(await flow.result(run)).toBe('signed at write, stamped in receipt');
  });

  it('a step of a request-scoped workflow can be stubbed', async () => {
    flow.stub(ReceiptWorkflow, 'write', () => 'a copy');
    const run = await flow.orchestrator.start(ReceiptWorkflow);
    expect(await flow.result(run)).toBe('a copy, stamped in receipt');
  });
});
