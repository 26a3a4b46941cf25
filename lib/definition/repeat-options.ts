import type { Duration } from '../engine/duration.js';
import { MAX_ROUNDS } from '../engine/graph.js';
import { readAside, UNTIL } from './aside-reader.js';
import type { StepMember } from './member-faults.js';
import { readDuration, readInteger, readOptions, show, type Say, type WrittenOptions } from './option-readers.js';
import type { StepScope } from './step-scope.js';

/**
 * How a step is repeated.
 *
 * @publicApi
 */
export interface RepeatOptions<N extends string = string> {
  /**
   * A public method of the class that says after each round whether the step is done. It returns a boolean, or a promise of one, and
   * takes parameters as a step does; `@Result` of the step itself is what the round has given.
   */
  readonly until: N;
  /** How long it waits between two rounds, holding no worker; 0: not at all. At most 10 years. */
  readonly every: Duration;
  /** After so many rounds that were not enough it fails, with `OF_REPEAT_EXHAUSTED`. From 1 to 1,000,000. */
  readonly max: number;
}

const REPEAT_KEYS = ['until', 'every', 'max'] as const satisfies readonly (keyof RepeatOptions)[];

const MAX_PAUSE_MS = 10 * 365 * 24 * 60 * 60 * 1_000;

/** A repetition, read. */
export interface WrittenRepeat {
  readonly until: string;
  readonly everyMs: number;
  readonly max: number;
}

/** `@Repeat` and the option `repeat` are the same. Null: it is done once. */
export function readRepeat(
  member: StepMember,
  options: WrittenOptions,
  scope: StepScope,
  say: Say,
): WrittenRepeat | null {
  const { repeats = [] } = member;
  const said = options['repeat'] === undefined ? repeats : [...repeats, options['repeat']];
  if (said.length === 0) return null;
  if (said.length > 1)
    say(
      `has its repetition said ${said.length} times (@Repeat and the option \`repeat\` are the same). Keep one of them.`,
    );
  for (const fault of findStrangers(member, options)) say(fault);
  const written = readOptions(said[0], '@Repeat', REPEAT_KEYS, say);
  for (const key of REPEAT_KEYS)
    if (written[key] === undefined) say(`has @Repeat without ${key}. Say it: @Repeat({ until, every, max }).`);
  const until = readAside(UNTIL, written, member, scope, say);
  const everyMs = readDuration(written['every'], 'every of @Repeat', 0, say);
  if (everyMs !== undefined && everyMs > MAX_PAUSE_MS)
    say(`Expected every of @Repeat to be at most 10 years (3650 days), got ${show(written['every'])}.`);
  const max = readInteger(written['max'], 'max of @Repeat', 1, MAX_ROUNDS, say);
  return until === null || everyMs === undefined || max === undefined ? null : { until, everyMs, max };
}

/** What cannot be repeated. */
function findStrangers({ steps, parameters }: StepMember, options: WrittenOptions): string[] {
  const decorator = steps[0]!.decorator;
  const of = (kind: string) => parameters.some((parameter) => parameter.kind === kind);
  return [
    ...(decorator === '@Step' || decorator === '@Parallel'
      ? []
      : [`bears @Repeat, and a ${decorator} is done once. Repeat a @Step or @Parallel.`]),
    ...(of('item')
      ? ['bears @Repeat and @Item. An item is done once: repeat a step that starts what it waits for.']
      : []),
    ...(of('manager')
      ? ['bears @Repeat and @Manager(). A transaction is done once: repeat a step without it, and write in the next.']
      : []),
    ...(options['heartbeat'] === undefined
      ? []
      : ['has heartbeat and @Repeat. What a round gives is kept as its result: remove heartbeat.']),
  ];
}
