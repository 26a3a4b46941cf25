import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';

import type { WorkflowRegistry } from '../definition/registry.js';
import type { Occurrence } from '../definition/schedule-options.js';
import { findNextOccurrence, findOccurrences } from '../definition/schedule-times.js';
import { messageOf, OrchestrateFlowError } from '../engine/errors.js';
import { decideOccurrences } from '../engine/occurrences.js';
import { oneLine } from '../engine/one-line.js';
import type { Clock, ScheduledRun, ScheduleMove, ScheduleStore, StoredSchedule } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { InputDesk } from './input-desk.js';
import { toNewRun } from './run-writes.js';

/** Milliseconds that a function which gives an input may take. */
const INPUT_WITHIN_MS = 10_000;

/** Characters kept of why an occurrence has no run. */
const MAX_ERROR_LENGTH = 1_000;

export interface OccurrenceDeskPorts {
  readonly store: ScheduleStore;
  readonly registry: WorkflowRegistry;
  readonly shelf: DefinitionShelf;
  readonly inputs: InputDesk;
  readonly events: EventHub;
  readonly clock: Clock;
}

/** What has come of a look at due schedules. */
export interface TakenOccurrences {
  /** Runs that were born, and can begin. */
  readonly runs: readonly string[];
  /** Milliseconds until it is worthwhile to look again, or null. */
  readonly lookInMs: number | null;
}

/** A schedule whose time has come, what becomes of it, and its runs. */
interface Plan {
  readonly move: ScheduleMove;
  readonly runs: readonly ScheduledRun[];
  readonly failures: readonly OccurrenceFailure[];
  /** Whether there is more to do at once: runs that make way for these, or an occurrence that waits for a run which did not begin. */
  readonly leavesMore: boolean;
}

/** What a run is born with. */
interface Birth {
  readonly id: string;
  readonly input: string;
  /** What it carries, encoded; null: nobody has started it, and nothing. */
  readonly context: string | null;
}

interface OccurrenceFailure {
  readonly scheduledAt: number;
  readonly error: unknown;
}

/** Makes runs of occurrences that are due. Which those are the store's time decides, and who takes them its guard. */
export class OccurrenceDesk {
  /** Schedules that have left an occurrence waiting here. */
  private readonly queued = new Set<string>();
  /** The beat may have been woken within somebody's request. */
  private readonly callOutside = AsyncLocalStorage.snapshot();

  constructor(private readonly ports: OccurrenceDeskPorts) {}

  /** The workflows of which runs can be started here, and the schedules whose input the code here can compute. */
  get known(): { readonly workflows: readonly string[]; readonly computed: readonly string[] } {
    const all = this.ports.registry.all();
    const computed = all
      .flatMap(({ schedules }) => schedules)
      .flatMap(({ name, input }) => (typeof input === 'function' ? [name] : []));
    return { workflows: all.map(({ name }) => name), computed };
  }

  /** Takes what is due of these schedules. */
  async take(names: readonly string[]): Promise<TakenOccurrences> {
    const schedules = (await this.ports.store.find(names)).filter(isDue);
    const plans = await Promise.all(schedules.map((schedule) => this.callOutside(() => this.plan(schedule))));
    if (plans.length === 0) return { runs: [], lookInMs: null };
    const moves = plans.map(({ move }) => move);
    const moved = new Set(
      await this.ports.store.take(
        moves,
        plans.flatMap(({ runs }) => runs),
      ),
    );
    const taken = plans.filter(({ move }) => moved.has(move.name));
    for (const plan of taken) this.settle(plan);
    const runs = taken.flatMap((plan) => plan.runs.map(({ run }) => run.id));
    // What has moved on under our hands may be due still.
    const isHasty = taken.length < plans.length || taken.some(({ leavesMore }) => leavesMore);
    return { runs, lookInMs: isHasty ? 0 : computeLook(schedules[0]!.now, moves) };
  }

  /**
   * A run now, beside whatever goes on and whatever comes. It carries the context of whoever triggers it.
   *
   * @returns its id, or null where the schedule has moved on since it was read
   * @throws what computing and checking its input throws
   */
  async trigger(schedule: StoredSchedule, context: string | null): Promise<string | null> {
    const { now: scheduledAt } = schedule;
    const input = await this.inputOf(schedule, scheduledAt);
    const scheduled = this.toRun(schedule, { scheduledAt, input, id: this.ports.clock.newId(), context });
    const move = { ...toMove(schedule), lastRun: scheduled.run.id };
    const moved = await this.ports.store.take([move], [scheduled]);
    return moved.length > 0 ? scheduled.run.id : null;
  }

  private async plan(schedule: StoredSchedule): Promise<Plan> {
    const { timing, overlap, catchUp, queuedAt, isRunning, now, name } = schedule;
    const isNext = schedule.nextAt !== null && schedule.nextAt <= now;
    const due = isNext ? findOccurrences(timing, schedule.nextAt, now, Math.max(catchUp, 1)) : [];
    const decided = decideOccurrences({ overlap, catchUp, due, queuedAt, isRunning, now });
    const runs: ScheduledRun[] = [];
    const failures: OccurrenceFailure[] = [];
    for (const scheduledAt of decided.starts) {
      let input: string;
      try {
        input = await this.inputOf(schedule, scheduledAt);
      } catch (error) {
        failures.push({ scheduledAt, error });
        continue;
      }
      runs.push(this.toRun(schedule, { scheduledAt, input, id: idOf(name, scheduledAt), context: null }));
    }
    const last = runs.at(-1);
    const lastError = failures.length > 0 ? describe(failures.at(-1)!.error) : last ? null : schedule.lastError;
    const move: ScheduleMove = {
      ...toMove(schedule),
      nextAt: isNext ? findNextOccurrence(timing, now) : schedule.nextAt,
      queuedAt: decided.queuedAt,
      ...(last ? { lastAt: last.scheduledAt, lastRun: last.run.id } : {}),
      lastError,
    };
    const leavesMore = last ? overlap === 'cancel' && isRunning : decided.queuedAt !== null && !isRunning;
    return { move, runs, failures, leavesMore };
  }

  /** Encoded. */
  private inputOf({ name, workflow, input }: StoredSchedule, scheduledAt: number): string | Promise<string> {
    if (input !== null) return input;
    const { registry, inputs, clock } = this.ports;
    const definition = registry.getByName(workflow);
    const declared = definition.schedules.find((schedule) => schedule.name === name)?.input;
    if (typeof declared !== 'function') throw undeclared(name);
    const compute = declared as (occurrence: Occurrence) => unknown;
    return new Promise((resolve, reject) => {
      const callOff = clock.after(INPUT_WITHIN_MS, () => reject(tooLate(name)));
      Promise.resolve({ schedule: name, scheduledAt: new Date(scheduledAt) })
        .then(compute)
        .then((value) => inputs.encode(definition, value))
        .then(resolve, reject)
        .finally(callOff);
    });
  }

  private toRun(
    { name, workflow }: StoredSchedule,
    { scheduledAt, ...born }: Birth & { readonly scheduledAt: number },
  ): ScheduledRun {
    const { registry, shelf } = this.ports;
    const code = registry.getByName(workflow);
    const definition = shelf.currentOf(code);
    const deadlineMs = code.graph.deadlineMs ?? null;
    const request = {
      ...born,
      definition,
      deadlineMs,
      priority: 0,
      key: null,
      inputHash: null,
      tags: code.tags,
      tenant: null,
      isGated: code.limits !== null,
    };
    return { schedule: name, scheduledAt, run: toNewRun({ ...request, delayMs: null, dueAt: null }, null) };
  }

  /** Whether the end of a run may let an occurrence begin. */
  get isAnyQueued(): boolean {
    return this.queued.size > 0;
  }

  private settle({ move: { name, queuedAt }, failures }: Plan): void {
    if (queuedAt === null) this.queued.delete(name);
    else this.queued.add(name);
    for (const { scheduledAt, error } of failures)
      this.ports.events.announce({
        type: 'schedule.failed',
        schedule: name,
        scheduledAt: new Date(scheduledAt),
        error,
      });
  }
}

function isDue({ nextAt, queuedAt, isRunning, now }: StoredSchedule): boolean {
  return (nextAt !== null && nextAt <= now) || (queuedAt !== null && !isRunning);
}

/** A schedule that stays as it is. */
function toMove({ name, revision, nextAt, queuedAt, lastAt, lastRun, lastError }: StoredSchedule): ScheduleMove {
  return { name, revision, nextAt, queuedAt, lastAt, lastRun, lastError };
}

function computeLook(now: number, moves: readonly ScheduleMove[]): number | null {
  const next = moves.flatMap(({ nextAt }) => nextAt ?? []);
  return next.length === 0 ? null : Math.max(0, Math.min(...next) - now);
}

/** The same for the same occurrence of the same schedule, and like the library's other ids in the order of time. */
function idOf(schedule: string, scheduledAt: number): string {
  const time = Math.max(0, scheduledAt).toString(16).padStart(12, '0').slice(-12);
  const hash = createHash('sha256')
    .update(JSON.stringify([schedule, scheduledAt]))
    .digest('hex');
  // Version 8 of RFC 9562: what it is made of is our own.
  return `${time.slice(0, 8)}-${time.slice(8)}-8${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

function describe(error: unknown): string {
  return messageOf(error).slice(0, MAX_ERROR_LENGTH).replaceAll('\0', '').toWellFormed();
}

function undeclared(name: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_SCHEDULE_DECLARED',
    `Cannot start a run of schedule "${oneLine(name)}": its input is computed by a @Schedule that this process does not have. ` +
      'Trigger it in a process of the build that declares it.',
  );
}

function tooLate(name: string): Error {
  return new Error(`The input of schedule "${oneLine(name)}" was not there within ${INPUT_WITHIN_MS / 1_000} s.`);
}
