import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import { OrderWorkflow } from './order.workflow.js';
import { PaymentsService } from './payments.service.js';

describe('an order, in virtual time', () => {
  let flow: TestingFlow;

  beforeAll(async () => {
    flow = await createTestingFlow({ workflows: [OrderWorkflow], providers: [PaymentsService] });
  });

  afterAll(() => flow.close());

  it('is shipped once it is paid, at the second attempt', async () => {
    const run = await flow.orchestrator.start(OrderWorkflow, { id: 'order-2', items: ['book'] });
    await flow.advance('1m');
    expect(await flow.result(run)).toBe('book-reserved for 20, paid at attempt 2');
    expect(await flow.stepsOf(run.id)).toMatchObject({ charge: { status: 'completed', failures: 1 } });
  });
});
