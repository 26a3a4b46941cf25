import { findHandler, readResults, readSteps, readTakes, type NamedStep } from './data-reader.js';
import { toMethod, toParameterMarks, toStepMark, type Takes } from './data-marks.js';
import { declareQueue } from './declared-queues.js';
import { addToMember, writeDataFaults, type DataFault, type StepMark } from './metadata.js';
import { suggest } from './near-miss.js';
import { readOptions, show, type Say, type WrittenOptions } from './option-readers.js';
import type {
  DataTypes,
  DefinedWorkflow,
  HandlerArguments,
  StepHandler,
  StepHandlers,
  WorkflowData,
} from './workflow-data.js';
import { WORKFLOW_KEYS } from './workflow-options.js';
import { Workflow } from './workflow.decorator.js';

const GRAPH_KEYS: readonly string[] = [
  ...WORKFLOW_KEYS.filter((key) => key !== 'name'),
  'output',
  'steps',
  'conditions',
] satisfies readonly (keyof WorkflowData)[];

/** A method of a condition bears no decorator of a step. */
const CONDITION = { decorator: '@Step' } as const;

/** A graph that is read, and the class that is made of it. */
interface Making {
  readonly target: new () => object;
  readonly steps: ReadonlyMap<string, NamedStep>;
  readonly handlers: StepHandlers;
  readonly sayOf: (step: string) => Say;
}

/**
 * Makes a workflow of a graph that is data and of functions: for graphs that are generated, read from JSON, or made by a test. What
 * comes of it is a class like one with `@Workflow`: put it into `providers`, or let a factory return it where its functions need
 * other providers, and start it by the class or the name. Every process that is to run it has to provide it.
 *
 * @param name what runs are stored under, unique in the app
 * @param graph its steps and options, at most 1,000 steps; read once, now
 * @param handlers the functions of its steps and conditions
 * @param types a DTO class or a Standard Schema for the input and for each signal; without one anything is accepted
 * @throws nothing: what is wrong with it is reported at boot, with the faults of all other workflows (`DefinitionError`)
 * @example
 * ```ts
 * const Import = defineWorkflow(
 *   'import',
 *   { output: 'load', steps: [{ name: 'fetch' }, { name: 'load', after: ['fetch'] }] },
 *   { fetch: ({ input }) => download(input), load: ({ results }) => store(results.fetch) },
 * );
 * ```
 * @publicApi
 */
export function defineWorkflow<
  const D extends WorkflowData,
  const H extends StepHandlers,
  const T extends DataTypes = Record<never, never>,
>(name: string, graph: D, handlers: H, types?: T): DefinedWorkflow<D, H, T> {
  const faults: DataFault[] = [];
  const sayOf = (step: string | null) => (fault: string) => void faults.push({ step, fault });
  const options = readOptions(graph, 'defineWorkflow()', GRAPH_KEYS, sayOf(null));
  const steps = readSteps(options['steps'], sayOf(null));
  // Like a class that is written down, it has a name of its own: faults are told by it.
  const target = nameClass(class {}, name);
  const making = {
    target,
    steps: new Map(steps.map((step) => [step.name, step])),
    handlers: readHandlers(handlers, sayOf(null)),
    sayOf,
  };
  for (const step of steps) addStep(step, making);
  addConditions(options['conditions'], making, sayOf(null));
  const said = Object.fromEntries(Object.entries(options).filter(([key]) => WORKFLOW_KEYS.includes(key as 'name')));
  for (const [key, value] of Object.entries({
    input: types?.input,
    signals: types?.signals,
    output: options['output'],
  }))
    if (value !== undefined) Object.defineProperty(target, key, { value, enumerable: true });
  Workflow({ ...said, name })(target);
  writeDataFaults(target, faults);
  return target as unknown as DefinedWorkflow<D, H, T>;
}

function nameClass(target: new () => object, name: unknown): new () => object {
  return Object.defineProperty(target, 'name', { value: typeof name === 'string' ? name : 'defineWorkflow()' });
}

function readHandlers(handlers: unknown, say: Say): StepHandlers {
  if (typeof handlers === 'object' && handlers !== null) return handlers as StepHandlers;
  say(`Expected the handlers of defineWorkflow() to be an object of functions, got ${show(handlers)}.`);
  return {};
}

function addStep(step: NamedStep, making: Making): void {
  const { target, steps, sayOf } = making;
  const say = sayOf(step.name);
  const mark = toStepMark(step, say);
  declareQueue(mark.options);
  const { prototype } = target as { readonly prototype: object };
  if (mark.decorator === '@Sleep') {
    for (const key of ['handler', 'results', 'failures'])
      if (step[key] !== undefined) say(`has sleep and ${key}, and a pause runs no code. Remove ${key}.`);
    return addToMember(prototype, step.name, { place: 'property', steps: [mark] });
  }
  const takes = readTakes(step, steps, say);
  addToMember(prototype, step.name, { place: 'method', steps: [mark], parameters: toParameterMarks(mark, takes) });
  addMethod(making, step.name, handlerOf(step, mark, making, say), mark, takes);
}

function handlerOf(step: NamedStep, { decorator }: StepMark, { handlers }: Making, say: Say): StepHandler {
  const name = step['handler'] ?? step.name;
  const isPlainWait =
    decorator === '@WaitForSignal' && step['handler'] === undefined && !Object.hasOwn(handlers, name as string);
  // Where there is none it has been said, and the definition is refused.
  return (isPlainWait ? null : findHandler(handlers, name, say)) ?? takePayload;
}

function takePayload({ payload }: HandlerArguments): unknown {
  return payload;
}

/** Functions that steps name in `when` and `verify`. One that there is none of is a fault of the step, found where that is read. */
function addConditions(written: unknown, making: Making, say: Say): void {
  const { target, steps, handlers } = making;
  const conditions = written === undefined ? {} : isRecord(written) ? written : sayNoRecord(written, say);
  const names = new Set([...steps.values()].flatMap(conditionsOf).filter((name) => typeof name === 'string'));
  for (const name of Object.keys(conditions)) {
    if (!names.has(name))
      say(`conditions has "${name}", which no step names in \`when\`, \`verify\` or \`until\`.${suggest(name, names)}`);
  }
  for (const name of names) {
    if (steps.has(name) || !Object.hasOwn(handlers, name) || typeof handlers[name] !== 'function') continue;
    const { results } = Object.hasOwn(conditions, name)
      ? readOptions(conditions[name], `the condition "${name}"`, ['results'], say)
      : {};
    const takes = { results: results === undefined ? [] : readResults(results, say), failures: [] };
    const { prototype } = target as { readonly prototype: object };
    addToMember(prototype, name, { place: 'method', parameters: toParameterMarks(CONDITION, takes) });
    addMethod(making, name, handlers[name], CONDITION, takes);
  }
}

function conditionsOf({ when, verify, repeat }: NamedStep): readonly unknown[] {
  return [when, verify, isRecord(repeat) ? repeat['until'] : undefined];
}

function isRecord(written: unknown): written is WrittenOptions {
  return typeof written === 'object' && written !== null && !Array.isArray(written);
}

function sayNoRecord(written: unknown, say: Say): WrittenOptions {
  say(`Expected conditions to be an object with { results } for each, got ${show(written)}.`);
  return {};
}

function addMethod(
  { target, handlers }: Making,
  name: string,
  handler: StepHandler,
  mark: Pick<StepMark, 'decorator'>,
  takes: Takes,
): void {
  const value = toMethod(handlers, handler, mark, takes);
  Object.defineProperty(target.prototype, name, { value, writable: true, configurable: true });
}
