import type { ClassLike } from './metadata.js';
import { list, suggest } from './near-miss.js';

/** What a member of a workflow may name: its steps, and the class with its methods. */
export interface StepScope {
  readonly target: ClassLike;
  /** The steps of the page. */
  readonly names: readonly string[];
  /** The methods that undo a step: they are no steps of the page. */
  readonly compensations: readonly string[];
}

/** Why this name is no step's, as an error goes on after it. */
export function describeNoStep(name: unknown, { names, compensations }: Omit<StepScope, 'target'>): string {
  if (typeof name === 'string' && compensations.includes(name))
    return `which undoes a step and is none of the page: nothing waits for it or takes its result. The steps are ${list(names)}.`;
  return `which is no step.${suggest(name, names)} Its steps are ${list(names)}.`;
}
