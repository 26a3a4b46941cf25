import type { GraphNode, WorkflowGraph } from '../engine/graph.js';
import { findTaken } from './binding-faults.js';
import type { AsideDefinition, ParameterBinding, StepDefinition, WorkflowDefinition } from './workflow-definition.js';

/** The code of this build for a stored graph; or why a run on that graph cannot go on in this build. */
export type FittingCode = { readonly code: WorkflowDefinition } | { readonly code: null; readonly lacks: string };

/** Names of this build by those of a stored graph, and the other way round. */
interface Names {
  readonly toBuild: ReadonlyMap<string, string>;
  readonly toGraph: ReadonlyMap<string, string>;
}

/**
 * Finds for each step of a stored graph the method that runs it: that of its name, or the one that was renamed from it. What such a
 * method takes of renamed steps it takes under the names that they have in the stored graph.
 */
export function findFittingCode(code: WorkflowDefinition, graph: WorkflowGraph, hash?: string): FittingCode {
  if (hash === code.hash) return { code };
  const names = matchNames(code, graph);
  const before = findAncestors(graph);
  const steps = new Map<string, StepDefinition>();
  for (const node of graph.nodes) {
    const fitting = fitStep(node, code, names, () => before(node.name));
    if (typeof fitting === 'string') return { code: null, lacks: fitting };
    steps.set(node.name, fitting);
  }
  return { code: { ...code, steps } };
}

/** A graph that has a step of the new name already is older or newer than the renaming: there the names stand for themselves. */
function matchNames(code: WorkflowDefinition, graph: WorkflowGraph): Names {
  const stored = new Set(graph.nodes.map(({ name }) => name));
  const pairs: [build: string, graph: string][] = [];
  for (const [name, { renamedFrom }] of code.steps) {
    const found = stored.has(name) ? name : renamedFrom.find((former) => stored.has(former));
    if (found !== undefined) pairs.push([name, found]);
  }
  return { toGraph: new Map(pairs), toBuild: new Map(pairs.map(([build, former]) => [former, build])) };
}

function describeFanOut(isFanOut: boolean): string {
  return isFanOut ? 'fan-out' : 'plain step';
}

/** The code of a step, or why there is none. */
function fitStep(
  node: GraphNode,
  code: WorkflowDefinition,
  { toBuild, toGraph }: Names,
  before: () => ReadonlySet<string>,
): StepDefinition | string {
  const name = toBuild.get(node.name);
  // A pause without a condition runs no code: it need not be there any more.
  if (node.kind === 'sleep' && node.when === undefined) return pauseOf(node.name);
  if (name === undefined) return `step "${node.name}" has no method, and none says that it was renamed from it`;
  const step = code.steps.get(name)!;
  const kind = code.graph.nodes.find((other) => other.name === name)!.kind;
  if (kind !== node.kind) return `step "${node.name}" is a ${node.kind ?? 'step'} there and a ${kind ?? 'step'} here`;
  const isFanOut = step.parameters.some((binding) => binding.kind === 'item');
  if (isFanOut !== (node.fanOut !== undefined))
    return `step "${node.name}" is a ${describeFanOut(!isFanOut)} there and a ${describeFanOut(isFanOut)} here`;
  const isTransactional = step.parameters.some((binding) => binding.kind === 'manager');
  if (isTransactional && !node.transactional)
    return `step "${node.name}" takes a @Manager() here, and is not transactional there`;
  if (node.transactional && !isTransactional)
    return `step "${node.name}" is transactional there, and takes no @Manager() here`;
  if ((step.until !== null) !== (node.repeat !== undefined))
    return `step "${node.name}" is ${step.until === null ? '' : 'not '}repeated there, and ${step.until === null ? 'not ' : ''}here`;
  const { condition, verification, until } = step;
  const bindings = [step, condition, verification, until].flatMap((method) => method?.parameters ?? []);
  for (const binding of bindings) {
    const [wanted] = findTaken(binding);
    // What it has given itself, in its last round.
    if (wanted === undefined || wanted === name) continue;
    const taken = toGraph.get(wanted);
    const isRequired = binding.kind !== 'result' || !binding.isOptional;
    if (isRequired && (taken === undefined || !(before().has(taken) || node.kind === 'compensation')))
      return `step "${node.name}" takes the result of "${wanted}", which does not come before it there`;
  }
  const rename = (parameters: readonly ParameterBinding[]) =>
    parameters.map((binding): ParameterBinding => {
      const toName = (name: string) => toGraph.get(name) ?? name;
      if (binding.kind === 'item' && binding.from.kind === 'result')
        return { ...binding, from: { ...binding.from, step: toName(binding.from.step) } };
      return 'step' in binding ? { ...binding, step: toName(binding.step) } : binding;
    });
  const renamed = (aside: AsideDefinition | null) => aside && { ...aside, parameters: rename(aside.parameters) };
  return {
    ...step,
    parameters: rename(step.parameters),
    condition: renamed(condition),
    until: renamed(until),
    verification: renamed(verification),
  };
}

function pauseOf(name: string): StepDefinition {
  const nothing = {
    parameters: [],
    retryOn: null,
    doNotRetryOn: [],
    ownBackoff: null,
    condition: null,
    until: null,
    verification: null,
    renamedFrom: [],
  } as const;
  return { ...nothing, name, onTimeout: 'fail' };
}

/** Everything a step waits for, directly or by way of others. */
export function findAncestors({ nodes }: WorkflowGraph): (name: string) => ReadonlySet<string> {
  const afterOf = new Map(nodes.map(({ name, after }) => [name, after]));
  return (name) => {
    const found = new Set(afterOf.get(name));
    // The set grows while it is walked.
    for (const one of found) for (const next of afterOf.get(one)!) found.add(next);
    return found;
  };
}
