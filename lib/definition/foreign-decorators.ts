import type { ClassLike } from './metadata.js';
import type { Say } from './option-readers.js';

// Keys of packages that need not be installed.
const SCHEDULER_TYPE = 'SCHEDULER_TYPE';
const ROUTE_ARGUMENTS = '__routeArguments__';
/** By the enum SchedulerType of @nestjs/schedule. */
const SCHEDULERS: Readonly<Record<number, string>> = { 1: '@Cron', 2: '@Timeout', 3: '@Interval' };

/** Says which decorator of @nestjs/schedule stands on a step: the scheduler would call the method outside of any run. */
export function checkScheduler(method: object, say: Say): void {
  const type: unknown = Reflect.getMetadata(SCHEDULER_TYPE, method);
  if (typeof type !== 'number') return;
  const name = SCHEDULERS[type] ?? 'a decorator';
  say(
    `bears ${name} of @nestjs/schedule, which would call the step outside of a run. ` +
      'Move it to a method of its own that starts the workflow; a time limit is the option `timeout` of @Step.',
  );
}

/** Says which parameters bear a decorator of controllers or message handlers, and gives their indexes. */
export function checkForeignParameters(target: ClassLike, key: string, say: Say): ReadonlySet<number> {
  const found: unknown = Reflect.getMetadata(ROUTE_ARGUMENTS, target, key);
  const entries: unknown[] = typeof found === 'object' && found !== null ? Object.values(found) : [];
  const indexes = entries
    .map((entry) => (entry as { index?: unknown } | null)?.index)
    .filter((index) => typeof index === 'number');
  for (const index of indexes) {
    say(
      `parameter ${index} bears a decorator of @nestjs/common or @nestjs/microservices, which gives a step nothing. ` +
        "Import Input, Result, Failure, SignalPayload and Ctx from 'orchestrate-flow'.",
    );
  }
  return new Set(indexes);
}
