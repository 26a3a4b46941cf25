import { Subject, type Observable } from 'rxjs';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { FlowEvent } from './flow-event.js';

/** Milliseconds between two announcements that queues, or the app's pool, cannot be reached. */
const FAILURE_GAP_MS = 5_000;

/** The codes of what failed only because the database gave no answer, or none before the app was shut down. */
const UNANSWERED: ReadonlySet<string> = new Set(['OF_DATABASE_UNAVAILABLE', 'OF_STOPPED']);

/** The one emitter: all rooms announce here what has happened, after it was committed. */
export class EventHub {
  private readonly subject = new Subject<FlowEvent>();
  private databaseIsLost = false;
  /** When each kind of failure that comes in swarms was last announced. */
  private readonly failedAt = new Map<FlowEvent['type'], number>();

  /** What happens in this process from now on. */
  readonly events$: Observable<FlowEvent> = this.subject.asObservable();

  announce(event: FlowEvent): void {
    this.subject.next(event);
  }

  /** Whether anybody listens: on the hot path an event is not even built for nobody. */
  get isHeard(): boolean {
    return this.subject.observed;
  }

  /** Says once that the database went away, and once that it is back. */
  announceDatabase(error: unknown): void {
    const isLost = error !== null;
    if (isLost === this.databaseIsLost) return;
    this.databaseIsLost = isLost;
    this.announce(isLost ? { type: 'database.lost', error } : { type: 'database.back' });
  }

  /** Says what went wrong within: a database that does not answer (before we leave) as such, and all else as a fault of ours. */
  announceFailure(doing: string, error: unknown): void {
    if (error instanceof OrchestrateFlowError && UNANSWERED.has(error.code)) this.announceDatabase(error);
    else this.announce({ type: 'internal.error', doing, error });
  }

  /** Says that a queue cannot be reached, once in a while and not for each of its connections. */
  announceQueueFailure(queue: string, error: unknown): void {
    this.announceOnceInAWhile({ type: 'queue.failed', queue, error });
  }

  /** Says that the app's pool gives no transaction for steps, once in a while and not for each of them. */
  announcePoolFailure(error: unknown): void {
    this.announceOnceInAWhile({ type: 'pool.failed', error });
  }

  private announceOnceInAWhile(event: FlowEvent): void {
    const now = performance.now();
    if (now - (this.failedAt.get(event.type) ?? -Infinity) < FAILURE_GAP_MS) return;
    this.failedAt.set(event.type, now);
    this.announce(event);
  }

  complete(): void {
    this.subject.complete();
  }
}
