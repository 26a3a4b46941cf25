/** What the order of the page needs to know of a step. */
export interface PageStep {
  readonly name: string;
  readonly parallel: boolean;
  readonly group: string | null;
  /** The steps it names itself, in place of the page; null: the page decides. */
  readonly after: readonly string[] | null;
  readonly beside: boolean;
}

/** A run of neighbours that do not wait for each other. */
interface OpenGroup {
  readonly label: string | null;
  readonly start: number;
}

/**
 * For each step the positions of all steps it has to wait for, redundant ones included.
 *
 * A step without `after` waits for everything above it, or above its group. A step with `after` waits for what it names;
 * it belongs to no group and so ends the one above it, unless `beside` takes it off the page altogether: then nothing
 * waits for it and nothing is parted by it. Names that are no step are left out: they are faults already.
 */
export function computeDemands(steps: readonly PageStep[]): readonly (readonly number[])[] {
  const positions = new Map(steps.map((step, position) => [step.name, position]));
  let group: OpenGroup | null = null;
  return steps.map((step, position) => {
    if (step.after !== null) {
      if (!step.beside) group = null;
      return namedPositions(step.after, positions);
    }
    group = step.parallel ? joinGroup(group, step.group, position) : null;
    return positionsAbove(group?.start ?? position, steps);
  });
}

function joinGroup(group: OpenGroup | null, label: string | null, position: number): OpenGroup {
  return group !== null && group.label === label ? group : { label, start: position };
}

function namedPositions(names: readonly string[], positions: ReadonlyMap<string, number>): readonly number[] {
  const named = names.map((name) => positions.get(name)).filter((position) => position !== undefined);
  return [...new Set(named)];
}

function positionsAbove(position: number, steps: readonly PageStep[]): readonly number[] {
  return [...steps.keys()].filter((other) => other < position && !steps[other]!.beside);
}
