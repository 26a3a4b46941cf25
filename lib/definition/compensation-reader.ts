import { COMPENSATE_KEYS } from './compensate-options.js';
import type { StepMember } from './member-faults.js';
import { readOptions, readPriority, readQueue, readTimeout, show, type Say } from './option-readers.js';
import { readRenamedFrom } from './renames.js';
import type { RetrySettings } from './retry-resolution.js';
import { readStepRetry, type WrittenCode } from './step-reader.js';
import { describeNoStep, type StepScope } from './step-scope.js';

/** A method that undoes a step, as its decorators describe it, read. */
export interface WrittenCompensation extends WrittenCode {
  /** The step that it undoes; null where it names none. */
  readonly compensates: string | null;
  readonly retry: RetrySettings;
}

export function readCompensation(member: StepMember, scope: StepScope, say: Say): WrittenCompensation {
  const mark = member.steps[0]!;
  const options = readOptions(mark.options, '@Compensate', COMPENSATE_KEYS, say);
  return {
    name: member.key,
    compensates: readCompensated(mark.compensates, scope, say),
    queue: readQueue(options['queue'], say),
    priority: readPriority(options['priority'], say),
    timeoutMs: readTimeout(options['timeout'], 'timeout', say),
    retry: readStepRetry(member, options, say),
    renamedFrom: readRenamedFrom(options['renamedFrom'], scope, say),
  };
}

function readCompensated(step: unknown, scope: StepScope, say: Say): string | null {
  if (typeof step === 'string' && scope.names.includes(step)) return step;
  say(`@Compensate names ${show(step)}, ${describeNoStep(step, scope)}`);
  return null;
}
