import {
  Ctx,
  Failure,
  Input,
  Parallel,
  Repeat,
  Result,
  Sleep,
  SleepUntil,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';

export class OfferRequest {
  amount!: number;
}

export interface Offer {
  from: string;
  price: number;
}

export class SupplierService {
  async ask(from: string, { amount }: OfferRequest): Promise<Offer> {
    return { from, price: amount * 2 };
  }
}

@Workflow({ name: 'offer' })
export class OfferWorkflow {
  static readonly input = OfferRequest;
  static readonly output = 'answer';

  constructor(private readonly suppliers: SupplierService) {}

  // A condition is a public method that returns a boolean, and takes parameters as a step does.
  isLarge(@Input() request: OfferRequest): boolean {
    return request.amount > 1_000;
  }

  @Step({ when: 'isLarge' }) // skipped where it is not met; the page goes on
  approve(@Input() request: OfferRequest): string {
    return `${request.amount} pieces are approved`;
  }

  @Parallel()
  askNorth(@Input() request: OfferRequest): Promise<Offer> {
    return this.suppliers.ask('north', request);
  }

  @Parallel()
  askSouth(@Input() request: OfferRequest): Promise<Offer> {
    return this.suppliers.ask('south', request);
  }

  @Step({ after: ['askNorth', 'askSouth'], join: 'any' }) // the first offer wins, the other attempt is aborted
  choose(
    @Result('askNorth', { optional: true }) north: Offer | undefined,
    @Result('askSouth', { optional: true }) south: Offer | undefined,
  ): Offer {
    return (north ?? south)!;
  }

  @Sleep('3d') coolDown!: void; // a row with a time: no worker, no memory

  @Step({ retry: 2, onFailure: 'continue' }) // its failure for good does not end the run
  notify(@Result('choose') offer: Offer): void {
    if (offer.price > 1_000_000) throw new Error('Nobody may sign that.');
  }

  @Step()
  answer(
    @Result('choose') offer: Offer,
    @Result('approve', { optional: true }) approval: string | undefined,
    @Failure('notify') failure: Error | undefined,
  ): string {
    return [`${offer.price}`, approval, failure?.message].filter(Boolean).join(', ');
  }
}

export class Ticket {
  kind!: string;
}

@Workflow({ name: 'ticket' })
export class TicketWorkflow {
  static readonly input = Ticket;
  static readonly output = 'close';

  isRefund(@Input() { kind }: Ticket): boolean {
    return kind === 'refund';
  }
  isRepair(@Input() { kind }: Ticket): boolean {
    return kind === 'repair';
  }

  @Parallel({ when: 'isRefund' })
  refund(): string {
    return 'refunded';
  }

  @Parallel({ when: 'isRepair' })
  repair(): string {
    return 'repaired';
  }

  @Step() // the branches come together on the page
  close(
    @Result('refund', { optional: true }) refunded: string | undefined,
    @Result('repair', { optional: true }) repaired: string | undefined,
  ): string {
    return refunded ?? repaired ?? 'answered';
  }
}

@Workflow({ name: 'vote' })
export class VoteWorkflow {
  static readonly output = 'decide';

  @Parallel()
  askAnn(): boolean {
    return true;
  }

  @Parallel()
  askBob(): boolean {
    return true;
  }

  @Parallel({ delay: '1d' }) // asked a day later, if the others have not decided by then
  askEve(): boolean {
    return false;
  }

  @Step({ after: ['askAnn', 'askBob', 'askEve'], join: { atLeast: 2 } })
  decide(
    @Result('askAnn', { optional: true }) ann: boolean | undefined,
    @Result('askBob', { optional: true }) bob: boolean | undefined,
    @Result('askEve', { optional: true }) eve: boolean | undefined,
  ): number {
    return [ann, bob, eve].filter((vote) => vote === true).length;
  }
}

export class Subscription {
  endsAt!: Date;
}

@Workflow({ name: 'subscription' })
export class SubscriptionWorkflow {
  static readonly input = Subscription;
  static readonly output = 'renew';

  @SleepUntil() // the Date that it returns; one that has passed is no wait
  weekBefore(@Input() { endsAt }: Subscription): Date {
    return new Date(endsAt.getTime() - 7 * 86_400_000);
  }

  @Step()
  remind(@Result('weekBefore') at: Date): string {
    return `reminded on ${at.toISOString().slice(0, 10)}`;
  }

  @Step({ delay: '7d' })
  renew(@Result('remind') reminded: string): string {
    return `${reminded}, renewed`;
  }
}

@Workflow({ name: 'render-film' })
export class FilmWorkflow {
  static readonly output = 'publish';

  isRendered(@Result('render') percent: number): boolean {
    return percent >= 100;
  }

  @Step({ retry: 5 }) // of each round
  @Repeat({ until: 'isRendered', every: '10m', max: 144 }) // for a day, and between the rounds it holds no worker
  render(@Ctx() { round }: StepContext, @Result('render', { optional: true }) percent: number | undefined): number {
    return (percent ?? 0) + 10 * round; // what the round before has given
  }

  @Step()
  publish(@Result('render') percent: number): string {
    return `published at ${percent} %`;
  }
}
