import type { ParameterMark, StepMark } from './metadata.js';
import { show, type Say, type WrittenOptions } from './option-readers.js';
import {
  DATA_KEYS,
  type HandlerArguments,
  type MarkKey,
  type StepHandler,
  type StepHandlers,
} from './workflow-data.js';

/** The first parameters of every method that is made of a function; results and failures follow. */
const INPUT = 0;
const CONTEXT = 1;
/** The payload of a signal, or the failure that a compensation is about. */
const NEWS = 2;
const FIRST_GIVEN = 3;

/** What a function is given from other steps. */
export interface Takes {
  readonly results: readonly { readonly step: unknown; readonly options: unknown }[];
  readonly failures: readonly unknown[];
}

/** The decorator that would say what the data of a step says. */
export function toStepMark(written: WrittenOptions, say: Say): StepMark {
  const key = findMarkKey(written, say);
  const options = Object.fromEntries(Object.entries(written).filter(([name]) => !DATA_KEYS.includes(name)));
  switch (key) {
    case null:
      return { decorator: '@Step', options };
    case 'parallel':
      return { decorator: '@Parallel', options };
    case 'sleep':
      return { decorator: '@Sleep', options, duration: written[key] };
    case 'sleepUntil':
      return { decorator: '@SleepUntil', options };
    case 'signal':
      return { decorator: '@WaitForSignal', options, signals: written[key] };
    case 'child':
      return { decorator: '@Child', options };
    case 'compensates':
      return { decorator: '@Compensate', options, compensates: written[key] };
  }
}

const FLAGS = ['parallel', 'sleepUntil', 'child'] as const;

function findMarkKey(written: WrittenOptions, say: Say): MarkKey | null {
  for (const key of FLAGS) {
    if (![undefined, true, false].includes(written[key] as boolean))
      say(`Expected ${key} to be true or false, got ${show(written[key])}.`);
  }
  const keys: MarkKey[] = [
    ...FLAGS.filter((key) => written[key] === true),
    ...(['sleep', 'signal', 'compensates'] as const).filter((key) => written[key] !== undefined),
  ];
  if (keys.length > 1) say(`has ${keys.join(' and ')}. A step is one of them: keep one.`);
  return keys[0] ?? null;
}

/** The parameters of the method, as parameter decorators would say them. */
export function toParameterMarks({ decorator }: Pick<StepMark, 'decorator'>, takes: Takes): readonly ParameterMark[] {
  const results = takes.results.map(
    (taken, place) => ({ kind: 'result', index: FIRST_GIVEN + place, ...taken }) as const,
  );
  const first = FIRST_GIVEN + results.length;
  return [
    { kind: 'input', index: INPUT },
    { kind: 'context', index: CONTEXT },
    ...(decorator === '@WaitForSignal' ? [{ kind: 'payload', index: NEWS } as const] : []),
    ...(decorator === '@Compensate' ? [{ kind: 'run-failure', index: NEWS } as const] : []),
    ...results,
    ...takes.failures.map((step, place) => ({ kind: 'failure', index: first + place, step }) as const),
  ];
}

/** The method that calls a function of the record with what its parameters were given. */
export function toMethod(
  handlers: StepHandlers,
  handler: StepHandler,
  { decorator }: Pick<StepMark, 'decorator'>,
  takes: Takes,
): (...given: unknown[]) => unknown {
  const results = takes.results.map(({ step }) => step as string);
  const failures = takes.failures as readonly string[];
  // Whatever is taken by name is made as an own property: a step may be named `__proto__`.
  return (...given) => {
    const taken: HandlerArguments = {
      input: given[INPUT],
      results: Object.fromEntries(results.map((step, place) => [step, given[FIRST_GIVEN + place]])),
      failures: Object.fromEntries(
        failures.map((step, place) => [step, given[FIRST_GIVEN + results.length + place] as Error | undefined]),
      ),
      payload: decorator === '@WaitForSignal' ? given[NEWS] : undefined,
      failure: decorator === '@Compensate' ? (given[NEWS] as Error | undefined) : undefined,
      ctx: given[CONTEXT] as HandlerArguments['ctx'],
    };
    return handler.call(handlers, taken);
  };
}
