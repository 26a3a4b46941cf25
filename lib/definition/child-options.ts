import type { StepMark } from './metadata.js';
import { readChoice, type Say, type WrittenOptions } from './option-readers.js';
import { CODE_KEYS, type CodeOptions, type StepOptions } from './step-options.js';

/**
 * Options of `@Child`: those of `@Step` without `verify`, and `onParentEnd`. `timeout` and `retry` are those of its method, which
 * says what is to run; how long the run takes and how often its steps are tried is said by its workflow.
 *
 * @publicApi
 */
export interface ChildStepOptions<A extends string = string, N extends string = string>
  extends CodeOptions<A, N>, Pick<StepOptions, 'delay' | 'maxItems' | 'tolerate'> {
  /**
   * What becomes of its run when nobody waits for it any more: the run that began it is cancelled, fails or is terminated, or the
   * step loses a join. `cancel`: it is cancelled, and waited for (or terminated, where that was). `abandon`: it goes on by itself.
   * @default 'cancel'
   */
  readonly onParentEnd?: 'cancel' | 'abandon';
}

export const CHILD_KEYS = [
  ...CODE_KEYS,
  'delay',
  'maxItems',
  'tolerate',
  'onParentEnd',
] as const satisfies readonly (keyof ChildStepOptions)[];

/** What becomes of the run of a `@Child` where nobody waits for it; undefined of every other step. */
export function readParentEnd(
  { decorator }: StepMark,
  options: WrittenOptions,
  say: Say,
): 'cancel' | 'abandon' | undefined {
  return decorator === '@Child'
    ? readChoice(options['onParentEnd'], 'onParentEnd', ['cancel', 'abandon'], say)
    : undefined;
}
