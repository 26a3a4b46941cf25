import type { Subscription } from 'rxjs';

import { messageOf } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import type { EventHub } from './event-hub.js';
import type { FlowEvent } from './flow-event.js';

/** What the subscriber writes to: Nest's Logger, or anything like it. */
export interface EventLog {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
  debug(message: string): void;
}

/** Turns events into lines. The only place where the library logs what happens to runs; nothing per step above debug. */
export function logEvents(hub: EventHub, log: EventLog): Subscription {
  return hub.events$.subscribe((event) => {
    try {
      write(event, log);
    } catch {
      // A log that throws has nowhere to be told, and what rxjs does with it would end the process.
    }
  });
}

function write(event: FlowEvent, log: EventLog): void {
  switch (event.type) {
    case 'run.failed':
      return log.error(
        `${nameOf(event)} failed in step "${event.step}": ${reasonOf(event.error)}`,
        stackOf(event.error),
      );
    case 'run.cancelled':
      return log.log(`${nameOf(event)} was cancelled${event.reason === null ? '' : `: ${oneLine(event.reason)}`}.`);
    case 'run.terminated':
      return log.warn(`${nameOf(event)} was terminated${event.reason === null ? '' : `: ${oneLine(event.reason)}`}.`);
    case 'backoff.failed':
      return log.error(`${nameOf(event)}: ${reasonOf(event.error)}`, stackOf(event.error));
    case 'compensation.failed':
      return log.error(
        `${nameOf(event)}: compensation "${event.step}" failed for good, and what it was to undo is still done: ${reasonOf(event.error)}`,
        stackOf(event.error),
      );
    case 'schedule.failed':
      return log.error(
        `Schedule "${oneLine(event.schedule)}" has started no run for ${event.scheduledAt.toISOString()}: ${reasonOf(event.error)}`,
        stackOf(event.error),
      );
    case 'schedule.refused':
      return log.error(
        `The @Schedule "${oneLine(event.schedule)}" of workflow "${oneLine(event.workflow)}" is not in force: schedules.upsert() has made one of this name. ` +
          'Remove that one and boot again, or give the decorator another name.',
      );
    case 'worker.replaced':
      return log.warn(
        `This process had been declared dead and its steps were given to others; it goes on as worker ${event.worker}. ` +
          'It was paused or blocked for longer than its lease: look for synchronous work in steps.',
      );
    case 'worker.unguarded':
      return log.debug(
        `The lease of this worker is not kept while the event loop is blocked: ${reasonOf(event.error)}`,
      );
    case 'worker.draining':
      return log.log(
        `Waiting up to ${event.timeoutMs / 1_000} s for ${event.running} running ${event.running === 1 ? 'step' : 'steps'}.`,
      );
    case 'worker.drained':
      return log.log(`Worker ${event.worker} has stopped${handedOver(event.handedOver)}.`);
    case 'database.lost':
      return log.warn(`The database cannot be reached; runs wait until it is back. ${reasonOf(event.error)}`);
    case 'database.back':
      return log.log('The database is back; runs go on.');
    case 'queue.failed':
      return log.warn(
        `The queue "${event.queue}" cannot be reached; steps start with the next beat instead. ${reasonOf(event.error)}`,
      );
    case 'pool.failed':
      return log.warn(
        `The app's connection pool gives no transaction for steps with @Manager(); they are tried again. ${reasonOf(event.error)}`,
      );
    case 'queue.unsuitable':
      return log.warn(`${event.fault} ${event.remedy}`);
    case 'internal.error':
      return log.error(
        `Cannot go on ${event.doing}: ${reasonOf(event.error)}. Please report this.`,
        stackOf(event.error),
      );
    case 'worker.started':
      return log.log(
        `Worker ${event.worker} takes steps from ${event.queues.map((queue) => `"${queue}"`).join(', ')}.`,
      );
    case 'step.retrying':
      return log.debug(
        `${nameOf(event)} step "${event.step}" failed in attempt ${event.attempt} and is tried again in ${event.delayMs} ms: ${reasonOf(event.error)}`,
      );
    case 'step.stale':
      return log.debug(`${nameOf(event)} step "${event.step}": the outcome of attempt ${event.attempt} came too late.`);
    default:
      return;
  }
}

function nameOf({ workflow, runId }: { workflow: string; runId: string }): string {
  return `Run ${runId} of "${oneLine(workflow)}"`;
}

function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined;
  // It holds the message, and so whatever that holds: only its first line may begin a line.
  const [first, ...others] = error.stack.split('\n');
  return [oneLine(first!), ...others.map((line) => `    ${oneLine(line.trim())}`)].join('\n');
}

function reasonOf(error: unknown): string {
  return oneLine(messageOf(error));
}

function handedOver(count: number): string {
  return count === 0 ? '' : ` and handed over ${count} running ${count === 1 ? 'step' : 'steps'}`;
}
