import { AsyncResource } from 'node:async_hooks';

import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { defer, from, fromEvent, lastValueFrom, filter, mergeMap, takeUntil, type Observable } from 'rxjs';

import type { Attempt } from './attempt.js';

/**
 * Calls through interceptors, the first outermost, as Nest does around the handlers of requests.
 *
 * @param attempt what comes out after its end is nobody's
 * @returns the last value that comes out; undefined where none does
 */
export function intercept(
  interceptors: readonly NestInterceptor[],
  context: ExecutionContext,
  call: () => unknown,
  attempt: Attempt,
): Promise<unknown> {
  const enter = (index: number): Observable<unknown> => {
    const interceptor = interceptors[index];
    if (!interceptor) return from(Promise.resolve(call()));
    const next: CallHandler = { handle: () => later(() => enter(index + 1)) };
    return from(Promise.resolve(interceptor.intercept(context, next))).pipe(mergeMap((values) => values));
  };
  // An interceptor that tries again ends with the attempt. One whose run was stopped may still report.
  const over = fromEvent(attempt.signal, 'abort').pipe(filter(() => attempt.isOver));
  return lastValueFrom(defer(() => enter(0)).pipe(takeUntil(over)), { defaultValue: undefined });
}

/** In the async context of whoever asks, whenever it is subscribed to: what an AsyncLocalStorage held there it holds in the step. */
function later(enter: () => Observable<unknown>): Observable<unknown> {
  const resource = new AsyncResource('OrchestrateFlowStep');
  return defer(() => resource.runInAsyncScope(enter));
}
