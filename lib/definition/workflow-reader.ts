import {
  readChoice,
  readName,
  readOptions,
  readDelay,
  readPriority,
  readQueue,
  readTags,
  show,
  type Say,
} from './option-readers.js';
import type { WorkflowLimits } from '../engine/limits.js';
import { readMaxRuns } from './limit-options.js';
import { readRetry, type RetrySettings } from './retry-resolution.js';
import type { WrittenStep } from './step-reader.js';
import { describeNoStep, type StepScope } from './step-scope.js';
import { WORKFLOW_KEYS } from './workflow-options.js';

/** What `@Workflow` says, read. What was not said is undefined. */
export interface WrittenWorkflow {
  readonly name: string | undefined;
  readonly version: string | null;
  readonly order: 'page' | 'explicit';
  readonly deadlineMs: number | undefined;
  readonly retry: RetrySettings;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly tags: readonly string[];
  readonly limits: Omit<WorkflowLimits, 'workflow'> | null;
}

export function readWorkflow(written: unknown, say: Say): WrittenWorkflow {
  const options = readOptions(written, '@Workflow', WORKFLOW_KEYS, say);
  const { version } = options;
  return {
    name: readName(options['name'], 'name of @Workflow', say),
    version: version === undefined ? null : (readName(version, 'version of @Workflow', say) ?? null),
    order: readChoice(options['order'], 'order', ['page', 'explicit'], say) ?? 'page',
    deadlineMs: readDelay(options['deadline'], 'deadline of @Workflow', say),
    retry: readRetry(options['retry'], 'retry of @Workflow', say),
    queue: readQueue(options['queue'], say),
    priority: readPriority(options['priority'], say),
    tags: readTags(options['tags'], say) ?? [],
    limits: readMaxRuns(options['maxRuns'], say),
  };
}

/** The step that `static output` names, or null. */
export function readOutput(output: unknown, steps: readonly WrittenStep[], scope: StepScope, say: Say): string | null {
  if (output === undefined) return null;
  if (steps.some(({ name, kind }) => name === output && kind === 'sleep')) {
    say(`static output is ${show(output)}, which is a @Sleep and gives no result. Name another step.`);
    return null;
  }
  if (steps.some(({ name, fanOut }) => name === output && fanOut !== null)) {
    say(
      `static output is ${show(output)}, which is a fan-out. Name a step that takes its list by @Results(${show(output)}).`,
    );
    return null;
  }
  if (typeof output === 'string' && scope.names.includes(output)) return output;
  say(`static output is ${show(output)}, ${describeNoStep(output, scope)}`);
  return null;
}
