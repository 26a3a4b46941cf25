import { Injectable } from '@nestjs/common';
import { Ctx, Input, Step, type StepContext, type Verdict, Workflow } from 'orchestrate-flow';

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
