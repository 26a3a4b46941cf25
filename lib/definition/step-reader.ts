import type { FanOutLimits, GraphNode } from '../engine/graph.js';
import { COMPENSATE_KEYS } from './compensate-options.js';
import { readAside, readVerify, WHEN } from './aside-reader.js';
import { readFanOut } from './fan-out-reader.js';
import { readJoin } from './join-reader.js';
import type { StepMember } from './member-faults.js';
import type { StepMark } from './metadata.js';
import {
  readChoice,
  readDelay,
  readOptions,
  readPriority,
  readQueue,
  readTimeout,
  show,
  type Say,
  type WrittenOptions,
} from './option-readers.js';
import type { PageStep } from './page-order.js';
import { readRenamedFrom } from './renames.js';
import { readRepeat, type WrittenRepeat } from './repeat-options.js';
import { readRetry, type RetrySettings } from './retry-resolution.js';
import { WAIT_KEYS } from './signal-options.js';
import { CODE_KEYS, PARALLEL_KEYS, PLACE_KEYS, STEP_KEYS } from './step-options.js';
import { describeNoStep, type StepScope } from './step-scope.js';
import { readWait, type WrittenWait } from './wait-reader.js';

/** How the code of a method is run. What was not said is undefined: the workflow or the module decides it. */
export interface WrittenCode {
  readonly name: string;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: RetrySettings;
  readonly renamedFrom: readonly string[];
}

/** A step as its decorators describe it, read. */
export interface WrittenStep extends PageStep, WrittenCode {
  readonly kind: GraphNode['kind'];
  /** Of `after` so many must complete; null: all have to end. */
  readonly join: number | null;
  /** The method that decides whether it runs. */
  readonly when: string | null;
  /** The method that says whether it has been done where nobody knows. */
  readonly verify: string | null;
  readonly delayMs: number | undefined;
  readonly startWithinMs: number | undefined;
  readonly heartbeatMs: number | undefined;
  /** Null: it is done once. */
  readonly repeat: WrittenRepeat | null;
  /** Of a `@WaitForSignal`. */
  readonly wait: WrittenWait | null;
  /** How a step with `@Item` runs; null of any other. */
  readonly fanOut: FanOutLimits | null;
  readonly onFailure: 'fail' | 'continue' | undefined;
  /** Whether `after` names what is no step: then it is not known what this step really waits for. */
  readonly isUncertain: boolean;
}

const KEYS: Readonly<Record<StepMark['decorator'], readonly string[]>> = {
  '@Step': STEP_KEYS,
  '@Parallel': PARALLEL_KEYS,
  '@Sleep': PLACE_KEYS,
  '@SleepUntil': CODE_KEYS,
  '@WaitForSignal': WAIT_KEYS,
  '@Compensate': COMPENSATE_KEYS,
};

const KINDS: Readonly<Partial<Record<StepMark['decorator'], GraphNode['kind']>>> = {
  '@Sleep': 'sleep',
  '@SleepUntil': 'sleep-until',
  '@WaitForSignal': 'signal',
};

/** Reads one step of a workflow. */
export function readStep(member: StepMember, scope: StepScope, say: Say): WrittenStep {
  const mark = member.steps[0]!;
  const { decorator } = mark;
  const options = readOptions(mark.options, decorator, KEYS[decorator], say);
  const after = readAfter(options['after'], scope, say);
  const wait = readWait(mark, options, say);
  return {
    name: member.key,
    kind: KINDS[decorator],
    parallel: decorator === '@Parallel',
    after: after?.names ?? null,
    isUncertain: after?.isUncertain ?? false,
    beside: readBeside(options, say),
    group: readGroup(options, say),
    join: readJoin(options['join'], after === undefined ? null : after.written, say),
    when: readAside(WHEN, options, member, scope, say),
    verify: readVerify(options, member, scope, say),
    delayMs: readPause(mark, options, say),
    startWithinMs: readDelay(options['scheduleToStart'], 'scheduleToStart', say),
    heartbeatMs: readHeartbeat(member, options, say),
    repeat: mark.decorator === '@Sleep' ? null : readRepeat(member, options, scope, say),
    wait,
    queue: readQueue(options['queue'], say),
    priority: readPriority(options['priority'], say),
    // The option of a wait is its own.
    timeoutMs: wait === null ? readTimeout(options['timeout'], 'timeout', say) : undefined,
    retry: readStepRetry(member, options, say),
    renamedFrom: readRenamedFrom(options['renamedFrom'], scope, say),
    fanOut: readFanOut(member, options, say),
    onFailure: readChoice(options['onFailure'], 'onFailure', ['fail', 'continue'], say),
  };
}

/** What a heartbeat tells is kept, whatever becomes of the attempt; what a transaction writes is not. */
function readHeartbeat(member: StepMember, options: WrittenOptions, say: Say): number | undefined {
  const heartbeatMs = readTimeout(options['heartbeat'], 'heartbeat', say);
  if (heartbeatMs !== undefined && member.parameters.some(({ kind }) => kind === 'manager'))
    say(
      'has heartbeat and @Manager(). The next attempt would go on after what was rolled back: give it a timeout instead.',
    );
  return heartbeatMs;
}

interface ReadAfter {
  readonly names: readonly string[];
  /** As it was written, names that are no step included; undefined where it is no list of names. */
  readonly written: readonly string[] | undefined;
  readonly isUncertain: boolean;
}

function readAfter(value: unknown, scope: StepScope, say: Say): ReadAfter | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    say(`Expected after to be a list of step names, got ${show(value)}.`);
    return { names: [], written: undefined, isUncertain: true };
  }
  const unknown = value.filter((name) => !scope.names.includes(name));
  for (const name of unknown) say(`after names "${name}", ${describeNoStep(name, scope)}`);
  return { names: value, written: value, isUncertain: unknown.length > 0 };
}

function readBeside(options: WrittenOptions, say: Say): boolean {
  const { beside, after } = options;
  if (beside !== undefined && typeof beside !== 'boolean')
    say(`Expected beside to be true or false, got ${show(beside)}.`);
  // Without `after` the step stands on the page, and what stands below waits for it.
  if (beside === true && after === undefined)
    say('has beside without after. Say in `after` which steps it waits for, or remove `beside`.');
  return beside === true && after !== undefined;
}

function readGroup(options: WrittenOptions, say: Say): string | null {
  const { group, after } = options;
  if (group === undefined) return null;
  if (typeof group !== 'string' || group === '') say(`Expected group to be a text, got ${show(group)}.`);
  else if (after !== undefined)
    say('has both group and after. A step with `after` belongs to no group: remove one of them.');
  return typeof group === 'string' ? group : null;
}

/** A `@Sleep` has to say how long; any other step may. */
function readPause({ decorator, duration }: StepMark, options: WrittenOptions, say: Say): number | undefined {
  if (decorator !== '@Sleep') return readDelay(options['delay'], 'delay', say);
  // Null, which is no duration either: undefined would pass for an option that was left out.
  return readDelay(duration ?? null, 'the duration of @Sleep', say);
}

/** `@Retry` and the option `retry` are the same. */
export function readStepRetry(member: StepMember, options: WrittenOptions, say: Say): RetrySettings {
  const inOptions = options['retry'] !== undefined;
  const times = member.retries.length + (inOptions ? 1 : 0);
  if (times > 1)
    say(`has its retry policy said ${times} times (@Retry and the option \`retry\` are the same). Keep one of them.`);
  const policy = inOptions ? options['retry'] : member.retries[0];
  if (member.retries.length > 0 && member.retries[0] === undefined)
    say('Expected @Retry to be given a number of attempts or a policy, got undefined.');
  return readRetry(policy, inOptions ? 'retry' : '@Retry', say);
}
