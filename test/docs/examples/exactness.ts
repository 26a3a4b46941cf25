import { Injectable } from '@nestjs/common';
import { Ctx, Input, type Orchestrator, Step, type StepContext, type Verdict, Workflow } from 'orchestrate-flow';

export class Order {
  amount!: number;
}

export class Charge {
  id!: string;
  amount!: number;
}

/** Takes no idempotency key, and can be asked. */
@Injectable()
export class OldBank {
  readonly charges = new Map<string, Charge>();

  async charge(reference: string, amount: number): Promise<Charge> {
    const charge = { id: `charge ${this.charges.size + 1}`, amount };
    this.charges.set(reference, charge);
    return charge;
  }

  async find(reference: string): Promise<Charge | undefined> {
    return this.charges.get(reference);
  }
}

@Workflow({ name: 'charge-once' })
export class ChargeOnceWorkflow {
  static readonly input = Order;
  static readonly output = 'charge';

  constructor(private readonly bank: OldBank) {}

  @Step({ timeout: '30s', verify: 'wasCharged' })
  charge(@Input() { amount }: Order, @Ctx() { idempotencyKey }: StepContext): Promise<Charge> {
    return this.bank.charge(idempotencyKey, amount);
  }

  async wasCharged(@Ctx() { idempotencyKey }: StepContext): Promise<Verdict<Charge>> {
    const charge = await this.bank.find(idempotencyKey); // throw where the bank cannot tell: it is asked again
    return charge ? { done: true, result: charge } : { done: false };
  }
}

/** Can be paid out by hand too, and nobody can ask it. */
@Workflow({ name: 'pay-out' })
export class PayOutWorkflow {
  static readonly input = Order;
  static readonly output = 'transfer';

  constructor(private readonly bank: OldBank) {}

  @Step({ timeout: '30s', effect: 'external' }) // never blindly a second time
  transfer(@Input() { amount }: Order, @Ctx() { idempotencyKey }: StepContext): Promise<Charge> {
    return this.bank.charge(idempotencyKey, amount);
  }
}

/** Somebody has looked: these transfers have been made. */
export async function settleDoubts(orchestrator: Orchestrator, made: ReadonlyMap<string, Charge>): Promise<string[]> {
  const { runs } = await orchestrator.list({ workflow: PayOutWorkflow, blocked: true });
  for (const { id, blocked } of runs) {
    const charge = made.get(id);
    const found = charge ? { done: true, result: charge } : { done: false }; // completes with it, or is run again
    await orchestrator.resolve(id, blocked!.step, found, { by: 'Ann', reason: 'the statement of 2 January' });
  }
  return runs.map(({ blocked }) => blocked!.reason);
}
