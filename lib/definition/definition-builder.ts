import type { DefinitionFault } from '../engine/errors.js';
import type { WorkflowGraph } from '../engine/graph.js';
import { checkBindings, type StepBindings } from './binding-faults.js';
import { Blame } from './blame.js';
import { findConditions, toConditionMember } from './condition-reader.js';
import type { DependencyOrder } from './dependency-order.js';
import type { DiscoveredWorkflow } from './explorer.js';
import { checkScheduler } from './foreign-decorators.js';
import { hashOf } from './graph-hash.js';
import { computeNodes } from './graph-nodes.js';
import { checkInput } from './input-faults.js';
import { findStepMember } from './member-faults.js';
import { findWorkflowOptions, readMembers } from './metadata.js';
import { checkExplicit, orderSteps } from './order-faults.js';
import { readParameters } from './parameter-reader.js';
import { resolveRetry, type ResolvedRetry, type RetrySettings } from './retry-resolution.js';
import { readStep, type WrittenStep } from './step-reader.js';
import type { StepDefinition, WorkflowDefinition } from './workflow-definition.js';
import { readOutput, readWorkflow, type WrittenWorkflow } from './workflow-reader.js';

/** The module's defaults, read. */
export interface ReadDefaults {
  readonly retry: RetrySettings;
  readonly timeoutMs: number | null;
}

/** What came of one class: a definition, or the faults that stand in its way. */
export interface BuiltWorkflow {
  readonly name: string | undefined;
  readonly definition: WorkflowDefinition | null;
  readonly faults: readonly DefinitionFault[];
}

/** A class read in full: enough for the definition, if there are no faults. */
interface ReadClass {
  readonly workflow: WrittenWorkflow;
  readonly steps: readonly WrittenStep[];
  /** By the name of the step. */
  readonly bindings: ReadonlyMap<string, StepBindings>;
  readonly output: string | null;
  readonly order: DependencyOrder | null;
}

export function buildDefinition(found: DiscoveredWorkflow, defaults: ReadDefaults): BuiltWorkflow {
  const blame = new Blame(found.target);
  const read = readClass(found, blame);
  const { name } = read.workflow;
  const { order } = read;
  const isSound = blame.faults.length === 0 && name !== undefined && order !== null;
  return {
    name,
    faults: blame.faults,
    definition: isSound ? toDefinition(found, name, { ...read, order }, defaults) : null,
  };
}

function readClass({ target, scopeFault }: DiscoveredWorkflow, blame: Blame): ReadClass {
  if (scopeFault !== null)
    blame.class(`${scopeFault}. A workflow has one instance for all runs: use the default scope.`);
  const workflow = readWorkflow(findWorkflowOptions(target)?.options, blame.class);
  const decorated = readMembers(target);
  if (decorated.length === 0) blame.class('has no steps. Add @Step() to a method.');
  const plain = findConditions(target, decorated);
  const members = decorated
    .filter((member) => !plain.has(member))
    .flatMap((member) => findStepMember(target, member, blame.member(member.key)) ?? []);
  const names = members.map(({ key }) => key);

  const steps = members.map((member) => readStep(member, { target, names }, blame.member(member.key)));
  const conditions = [...new Set(steps.flatMap(({ when }) => when ?? []))].map((name) =>
    toConditionMember(target, name, decorated),
  );
  const parameters = new Map(
    [...members, ...conditions].map((member) => [
      member.key,
      readParameters(target, member, names, blame.member(member.key)),
    ]),
  );
  for (const { key, method } of members) if (method !== null) checkScheduler(method, blame.member(key));
  checkInput(target, [...members, ...conditions], blame);
  const output = readOutput(target.output, steps, blame.class);

  const bindings = new Map(
    steps.map(({ name, when }): [string, StepBindings] => [
      name,
      { step: parameters.get(name)!, condition: when === null ? [] : parameters.get(when)! },
    ]),
  );
  if (workflow.order === 'explicit') checkExplicit(steps, blame);
  const order = orderSteps(steps, blame);
  if (order !== null) checkBindings(steps, bindings, order, blame);
  return { workflow, steps, bindings, output, order };
}

function toDefinition(
  { target, instance }: DiscoveredWorkflow,
  name: string,
  read: ReadClass & { readonly order: DependencyOrder },
  defaults: ReadDefaults,
): WorkflowDefinition {
  const { workflow, steps, bindings, output } = read;
  const retries = steps.map(({ retry }) => resolveRetry([retry, workflow.retry, defaults.retry]));
  const policies = retries.map(({ policy }) => policy);
  const nodes = computeNodes({ ...read, policies, timeoutMs: defaults.timeoutMs });
  const graph: WorkflowGraph = { workflow: name, version: workflow.version, output, nodes };
  const definitions = steps.map((step, position) => toStep(step, bindings.get(step.name)!, retries[position]!));
  return {
    name,
    hash: hashOf(graph),
    graph,
    target,
    instance,
    steps: new Map(definitions.map((step) => [step.name, step])),
  };
}

function toStep({ name, when }: WrittenStep, bindings: StepBindings, retry: ResolvedRetry): StepDefinition {
  return {
    name,
    parameters: bindings.step,
    retryOn: retry.retryOn,
    doNotRetryOn: retry.doNotRetryOn,
    condition: when === null ? null : { name: when, parameters: bindings.condition },
  };
}
