import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { placeOf } from '../engine/indexed-graph.js';
import type { Clock, RunStore, ToldHeartbeat } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { Attempt } from './attempt.js';

/** Milliseconds between two statements at the least, however often attempts tell how far they are. */
const SAVE_EVERY_MS = 1_000;

/** Bounds of one statement. */
const MAX_ROWS = 500;
const MAX_CHARS = 4_000_000;

export interface HeartbeatDeskPorts {
  readonly store: Pick<RunStore, 'saveHeartbeats'>;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly events: EventHub;
}

/** What attempts of this process have told last, on its way to the store: of all in one statement, once in a second. */
export class HeartbeatDesk {
  private readonly told = new Map<Attempt, ToldHeartbeat>();
  private callOff: (() => void) | null = null;
  private savedAt = -Infinity;
  /** One statement after the other: what was told last is what stays. */
  private saving: Promise<void> = Promise.resolve();

  constructor(private readonly ports: HeartbeatDeskPorts) {}

  /** The attempt lives, and has perhaps told how far it is. One that is over is not heard any more. */
  beat(attempt: Attempt, details: unknown): void {
    const { node, run, claim } = attempt;
    if (node.heartbeatMs === undefined) throw withoutOption(attempt);
    if (attempt.isOver || attempt.hasReported) return;
    attempt.onHeartbeat?.();
    if (details === undefined) return;
    const encoded = this.ports.codec.encode(details, `the heartbeat of step "${node.name}"`);
    const { attempt: number, generation = 0 } = claim;
    this.told.set(attempt, { runId: run.id, generation, row: placeOf(node), attempt: number, details: encoded });
    const inMs = Math.max(0, this.savedAt + SAVE_EVERY_MS - this.ports.clock.now());
    this.callOff ??= this.ports.clock.after(inMs, () => void this.save());
  }

  /** The attempt has ended: what it has told is stored before anybody hears of that, unless nobody will want it. */
  async end(attempt: Attempt, isWanted: boolean): Promise<void> {
    if (isWanted && this.told.has(attempt)) await this.save();
    this.told.delete(attempt);
  }

  /** Stores all that was told and is not stored yet. What cannot be stored now is tried again as long as its attempt goes on. */
  save(): Promise<void> {
    this.callOff?.();
    this.callOff = null;
    return (this.saving = this.saving.then(() => this.saveAll()));
  }

  private async saveAll(): Promise<void> {
    this.savedAt = this.ports.clock.now();
    for (let batch = this.take(); batch.length > 0; batch = this.take()) {
      try {
        await this.ports.store.saveHeartbeats(batch.map(([, heartbeat]) => heartbeat));
      } catch (error) {
        this.ports.events.announceDatabase(error);
        for (const [attempt, heartbeat] of batch)
          if (!this.told.has(attempt) && !attempt.hasReported) this.told.set(attempt, heartbeat);
        break;
      }
    }
    if (this.told.size > 0) this.callOff ??= this.ports.clock.after(SAVE_EVERY_MS, () => void this.save());
  }

  private take(): [Attempt, ToldHeartbeat][] {
    const batch: [Attempt, ToldHeartbeat][] = [];
    let chars = 0;
    for (const entry of this.told) {
      chars += entry[1].details.length;
      if (batch.length === MAX_ROWS || (batch.length > 0 && chars > MAX_CHARS)) break;
      batch.push(entry);
    }
    for (const [attempt] of batch) this.told.delete(attempt);
    return batch;
  }
}

function withoutOption({ node, run }: Attempt): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_ARGUMENT_INVALID',
    `Cannot take a heartbeat of step "${node.name}" of run ${run.id}: the step has no option \`heartbeat\`. Say there how long it may be silent.`,
  );
}
