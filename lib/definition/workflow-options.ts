import type { Duration } from '../engine/duration.js';
import type { MaxRuns } from './limit-options.js';
import type { RetryInput } from './retry-options.js';

/**
 * Options of `@Workflow`.
 *
 * @publicApi
 */
export interface WorkflowOptions {
  /** What runs are stored under, unique in the app: renaming the class strands nothing. At most 200 characters. */
  readonly name: string;
  /** A label of this version of the code, stored with the graph and shown; decides nothing. */
  readonly version?: string;
  /**
   * `page`: the order of the methods is the order of the run. `explicit`: every step has to say `after`, so that a tool
   * which sorts class members cannot change the order.
   * @default 'page'
   */
  readonly order?: 'page' | 'explicit';
  /**
   * How long after its beginning a run may take, waits included: then it fails, and undoes what it did. More than 0, at most
   * 10 years.
   * @default no limit
   */
  readonly deadline?: Duration;
  /**
   * The retry policy of steps that do not say otherwise, or the number of attempts.
   * @default the module's `defaults.retry`
   */
  readonly retry?: RetryInput;
  /**
   * The queue of steps that name none: at most 100 characters, no colon.
   * @default 'orchestrate-flow'
   */
  readonly queue?: string;
  /**
   * The priority of steps that name none. Lower runs first: an integer from 0 to 2,097,151.
   * @default 0
   */
  readonly priority?: number;
  /**
   * Words that all its runs bear, beside those of `start()`, and by which `list()` finds them: at most 20, each at most 100
   * characters.
   * @default none
   */
  readonly tags?: readonly string[];
  /**
   * How many of its runs may be under way at once, in all or of each `tenant`: those that come when there is no room wait for their turn,
   * and begin as others end.
   * @default no limit
   */
  readonly maxRuns?: number | MaxRuns;
}

export const WORKFLOW_KEYS = [
  'name',
  'version',
  'order',
  'deadline',
  'retry',
  'queue',
  'priority',
  'tags',
  'maxRuns',
] as const satisfies readonly (keyof WorkflowOptions)[];

/** The priority of steps that name none. */
export const DEFAULT_PRIORITY = 0;

/** What the module says for all workflows: the lowest level of every resolution. */
export interface DefinitionDefaults {
  readonly retry?: RetryInput;
  readonly timeout?: Duration;
}
