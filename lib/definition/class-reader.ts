import { checkBindings, findTaken, type StepBindings } from './binding-faults.js';
import type { Blame } from './blame.js';
import { checkCompensated, checkCompensationBindings } from './compensation-faults.js';
import { readCompensation, type WrittenCompensation } from './compensation-reader.js';
import { findAsides, toAsideMember } from './aside-reader.js';
import type { DependencyOrder } from './dependency-order.js';
import type { DiscoveredWorkflow } from './explorer.js';
import { checkScheduler } from './foreign-decorators.js';
import { checkItemNames } from './fan-out-reader.js';
import { checkInput } from './input-faults.js';
import { findStepMember, type StepMember } from './member-faults.js';
import { findWorkflowOptions, readMembers, readScheduleMarks, type MemberMetadata } from './metadata.js';
import { checkExplicit, orderSteps } from './order-faults.js';
import { readParameters } from './parameter-reader.js';
import { checkRenames } from './renames.js';
import { readSchedules } from './schedule-reader.js';
import { checkSignals } from './signal-faults.js';
import { computeNeeds, type StepNeeds } from './step-needs.js';
import { readStep, type WrittenStep } from './step-reader.js';
import type { StepScope } from './step-scope.js';
import type { WorkflowClass } from './workflow-class.js';
import type { ParameterBinding, ScheduleDefinition } from './workflow-definition.js';
import { readOutput, readWorkflow, type WrittenWorkflow } from './workflow-reader.js';

/** A class read in full: enough for the definition, if there are no faults. */
export interface ReadClass {
  readonly workflow: WrittenWorkflow;
  /** The names of its steps and compensations in the order of the page. */
  readonly page: readonly string[];
  readonly steps: readonly WrittenStep[];
  readonly compensations: readonly WrittenCompensation[];
  /** By the name of the step or compensation. */
  readonly bindings: ReadonlyMap<string, StepBindings>;
  readonly output: string | null;
  readonly schedules: readonly ScheduleDefinition[];
  /** Null where the steps cannot be ordered. */
  readonly ordered: OrderedPage | null;
}

/** By the positions of the steps: which wait for which, and which cannot do without which. */
export interface OrderedPage {
  readonly order: DependencyOrder;
  readonly needs: StepNeeds;
}

/** Its members that make steps and compensations, and the methods that its steps name in `when` and `verify`. */
interface ReadMembers {
  readonly scope: StepScope;
  readonly members: readonly StepMember[];
  readonly asides: readonly StepMember[];
  readonly steps: readonly WrittenStep[];
  readonly compensations: readonly WrittenCompensation[];
}

export function readClass({ target, host }: DiscoveredWorkflow, blame: Blame): ReadClass {
  const workflow = readWorkflow(findWorkflowOptions(target)?.options, blame.class);
  const read = readStepMembers(target, blame);
  const { scope, members, asides, steps, compensations } = read;
  const bindings = readBindings(read, blame);
  for (const { key, method } of members) if (method !== null) checkScheduler(method, blame.member(key));
  const methods = [...members, ...asides].map(({ key }) => key);
  host?.check(methods, (method) => (method === null ? blame.class : blame.member(method)));
  checkInput(target, [...members, ...asides], blame);
  checkSignals(target, steps, members, blame);
  checkCompensated(compensations, steps, blame);
  checkRenames([...steps, ...compensations], blame);
  const page = members.map(({ key }) => key);
  checkItemNames(page, steps, blame);
  const schedules = readSchedules(readScheduleMarks(target), workflow.name, blame.class);
  const output = readOutput(target.output, steps, scope, blame.class);
  if (workflow.order === 'explicit') checkExplicit(steps, blame);
  const ordered = orderPage(read, bindings, blame);
  return { workflow, page, steps, compensations, bindings, output, schedules, ordered };
}

function readStepMembers(target: WorkflowClass, blame: Blame): ReadMembers {
  const decorated = readMembers(target);
  if (decorated.length === 0) blame.class('has no steps. Add @Step() to a method.');
  const plain = findAsides(target, decorated);
  const members = decorated
    .filter((member) => !plain.has(member))
    .flatMap((member) => findStepMember(target, member, blame.member(member.key)) ?? []);
  const undoing = members.filter(isCompensation);
  const doing = members.filter((member) => !isCompensation(member));
  const scope = { target, names: doing.map(({ key }) => key), compensations: undoing.map(({ key }) => key) };

  const steps = doing.map((member) => readStep(member, scope, blame.member(member.key)));
  const compensations = undoing.map((member) => readCompensation(member, scope, blame.member(member.key)));
  const asides = [...new Set(steps.flatMap(({ when, verify, repeat }) => [when, verify, repeat?.until]))]
    .filter((name) => name != null)
    .map((name) => ({ ...toAsideMember(target, name, decorated), isOfItems: isOfItems(name, steps) }));
  return { scope, members, asides, steps, compensations };
}

/** Whether a method says of items alone whether they have been done. */
function isOfItems(name: string, steps: readonly WrittenStep[]): boolean {
  return steps.every(
    ({ when, verify, repeat, fanOut }) =>
      when !== name && repeat?.until !== name && (verify !== name || fanOut !== null),
  );
}

function isCompensation({ steps }: MemberMetadata): boolean {
  return steps[0]?.decorator === '@Compensate';
}

/** A step with the methods that it names. */
type Asking = Pick<WrittenStep, 'name'> & Partial<Pick<WrittenStep, 'when' | 'verify' | 'repeat'>>;

function readBindings(
  { scope, members, asides, steps, compensations }: ReadMembers,
  blame: Blame,
): ReadonlyMap<string, StepBindings> {
  const parameters = new Map(
    [...members, ...asides].map((member): [string, readonly ParameterBinding[]] => [
      member.key,
      readParameters(member, scope, blame.member(member.key)),
    ]),
  );
  const of = (name: string | null) => (name === null ? [] : parameters.get(name)!);
  const toBindings = ({ name, when = null, verify = null, repeat = null }: Asking): [string, StepBindings] => [
    name,
    { step: of(name), condition: of(when), verification: of(verify), until: of(repeat?.until ?? null) },
  ];
  return new Map([...steps.map(toBindings), ...compensations.map(({ name }) => toBindings({ name }))]);
}

function orderPage(
  { steps, compensations }: ReadMembers,
  bindings: ReadonlyMap<string, StepBindings>,
  blame: Blame,
): OrderedPage | null {
  const order = orderSteps(steps, compensations.length, blame);
  if (order === null) return null;
  checkBindings(steps, bindings, order, blame);
  const needs = computeNeeds(
    steps.map((step) => ({
      ...step,
      mayBeMissing: step.when !== null || step.wait?.onTimeout === 'skip',
      required: requiredBy(bindings.get(step.name)!).filter((name) => name !== step.name),
    })),
    order,
  );
  checkCompensationBindings(compensations, bindings, { steps, order, needs }, blame);
  return { order, needs };
}

/** The steps without whose results a step, or a method that it names, cannot be called. */
function requiredBy({ step, condition, verification, until }: StepBindings): readonly string[] {
  return [...step, ...condition, ...verification, ...until].flatMap((binding) =>
    binding.kind === 'result' && binding.isOptional ? [] : findTaken(binding),
  );
}
