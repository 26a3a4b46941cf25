import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Attempt } from './attempt.js';

/**
 * What travels with a run from where it is started into each of its steps: a tenant, a user, a trace. Given as the module's
 * option `context`.
 *
 * @example
 * const tenants = new AsyncLocalStorage<string>();
 * const context: RunContext<string> = {
 *   capture: () => tenants.getStore(),
 *   restore: (tenant, step) => tenants.run(tenant, step),
 * };
 *
 * @publicApi
 */
export interface RunContext<T = unknown> {
  /** Asked where a run is started, in the async context of whoever starts it. It is stored with the run; undefined: nothing is. */
  capture(): T | undefined;
  /** Calls each method of such a run within what was captured, decoded anew, and returns what `step` returns. */
  restore(captured: T, step: () => unknown): unknown;
}

/** What is captured where this is called, encoded; null: nothing. */
export function captureContext(context: RunContext | null, codec: PayloadCodec): string | null {
  const captured = context?.capture();
  return captured === undefined ? null : codec.encode(captured, 'the context of a run');
}

/** Calls within what was captured where the run was started. */
export async function callWithin(
  context: RunContext,
  captured: unknown,
  { run, node }: Attempt,
  call: () => unknown,
): Promise<unknown> {
  let called: Promise<unknown> | undefined;
  // One promise, whose end is awaited here whatever restore() makes of it: a step is not over before its method is.
  const step = () => (called ??= new Promise((resolve) => resolve(call())));
  try {
    await context.restore(captured, step);
  } finally {
    await called?.catch(() => undefined);
  }
  if (called) return called;
  throw new OrchestrateFlowError(
    'OF_CONTEXT_INVALID',
    `Cannot run step "${node.name}" of run ${run.id}: restore() of the option \`context\` has not called the step. Call it once, and return what it returns.`,
  );
}
