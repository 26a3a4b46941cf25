import type { Blame } from './blame.js';
import type { DependencyOrder } from './dependency-order.js';
import type { WrittenStep } from './step-reader.js';
import type { ParameterBinding } from './workflow-definition.js';

/** What is given to the parameters of a step and of the methods that it names in `when` and `verify`. */
export interface StepBindings {
  readonly step: readonly ParameterBinding[];
  readonly condition: readonly ParameterBinding[];
  readonly verification: readonly ParameterBinding[];
  readonly until: readonly ParameterBinding[];
}

/** One that takes something of a step. */
export type StepBinding =
  | Extract<ParameterBinding, { readonly step: string }>
  | { readonly index: number; readonly kind: 'items'; readonly step: string };

/** The step whose result, or results, a parameter takes. */
export function findTaken(binding: ParameterBinding): readonly string[] {
  if (binding.kind === 'result' || binding.kind === 'results') return [binding.step];
  return binding.kind === 'item' && binding.from.kind === 'result' ? [binding.from.step] : [];
}

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

function takingsOf(
  { name, when, verify, repeat }: WrittenStep,
  { step, condition, verification, until }: StepBindings,
): { binding: StepBinding; of: string }[] {
  const takings = (bindings: readonly ParameterBinding[], of: string) =>
    bindings.flatMap(toStepBinding).map((binding) => ({ binding, of }));
  // What it has given itself is there once a round is over.
  const isOwn = ({ binding }: { readonly binding: StepBinding }) => binding.kind === 'result' && binding.step === name;
  const isEarlier = (taking: { readonly binding: StepBinding }) => isOwn(taking) && !isRequired(taking.binding);
  return [
    ...takings(until, ` of "${repeat?.until}", which says whether it is done,`).filter((taking) => !isOwn(taking)),
    ...takings(step, '').filter((taking) => repeat === null || !isEarlier(taking)),
    ...takings(condition, ` of its condition "${when}"`),
    ...takings(verification, ` of "${verify}", which verifies it,`),
  ];
}

/** A binding as one that takes something of a step, if it does. */
export function toStepBinding(binding: ParameterBinding): readonly StepBinding[] {
  if ('step' in binding) return [binding];
  if (binding.kind !== 'item' || binding.from.kind !== 'result') return [];
  return [{ index: binding.index, kind: 'items', step: binding.from.step }];
}

export function isRequired(binding: StepBinding): boolean {
  return binding.kind === 'result' ? !binding.isOptional : binding.kind !== 'failure';
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
    return `the ${GIFTS[binding.kind]} of "${name}", which may have lost the join. ${REMEDIES[binding.kind]}`;
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
    return `the ${GIFTS[binding.kind]} of "${name}", which is a @Sleep and gives no result. Remove the parameter.`;
  const fault = describeFanOut(wanted, binding);
  if (fault !== null || binding.kind === 'results') return fault;
  if (isRequired(binding) && wanted.onFailure === 'continue')
    return `the ${GIFTS[binding.kind]} of "${name}", which may have failed without a result. ${REMEDIES[binding.kind]}`;
  return null;
}

/** A fan-out has results, any other step has one. */
function describeFanOut({ name, fanOut }: WrittenStep, { kind }: StepBinding): string | null {
  if ((kind === 'results') === (fanOut !== null)) return null;
  if (kind === 'results')
    return `the results of "${name}", which is no fan-out: none of its parameters bears @Item. Take its result with @Result('${name}').`;
  if (kind === 'items')
    return `the items of "${name}", which is a fan-out. Let a step that takes @Results('${name}') give the list.`;
  return `the result of "${name}", which is a fan-out and has a list of them. Take it with @Results('${name}').`;
}

const GIFTS = { result: 'result', results: 'results', items: 'items', failure: 'failure' } as const;

const REMEDIES = {
  result: 'Take it with { optional: true }.',
  results: 'Wait for all of them.',
  items: 'Let a step in between give the list.',
  failure: '',
} as const;

function describeMissing({ step, wanted, binding }: Taking): string {
  const what = GIFTS[binding.kind];
  const remedy =
    wanted.name === step.name
      ? step.repeat === null
        ? `A step cannot take its own ${what}.`
        : 'Take that of the round before, with { optional: true }.'
      : step.after === null
        ? `Move it below "${wanted.name}" and, where both are @Parallel, into another group.`
        : `Add "${wanted.name}" to its \`after\`.`;
  return `the ${what} of "${wanted.name}", which need not have ended when "${step.name}" starts. ${remedy}`;
}
