import { Injectable } from '@nestjs/common';
import {
  Ctx,
  Input,
  Item,
  Orchestrator,
  Parallel,
  Result,
  Results,
  SignalPayload,
  Sleep,
  Step,
  type StepContext,
  WaitForSignal,
  Workflow,
} from 'orchestrate-flow';

export class Claim {
  id!: string;
  amount!: number;
  witnesses!: string[];
}

export class Note {
  text!: string;
}

/** What was done, in order. */
@Injectable()
export class Office {
  readonly log: string[] = [];

  do(what: string): string {
    this.log.push(what);
    return what;
  }
}

@Workflow({ name: 'claim-handling' })
export class ClaimWorkflow {
  static readonly input = Claim;
  static readonly output = 'archive';

  constructor(private readonly office: Office) {}

  @Step() // 1 sequence: one after the other
  register(): string {
    return this.office.do('register');
  }

  @Parallel() // 2 parallel split: both begin
  checkPolicy(): string {
    return this.office.do('check policy');
  }

  @Parallel()
  checkDamage(): string {
    return this.office.do('check damage');
  }

  @Step() // 3 synchronization: once both have ended
  assess(@Result('checkPolicy') policy: string, @Result('checkDamage') damage: string): string {
    return this.office.do(`assess after ${[policy, damage].sort().join(' and ')}`);
  }

  isLarge(@Input() { amount }: Claim): boolean {
    return amount > 1_000;
  }

  isSmall(@Input() { amount }: Claim): boolean {
    return amount <= 1_000;
  }

  @Parallel({ group: 'payment', when: 'isLarge' }) // 4 exclusive choice: one of two
  payByBank(): string {
    return this.office.do('pay by bank');
  }

  @Parallel({ group: 'payment', when: 'isSmall' })
  payByCard(): string {
    return this.office.do('pay by card');
  }

  @Step() // 5 simple merge: whichever it was
  archive(
    @Result('payByBank', { optional: true }) bank: string | undefined,
    @Result('payByCard', { optional: true }) card: string | undefined,
  ): string {
    return this.office.do(`archive what was paid: ${bank ?? card}`);
  }
}

@Workflow({ name: 'emergency' })
export class EmergencyWorkflow {
  static readonly input = Claim;
  static readonly output = 'report';

  constructor(private readonly office: Office) {}

  isFire(@Input() { id }: Claim): boolean {
    return id.includes('fire');
  }

  isHurt(@Input() { id }: Claim): boolean {
    return id.includes('hurt');
  }

  @Parallel({ when: 'isFire' }) // 6 multi-choice: none, one or both
  sendEngine(): string {
    return this.office.do('engine');
  }

  @Parallel({ when: 'isHurt' })
  sendAmbulance(): string {
    return this.office.do('ambulance');
  }

  @Step() // 7 synchronizing merge: once all that were chosen have ended
  report(
    @Result('sendEngine', { optional: true }) engine: string | undefined,
    @Result('sendAmbulance', { optional: true }) ambulance: string | undefined,
  ): string {
    return [engine, ambulance].filter(Boolean).join(' and ');
  }

  @Step({ after: ['sendEngine'], beside: true }) // 8 multi-merge: what follows is done for each branch, when it comes
  billEngine(@Result('sendEngine') what: string): string {
    return this.bill(what);
  }

  @Step({ after: ['sendAmbulance'], beside: true })
  billAmbulance(@Result('sendAmbulance') what: string): string {
    return this.bill(what);
  }

  private bill(what: string): string {
    return this.office.do(`bill the ${what}`);
  }
}

@Workflow({ name: 'hearing' })
export class HearingWorkflow {
  static readonly input = Claim;
  static readonly output = 'verdict';
  static readonly signals = { heard: Note, settled: Note };

  constructor(private readonly office: Office) {}

  @Step({ maxItems: 1 }) // 17 interleaved parallel routing: all of them, in an order that the run finds, and never two at a time
  async hear(@Item('input.witnesses') witness: string): Promise<string> {
    this.office.do(`${witness} comes`);
    await Promise.resolve();
    return this.office.do(`${witness} goes`);
  }

  @WaitForSignal(['heard', 'settled'], { timeout: '30d', onTimeout: 'skip' }) // 16 deferred choice: whatever comes first
  decide(@Ctx() { signalName }: StepContext, @SignalPayload() { text }: Note): string {
    return this.office.do(`${signalName}: ${text}`);
  }

  @Step()
  verdict(@Results('hear') heard: string[], @Result('decide', { optional: true }) how: string | undefined): string {
    return `${heard.length} heard, ${how ?? 'and nobody came'}`;
  }
}

@Workflow({ name: 'tender' })
export class TenderWorkflow {
  static readonly input = Claim;
  static readonly output = 'award';
  static readonly signals = { ann: Note, bob: Note, eve: Note, withdraw: Note };

  @WaitForSignal('ann', { after: [] })
  askAnn(@SignalPayload() { text }: Note): string {
    return text;
  }

  @WaitForSignal('bob', { after: [] })
  askBob(@SignalPayload() { text }: Note): string {
    return text;
  }

  @WaitForSignal('eve', { after: [] })
  askEve(@SignalPayload() { text }: Note): string {
    return text;
  }

  @Step({ after: ['askAnn', 'askBob', 'askEve'], join: { atLeast: 2 } }) // 9 discriminator: the first two of three count
  award(
    @Result('askAnn', { optional: true }) ann: string | undefined,
    @Result('askBob', { optional: true }) bob: string | undefined,
    @Result('askEve', { optional: true }) eve: string | undefined,
  ): string {
    return [ann, bob, eve].filter(Boolean).join(' or ');
  }
}

@Workflow({ name: 'delivery' })
export class DeliveryWorkflow {
  static readonly signals = { address: Note, withdraw: Note };

  constructor(private readonly office: Office) {}

  @WaitForSignal('address', { after: [] }) // 18 milestone: an address can be changed until the parcel leaves
  changeAddress(@SignalPayload() { text }: Note): string {
    return this.office.do(`deliver to ${text}`);
  }

  @Sleep('2d', { after: [] })
  packing!: void;

  @Step({ after: ['changeAddress', 'packing'], join: 'any' }) // then the wait for one is given up
  leave(@Result('changeAddress', { optional: true }) address: string | undefined): string {
    return this.office.do(address ? 'leave for the new address' : 'leave');
  }

  @WaitForSignal('withdraw', { after: ['leave'], beside: true })
  withdraw(): string {
    return this.office.do('withdraw');
  }

  @Sleep('7d', { after: ['leave'], beside: true })
  travel!: void;

  @Step({ after: ['withdraw', 'travel'], join: 'any' }) // 19 cancel activity: it travels no longer, the run goes on
  end(@Result('withdraw', { optional: true }) withdrawn: string | undefined): string {
    return this.office.do(withdrawn ? 'turn back' : 'arrive');
  }
}

@Workflow({ name: 'mailing' })
export class MailingWorkflow {
  static readonly input = Claim;

  constructor(
    private readonly office: Office,
    private readonly orchestrator: Orchestrator,
  ) {}

  @Step() // 12 instances without synchronization: runs of their own, once each, and nobody waits
  async invite(@Input() claim: Claim, @Ctx() { idempotencyKey }: StepContext): Promise<void> {
    const runs = claim.witnesses.map((name) => ({ input: { ...claim, id: name }, key: `${idempotencyKey}:${name}` }));
    await this.orchestrator.startMany(EmergencyWorkflow, runs);
  }

  @Step({ after: ['invite'] }) // 13 as many instances as the page says
  copy(@Item(() => ['one for us', 'one for them']) copy: string): string {
    return this.office.do(copy);
  }

  @Step({ after: ['invite'], beside: true }) // 14 as many as the run says
  thank(@Item('input.witnesses') name: string): string {
    return this.office.do(`thank ${name}`);
  }
  // 11 implicit termination: the run has completed when nothing of it is left to do, wherever that is
}

/** 20 cancel case: nothing more of it begins, what runs is aborted, what was done is undone. */
export async function drop(orchestrator: Orchestrator, id: string): Promise<void> {
  await orchestrator.cancel(id, { reason: 'the claim was withdrawn' });
}
