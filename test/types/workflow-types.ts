// What must compile, and behind each @ts-expect-error what must not. Checked by `tsc --noEmit`; nothing here runs.
//
// The result types are declared in this file. A consumer with `isolatedModules` (Nest's template) who imports an interface
// from another file and uses it in the signature of a decorated method writes `import type { Charge }`: with a plain import
// TypeScript reports TS1272, because `emitDecoratorMetadata` would need a value. Inside `Promise<Charge>` it does not.
import { applyDecorators } from '@nestjs/common';
import { z } from 'zod';
import { Child } from '../../lib/definition/child.decorator.js';
import { child } from '../../lib/definition/child-request.js';
import { Compensate } from '../../lib/definition/compensate.decorator.js';
import { Ctx } from '../../lib/definition/ctx.decorator.js';
import { Failure } from '../../lib/definition/failure.decorator.js';
import { SleepUntil } from '../../lib/definition/sleep-until.decorator.js';
import { Sleep } from '../../lib/definition/sleep.decorator.js';
import { Input } from '../../lib/definition/input.decorator.js';
import { Item } from '../../lib/definition/item.decorator.js';
import { Result } from '../../lib/definition/result.decorator.js';
import { Results } from '../../lib/definition/results.decorator.js';
import { Retry } from '../../lib/definition/retry.decorator.js';
import type { Occurrence } from '../../lib/definition/schedule-options.js';
import { Schedule } from '../../lib/definition/schedule.decorator.js';
import { SignalPayload } from '../../lib/definition/signal-payload.decorator.js';
import type { StepContext } from '../../lib/definition/step-context.js';
import { Parallel, Step } from '../../lib/definition/step.decorator.js';
import type {
  InputOf,
  OutputOf,
  SignalsOf,
  StartArguments,
  WorkflowClass,
} from '../../lib/definition/workflow-class.js';
import { WaitForSignal } from '../../lib/definition/wait-for-signal.decorator.js';
import { Workflow } from '../../lib/definition/workflow.decorator.js';
import type { Schedules } from '../../lib/runtime/schedules.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<T extends true>(): T | void {}

class OrderDto {
  id!: string;
  items!: { sku: string }[];
}
interface Charge {
  chargeId: string;
}
interface Tracked {
  tracking: string;
}

const Patient = () => applyDecorators(Step(), Retry(5));
// @ts-expect-error applyDecorators() knows no class, so names in `after` cannot be checked: say `after` at the method
const AfterSomething = () => applyDecorators(Step({ after: ['reserve'] }));
void AfterSomething;

@Workflow({
  name: 'order-fulfilment',
  version: '1',
  order: 'page',
  retry: { attempts: 5 },
  queue: 'orders',
  priority: 1,
})
export class OrderWorkflow {
  static readonly input = OrderDto;
  static readonly output = 'ship';

  constructor(private readonly prefix: string) {}

  @Step() reserve(@Input() order: OrderDto): { sku: string }[] {
    return order.items;
  }

  @Parallel({ timeout: '30s', group: 'money' })
  @Retry({
    attempts: 5,
    backoff: 'exponential',
    delay: '1s',
    maxDelay: '1m',
    factor: 2,
    jitter: 'none',
    retryOn: [RangeError],
  })
  charge(@Ctx() step: StepContext): Promise<Charge> {
    return Promise.resolve({ chargeId: this.prefix + step.idempotencyKey + String(this.secret()) });
  }

  @Parallel() notify(@Result('reserve') lines: readonly { sku: string }[], @Result('charge') charge?: Charge): void {
    void [lines, charge];
  }

  @Retry(3)
  @Step({ after: ['charge', 'notify'], beside: true, queue: 'mail', priority: 0, retry: 2 })
  audit(@Result('charge') charge: { chargeId: string } | undefined): void {
    void charge;
  }

  @Step() ship(@Result('charge') charge: Charge): Promise<Tracked> {
    return Promise.resolve({ tracking: charge.chargeId });
  }

  @Step({ after: [] }) atOnce(): void {}
  @Patient() patient(): void {}

  // @ts-expect-error no such step
  @Step() wrongName(@Result('chrge') charge: Charge): unknown {
    return charge;
  }
  // @ts-expect-error the parameter does not take what the step returns
  @Step() wrongType(@Result('charge') charge: { amount: number }): unknown {
    return charge;
  }
  // @ts-expect-error the step gives a Charge, not a promise of it
  @Step() notAPromise(@Result('charge') charge: Promise<Charge>): unknown {
    return charge;
  }
  // @ts-expect-error the second parameter does not take it
  @Step() wrongSecond(@Input() order: OrderDto, @Result('charge') charge: number): unknown {
    return [order, charge];
  }
  // @ts-expect-error no such step
  @Step({ after: ['shipp'] }) wrongAfter(): void {}
  // @ts-expect-error one of them is no step
  @Parallel({ after: ['ship', 'shipp'] }) wrongAfterToo(): void {}
  // @ts-expect-error a private method gives no results
  @Step() ofPrivate(@Result('secret') value: number): unknown {
    return value;
  }
  // @ts-expect-error a method that takes a result is public
  @Step() private secretly(@Result('charge') charge: Charge): unknown {
    return charge;
  }
  // @ts-expect-error not a duration
  @Step({ timeout: '14 days' }) wrongDuration(): void {}
  // @ts-expect-error no such option
  @Step({ timout: '14d' }) wrongOption(): void {}
  // @ts-expect-error group is an option of @Parallel
  @Step({ group: 'x' }) wrongGroup(): void {}
  @Step()
  @Retry({ backoff: (failures, error) => (error instanceof RangeError ? '1h' : failures * 1_000) })
  ownBackoff(): void {}
  // @ts-expect-error a backoff is asked and not awaited
  @Step() @Retry({ backoff: () => Promise.resolve(5) }) laterBackoff(): void {}
  // @ts-expect-error no such backoff
  @Step() @Retry({ backoff: 'linear' }) wrongBackoff(): void {}
  // @ts-expect-error not error classes
  @Step() @Retry({ retryOn: ['TypeError'] }) wrongClasses(): void {}
  // @ts-expect-error a step is a method, not an arrow property
  @Step() arrow = (): void => undefined;
  // @ts-expect-error a step is a method, not an arrow property
  @Retry(3) retriedArrow = (): void => undefined;

  private secret(): number {
    return this.secretly({ chargeId: '' }) === null ? 1 : 2;
  }
}

const Week = () => applyDecorators(Sleep('7d'));
const PatientPause = () => applyDecorators(SleepUntil(), Retry(5));

@Workflow({ name: 'branching' })
export class Branching {
  static readonly output = 'reviewAt';

  @Step({ when: 'isBig', onFailure: 'continue', delay: '1m' }) gift(): Charge {
    return { chargeId: 'c' };
  }
  @Parallel({ when: 'isBigLater', after: ['gift'], join: 'all' }) a(): number {
    return 1;
  }
  @Sleep('7d') coolDown!: void;
  @Sleep(5, { after: ['a', 'coolDown'], join: 'any', when: 'isBig', beside: true }) nap!: void;
  @Week() week!: void;
  @SleepUntil({ after: ['a', 'nap'], join: { atLeast: 1 }, when: 'isBig', timeout: '1s' })
  reviewAt(@Input() order: OrderDto): Promise<Date> {
    return Promise.resolve(new Date(order.id));
  }
  @PatientPause() patientAt(): Date {
    return new Date();
  }
  @Step({ after: ['coolDown', 'reviewAt'] }) maybe(
    @Result('gift', { optional: true }) gift: Charge | undefined,
    @Result('gift', { optional: true }) given?: Charge,
    @Failure('gift') failure?: Error,
    @Failure('gift') same?: unknown,
    @Result('reviewAt') date?: Date,
  ): unknown {
    return [gift, given, failure, same, date, this.isHidden()];
  }

  isBig(@Input() order: OrderDto): boolean {
    return order.items.length > 1;
  }
  isBigLater(@Result('gift', { optional: true }) gift?: Charge): Promise<boolean> {
    return Promise.resolve(gift !== undefined);
  }
  isText(): string {
    return 'yes';
  }

  // @ts-expect-error may be missing: the parameter must admit undefined
  @Step() notOptional(@Result('gift', { optional: true }) gift: Charge): unknown {
    return gift;
  }
  // @ts-expect-error `optional` is true, or left out
  @Step() notSaid(@Result('gift', { optional: false }) gift: Charge): unknown {
    return gift;
  }
  // @ts-expect-error a pause gives no result
  @Step() ofPause(@Result('coolDown') nothing: void): unknown {
    return nothing;
  }
  // @ts-expect-error there need not be a failure: the parameter must admit undefined
  @Step() failureWithout(@Failure('gift') failure: Error): unknown {
    return failure;
  }
  // @ts-expect-error not an error
  @Step() failureOfType(@Failure('gift') failure: string | undefined): unknown {
    return failure;
  }
  // @ts-expect-error no such step
  @Step() failureOfNone(@Failure('gifft') failure: Error | undefined): unknown {
    return failure;
  }
  // @ts-expect-error a condition takes what the step gives
  isWrong(@Result('gift') gift: number): boolean {
    return gift > 1;
  }
  // @ts-expect-error no such condition
  @Step({ when: 'isBgi' }) wrongCondition(): void {}
  // @ts-expect-error a private method is no condition
  @Step({ when: 'isHidden' }) hiddenCondition(): void {}
  // @ts-expect-error a condition gives a boolean
  @Parallel({ when: 'isText' }) textCondition(): void {}
  // @ts-expect-error a property is no condition
  @Step({ when: 'coolDown' }) propertyCondition(): void {}
  // @ts-expect-error no such join
  @Step({ after: ['a', 'gift'], join: 'some' }) wrongJoin(): void {}
  // @ts-expect-error no such choice
  @Step({ onFailure: 'ignore' }) wrongFailure(): void {}
  // @ts-expect-error not a duration
  @Sleep('7 days') wrongDuration!: void;
  // @ts-expect-error a pause has no timeout
  @Sleep('7d', { timeout: '1s' }) wrongOption!: void;
  // @ts-expect-error no such step
  @Sleep('7d', { after: ['coolDwon'] }) wrongAfter!: void;
  // @ts-expect-error no such condition
  @Sleep('7d', { when: 'isBgi' }) wrongWhen!: void;
  // @ts-expect-error a pause is a property
  @Sleep('7d') method(): void {}
  // @ts-expect-error it has to give a Date
  @SleepUntil() notADate(): string {
    return 'tomorrow';
  }
  // @ts-expect-error no such step
  @SleepUntil({ after: ['coolDwon'] }) wrongUntil(): Date {
    return new Date();
  }
  // @ts-expect-error it waits already
  @SleepUntil({ delay: '1s' }) delayedUntil(): Date {
    return new Date();
  }
  // @ts-expect-error a method gives the time
  @SleepUntil() property!: Date;

  private isHidden(): boolean {
    return true;
  }
}

class ProofDto {
  signedBy!: string;
}
interface Answer {
  kind: 'yes' | 'no' | 'none';
  tags: string[];
  at?: Date;
}
const PatientWait = () => applyDecorators(WaitForSignal('approved'), Retry(5));

@Workflow({ name: 'signalled' })
export class Signalled {
  static readonly output = 'delivered';
  static readonly signals = { delivered: ProofDto, approved: z.object({ by: z.coerce.number<string>() }) };

  @Step() charge(): Promise<Charge> {
    return Promise.resolve({ chargeId: 'c' });
  }
  @WaitForSignal('delivered', { timeout: '3d', onTimeout: 'skip', after: ['charge'], beside: true, when: 'isBig' })
  delivered(@SignalPayload() proof: ProofDto): ProofDto {
    return proof;
  }
  @WaitForSignal(['approved', 'delivered'], { timeout: 5, onTimeout: { value: { kind: 'none', tags: ['late'] } } })
  @Retry(3)
  answered(@SignalPayload() payload: unknown, @Result('charge') charge: Charge): Promise<Answer> {
    return Promise.resolve({ kind: 'yes', tags: [String(payload), charge.chargeId] });
  }
  @WaitForSignal('approved', { timeout: 5, onTimeout: { value: null } }) nullable(): ProofDto | null {
    return null;
  }
  @WaitForSignal('approved', { timeout: 5, onTimeout: { value: new Date() } }) dated(): Date {
    return new Date();
  }
  @WaitForSignal('approved', { timeout: 5, onTimeout: { value: undefined } }) nothing(): void {}
  @PatientWait() patient(): void {}
  @WaitForSignal('approved', { retry: 2, queue: 'q', priority: 1, onFailure: 'continue' }) plain(): void {}
  @Sleep(5) pause!: void;

  @Compensate('charge', { timeout: '1m', retry: { attempts: 20 }, queue: 'q', priority: 0 })
  @Retry(20)
  refund(
    @Input() input: unknown,
    @Result('charge', { optional: true }) charge?: Charge,
    @Failure() reason?: Error,
    @Failure() same?: unknown,
    @Failure('plain') other?: Error,
  ): unknown {
    return [input, charge, reason, same, other, this.isHidden()];
  }
  @Compensate('delivered') undo(@Result('delivered', { optional: true }) proof: ProofDto | undefined): unknown {
    return proof;
  }

  isBig(): boolean {
    return true;
  }

  // @ts-expect-error no such step
  @WaitForSignal('approved', { after: ['chrge'] }) wrongAfter(): void {}
  // @ts-expect-error no such condition
  @WaitForSignal('approved', { when: 'isBgi' }) wrongWhen(): void {}
  // @ts-expect-error not a duration
  @WaitForSignal('approved', { timeout: '3 days' }) wrongTimeout(): void {}
  // @ts-expect-error no such end
  @WaitForSignal('approved', { timeout: 5, onTimeout: 'ignore' }) wrongEnd(): void {}
  // @ts-expect-error it waits for one
  @WaitForSignal('approved', { after: ['charge', 'delivered'], join: 'any' }) wrongJoin(): void {}
  // @ts-expect-error it waits already
  @WaitForSignal('approved', { delay: '1s' }) wrongDelay(): void {}
  // @ts-expect-error who takes the result is promised something else
  @WaitForSignal('approved', { timeout: 5, onTimeout: { value: 'late' } }) wrongValue(): number {
    return 1;
  }
  // @ts-expect-error not of that kind
  @WaitForSignal('approved', { timeout: 5, onTimeout: { value: { kind: 'late', tags: [] } } }) wrongKind(): Answer {
    return { kind: 'yes', tags: [] };
  }
  // @ts-expect-error a signal has a name
  @WaitForSignal(7) wrongName(): void {}
  // @ts-expect-error a wait is a method
  @WaitForSignal('approved') wrongProperty!: void;
  // @ts-expect-error no such step
  @Compensate('chrge') wrongStep(): void {}
  // @ts-expect-error a pause does nothing
  @Compensate('pause') ofPause(): void {}
  // @ts-expect-error a private method is no step
  @Compensate('isHidden') ofPrivate(): void {}
  // @ts-expect-error nothing waits for it, and it for nothing
  @Compensate('charge', { after: [] }) placed(): void {}
  // @ts-expect-error a compensation is a method
  @Compensate('charge') property!: void;
  // @ts-expect-error the run may have been cancelled: the parameter must admit undefined
  @Compensate('charge') cancelled(@Failure() reason: Error): unknown {
    return reason;
  }
  // @ts-expect-error not an error
  @Compensate('charge') reasoned(@Failure() reason: string | undefined): unknown {
    return reason;
  }
  // @ts-expect-error its outcome may be unknown: the parameter must admit undefined
  @Compensate('charge') unknownOutcome(@Result('charge', { optional: true }) charge: Charge): unknown {
    return charge;
  }

  private isHidden(): boolean {
    return true;
  }
}

// @ts-expect-error static signals is an object
@Workflow({ name: 'wrong-signals' })
export class WrongSignals {
  static readonly signals = ['delivered'];
}

@Workflow({ name: 'minimal' })
export class Minimal {
  @Step() only(): void {}
}

@Workflow({ name: 'by-schema' })
export class BySchema {
  static readonly input = z.object({ id: z.string(), count: z.coerce.number<string>() });
  static readonly output = 'first';
  @Step() first(@Input() input: { id: string; count: number }): number {
    return input.count;
  }
}

@Workflow({ name: 'optional' })
export class OptionalInput {
  static readonly input = z.object({ id: z.string() }).optional();
  @Step() only(): void {}
}

// @ts-expect-error static output must name a step
@Workflow({ name: 'wrong-output' })
export class WrongOutput {
  static readonly output = 'shipp';
  @Step() ship(): void {}
}

// @ts-expect-error static output must name a method
@Workflow({ name: 'output-is-a-field' })
export class OutputIsAField {
  static readonly output = 'ship';
  ship = 1;
}

// @ts-expect-error the name is required
@Workflow({})
export class Nameless {}

// @ts-expect-error no such option
@Workflow({ name: 'unknown-option', dedline: '14d' })
export class UnknownOption {}

@Schedule('0 2 * * *', { input: { id: '1', items: [] } })
@Schedule(
  { every: '1h' },
  { name: 'computed', input: ({ scheduledAt }: Occurrence) => ({ id: scheduledAt.toISOString(), items: [] }) },
)
@Schedule('@daily', {
  name: 'later',
  input: () => Promise.resolve({ id: '1', items: [] }),
  overlap: 'queue',
  catchUp: { atMost: 3 },
})
@Workflow({ name: 'scheduled' })
export class Scheduled {
  static readonly input = OrderDto;
}

@Schedule('@daily')
@Workflow({ name: 'scheduled-without-input' })
export class ScheduledWithoutInput {}

// @ts-expect-error the workflow needs an input
@Schedule('@daily', { name: 'x' })
// @ts-expect-error not this input
@Schedule('@daily', { input: { id: 1 } })
// @ts-expect-error not what the function gives
@Schedule('@daily', { input: () => ({ id: 1, items: [] }) })
@Workflow({ name: 'badly-scheduled' })
export class BadlyScheduled {
  static readonly input = OrderDto;
}

// @ts-expect-error no such option
@Schedule('@daily', { zone: 'UTC' })
@Workflow({ name: 'scheduled-with-no-option' })
export class ScheduledWithNoOption {}

export async function keep(schedules: Schedules): Promise<void> {
  await schedules.upsert('a', {
    workflow: OrderWorkflow,
    cron: '@daily',
    timeZone: 'UTC',
    input: { id: '1', items: [] },
  });
  await schedules.upsert('b', { workflow: Minimal, every: '1h' });
  await schedules.upsert('c', { workflow: 'by-name', every: 1_000, input: 7 });
  // @ts-expect-error the input is required
  await schedules.upsert('a', { workflow: OrderWorkflow, cron: '@daily' });
  // @ts-expect-error not this input
  await schedules.upsert('a', { workflow: OrderWorkflow, cron: '@daily', input: { id: 1 } });
  // @ts-expect-error either a cron expression or an interval
  await schedules.upsert('b', { workflow: Minimal, every: '1h', cron: '@daily' });
  // @ts-expect-error an interval has no time zone
  await schedules.upsert('b', { workflow: Minimal, every: '1h', timeZone: 'UTC' });
}

declare function signal<C extends WorkflowClass, K extends keyof SignalsOf<C> & string>(
  workflow: C,
  name: K,
  payload: SignalsOf<C>[K],
): void;

interface Options {
  key?: string;
}
declare function start<C extends WorkflowClass>(workflow: C, ...args: StartArguments<C, Options>): OutputOf<C>;

holds<Equal<InputOf<typeof OrderWorkflow>, OrderDto>>();
holds<Equal<OutputOf<typeof OrderWorkflow>, Tracked>>();
holds<Equal<OutputOf<typeof Branching>, Date>>();
holds<Equal<OutputOf<typeof Signalled>, ProofDto>>();
holds<Equal<SignalsOf<typeof Signalled>, { delivered: ProofDto; approved: { by: string } }>>();
holds<Equal<SignalsOf<typeof Minimal>, Record<string, unknown>>>();
holds<Equal<InputOf<typeof Minimal>, undefined>>();
holds<Equal<OutputOf<typeof Minimal>, void>>();
holds<Equal<InputOf<typeof BySchema>, { id: string; count: string }>>();
holds<Equal<OutputOf<typeof BySchema>, number>>();
holds<Equal<StartArguments<typeof OrderWorkflow, Options>, [input: OrderDto, options?: Options]>>();
holds<Equal<StartArguments<typeof Minimal, Options>, [input?: undefined, options?: Options]>>();

export function use(): string {
  signal(Signalled, 'delivered', { signedBy: 'x' });
  signal(Signalled, 'approved', { by: '1' });
  signal(Minimal, 'anything', { at: 'all' });
  // @ts-expect-error no such signal
  signal(Signalled, 'deliverd', { signedBy: 'x' });
  // @ts-expect-error not this payload
  signal(Signalled, 'delivered', { by: 'x' });
  // @ts-expect-error the input of the schema, not its output
  signal(Signalled, 'approved', { by: 1 });
  start(Minimal);
  start(Minimal, undefined, { key: 'k' });
  start(OptionalInput);
  start(OptionalInput, { id: '1' });
  start(BySchema, { id: '1', count: '2' }).toFixed();
  // @ts-expect-error the input is required
  start(OrderWorkflow);
  // @ts-expect-error not this input
  start(OrderWorkflow, { id: 1 });
  // @ts-expect-error no such option
  start(OrderWorkflow, { id: '1', items: [] }, { kee: 'k' });
  // @ts-expect-error there is no input
  start(Minimal, { id: '1' });
  // @ts-expect-error the input of the schema, not its output
  start(BySchema, { id: '1', count: 2 });
  return start(OrderWorkflow, { id: '1', items: [] }, { key: 'k' }).tracking;
}

@Workflow({ name: 'fan-outs' })
export class FanOutWorkflow {
  static readonly input = OrderDto;

  @Step() reserve(): Promise<{ sku: string }[]> {
    return Promise.resolve([]);
  }
  @Step() count(): number {
    return 1;
  }
  @Parallel({ maxItems: 20, tolerate: '10%' }) print(@Item('reserve') line: { sku: string }): Promise<string> {
    return Promise.resolve(line.sku);
  }
  // What lies in the input a decorator does not know.
  @Parallel() pack(@Item('input.items') line: { sku: string }, @Item('input') order: OrderDto): void {
    void [line, order];
  }
  @Parallel() wrap(@Item(({ input }: { input: OrderDto }) => input.items) line: { sku: string }): void {
    void line;
  }
  @Step() ship(@Results('print') labels: string[], @Results('print') same: readonly string[]): void {
    void [labels, same];
  }

  // @ts-expect-error its items are no texts
  @Step() wrongItem(@Item('reserve') line: string): void {
    void line;
  }
  // @ts-expect-error a number is no list
  @Step() noList(@Item('count') line: number): void {
    void line;
  }
  // @ts-expect-error there is no such step
  @Step() noStep(@Item('reserved') line: { sku: string }): void {
    void line;
  }
  // @ts-expect-error its items are no texts
  @Step() wrongOf(@Item(({ input }: { input: OrderDto }) => input.items) line: string): void {
    void line;
  }
  // @ts-expect-error it gives texts
  @Step() wrongResults(@Results('print') labels: number[]): void {
    void labels;
  }
  // @ts-expect-error there is no such step
  @Step() noResults(@Results('prnt') labels: string[]): void {
    void labels;
  }
  // @ts-expect-error a share is a text such as '10%'
  @Step({ tolerate: 'some' }) share(@Item('reserve') line: { sku: string }): void {
    void line;
  }
}

class LegDto {
  from!: string;
}
interface Seat {
  number: number;
}

@Workflow({ name: 'flight' })
export class Flight {
  static readonly input = LegDto;
  static readonly output = 'book';

  @Step() book(@Input() _leg: LegDto): Promise<Seat> {
    return Promise.resolve({ number: 1 });
  }
}

@Workflow({ name: 'journey' })
export class Journey {
  static readonly output = 'flight';

  @Child() flight(@Input() order: OrderDto) {
    return child(Flight, { from: order.id });
  }
  @Child({
    maxItems: 3,
    tolerate: '10%',
    after: ['flight'],
    when: 'isBig',
    onParentEnd: 'abandon',
    retry: 3,
    delay: '1d',
  })
  async each(@Item('input.items') item: { sku: string }) {
    return Promise.resolve(child(Flight, { from: item.sku }, { tags: ['a'], deadline: '1h', priority: 1 }));
  }
  @Child() detached() {
    return child(Flight, { from: 'a' }, { detached: true });
  }
  @Child() nothing() {
    return child(Untyped);
  }
  @Child() byName() {
    return child('flight', { from: 1 }, { detached: false });
  }
  @Step() take(
    @Result('flight') seat: Seat,
    @Results('each') seats: Seat[],
    @Result('detached') id: { runId: string },
    @Result('flight', { optional: true }) maybe: Seat | undefined,
    @Result('byName') unknown: unknown,
    @Result('nothing') nothing: void,
  ): unknown {
    return [seat, seats, id, maybe, unknown, nothing];
  }
  @Compensate('flight') undo(@Result('flight', { optional: true }) seat: Seat | undefined): unknown {
    return seat;
  }

  isBig(): boolean {
    return true;
  }

  // @ts-expect-error the output of the run, not what the method returns
  @Step() wrongResult(@Result('flight') seat: { number: string }): unknown {
    return seat;
  }
  // @ts-expect-error it has to say what is to run
  @Child() wrongChild(): Seat {
    return { number: 1 };
  }
  // @ts-expect-error no such step
  @Child({ after: ['fligth'] }) wrongAfter() {
    return child(Flight, { from: 'a' });
  }
  // @ts-expect-error no such option
  @Child({ verify: 'isBig' }) wrongOption() {
    return child(Flight, { from: 'a' });
  }
}

@Workflow({ name: 'untyped' })
class Untyped {
  @Step() go(): void {}
}

holds<Equal<OutputOf<typeof Journey>, Seat>>();
holds<Equal<OutputOf<typeof Flight>, Seat>>();
// @ts-expect-error not the input of that workflow
child(Flight, { from: 1 });
// @ts-expect-error its input is missing
child(Flight);
// @ts-expect-error a run is known by its parent and step, and has no key
child(Flight, { from: 'a' }, { key: 'k' });
