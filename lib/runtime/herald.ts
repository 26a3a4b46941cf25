import type { PayloadCodec } from '../engine/codec.js';
import type { Decision } from '../engine/decision.js';
import type { Claim } from '../engine/facts.js';
import { nodeOf } from '../engine/indexed-graph.js';
import { isStopping, type RunStatus } from '../engine/words.js';
import type { EventHub } from '../events/event-hub.js';
import type { OpenRun } from './open-run.js';

/** Turns committed decisions into events. */
export class Herald {
  constructor(
    private readonly events: EventHub,
    private readonly codec: PayloadCodec,
  ) {}

  /** Announces what a decision, now committed, has changed. */
  announce(run: OpenRun, decision: Decision): void {
    const { events, codec } = this;
    if (!events.isHeard) return;
    const base = { runId: run.id, workflow: run.workflow };
    if (decision.renewal) events.announce({ ...base, type: 'run.retried' });
    if (decision.pause !== null)
      events.announce({ ...base, type: decision.pause === 'begins' ? 'run.paused' : 'run.resumed' });
    for (const { step, status, attempt, error, delayMs } of decision.news) {
      const of = { ...base, step, attempt };
      const decoded = error === null ? null : codec.decodeError(error);
      if (status === 'retrying') events.announce({ ...of, type: 'step.retrying', error: decoded, delayMs: delayMs! });
      else if (status === 'failed' || status === 'quarantined') {
        events.announce({ ...of, type: `step.${status}`, error: decoded });
        if (isCompensation(run, step)) events.announce({ ...of, type: 'compensation.failed', error: decoded });
      } else if (status === 'waiting' && decoded !== null) {
        events.announce({ ...of, type: 'step.blocked', error: decoded });
      } else events.announce({ ...of, type: status === 'ready' ? 'step.freed' : `step.${status}` });
    }
    for (const claim of decision.stale) this.announceStep(run, 'step.stale', claim);
    if (decision.changed) this.announceRun(run, decision.status);
  }

  private announceRun(run: OpenRun, status: RunStatus): void {
    const { events, codec } = this;
    const base = { runId: run.id, workflow: run.workflow };
    if (status === 'completed') events.announce({ ...base, type: 'run.completed' });
    else if (isStopping(status)) events.announce({ ...base, type: 'run.stopping', status });
    else if (status === 'compensating') events.announce({ ...base, type: 'run.compensating' });
    else if (status === 'terminated') events.announce({ ...base, type: 'run.terminated', reason: run.cancelReason });
    else if (status === 'cancelled') events.announce({ ...base, type: 'run.cancelled', reason: run.cancelReason });
    else if (status === 'failed' && run.failure) {
      const error = codec.decodeError(run.failure.error);
      events.announce({ ...base, type: 'run.failed', step: run.failure.step, error });
    }
  }

  announceStep(run: OpenRun, type: 'step.started' | 'step.stale', { step, attempt }: Claim): void {
    if (!this.events.isHeard) return;
    this.events.announce({ type, runId: run.id, workflow: run.workflow, step, attempt });
  }
}

function isCompensation({ definition: { graph } }: OpenRun, step: string): boolean {
  return nodeOf(graph, step).kind === 'compensation';
}
