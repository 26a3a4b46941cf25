import type { DefinitionFault } from '../engine/errors.js';
import type { GraphNode, WorkflowGraph } from '../engine/graph.js';
import { Blame } from './blame.js';
import type { DependencyOrder } from './dependency-order.js';
import type { DiscoveredWorkflow } from './explorer.js';
import { checkScheduler } from './foreign-decorators.js';
import { hashOf } from './graph-hash.js';
import { checkInput } from './input-faults.js';
import { findStepMember, type StepMember } from './member-faults.js';
import { findWorkflowOptions, readMembers } from './metadata.js';
import { checkExplicit, checkResults, orderSteps } from './order-faults.js';
import { readParameters } from './parameter-reader.js';
import { resolveRetry, type ResolvedRetry, type RetrySettings } from './retry-resolution.js';
import { readStep, type WrittenStep } from './step-reader.js';
import type { ParameterBinding, StepDefinition, WorkflowDefinition } from './workflow-definition.js';
import { DEFAULT_QUEUE } from '../engine/graph.js';
import { DEFAULT_PRIORITY } from './workflow-options.js';
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
  readonly parameters: ReadonlyMap<string, readonly ParameterBinding[]>;
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
  const members = decorated.flatMap((member) => findStepMember(target, member, blame.member(member.key)) ?? []);
  const names = members.map(({ key }) => key);

  const steps = members.map((member) => readStep(member, names, blame.member(member.key)));
  const parameters = new Map(
    members.map((member) => [member.key, readParameters(target, member, names, blame.member(member.key))]),
  );
  for (const member of members) checkScheduler(member.method, blame.member(member.key));
  checkInput(target, members, blame);
  const output = readOutput(target.output, names, blame.class);

  if (workflow.order === 'explicit') checkExplicit(steps, blame);
  const order = orderSteps(steps, blame);
  if (order !== null) checkResults(steps, parameters, order, blame);
  return { workflow, steps, parameters, output, order };
}

function toDefinition(
  { target, instance }: DiscoveredWorkflow,
  name: string,
  read: ReadClass & { readonly order: DependencyOrder },
  defaults: ReadDefaults,
): WorkflowDefinition {
  const { workflow, steps, parameters, output, order } = read;
  const retries = steps.map(({ retry }) => resolveRetry([retry, workflow.retry, defaults.retry]));
  const nodes = steps.map((step, position): GraphNode => {
    const bindings = parameters.get(step.name)!;
    return {
      name: step.name,
      after: order.edges[position]!.map((before) => steps[before]!.name),
      results: [...new Set(bindings.flatMap((binding) => (binding.kind === 'result' ? [binding.step] : [])))],
      queue: step.queue ?? workflow.queue ?? DEFAULT_QUEUE,
      priority: step.priority ?? workflow.priority ?? DEFAULT_PRIORITY,
      retry: retries[position]!.policy,
      timeoutMs: step.timeoutMs ?? defaults.timeoutMs,
    };
  });
  const graph: WorkflowGraph = { workflow: name, version: workflow.version, output, nodes };
  const definitions = steps.map((step, position) =>
    toStep(step.member, parameters.get(step.name)!, retries[position]!),
  );
  return {
    name,
    hash: hashOf(graph),
    graph,
    target,
    instance,
    steps: new Map(definitions.map((step) => [step.name, step])),
  };
}

function toStep(member: StepMember, parameters: readonly ParameterBinding[], retry: ResolvedRetry): StepDefinition {
  return { name: member.key, parameters, retryOn: retry.retryOn, doNotRetryOn: retry.doNotRetryOn };
}
