import {
  Compensate,
  Ctx,
  Input,
  Parallel,
  Result,
  SignalPayload,
  Sleep,
  Step,
  WaitForSignal,
  Workflow,
  type Orchestrator,
  type Run,
  type StepContext,
} from 'orchestrate-flow';

export class Purchase {
  id!: string;
  total!: number;
}

export class DeliveryProof {
  signedBy!: string;
}

/** What the shop's partners were told, in order. */
export class Partners {
  readonly calls: string[] = [];
  private readonly answers = new Map<string, string>();

  /** What is asked again under the same key is answered again, and done once. */
  async call(what: string, idempotencyKey = what): Promise<string> {
    const earlier = this.answers.get(idempotencyKey);
    if (earlier !== undefined) return earlier;
    this.answers.set(idempotencyKey, what);
    this.calls.push(what);
    return what;
  }
}

@Workflow({ name: 'fulfilment', deadline: '30d' }) // after that it fails where it stands, and undoes what it did
export class FulfilmentWorkflow {
  static readonly input = Purchase;
  static readonly output = 'askForReview';
  static readonly signals = { delivered: DeliveryProof }; // types run.signal(), and is validated there

  constructor(private readonly partners: Partners) {}

  @Parallel({ retry: { attempts: 5, delay: '1s' } })
  charge(@Input() { id, total }: Purchase, @Ctx() { idempotencyKey }: StepContext): Promise<string> {
    return this.partners.call(`charge ${total} for ${id}`, idempotencyKey);
  }

  @Parallel()
  reserve(@Input() { id }: Purchase): Promise<string> {
    return this.partners.call(`reserve for ${id}`);
  }

  @WaitForSignal('delivered', { timeout: '3d' }) // the webhook, or three days: then the run fails
  delivered(@SignalPayload() proof: DeliveryProof): string {
    return proof.signedBy;
  }

  @Sleep('7d') week!: void;

  @Step()
  askForReview(@Input() { id }: Purchase, @Result('delivered') signedBy: string): Promise<string> {
    return this.partners.call(`ask ${signedBy} how ${id} was`);
  }

  @Compensate('charge') // when the run fails or is cancelled: newest first, side by side where it ran side by side
  refund(@Result('charge', { optional: true }) charge: string | undefined, @Ctx() { outcome }: StepContext) {
    return this.partners.call(`refund ${charge ?? 'what may have been charged'} (${outcome})`);
  }

  @Compensate('reserve')
  release(@Input() { id }: Purchase): Promise<string> {
    return this.partners.call(`release ${id}`);
  }
}

/** The carrier's webhook knows the order, not our id; delivered twice it is one signal. */
export async function onDelivered(orchestrator: Orchestrator, orderId: string, hookId: string): Promise<void> {
  const order = { workflow: FulfilmentWorkflow, key: orderId } as const;
  await orchestrator.signal(order, 'delivered', { signedBy: 'Ann' }, { key: hookId });
}

/** Support gives an order up: what was done is undone, or, by `terminate`, left as it is. */
export async function giveUp(orchestrator: Orchestrator, orderId: string, undo: boolean): Promise<void> {
  const order = { workflow: FulfilmentWorkflow, key: orderId };
  if (undo) await orchestrator.cancel(order, { reason: 'the customer called' });
  else await orchestrator.terminate(order, { reason: 'a test order' });
}

export class Item {
  sku!: string;
}

@Workflow({ name: 'cart' })
export class CartWorkflow {
  static readonly output = 'second';
  static readonly signals = { added: Item, abandoned: Item };

  @WaitForSignal('added') // signals that come before the wait are kept, in their order
  first(@SignalPayload() item: Item): string {
    return item.sku;
  }

  @WaitForSignal(['added', 'abandoned'], { timeout: '1h', onTimeout: { value: 'nothing' } }) // the first of two
  second(@SignalPayload() item: Item, @Ctx() { signalName }: StepContext): string {
    return `${signalName}: ${item.sku}`;
  }
}

/** Whichever webhook comes first starts the run. */
export function onAdded(orchestrator: Orchestrator, cartId: string, sku: string): Promise<Run<string>> {
  const signal = { name: 'added', payload: { sku } } as const;
  return orchestrator.signalOrStart(CartWorkflow, undefined, signal, { key: cartId });
}
