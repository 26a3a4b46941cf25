import type { PayloadCodec } from '../engine/codec.js';
import { ResultTimeoutError, RunCancelledError, RunFailedError, RunTerminatedError } from '../engine/errors.js';
import type { Clock, EndedRun, RunStore } from '../engine/ports.js';
import type { OpenRun } from './open-run.js';

/** Milliseconds between two looks for runs that end elsewhere: the longer they take, the rarer. */
const LOOK_MS = { first: 25, last: 500, factor: 1.5 } as const;

interface Waiter {
  readonly resolve: (ended: EndedRun) => void;
  readonly reject: (error: Error) => void;
}

export interface ResultDeskPorts {
  readonly store: RunStore;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  /** Whether this process works on the run: then it learns of its end without looking. */
  readonly isHere: (runId: string) => boolean;
  readonly onError: (error: unknown) => void;
}

/** Where callers wait for the end of runs. One look at the store serves all of them; a run that ends here needs none. */
export class ResultDesk {
  private readonly waiters = new Map<string, Set<Waiter>>();
  /** Calls off the next look, where one is planned. */
  private callOff: (() => void) | null = null;
  private isLooking = false;
  /** Milliseconds to the next look. */
  private lookMs: number = LOOK_MS.first;
  private closedBy: Error | null = null;

  constructor(private readonly ports: ResultDeskPorts) {}

  /** The output of a run, once it has ended. Throws what it ended with otherwise. */
  async wait(runId: string, timeoutMs: number | null): Promise<unknown> {
    const ended = await this.untilEnded(runId, timeoutMs);
    return toOutput(ended, this.ports.codec);
  }

  /** A run has ended in this process. */
  ended(run: OpenRun): void {
    const waiters = this.waiters.get(run.id);
    if (!waiters) return;
    const { output } = run.definition.graph.graph;
    const result = output === null ? null : run.results.get(output);
    // Its output was made elsewhere: the next look reads it.
    if (result === undefined && run.status === 'completed') return this.lookSoon(LOOK_MS.first);
    const { id, workflow, status, failure, cancelReason } = run;
    this.answer({ id, workflow, status, failure, cancelReason, output: result ?? null });
  }

  close(reason: Error): void {
    this.closedBy = reason;
    this.callOff?.();
    for (const waiters of this.waiters.values()) for (const { reject } of waiters) reject(reason);
    this.waiters.clear();
  }

  private untilEnded(runId: string, timeoutMs: number | null): Promise<EndedRun> {
    return new Promise((resolve, reject) => {
      if (this.closedBy) return reject(this.closedBy);
      const settle = () => {
        callOff?.();
        this.remove(runId, waiter);
      };
      const waiter: Waiter = {
        resolve: (ended) => (settle(), resolve(ended)),
        reject: (error) => (settle(), reject(error)),
      };
      const giveUp = () => waiter.reject(new ResultTimeoutError(runId, timeoutMs!));
      const callOff = timeoutMs === null ? null : this.ports.clock.after(timeoutMs, giveUp);
      this.add(runId, waiter);
      this.lookSoon(this.ports.isHere(runId) ? LOOK_MS.last : LOOK_MS.first);
    });
  }

  private add(runId: string, waiter: Waiter): void {
    const waiters = this.waiters.get(runId) ?? new Set();
    this.waiters.set(runId, waiters.add(waiter));
  }

  private remove(runId: string, waiter: Waiter): void {
    const waiters = this.waiters.get(runId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.waiters.delete(runId);
  }

  /** Looks within so many milliseconds, or sooner where a look is planned sooner. */
  private lookSoon(lookMs: number): void {
    if ((this.callOff || this.isLooking) && this.lookMs <= lookMs) return;
    this.lookMs = lookMs;
    // One look at a time: the one under way plans the next.
    if (!this.isLooking) this.planLook();
  }

  private planLook(): void {
    this.callOff?.();
    this.callOff = this.ports.clock.after(this.lookMs, () => void this.look());
  }

  private async look(): Promise<void> {
    this.callOff = null;
    this.isLooking = true;
    this.lookMs = Math.min(LOOK_MS.last, this.lookMs * LOOK_MS.factor);
    try {
      const elsewhere = [...this.waiters.keys()].filter((runId) => !this.ports.isHere(runId));
      const ended = elsewhere.length > 0 ? await this.ports.store.findEnded(elsewhere) : [];
      for (const run of ended) this.answer(run);
    } catch (error) {
      this.ports.onError(error);
    }
    this.isLooking = false;
    if (this.waiters.size > 0 && !this.closedBy) this.planLook();
  }

  private answer(ended: EndedRun): void {
    for (const { resolve } of this.waiters.get(ended.id) ?? []) resolve(ended);
  }
}

function toOutput({ id, workflow, status, output, failure, cancelReason }: EndedRun, codec: PayloadCodec): unknown {
  if (status === 'completed') return output === null ? undefined : codec.decode(output);
  if (status === 'cancelled') throw new RunCancelledError(id, workflow, cancelReason);
  if (status === 'terminated') throw new RunTerminatedError(id, workflow, cancelReason);
  throw new RunFailedError(id, workflow, failure?.step ?? '?', failure ? codec.decodeError(failure.error) : undefined);
}
