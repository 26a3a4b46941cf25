import type { GraphNode } from '../engine/graph.js';
import { readWhen, type StepScope } from './condition-reader.js';
import { readJoin } from './join-reader.js';
import type { StepMember } from './member-faults.js';
import type { StepMark } from './metadata.js';
import { list, suggest } from './near-miss.js';
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
import { readRetry, type RetrySettings } from './retry-resolution.js';
import { CODE_KEYS, PARALLEL_KEYS, PLACE_KEYS, STEP_KEYS } from './step-options.js';

/** A step as its decorators describe it, read. What was not said is undefined: the workflow or the module decides it. */
export interface WrittenStep extends PageStep {
  readonly member: StepMember;
  readonly kind: GraphNode['kind'];
  /** Of `after` so many must end well; null: all of them. */
  readonly join: number | null;
  /** The method that decides whether it runs. */
  readonly when: string | null;
  readonly delayMs: number | undefined;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: RetrySettings;
  readonly onFailure: 'fail' | 'continue' | undefined;
  /** Whether `after` names what is no step: then it is not known what this step really waits for. */
  readonly isUncertain: boolean;
}

const KEYS: Readonly<Record<StepMark['decorator'], readonly string[]>> = {
  '@Step': STEP_KEYS,
  '@Parallel': PARALLEL_KEYS,
  '@Sleep': PLACE_KEYS,
  '@SleepUntil': CODE_KEYS,
};

const KINDS: Readonly<Partial<Record<StepMark['decorator'], GraphNode['kind']>>> = {
  '@Sleep': 'sleep',
  '@SleepUntil': 'sleep-until',
};

/** Reads one step of a workflow. */
export function readStep(member: StepMember, scope: StepScope, say: Say): WrittenStep {
  const mark = member.steps[0]!;
  const { decorator } = mark;
  const written = readOptions(mark.options, decorator, KEYS[decorator], say);
  // What it has no such option for has been said: it is not read, lest more is said of it.
  const options = Object.fromEntries(Object.entries(written).filter(([key]) => KEYS[decorator].includes(key)));
  const after = readAfter(options['after'], scope.names, say);
  return {
    name: member.key,
    member,
    kind: KINDS[decorator],
    parallel: decorator === '@Parallel',
    after: after?.names ?? null,
    isUncertain: after?.isUncertain ?? false,
    beside: readBeside(options, say),
    group: readGroup(options, say),
    join: readJoin(options['join'], after === undefined ? null : after.written, say),
    when: readWhen(options['when'], member, scope, say),
    delayMs: readPause(mark, options, say),
    queue: readQueue(options['queue'], say),
    priority: readPriority(options['priority'], say),
    timeoutMs: readTimeout(options['timeout'], 'timeout', say),
    retry: readStepRetry(member, options, say),
    onFailure: readChoice(options['onFailure'], 'onFailure', ['fail', 'continue'], say),
  };
}

interface ReadAfter {
  readonly names: readonly string[];
  /** As it was written, names that are no step included; undefined where it is no list of names. */
  readonly written: readonly string[] | undefined;
  readonly isUncertain: boolean;
}

function readAfter(value: unknown, names: readonly string[], say: Say): ReadAfter | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    say(`Expected after to be a list of step names, got ${show(value)}.`);
    return { names: [], written: undefined, isUncertain: true };
  }
  const unknown = value.filter((name) => !names.includes(name));
  for (const name of unknown)
    say(`after names "${name}", which is no step.${suggest(name, names)} Its steps are ${list(names)}.`);
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

function readStepRetry(member: StepMember, options: WrittenOptions, say: Say): RetrySettings {
  const inOptions = options['retry'] !== undefined;
  const times = member.retries.length + (inOptions ? 1 : 0);
  if (times > 1)
    say(`has its retry policy said ${times} times (@Retry and the option \`retry\` are the same). Keep one of them.`);
  const policy = inOptions ? options['retry'] : member.retries[0];
  if (member.retries.length > 0 && member.retries[0] === undefined)
    say('Expected @Retry to be given a number of attempts or a policy, got undefined.');
  return readRetry(policy, inOptions ? 'retry' : '@Retry', say);
}
