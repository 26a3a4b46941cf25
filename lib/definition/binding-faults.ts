import type { Blame } from './blame.js';
import type { DependencyOrder } from './dependency-order.js';
import type { WrittenStep } from './step-reader.js';
import type { ParameterBinding } from './workflow-definition.js';

/** What is given to the parameters of a step and of its condition. */
export interface StepBindings {
  readonly step: readonly ParameterBinding[];
  readonly condition: readonly ParameterBinding[];
}

/** One that takes something of a step. */
export type StepBinding = Extract<ParameterBinding, { readonly step: string }>;

/** A binding of a step, and the step it takes something of. */
interface Taking {
  readonly step: WrittenStep;
  readonly wanted: WrittenStep;
  readonly binding: StepBinding;
}

/** Every `@Result` and `@Failure` has to name a step that gives it and that has ended whenever this one starts. */
export function checkBindings(
  steps: readonly WrittenStep[],
  bindings: ReadonlyMap<string, StepBindings>,
  order: DependencyOrder,
  blame: Blame,
): void {
  const positions = new Map(steps.map(({ name }, position) => [name, position]));
  steps.forEach((step, position) => {
    const ended = findEnded(position, steps, order);
    const takings = takingsOf(step, bindings.get(step.name)!);
    for (const { binding, of } of takings) {
      const before = positions.get(binding.step)!;
      const taking = { step, wanted: steps[before]!, binding };
      const fault = describeGiver(taking) ?? (ended(before, isRequired(binding)) ? null : describeMissing(taking));
      if (fault !== null) blame.member(step.name)(`parameter ${binding.index}${of} takes ${fault}`);
    }
  });
}

function takingsOf({ when }: WrittenStep, { step, condition }: StepBindings): { binding: StepBinding; of: string }[] {
  const ofCondition = ` of its condition "${when}"`;
  return [
    ...step.map((binding) => ({ binding, of: '' })),
    ...condition.map((binding) => ({ binding, of: ofCondition })),
  ].filter((taking): taking is { binding: StepBinding; of: string } => isOfStep(taking.binding));
}

export function isOfStep(binding: ParameterBinding): binding is StepBinding {
  return 'step' in binding;
}

export function isRequired(binding: StepBinding): boolean {
  return binding.kind === 'result' && !binding.isOptional;
}

/** Whether a step has ended when the one at `position` starts. What lost a join has ended too, without a result. */
function findEnded(position: number, steps: readonly WrittenStep[], { ancestors }: DependencyOrder) {
  const before = ancestors[position]!;
  const behind = steps.filter((_, other) => other === position || before.has(other));
  const losers = new Set(behind.flatMap(({ join, after }) => (join === null ? [] : (after ?? []))));
  // Where a name in `after` is wrong, what is missing may be just that name: one fault, not two.
  const isUncertain = behind.some((step) => step.isUncertain);
  return (other: number, isRequired: boolean): boolean =>
    isUncertain || before.has(other) || (!isRequired && losers.has(steps[other]!.name));
}

/** What is wrong whatever the order of the steps is, or null. */
function describeGiver({ step, wanted, binding }: Taking): string | null {
  const { name } = wanted;
  if (name === step.name) return null;
  const fault = describeGift(wanted, binding);
  if (fault !== null || !isRequired(binding)) return fault;
  if (step.join !== null && step.after?.includes(name))
    return `the result of "${name}", which may have lost the join. Take it with { optional: true }.`;
  return null;
}

/** What is wrong whoever takes it, or null. */
export function describeGift(wanted: WrittenStep, binding: StepBinding): string | null {
  const { name } = wanted;
  if (binding.kind === 'failure')
    return wanted.onFailure === 'continue'
      ? null
      : `the failure of "${name}", which ends the run. Give "${name}" the option onFailure: 'continue', or remove the parameter.`;
  if (wanted.kind === 'sleep')
    return `the result of "${name}", which is a @Sleep and gives no result. Remove the parameter.`;
  if (!binding.isOptional && wanted.onFailure === 'continue')
    return `the result of "${name}", which may have failed without a result. Take it with { optional: true }.`;
  return null;
}

function describeMissing({ step, wanted, binding }: Taking): string {
  const what = binding.kind;
  const remedy =
    wanted.name === step.name
      ? `A step cannot take its own ${what}.`
      : step.after === null
        ? `Move it below "${wanted.name}" and, where both are @Parallel, into another group.`
        : `Add "${wanted.name}" to its \`after\`.`;
  return `the ${what} of "${wanted.name}", which need not have ended when "${step.name}" starts. ${remedy}`;
}
