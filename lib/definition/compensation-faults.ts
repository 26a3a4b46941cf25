import { describeGift, isRequired, toStepBinding, type StepBinding, type StepBindings } from './binding-faults.js';
import type { Blame } from './blame.js';
import type { WrittenCompensation } from './compensation-reader.js';
import type { DependencyOrder } from './dependency-order.js';
import type { StepNeeds } from './step-needs.js';
import type { WrittenStep } from './step-reader.js';

/** Every step is undone by one method at most, and a pause by none. */
export function checkCompensated(
  compensations: readonly WrittenCompensation[],
  steps: readonly WrittenStep[],
  blame: Blame,
): void {
  const undoneBy = new Map<string, string>();
  for (const { name, compensates } of compensations) {
    if (compensates === null) continue;
    if (steps.some((step) => step.name === compensates && step.kind === 'sleep'))
      blame.member(name)(`undoes "${compensates}", which is a @Sleep and does nothing. Remove the method.`);
    if (steps.some((step) => step.name === compensates && step.isPointOfNoReturn))
      blame.member(name)(
        `undoes "${compensates}", which is a point of no return and is never undone once it has completed. Remove one of the two.`,
      );
    const other = undoneBy.get(compensates);
    if (other === undefined) undoneBy.set(compensates, name);
    else blame.member(name)(`undoes "${compensates}", and so does "${other}". Keep one of them.`);
  }
}

/** The steps of a workflow, ordered; lists are by their positions. */
interface OrderedSteps {
  readonly steps: readonly WrittenStep[];
  readonly order: DependencyOrder;
  readonly needs: StepNeeds;
}

/**
 * A step is undone whenever it began, whatever became of it and of the steps beside and behind it: only of what it could rely
 * on itself is there a result for sure.
 */
export function checkCompensationBindings(
  compensations: readonly WrittenCompensation[],
  bindings: ReadonlyMap<string, StepBindings>,
  ordered: OrderedSteps,
  blame: Blame,
): void {
  const byName = new Map(ordered.steps.map((step) => [step.name, step]));
  for (const { name, compensates } of compensations) {
    const isSure = findSure(compensates, ordered);
    for (const binding of bindings.get(name)!.step.flatMap(toStepBinding)) {
      const fault =
        describeOwn(compensates, binding) ??
        describeWanted(byName.get(binding.step)!, binding) ??
        (isRequired(binding) && !isOwnList(compensates, binding) && !isSure(binding.step)
          ? describeUnsure(compensates!, binding)
          : null);
      if (fault !== null) blame.member(name)(`parameter ${binding.index} takes ${fault}`);
    }
  }
}

/** Whether a step has a result for sure when the other one is undone. */
function findSure(compensates: string | null, { steps, order, needs }: OrderedSteps): (name: string) => boolean {
  // Where a name is wrong, what is missing may be just that name: one fault, not two.
  if (compensates === null || steps.some((step) => step.isUncertain)) return () => true;
  const position = steps.findIndex(({ name }) => name === compensates);
  const needed = neededBy(position, steps, needs);
  const ended = new Set(steps.filter((_, other) => order.ancestors[position]!.has(other)).map(({ name }) => name));
  return (name) => ended.has(name) && (!needs.missing.has(name) || needed.has(name));
}

/** What a step cannot do without, and what that cannot do without: all of it was there when the step began. */
function neededBy(position: number, steps: readonly WrittenStep[], { needs }: StepNeeds): ReadonlySet<string> {
  const positions = new Map(steps.map(({ name }, index) => [name, index]));
  const needed = new Set(needs[position]);
  // The set grows while it is walked.
  for (const name of needed) for (const before of needs[positions.get(name)!]!) needed.add(before);
  return needed;
}

function describeOwn(compensates: string | null, binding: StepBinding): string | null {
  return binding.step === compensates && isRequired(binding) && !isOwnList(compensates, binding)
    ? `the result of "${compensates}", which it undoes also where its outcome is not known. Take it with { optional: true }.`
    : null;
}

/** What has completed of a fan-out can be listed whatever became of the rest. */
function isOwnList(compensates: string | null, { kind, step }: StepBinding): boolean {
  return kind === 'results' && step === compensates;
}

function describeWanted(wanted: WrittenStep, binding: StepBinding): string | null {
  const fault = describeGift(wanted, binding);
  return fault !== null && binding.kind === 'failure'
    ? `${fault} @Failure() without a name gives the failure for which the run is undone.`
    : fault;
}

function describeUnsure(compensates: string, { kind, step }: StepBinding): string {
  if (kind === 'results')
    return `the results of "${step}", which need not be there when "${compensates}" is undone. Only what undoes "${step}" can take them.`;
  return `the result of "${step}", which need not have one when "${compensates}" is undone. Take it with { optional: true }.`;
}
