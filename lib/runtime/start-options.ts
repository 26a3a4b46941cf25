import { DURATION_FORM, findDurationMs, type Duration } from '../engine/duration.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { StartOptions } from './orchestrator-options.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_KEY_LENGTH = 500;
const MAX_PRIORITY = 1_000_000;

/** Whether this can be the id of a run. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && UUID.test(id);
}

/** Refuses options of `start()` that cannot be meant, all faults in one error. */
export function assertStartOptions({ id, key, delay, priority }: StartOptions): void {
  const faults: string[] = [];
  if (id !== undefined && !isRunId(id))
    faults.push(`Expected id to be a UUID, got ${show(id)}. For a name of your own use \`key\`.`);
  if (key !== undefined && !isKey(key))
    faults.push(`Expected key to be text of 1 to ${MAX_KEY_LENGTH} characters without NUL, got ${show(key)}.`);
  if (delay !== undefined && findDurationMs(delay) === null)
    faults.push(`Expected delay to be ${DURATION_FORM}, got ${show(delay)}.`);
  if (priority !== undefined && !isPriority(priority)) {
    faults.push(`Expected priority to be a whole number from 0 to ${MAX_PRIORITY}, got ${show(priority)}.`);
  }
  if (faults.length > 0) throw new OrchestrateFlowError('OF_ARGUMENT_INVALID', faults.join(' '));
}

/** Milliseconds of an optional duration; null where it was left out. */
export function readDuration(name: string, duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  const ms = findDurationMs(duration);
  if (ms !== null) return ms;
  throw new OrchestrateFlowError(
    'OF_ARGUMENT_INVALID',
    `Expected ${name} to be ${DURATION_FORM}, got ${show(duration)}.`,
  );
}

function isKey(key: unknown): boolean {
  return (
    typeof key === 'string' &&
    key.length > 0 &&
    key.length <= MAX_KEY_LENGTH &&
    !key.includes('\0') &&
    key.isWellFormed()
  );
}

function isPriority(priority: unknown): boolean {
  return Number.isInteger(priority) && (priority as number) >= 0 && (priority as number) <= MAX_PRIORITY;
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value);
}
