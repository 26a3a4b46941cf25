import { randomUUID } from 'node:crypto';
import type { NewRun, QueuedStepWrite, RunWrite } from '../../lib/engine/ports.js';
import { DEFAULT_QUEUE } from '../../lib/engine/graph.js';

/** A run to be born in which nothing is special but what is named. */
export function newRun(change: Partial<NewRun> & Pick<NewRun, 'workflow' | 'definition'>): NewRun {
  return {
    id: randomUUID(),
    status: 'running',
    state: 'q',
    worker: null,
    key: null,
    inputHash: null,
    priority: 0,
    input: '1',
    context: null,
    tags: [],
    tenant: null,
    isGated: false,
    delayMs: null,
    dueAt: null,
    deadlineMs: null,
    wakes: [],
    steps: [],
    ...change,
  };
}

/** A change of a run in which nothing is special but what is named. */
export function runWrite(change: Partial<RunWrite> & Pick<RunWrite, 'id' | 'definition' | 'revision'>): RunWrite {
  return {
    generation: 0,
    priority: 0,
    status: 'running',
    state: 'q',
    worker: null,
    failedStep: null,
    failure: null,
    cancelReason: null,
    ended: false,
    expectsNoSignals: false,
    signals: [],
    births: [],
    orders: [],
    audit: [],
    renewal: null,
    pause: null,
    hurries: false,
    steps: [],
    ...change,
  };
}

/** A new row of a step that is ready. */
export function stepWrite(change: Partial<QueuedStepWrite> = {}): QueuedStepWrite {
  return {
    step: 'one',
    row: { name: change.step ?? 'one', item: 0 },
    guard: null,
    status: 'ready',
    tally: { attempt: 0, failures: 0, crashes: 0 },
    worker: null,
    result: null,
    error: null,
    delayMs: null,
    dueAt: null,
    aborting: false,
    startedAt: null,
    queue: DEFAULT_QUEUE,
    priority: 0,
    startWithinMs: null,
    ...change,
  };
}
