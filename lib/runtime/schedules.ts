import type { WorkflowRegistry } from '../definition/registry.js';
import { findNextOccurrence } from '../definition/schedule-times.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import type { ScheduleStore, StoredSchedule } from '../engine/ports.js';
import type { InputDesk } from './input-desk.js';
import type { OccurrenceDesk } from './occurrence-desk.js';
import type { Run } from './run.js';
import { toScheduleDetails, type ScheduleDetails, type SchedulePage } from './schedule-details.js';
import {
  assertScheduleName,
  readScheduleListOptions,
  readScheduleToKeep,
  type ListSchedulesOptions,
  type ScheduleToKeep,
} from './schedule-arguments.js';

/** How often what has moved on since it was read is read again. */
const MAX_TRIES = 10;

export interface SchedulesPorts {
  readonly store: ScheduleStore;
  readonly registry: WorkflowRegistry;
  readonly inputs: InputDesk;
  readonly occurrences: OccurrenceDesk;
  readonly codec: PayloadCodec;
  /** What a run carries that is started where this is called, encoded. */
  readonly capture: () => string | null;
  /** A run of this id was born: it can begin. */
  readonly begin: (runId: string) => void;
  /** A schedule has come to have an occurrence in so many milliseconds. */
  readonly expect: (delayMs: number) => void;
}

/**
 * What starts runs by the clock: schedules made here, and those that a `@Schedule` declares.
 *
 * @publicApi
 */
export class Schedules {
  /** @internal */
  constructor(
    private readonly ports: SchedulesPorts,
    private readonly toRun: (runId: string) => Run,
  ) {}

  /**
   * Makes a schedule, or changes the one of this name: its pause and its past are kept, and its next occurrence where the timing is
   * the same. What is needed to start its runs is in the database: it survives every deploy.
   *
   * @param name unique in the database, 1 to 200 characters
   * @example
   * await orchestrator.schedules.upsert('report-de', { workflow: Report, cron: '0 2 * * *', timeZone: 'Europe/Berlin', input: { country: 'de' } });
   *
   * @throws InputInvalidError, ValueNotStorableError
   * @throws OrchestrateFlowError `OF_SCHEDULE_DECLARED` where a `@Schedule` has this name; `OF_WORKFLOW_UNKNOWN`, `OF_ARGUMENT_INVALID`
   */
  upsert<C extends WorkflowClass>(name: string, schedule: ScheduleToKeep<C>): Promise<ScheduleDetails>;
  /** Makes a schedule for the workflow of that name. */
  upsert(name: string, schedule: ScheduleToKeep<string>): Promise<ScheduleDetails>;
  async upsert(name: string, schedule: ScheduleToKeep<WorkflowClass | string>): Promise<ScheduleDetails> {
    assertScheduleName(name);
    const { store, registry, inputs } = this.ports;
    const { workflow, input, ...settings } = readScheduleToKeep(schedule);
    const definition = registry.get(workflow);
    const spec = {
      ...{ name, workflow: definition.name, isDeclared: false, ...settings },
      input: await inputs.encode(definition, input),
    };
    const nextAt = findNextOccurrence(spec.timing, await store.now());
    if (!(await store.put(spec, nextAt))) throw declared(name, 'change');
    return this.tell(await this.read(name));
  }

  /**
   * Removes a schedule. Runs that it has started go on.
   *
   * @throws OrchestrateFlowError `OF_SCHEDULE_UNKNOWN`; `OF_SCHEDULE_DECLARED` where a `@Schedule` of the running build declares it
   */
  async remove(name: string): Promise<void> {
    await this.change(name, async ({ isDeclared, isOrphaned, revision }) => {
      if (isDeclared && !isOrphaned) throw declared(name, 'remove');
      return (await this.ports.store.remove(name, revision)) || null;
    });
  }

  /** A schedule as it stands. @throws OrchestrateFlowError `OF_SCHEDULE_UNKNOWN` */
  async get(name: string): Promise<ScheduleDetails> {
    return toScheduleDetails(await this.read(name), this.ports.codec);
  }

  /** Schedules by name, a page at a time. */
  async list(options?: ListSchedulesOptions): Promise<SchedulePage> {
    const { store, registry, codec } = this.ports;
    const query = readScheduleListOptions(options, (workflow) => registry.get(workflow).name);
    const found = await store.list({ ...query, limit: query.limit + 1 });
    const schedules = found.slice(0, query.limit).map((schedule) => toScheduleDetails(schedule, codec));
    return { schedules, nextCursor: found.length > query.limit ? schedules.at(-1)!.name : null };
  }

  /**
   * Lets a schedule rest: no occurrence starts a run, also none that waits. Deploys do not wake it. What goes on goes on.
   *
   * @throws OrchestrateFlowError `OF_SCHEDULE_UNKNOWN`
   */
  async pause(name: string): Promise<void> {
    assertScheduleName(name);
    if (!(await this.ports.store.pause(name))) throw unknown(name);
  }

  /**
   * Wakes a schedule. Occurrences of its rest are not caught up.
   *
   * @throws OrchestrateFlowError `OF_SCHEDULE_UNKNOWN`
   */
  async resume(name: string): Promise<void> {
    await this.change(name, async ({ isPaused, timing, revision, now }) => {
      if (!isPaused) return true;
      return (await this.ports.store.resume(name, revision, findNextOccurrence(timing, now))) || null;
    });
    this.tell(await this.read(name));
  }

  /**
   * Starts a run now, whether the schedule rests or not and beside whatever goes on. Later occurrences come as they would have, and meet
   * it as they meet any run of the schedule.
   *
   * @throws InputInvalidError, ValueNotStorableError, and what a function that gives the input throws
   * @throws OrchestrateFlowError `OF_SCHEDULE_UNKNOWN`, `OF_WORKFLOW_UNKNOWN`; `OF_SCHEDULE_DECLARED` where only another build can compute the input
   */
  async trigger(name: string): Promise<Run> {
    const context = this.ports.capture();
    const id = await this.change(name, (schedule) => this.ports.occurrences.trigger(schedule, context));
    this.ports.begin(id);
    return this.toRun(id);
  }

  /** Reads a schedule and changes it, again while `act` answers null because it has moved on between. */
  private async change<T>(name: string, act: (schedule: StoredSchedule) => Promise<T | null>): Promise<T> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const done = await act(await this.read(name));
      if (done !== null) return done;
    }
    throw new OrchestrateFlowError(
      'OF_SCHEDULE_BUSY',
      `Cannot change schedule "${oneLine(name)}": others changed it each of ${MAX_TRIES} times. Try again.`,
    );
  }

  private async read(name: string): Promise<StoredSchedule> {
    assertScheduleName(name);
    const [schedule] = await this.ports.store.find([name]);
    if (!schedule) throw unknown(name);
    return schedule;
  }

  /** The beat of this process looks by its next occurrence. */
  private tell(schedule: StoredSchedule): ScheduleDetails {
    const { nextAt, now } = schedule;
    if (nextAt !== null) this.ports.expect(nextAt - now);
    return toScheduleDetails(schedule, this.ports.codec);
  }
}

function unknown(name: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SCHEDULE_UNKNOWN',
    `Cannot find schedule "${oneLine(name)}": there is none of this name. schedules.list() has those there are.`,
  );
}

function declared(name: string, verb: 'change' | 'remove'): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SCHEDULE_DECLARED',
    `Cannot ${verb} schedule "${oneLine(name)}": a @Schedule declares it, and the next boot would put it back. ` +
      `Change the decorator${verb === 'remove' ? ', or pause the schedule' : ', or take another name'}.`,
  );
}
