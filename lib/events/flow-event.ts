import type { RunStatus } from '../engine/words.js';

/** What every event of a run says. */
interface RunEventBase {
  readonly runId: string;
  readonly workflow: string;
}

/** What every event of a step says. */
interface StepEventBase extends RunEventBase {
  readonly step: string;
  /** The number of the attempt, from 1; 0 of a step that was never taken up. */
  readonly attempt: number;
}

/**
 * What this process has seen happen, after it was committed. Other processes announce what they do themselves; for a
 * complete history ask the store.
 *
 * @publicApi
 */
export type FlowEvent =
  | (RunEventBase & { readonly type: 'run.started'; readonly key: string | null })
  | (RunEventBase & { readonly type: 'run.stopping'; readonly status: RunStatus })
  /** It had failed, and goes on from what failed. */
  | (RunEventBase & { readonly type: 'run.retried' })
  /** Nothing new begins in it until it is resumed. */
  | (RunEventBase & { readonly type: 'run.paused' })
  | (RunEventBase & { readonly type: 'run.resumed' })
  /** Its compensations begin. */
  | (RunEventBase & { readonly type: 'run.compensating' })
  | (RunEventBase & { readonly type: 'run.completed' })
  | (RunEventBase & { readonly type: 'run.failed'; readonly step: string; readonly error: unknown })
  | (RunEventBase & { readonly type: 'run.cancelled'; readonly reason: string | null })
  | (RunEventBase & { readonly type: 'run.terminated'; readonly reason: string | null })
  | (StepEventBase & { readonly type: 'step.started' })
  | (StepEventBase & { readonly type: 'step.completed' })
  | (StepEventBase & { readonly type: 'step.retrying'; readonly error: unknown; readonly delayMs: number })
  /** The policy's own function threw, or gave no duration: the step waits as an exponential backoff says. */
  | (StepEventBase & { readonly type: 'backoff.failed'; readonly error: unknown })
  | (StepEventBase & { readonly type: 'step.failed'; readonly error: unknown })
  | (StepEventBase & { readonly type: 'step.cancelled' })
  /** Its condition was not met, or what it needs is missing: it has ended without having run. */
  | (StepEventBase & { readonly type: 'step.skipped' })
  /** It waits for a time, and holds no worker. */
  | (StepEventBase & { readonly type: 'step.waiting' })
  /** Nobody knows whether it has been done, and it waits for a person to say so: `orchestrator.resolve()`. */
  | (StepEventBase & { readonly type: 'step.blocked'; readonly error: unknown })
  /** The step has killed its process too often, the last time with nothing beside it: it is not tried again. */
  | (StepEventBase & { readonly type: 'step.quarantined'; readonly error: unknown })
  /** A compensation has failed for good: what it was to undo is still done. Somebody has to see to it. */
  | (StepEventBase & { readonly type: 'compensation.failed'; readonly error: unknown })
  /** The attempt was handed over or its worker was lost: the step waits for a worker again. */
  | (StepEventBase & { readonly type: 'step.freed' })
  /** The outcome of an attempt came too late and was refused: another had been recorded first. */
  | (StepEventBase & { readonly type: 'step.stale' })
  /** An occurrence has no run, because computing or checking its input threw. The next one comes as it would have. */
  | {
      readonly type: 'schedule.failed';
      readonly schedule: string;
      readonly scheduledAt: Date;
      readonly error: unknown;
    }
  /** A `@Schedule` of this app is not in force: `schedules.upsert()` has made one of the same name. */
  | { readonly type: 'schedule.refused'; readonly schedule: string; readonly workflow: string }
  | { readonly type: 'worker.started'; readonly worker: string; readonly queues: readonly string[] }
  /** This process had been declared dead, after a long pause perhaps, and goes on under a new id. */
  | { readonly type: 'worker.replaced'; readonly worker: string; readonly was: string }
  /** No thread keeps this worker's lease: a step that blocks the event loop for longer than the lease loses its claims. */
  | { readonly type: 'worker.unguarded'; readonly error: unknown }
  | { readonly type: 'worker.draining'; readonly worker: string; readonly running: number; readonly timeoutMs: number }
  | { readonly type: 'worker.drained'; readonly worker: string; readonly handedOver: number }
  | { readonly type: 'database.lost'; readonly error: unknown }
  | { readonly type: 'database.back' }
  | { readonly type: 'queue.failed'; readonly queue: string; readonly error: unknown }
  /** The app's own pool of connections gave none for a transactional step, or could not begin: it is tried again, after a pause. */
  | { readonly type: 'pool.failed'; readonly error: unknown }
  /** The server of the queue is set up in a way that costs bells. */
  | { readonly type: 'queue.unsuitable'; readonly fault: string; readonly remedy: string }
  /** Something that must not happen did: the library goes on, and this should be reported. */
  | { readonly type: 'internal.error'; readonly doing: string; readonly error: unknown };
