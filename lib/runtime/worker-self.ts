import { hostname } from 'node:os';

import type { Clock, WorkerIdentity } from '../engine/ports.js';

/** Who this process is to the others. A worker that was declared dead never lives again: its process takes a new id. */
export class WorkerSelf {
  private identity: string;

  constructor(
    private readonly queues: readonly string[],
    private readonly clock: Clock,
  ) {
    this.identity = clock.newId();
  }

  get id(): string {
    return this.identity;
  }

  /** Takes another id. @returns the old one */
  become(id: string): string {
    const old = this.identity;
    this.identity = id;
    return old;
  }

  describe(id: string = this.identity): WorkerIdentity {
    return { id, host: hostname(), pid: process.pid, queues: this.queues };
  }

  /** Who this process would be under an id that nobody has had. */
  describeNext(): WorkerIdentity {
    return this.describe(this.clock.newId());
  }
}
