import type { CodeOptions } from './step-options.js';

/**
 * Options of `@Compensate`: how its code is run. There is no `after` or `when`: it is run where its step has to be undone.
 *
 * @publicApi
 */
export type CompensateOptions = Pick<CodeOptions, 'timeout' | 'retry' | 'queue' | 'priority' | 'renamedFrom'>;

export const COMPENSATE_KEYS = [
  'timeout',
  'retry',
  'queue',
  'priority',
  'renamedFrom',
] as const satisfies readonly (keyof CompensateOptions)[];
