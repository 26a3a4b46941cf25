import type { OrderView, StepView } from '../data/shop-client.js';

/** One try of a step, as it was seen. Times are milliseconds since the demo began. */
export interface Attempt {
  readonly number: number;
  readonly from: number;
  to: number | null;
  end: 'running' | 'completed' | 'failed' | 'lost' | 'cancelled';
}

/** What is new about a step since one looked last. */
export interface StepChange {
  readonly step: string;
  readonly attempt: number;
  readonly kind: 'completed' | 'failed' | 'retrying' | 'lost';
  readonly error: string | null;
}

const ENDED = new Set(['completed', 'failed', 'cancelled']);

/** The story of one order, told by looking at it again and again. */
export class Timeline {
  readonly attempts = new Map<string, Attempt[]>();
  view: OrderView | null = null;
  private killedAt: number | null = null;

  constructor(
    readonly orderId: string,
    private readonly startedAt: number,
  ) {}

  get isEnded(): boolean {
    return this.view !== null && ENDED.has(this.view.run.status);
  }

  get failure(): string | null {
    return this.view?.run.failure?.message ?? null;
  }

  /** Whether a step is under way in a process that is dead. */
  isOrphaned(step: string): boolean {
    const last = this.attempts.get(step)?.at(-1);
    return last?.end === 'lost' || (last?.end === 'running' && this.killedAt !== null && last.from <= this.killedAt);
  }

  /** Takes a new look; `killedAt` is when the worker died, if it has. */
  look(view: OrderView, killedAt: number | null): StepChange[] {
    this.killedAt = killedAt;
    const changes = view.steps.flatMap((step) => this.lookAt(step));
    this.view = view;
    return changes;
  }

  private lookAt(step: StepView): StepChange[] {
    const changes: StepChange[] = [];
    const attempts = this.attempts.get(step.name) ?? [];
    this.attempts.set(step.name, attempts);
    const last = attempts.at(-1);

    const isOver = last?.end === 'running' && (step.status === 'ready' || step.attempt > last.number);
    if (isOver) {
      const isLost = step.crashes > this.crashesOf(step.name);
      last.end = isLost ? 'lost' : 'failed';
      last.to = isLost && this.killedAt !== null ? Math.max(this.killedAt, last.from) : this.onOurClock(null);
      changes.push(changeOf(step, last.number, isLost ? 'lost' : 'retrying'));
    }
    if (step.attempt > (last?.number ?? 0)) {
      const from = Math.max(this.onOurClock(step.startedAt), last?.to ?? 0);
      attempts.push({ number: step.attempt, from, to: null, end: 'running' });
    }
    const current = attempts.at(-1);
    if (current?.end === 'running' && isSettled(step.status)) {
      current.end = step.status === 'completed' ? 'completed' : 'failed';
      current.to = Math.max(this.onOurClock(step.endedAt), current.from);
      changes.push(changeOf(step, current.number, step.status));
    }
    if (current?.end === 'running' && step.status === 'cancelled') {
      current.end = 'cancelled';
      current.to = Math.max(this.onOurClock(step.endedAt), current.from);
    }
    return changes;
  }

  private crashesOf(name: string): number {
    return this.view?.steps.find((step) => step.name === name)?.crashes ?? 0;
  }

  /** A time of the shop, or now, in milliseconds since the demo began. */
  private onOurClock(time: string | null): number {
    return (time === null ? Date.now() : Date.parse(time)) - this.startedAt;
  }
}

function isSettled(status: StepView['status']): status is 'completed' | 'failed' | 'retrying' {
  return status === 'completed' || status === 'failed' || status === 'retrying';
}

function changeOf({ name, errors }: StepView, attempt: number, kind: StepChange['kind']): StepChange {
  return {
    step: name,
    attempt,
    kind,
    error: kind === 'failed' || kind === 'retrying' ? (errors.at(-1) ?? null) : null,
  };
}
