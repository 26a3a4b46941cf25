import {
  isName,
  MAX_NAME_LENGTH,
  readOptions,
  readDelay,
  readTags,
  readTenant,
  show,
} from '../definition/option-readers.js';
import { DURATION_FORM, findDurationMs } from '../engine/duration.js';
import { messageOf, OrchestrateFlowError } from '../engine/errors.js';
import type { Asked } from '../engine/facts.js';
import { isStorableTime, TIME_FORM } from '../engine/time.js';
import { oneLine } from '../engine/one-line.js';
import type {
  AuditOptions,
  ControlOptions,
  ListOptions,
  PurgeOptions,
  ResultOptions,
  RunFilter,
  SignalOptions,
  SignalToSend,
  StartOptions,
} from './orchestrator-options.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_KEY_LENGTH = 500;
const MAX_PRIORITY = 1_000_000;
const MAX_REASON_LENGTH = 1_000;
const MAX_BY_LENGTH = 200;

/** Of what reading a caller's options threw. */
const MAX_SHOWN_LENGTH = 200;

const KEY_FORM = `text of 1 to ${MAX_KEY_LENGTH} characters without NUL and lone surrogates`;

/** Whether this can be the id of a run. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && UUID.test(id);
}

/**
 * The options of `start()`, each read once: what was checked is what is used.
 *
 * @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` with every fault
 */
export function readStartOptions(written: unknown): StartOptions {
  return readStart(written, 'start()', [
    'id',
    'key',
    'manager',
    'delay',
    'startAt',
    'deadline',
    'priority',
    'tags',
    'tenant',
  ]);
}

/** One run of `startMany()`: its options, and its input beside them. */
export function readStartItem(written: unknown, index: number): { options: StartOptions; input: unknown } {
  const { input, ...options } = readStart(written ?? null, `run ${index} of startMany()`, [
    ...['input', 'id', 'key', 'delay', 'startAt', 'deadline', 'priority', 'tags', 'tenant'],
  ]);
  return { options, input };
}

/** The options of `child()`. */
export function readChildOptions(written: unknown): StartOptions & { readonly detached: boolean } {
  const names = ['detached', 'delay', 'startAt', 'deadline', 'priority', 'tags'];
  const { detached, ...options } = readStart(written, 'child()', names);
  if (detached !== undefined && typeof detached !== 'boolean')
    throw invalid(`Expected detached to be true or false, got ${show(detached)}.`);
  return { ...options, detached: detached === true };
}

/** The options of `execute()`: those of `start()` and those of `result()`. */
export function readExecuteOptions(written: unknown): { options: StartOptions; result: ResultOptions } {
  if (reading('the options of execute()', () => read(written, 'manager')) !== undefined) {
    throw new OrchestrateFlowError(
      'OF_RESULT_IN_TRANSACTION',
      'Cannot execute a workflow with `manager`: the run begins when that transaction commits, and execute() would wait for it inside. ' +
        'Call start() there, and result() after the transaction.',
    );
  }
  const names = ['id', 'key', 'delay', 'startAt', 'deadline', 'priority', 'tags', 'tenant', 'timeout'];
  const { timeout, ...options } = readStart(written, 'execute()', names);
  return { options, result: timeout === undefined ? {} : { timeout } };
}

/** Milliseconds of `timeout`, or null: without limit. */
export function readResultOptions(written: unknown): number | null {
  const faults: string[] = [];
  const { timeout } = readOnce(written, 'result()', ['timeout'], faults);
  const ms = timeout === undefined ? null : findDurationMs(timeout);
  if (timeout !== undefined && ms === null)
    faults.push(`Expected timeout to be ${DURATION_FORM}, got ${show(timeout)}.`);
  refuse(faults);
  return ms;
}

/** Who asks for what, and why, as it can be stored. */
export function readAsked(written: unknown, what: string): Asked {
  const faults: string[] = [];
  const { by, reason } = readOnce(written, what, ['by', 'reason'], faults) as ControlOptions;
  const asked = {
    by: readText('by', by, MAX_BY_LENGTH, faults),
    reason: readText('reason', reason, MAX_REASON_LENGTH, faults),
  };
  refuse(faults);
  return asked;
}

function readText(name: string, text: unknown, maxLength: number, faults: string[]): string | null {
  if (text === undefined) return null;
  if (typeof text !== 'string') {
    faults.push(`Expected ${name} to be text, got ${show(text)}.`);
    return null;
  }
  return text.slice(0, maxLength).replaceAll('\0', '').toWellFormed();
}

/** The options of `audit()`, each read once. What they hold is read by the caller. */
export function readAudited(written: unknown): AuditOptions {
  const faults: string[] = [];
  const options = readOnce(written, 'audit()', ['run', 'workflow', 'by', 'cursor', 'limit'], faults) as AuditOptions;
  const by = readText('by', options.by, MAX_BY_LENGTH, faults);
  refuse(faults);
  return { ...options, ...(by !== null && { by }) };
}

/** The options of `signal()`, each read once. */
export function readSignalOptions(written: unknown): SignalOptions {
  const faults: string[] = [];
  const options = readOnce(written, 'signal()', ['key', 'manager'], faults) as SignalOptions;
  const { manager } = options;
  if (manager !== undefined && (typeof manager !== 'object' || manager === null))
    faults.push(`Expected manager to be the EntityManager of an open transaction, got ${show(manager)}.`);
  refuse(faults);
  return options;
}

/** The signal of `signalOrStart()`, read once. */
export function readSignalToSend(written: unknown): SignalToSend {
  const faults: string[] = [];
  const signal = readOnce(written ?? null, 'signalOrStart()', ['name', 'payload', 'key'], faults);
  refuse(faults);
  return signal as unknown as SignalToSend;
}

/** The options of `list()`, each read once. What they hold is read by the caller. */
export function readListed(written: unknown): ListOptions {
  const faults: string[] = [];
  const options = readOnce(
    written,
    'list()',
    ['workflow', 'status', 'blocked', 'tags', 'tenant', 'parent', 'from', 'to', 'cursor', 'limit'],
    faults,
  );
  refuse(faults);
  return options;
}

/** Which runs are meant, by a call of this name. What it holds is read by the caller. */
export function readRunFilter(written: unknown, what: string): RunFilter {
  const faults: string[] = [];
  const filter = readOnce(written ?? null, what, ['workflow', 'tags', 'tenant', 'from', 'to'], faults);
  refuse(faults);
  return filter;
}

/** The options of `purge()`, each read once. What they hold is read by the caller. */
export function readPurged(written: unknown): PurgeOptions {
  const faults: string[] = [];
  const options = readOnce(written ?? null, 'purge()', ['olderThan', 'workflow', 'status', 'tags'], faults);
  refuse(faults);
  return options as unknown as PurgeOptions;
}

/** Whether runs can be stored under this name of a workflow. */
export function assertWorkflowName(name: unknown): asserts name is string {
  if (isName(name)) return;
  throw invalid(`Expected a workflow's name to be text of 1 to ${MAX_NAME_LENGTH} characters, got ${show(name)}.`);
}

export function assertKey(key: unknown): asserts key is string {
  if (!isKey(key)) throw invalid(`Expected key to be ${KEY_FORM}, got ${show(key)}.`);
}

/** Reads what a caller gave: it may be a Proxy, or have getters, that throw. */
export function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof OrchestrateFlowError) throw cause;
    const reason = oneLine(messageOf(cause).slice(0, MAX_SHOWN_LENGTH));
    throw new OrchestrateFlowError('OF_ARGUMENT_INVALID', `Cannot read ${what}: reading it threw "${reason}".`, {
      cause,
    });
  }
}

export function invalid(message: string): OrchestrateFlowError {
  return new OrchestrateFlowError('OF_ARGUMENT_INVALID', message);
}

type Written = StartOptions & ResultOptions & { readonly input?: unknown; readonly detached?: unknown };

function readStart(written: unknown, what: string, names: readonly string[]): Written {
  const faults: string[] = [];
  const options = readOnce(written, what, names, faults);
  const { id, key, manager, delay, startAt, deadline, priority } = options;
  if (id !== undefined && !isRunId(id))
    faults.push(`Expected id to be a UUID, got ${show(id)}. For a name of your own use \`key\`.`);
  if (key !== undefined && !isKey(key)) faults.push(`Expected key to be ${KEY_FORM}, got ${show(key)}.`);
  if (manager !== undefined && (typeof manager !== 'object' || manager === null))
    faults.push(`Expected manager to be the EntityManager of an open transaction, got ${show(manager)}.`);
  if (delay !== undefined && findDurationMs(delay) === null)
    faults.push(`Expected delay to be ${DURATION_FORM}, got ${show(delay)}.`);
  if (deadline !== undefined) readDelay(deadline, 'deadline', (fault) => faults.push(fault));
  if (startAt !== undefined && !isStorableTime(startAt))
    faults.push(`Expected startAt to be ${TIME_FORM}, got ${show(startAt)}.`);
  if (startAt !== undefined && delay !== undefined)
    faults.push('Expected either delay or startAt, got both: a run begins at one time.');
  const { timeout } = options;
  if (timeout !== undefined && findDurationMs(timeout) === null)
    faults.push(`Expected timeout to be ${DURATION_FORM}, got ${show(timeout)}.`);
  if (priority !== undefined && !isPriority(priority)) {
    faults.push(`Expected priority to be a whole number from 0 to ${MAX_PRIORITY}, got ${show(priority)}.`);
  }
  const tags = readTags(options['tags'], (fault) => faults.push(fault));
  readTenant(options['tenant'], (fault) => faults.push(fault));
  refuse(faults);
  return tags === undefined ? options : { ...options, tags };
}

/** A copy of what was written: getters are asked once. */
function readOnce(
  written: unknown,
  what: string,
  names: readonly string[],
  faults: string[],
): Readonly<Record<string, unknown>> {
  if (written === undefined) return {};
  return reading(`the options of ${what}`, () => {
    const options = readOptions(written, what, names, (fault) => faults.push(fault));
    const copy: Record<string, unknown> = {};
    for (const name of names) {
      const value = options[name];
      if (value !== undefined) copy[name] = value;
    }
    return copy;
  });
}

function read(written: unknown, name: string): unknown {
  return typeof written === 'object' && written !== null ? (written as Record<string, unknown>)[name] : undefined;
}

export function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw invalid(faults.join(' '));
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
