import type { Takes } from './data-marks.js';
import { list, suggest } from './near-miss.js';
import { readOptions, show, type Say, type WrittenOptions } from './option-readers.js';
import type { StepHandler, StepHandlers } from './workflow-data.js';

/** A step as it was written, with a name that nothing else in its graph has. */
export type NamedStep = WrittenOptions & { readonly name: string };

/** The steps of a graph that can be told apart: of the others it has been said what is wrong. */
export function readSteps(written: unknown, say: Say): readonly NamedStep[] {
  if (!Array.isArray(written)) {
    say(`Expected steps to be a list of objects, got ${show(written)}.`);
    return [];
  }
  const named = new Map<string, NamedStep>();
  for (const step of written as readonly unknown[]) {
    const fault = isNamed(step)
      ? named.has(step.name)
        ? `has two steps named "${step.name}". Names of steps are unique: rename one.`
        : step.name === 'constructor'
          ? 'has a step named "constructor", which every class has already. Rename it.'
          : null
      : `Expected each of steps to be an object with a name, got ${show(step)}.`;
    if (fault !== null) say(fault);
    else named.set((step as NamedStep).name, step as NamedStep);
  }
  return [...named.values()];
}

function isNamed(step: unknown): step is NamedStep {
  return typeof step === 'object' && step !== null && typeof (step as { name?: unknown }).name === 'string';
}

/** What a step takes of others. */
export function readTakes(step: NamedStep, steps: ReadonlyMap<string, NamedStep>, say: Say): Takes {
  const { results, failures, after, compensates } = step;
  if (failures !== undefined && !Array.isArray(failures))
    say(`Expected failures to be a list of step names, got ${show(failures)}.`);
  return {
    results:
      results === undefined
        ? findDefaults(compensates === undefined ? after : [compensates], steps)
        : readResults(results, say),
    failures: Array.isArray(failures) ? failures : [],
  };
}

/** What has a result. A name that is no step's is a fault where it stands, and none here. */
function findDefaults(names: unknown, steps: ReadonlyMap<string, NamedStep>): Takes['results'] {
  const known = Array.isArray(names) ? [...new Set(names as readonly unknown[])] : [];
  return known
    .filter((name) => {
      const step = steps.get(name as string);
      return step !== undefined && step['sleep'] === undefined && step['compensates'] === undefined;
    })
    .map((step) => ({ step, options: { optional: true } }));
}

export function readResults(written: unknown, say: Say): Takes['results'] {
  if (!Array.isArray(written)) {
    say(`Expected results to be a list of step names or { step, optional }, got ${show(written)}.`);
    return [];
  }
  return (written as readonly unknown[]).map((one) => {
    if (typeof one === 'string') return { step: one, options: {} };
    const { step, ...options } = readOptions(one, 'a result', ['step', 'optional'], say);
    return { step, options };
  });
}

/** The function of a step, or null where the record has none: then it has been said. */
export function findHandler(handlers: StepHandlers, name: unknown, say: Say): StepHandler | null {
  // Own ones only: data must not reach what every object has.
  if (typeof name === 'string' && Object.hasOwn(handlers, name) && typeof handlers[name] === 'function')
    return handlers[name];
  const names = Object.keys(handlers);
  say(`has no function: handlers has no ${show(name)}.${suggest(name, names)} Its functions are ${list(names)}.`);
  return null;
}
