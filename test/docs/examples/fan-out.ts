import {
  Compensate,
  Ctx,
  Input,
  Item,
  type Orchestrator,
  Parallel,
  Results,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';

export class Billing {
  customers!: string[];
}

export class Bank {
  readonly log: string[] = [];

  async bill(customer: string, { idempotencyKey }: StepContext): Promise<string> {
    if (customer.startsWith('!')) throw new Error('No such customer.');
    this.log.push(idempotencyKey);
    return `bill of ${customer}`;
  }
}

@Workflow({ name: 'monthly-invoices' })
export class InvoicesWorkflow {
  static readonly input = Billing;
  static readonly output = 'report';

  constructor(private readonly bank: Bank) {}

  @Step()
  findCustomers(@Input() { customers }: Billing): string[] {
    return customers;
  }

  @Parallel({ maxItems: 20, tolerate: '10%', retry: { attempts: 5, delay: '1s' } }) // bill[0], bill[1], …: 20 at once
  bill(@Item('findCustomers') customer: string, @Ctx() step: StepContext): Promise<string> {
    return this.bank.bill(customer, step);
  }

  @Parallel()
  greet(@Item(({ input }: { input: Billing }) => input.customers.slice(0, 3)) customer: string): string {
    return `Dear ${customer}`;
  }

  @Step() // waits for all items
  report(@Results('bill') bills: string[], @Results('greet') letters: string[]): string {
    return `${bills.length} bills, ${letters.length} letters`;
  }

  @Compensate('bill') // with what has completed
  cancelBills(@Results('bill') bills: string[]): string {
    return `${bills.length} bills are void`;
  }
}

/** How far is it, and what became of the first hundred? */
export async function follow(orchestrator: Orchestrator, runId: string): Promise<string> {
  const step = (await orchestrator.steps(runId)).find(({ name }) => name === 'bill')!;
  const { items } = await orchestrator.items(runId, 'bill', { limit: 100 });
  const failed = items.filter(({ status }) => status === 'failed').map(({ item }) => item);
  return `${step.items?.completed} of ${step.items?.total}, without ${failed.join()}`;
}
