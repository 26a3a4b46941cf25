import type { DefinitionFault } from '../engine/errors.js';
import type { WorkflowGraph } from '../engine/graph.js';
import type { StepBindings } from './binding-faults.js';
import { Blame } from './blame.js';
import { readClass, type OrderedPage, type ReadClass } from './class-reader.js';
import type { DiscoveredWorkflow } from './explorer.js';
import { hashOf } from './graph-hash.js';
import { computeNodes } from './graph-nodes.js';
import { findDataFaults } from './metadata.js';
import type { CallHost } from './provider-host.js';
import { resolveRetry, type ResolvedRetry, type RetrySettings } from './retry-resolution.js';
import type { WrittenStep } from './step-reader.js';
import type { StepDefinition, WorkflowDefinition } from './workflow-definition.js';

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

export function buildDefinition(found: DiscoveredWorkflow, defaults: ReadDefaults): BuiltWorkflow {
  const blame = new Blame(found.target);
  for (const { step, fault } of findDataFaults(found.target) ?? [])
    (step === null ? blame.class : blame.member(step))(fault);
  const read = readClass(found, blame);
  const { name } = read.workflow;
  const { ordered } = read;
  const isSound = blame.faults.length === 0 && name !== undefined && ordered !== null;
  return {
    name,
    faults: blame.faults,
    definition: isSound ? toDefinition(found, name, { ...read, ordered }, defaults) : null,
  };
}

function toDefinition(
  { target, instance, host }: DiscoveredWorkflow,
  name: string,
  read: ReadClass & { readonly ordered: OrderedPage },
  defaults: ReadDefaults,
): WorkflowDefinition {
  const { workflow, page, steps, compensations, bindings, output, schedules } = read;
  const retries = new Map(
    [...steps, ...compensations].map((code) => [code.name, resolveRetry([code.retry, workflow.retry, defaults.retry])]),
  );
  const policies = new Map([...retries].map(([step, { policy }]) => [step, policy]));
  const nodes = computeNodes({ ...read, policies, timeoutMs: defaults.timeoutMs });
  const deadline = workflow.deadlineMs === undefined ? {} : { deadlineMs: workflow.deadlineMs };
  const graph: WorkflowGraph = { workflow: name, version: workflow.version, output, ...deadline, nodes };
  const definitions = [
    ...steps.map((step) => toStep(step, bindings.get(step.name)!, retries.get(step.name)!)),
    ...compensations.map((code) =>
      toStep(
        { ...code, when: null, verify: null, repeat: null, wait: null },
        bindings.get(code.name)!,
        retries.get(code.name)!,
      ),
    ),
  ];
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  return {
    name,
    hash: hashOf(graph),
    graph,
    target,
    instance,
    host: host !== null && definitions.some((step) => isConcerned(host, step)) ? host : null,
    steps: new Map(page.map((step) => [step, byName.get(step)!])),
    schedules,
    tags: workflow.tags,
    limits: workflow.limits && { ...workflow.limits, workflow: name },
  };
}

function isConcerned(host: CallHost, { name, condition, verification, until }: StepDefinition): boolean {
  return [name, condition?.name, verification?.name, until?.name].some(
    (method) => method !== undefined && host.concerns(method),
  );
}

function toStep(
  {
    name,
    when,
    verify,
    repeat,
    wait,
    renamedFrom,
  }: Pick<WrittenStep, 'name' | 'when' | 'verify' | 'repeat' | 'wait' | 'renamedFrom'>,
  bindings: StepBindings,
  retry: ResolvedRetry,
): StepDefinition {
  return {
    name,
    parameters: bindings.step,
    retryOn: retry.retryOn,
    doNotRetryOn: retry.doNotRetryOn,
    ownBackoff: retry.ownBackoff,
    condition: when === null ? null : { name: when, parameters: bindings.condition },
    until: repeat === null ? null : { name: repeat.until, parameters: bindings.until },
    verification: verify === null ? null : { name: verify, parameters: bindings.verification },
    onTimeout: wait?.onTimeout ?? 'fail',
    renamedFrom,
  };
}
