import { hostname } from 'node:os';
import { v7 as uuidv7 } from 'uuid';

import type { WorkerIdentity } from '../engine/ports.js';

/** Who this process is to the others. A worker that was declared dead never lives again: its process takes a new id. */
export class WorkerSelf {
  private identity: string = uuidv7();

  constructor(private readonly queues: readonly string[]) {}

  get id(): string {
    return this.identity;
  }

  /** Takes a new id. @returns the old one */
  renew(): string {
    const old = this.identity;
    this.identity = uuidv7();
    return old;
  }

  describe(): WorkerIdentity {
    return { id: this.identity, host: hostname(), pid: process.pid, queues: this.queues };
  }
}
