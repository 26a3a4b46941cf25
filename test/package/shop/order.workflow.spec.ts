import { OrderWorkflow } from './order.workflow.js';

describe('OrderWorkflow', () => {
  const order = { id: 'order-1', items: ['book', 'pen'] };
  const workflow = new OrderWorkflow({ charge: async () => 7 } as never);

  it('reserves every item', () => {
    expect(workflow.reserve(order)).toEqual(['book-reserved', 'pen-reserved']);
  });

  it('ships what was charged and labelled', async () => {
    const charge = await workflow.charge(order, { attempt: 1 } as never);
    const label = await workflow.printLabel(workflow.reserve(order));
    expect(workflow.ship(charge, label)).toBe('book-reserved+pen-reserved for 7, paid at attempt 1');
  });
});
