import { AsyncResource } from 'node:async_hooks';

import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { defer, from, lastValueFrom, mergeMap, type Observable } from 'rxjs';

/**
 * Calls through interceptors, the first outermost, as Nest does around the handlers of requests.
 *
 * @returns the last value that comes out; undefined where none does
 */
export function intercept(
  interceptors: readonly NestInterceptor[],
  context: ExecutionContext,
  call: () => unknown,
): Promise<unknown> {
  const enter = (index: number): Observable<unknown> => {
    const interceptor = interceptors[index];
    if (!interceptor) return from(Promise.resolve(call()));
    const next: CallHandler = { handle: () => later(() => enter(index + 1)) };
    return from(Promise.resolve(interceptor.intercept(context, next))).pipe(mergeMap((values) => values));
  };
  return lastValueFrom(
    defer(() => enter(0)),
    { defaultValue: undefined },
  );
}

/** In the async context of whoever asks, whenever it is subscribed to: what an AsyncLocalStorage held there it holds in the step. */
function later(enter: () => Observable<unknown>): Observable<unknown> {
  const resource = new AsyncResource('OrchestrateFlowStep');
  return defer(() => resource.runInAsyncScope(enter));
}
