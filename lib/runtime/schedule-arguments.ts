import { isName, MAX_NAME_LENGTH, readOptions, show, type WrittenOptions } from '../definition/option-readers.js';
import { SETTING_KEYS, type ScheduleSettings } from '../definition/schedule-options.js';
import { readCatchUp, readOverlap, readTiming } from '../definition/schedule-reader.js';
import type { InputOf, WorkflowClass } from '../definition/workflow-class.js';
import type { Duration } from '../engine/duration.js';
import type { CatchUp, Overlap, Timing } from '../engine/occurrences.js';
import type { ScheduleQuery } from '../engine/ports.js';
import { invalid, reading, refuse } from './start-options.js';

const KEYS = ['workflow', 'cron', 'every', ...SETTING_KEYS, 'input'];
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

/** The input of its runs, which may be left out where there is none. */
type InputPart<C> = C extends WorkflowClass
  ? undefined extends InputOf<C>
    ? { readonly input?: InputOf<C> }
    : { readonly input: InputOf<C> }
  : { readonly input?: unknown };

/**
 * A schedule for `schedules.upsert()`: `cron`, an expression as in `@Schedule`, or `every`, from 1 second to 10 years.
 *
 * @publicApi
 */
export type ScheduleToKeep<C extends WorkflowClass | string> = ScheduleSettings &
  InputPart<C> & { readonly workflow: C } & (
    | { readonly cron: string; readonly every?: undefined }
    | { readonly every: Duration; readonly cron?: undefined; readonly timeZone?: undefined }
  );

/**
 * Which schedules to list.
 *
 * @publicApi
 */
export interface ListSchedulesOptions {
  readonly workflow?: WorkflowClass | string;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** From 1 to 1,000. @default 50 */
  readonly limit?: number;
}

/** A schedule as a caller gives it, read. */
export interface ReadSchedule {
  readonly workflow: WorkflowClass | string;
  readonly timing: Timing;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  readonly input: unknown;
}

/** Each option is read once. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` with every fault */
export function readScheduleToKeep(written: unknown): ReadSchedule {
  const faults: string[] = [];
  const say = (fault: string) => void faults.push(fault);
  const options = readAll(written, 'schedules.upsert()', KEYS, faults);
  const { workflow, cron, every, timeZone, overlap, catchUp, input } = options;
  if (cron !== undefined && every !== undefined) say('Expected either cron or every, got both.');
  const timing = readTiming(every === undefined ? cron : { every }, timeZone, 'schedules.upsert()', say);
  const settings = { overlap: readOverlap(overlap, say), catchUp: readCatchUp(catchUp, say) };
  refuse(faults);
  return { workflow: workflow as WorkflowClass | string, timing: timing!, ...settings, input };
}

/** Reads the options of `schedules.list()`. @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` */
export function readScheduleListOptions(
  written: unknown,
  nameOf: (workflow: WorkflowClass | string) => string,
): ScheduleQuery {
  const faults: string[] = [];
  const {
    workflow,
    cursor,
    limit = DEFAULT_LIMIT,
  } = written === undefined ? {} : readAll(written, 'schedules.list()', ['workflow', 'cursor', 'limit'], faults);
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    faults.push(`Expected limit to be a whole number from 1 to ${MAX_LIMIT}, got ${show(limit)}.`);
  if (cursor !== undefined && !isName(cursor))
    faults.push(`Expected cursor to be the nextCursor of an earlier page, got ${show(cursor)}.`);
  if (workflow !== undefined && typeof workflow !== 'function' && !isName(workflow))
    faults.push(`Expected workflow to be a workflow's class or name, got ${show(workflow)}.`);
  refuse(faults);
  const name = typeof workflow === 'function' ? nameOf(workflow as unknown as WorkflowClass) : workflow;
  return {
    workflow: (name as string | undefined) ?? null,
    after: (cursor as string | undefined) ?? null,
    limit: limit as number,
  };
}

export function assertScheduleName(name: unknown): asserts name is string {
  if (isName(name)) return;
  throw invalid(`Expected a schedule's name to be text of 1 to ${MAX_NAME_LENGTH} characters, got ${show(name)}.`);
}

function readAll(written: unknown, what: string, keys: readonly string[], faults: string[]): WrittenOptions {
  return reading(`the options of ${what}`, () => readOptions(written, what, keys, (fault) => faults.push(fault)));
}
