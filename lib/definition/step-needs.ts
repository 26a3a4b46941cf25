import type { DependencyOrder } from './dependency-order.js';

/** What decides whether a step may be missing, and whether another can do without it. */
export interface NeedingStep {
  readonly name: string;
  readonly after: readonly string[] | null;
  readonly join: number | null;
  /** Whether it may be skipped whatever it needs. */
  readonly mayBeMissing: boolean;
  /** The steps without whose results it, or its condition, cannot be called. */
  readonly required: readonly string[];
}

/** What the steps of a workflow cannot do without. */
export interface StepNeeds {
  /** By the positions of the steps. */
  readonly needs: readonly (readonly string[])[];
  /** The steps that may have no result when another one starts. */
  readonly missing: ReadonlySet<string>;
}

/**
 * For each step the names, in the order of the page, of those that may be missing when it starts and that it cannot do
 * without: it is skipped where one of them is. A name in `after` is such a need, the order of the page is none.
 */
export function computeNeeds(steps: readonly NeedingStep[], order: DependencyOrder): StepNeeds {
  const names = steps.map(({ name }) => name);
  // Whoever stands in a join that does not want all may lose it, whatever comes before: known from the start.
  const missing = new Set(steps.flatMap(({ join, after }) => (join === null ? [] : (after ?? []))));
  const needs: (readonly string[])[] = steps.map(() => []);
  for (const position of order.sorted) {
    const { name, after, join, mayBeMissing, required } = steps[position]!;
    const needed = new Set([...(join === null ? (after ?? []) : []), ...required]);
    const own = names.filter((other) => needed.has(other) && missing.has(other));
    needs[position] = own;
    // Too few of those that a join waits for may complete: any of them may be missing, or may have failed.
    if (mayBeMissing || join !== null || own.length > 0) missing.add(name);
  }
  return { needs, missing };
}
