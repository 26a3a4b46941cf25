import { addSchedule } from './metadata.js';
import type { ScheduleOptions, ScheduleTiming } from './schedule-options.js';
import type { CheckScheduleInput, WorkflowClass } from './workflow-class.js';

/**
 * Starts runs of a workflow by the clock. Beside `@Workflow`, as often as you like; each but one needs a `name`. One occurrence is
 * one run, however many processes there are.
 *
 * At boot the schedules of the app are written down, by whoever boots last: pause and past are kept, and so is the next occurrence
 * where the timing is the same. One whose decorator is gone rests (`orphaned`) and starts nothing. Nobody starts the run of an
 * occurrence: it carries no context.
 *
 * @param timing a cron expression, or `{ every: '15m' }`
 * @throws nothing: what is wrong with it is reported at boot (`DefinitionError`)
 * @example
 * ```ts
 * \@Schedule('0 2 * * *', { timeZone: 'Europe/Berlin', input: ({ scheduledAt }) => ({ day: scheduledAt }) })
 * \@Workflow({ name: 'nightly-report' })
 * export class NightlyReport { … }
 * ```
 * @publicApi
 */
export function Schedule<const O extends ScheduleOptions = Record<never, never>>(
  timing: ScheduleTiming,
  options?: O,
): <C extends WorkflowClass>(target: C & CheckScheduleInput<C, O>) => void {
  return (target) => addSchedule(target, { timing, options });
}
