import type { StepMember } from './member-faults.js';
import { list, suggest } from './near-miss.js';
import {
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
import { PARALLEL_KEYS, STEP_KEYS } from './step-options.js';

/** A step as its decorators describe it, read. What was not said is undefined: the workflow or the module decides it. */
export interface WrittenStep extends PageStep {
  readonly member: StepMember;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: RetrySettings;
  /** Whether `after` names what is no step: then it is not known what this step really waits for. */
  readonly isUncertain: boolean;
}

/** Reads one step; `names` are the names of all steps of its workflow. */
export function readStep(member: StepMember, names: readonly string[], say: Say): WrittenStep {
  const { decorator, options: written } = member.steps[0]!;
  const options = readOptions(written, decorator, decorator === '@Step' ? STEP_KEYS : PARALLEL_KEYS, say);
  const after = readAfter(options['after'], names, say);
  return {
    name: member.key,
    member,
    parallel: decorator === '@Parallel',
    after: after?.names ?? null,
    isUncertain: after?.isUncertain ?? false,
    beside: readBeside(options, say),
    group: readGroup(options, say),
    queue: readQueue(options['queue'], say),
    priority: readPriority(options['priority'], say),
    timeoutMs: readTimeout(options['timeout'], 'timeout', say),
    retry: readStepRetry(member, options, say),
  };
}

function readAfter(
  value: unknown,
  names: readonly string[],
  say: Say,
): { names: string[]; isUncertain: boolean } | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    say(`Expected after to be a list of step names, got ${show(value)}.`);
    return { names: [], isUncertain: true };
  }
  const unknown = value.filter((name) => !names.includes(name));
  for (const name of unknown)
    say(`after names "${name}", which is no step.${suggest(name, names)} Its steps are ${list(names)}.`);
  return { names: value, isUncertain: unknown.length > 0 };
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
