import type { WorkflowLimits } from '../../lib/engine/limits.js';
import { hashOf } from '../../lib/definition/graph-hash.js';
import type {
  ItemSource,
  ParameterBinding,
  ScheduleDefinition,
  StepDefinition,
  WorkflowDefinition,
} from '../../lib/definition/registry.js';
import type { StepContext } from '../../lib/definition/step-context.js';
import { NonRetryableError, RetryAfterError } from '../../lib/engine/errors.js';
import type { GraphNode, WorkflowGraph } from '../../lib/engine/graph.js';
import { ROUNDS, type SchedulePlan, type StepPlan } from './program.js';
import { EPOCH_MS, REFUSED } from './tables.js';

/** The input of a simulated run: its number in the program. */
export interface SimulatedInput {
  readonly run: number;
}

/** What the steps of all workflows do. */
export type StepCode = (input: SimulatedInput, context: StepContext, results: readonly unknown[]) => unknown;

/** What the conditions of all workflows say. */
export type ConditionCode = (input: SimulatedInput, context: StepContext) => boolean;

export interface WorkflowCode {
  readonly code: StepCode;
  readonly asks: ConditionCode;
  /** Asked for each list of items: no two are alike. */
  readonly countLists: () => number;
  readonly limits: WorkflowLimits | null;
}

/** A workflow whose every step runs this code, with its input, its context and the results it takes. */
export function writeWorkflow(
  graph: WorkflowGraph,
  plans: readonly SchedulePlan[],
  { code, asks, countLists, limits }: WorkflowCode,
): WorkflowDefinition {
  class Simulated {}
  const instance: Record<string, unknown> = {};
  const steps = new Map<string, StepDefinition>();
  for (const { name, results, when, needs = [], kind, retry, fanOut, transactional, repeat } of graph.nodes) {
    const taken = results.length + (fanOut ? 1 : 0);
    instance[name] = (input: SimulatedInput, context: StepContext, ...given: unknown[]) =>
      code(input, context, given.slice(0, taken));
    const asked: ParameterBinding[] = [
      { index: 0, kind: 'input' },
      { index: 1, kind: 'context' },
    ];
    const parameters = [
      ...asked,
      ...results.map((step, n): ParameterBinding => {
        if (graph.nodes.find((node) => node.name === step)!.fanOut) return { index: n + 2, kind: 'results', step };
        // Of a graph in which nothing may be missing every result is required.
        const mayFail = graph.nodes.find((node) => node.name === step)!.onFailure === 'continue';
        const isOptional = mayFail || (!needs.includes(step) && graph.nodes.some(mayBeMissing));
        return { index: n + 2, kind: 'result', step, isOptional };
      }),
      ...(fanOut ? [{ index: results.length + 2, kind: 'item', from: listOf(name, countLists) } as const] : []),
    ];
    if (transactional) parameters.push({ index: taken + 2, kind: 'manager' });
    if (when !== undefined) instance[when] = asks;
    if (repeat) instance[repeat.until] = (_: unknown, { round }: StepContext) => round === ROUNDS;
    const onTimeout = kind === 'signal' ? ENDS[name.length % ENDS.length]! : 'fail';
    const condition = when === undefined ? null : { name: when, parameters: asked };
    const ownBackoff = retry.backoff === 'own' ? backOff : null;
    steps.set(name, {
      name,
      parameters,
      retryOn: null,
      doNotRetryOn: [],
      ownBackoff,
      condition,
      verification: null,
      until: repeat ? { name: repeat.until, parameters: [asked[1]!] } : null,
      onTimeout,
      renamedFrom: [],
    });
  }
  return {
    name: graph.workflow,
    hash: hashOf(graph),
    graph,
    target: Simulated,
    instance,
    host: null,
    steps,
    schedules: plans.map(toSchedule),
    tags: [],
    limits,
  };
}

/** Its nth occurrence has the nth of its runs; those that come after have none. */
function toSchedule({ name, everyMs, overlap, catchUp, firstRun, count }: SchedulePlan): ScheduleDefinition {
  const input = ({ scheduledAt }: { readonly scheduledAt: Date }): SimulatedInput => {
    const number = (scheduledAt.getTime() - EPOCH_MS) / everyMs;
    if (number < 1 || number > count) throw new Error('no such run');
    return { run: firstRun + number - 1 };
  };
  return { name, timing: { kind: 'interval', everyMs }, overlap, catchUp, input };
}

/** Whether a step of this kind makes results missing. */
function mayBeMissing({ when, join, onFailure, kind }: GraphNode): boolean {
  return when !== undefined || join !== undefined || onFailure !== undefined || kind === 'signal';
}

/** What waits for a signal come to when their time is over, by the length of their names. */
const ENDS = ['skip', { value: 'nothing came' }] as const;

/** Of its first three failures the second is one too many for it. */
function backOff(failures: number): number {
  if (failures === 2) throw new Error('no idea');
  return failures * 70;
}

/** How many items the fan-outs of steps have, by their numbers, or one less. */
const LENGTHS = [2, 4, 0, 3, 1, 5];

/** The items of a fan-out. Who asks again is given others, and not always as many. */
function listOf(name: string, countLists: () => number): ItemSource {
  const most = LENGTHS[Number(name.slice(1))]!;
  const select = () => {
    const list = countLists();
    return Array.from({ length: Math.max(0, most - (list % 2)) }, (_, index) => `item ${index} of list ${list}`);
  };
  return { kind: 'select', select };
}

/** The list that an item is of. */
export function listOfItem(item: string): string {
  return item.slice(item.indexOf(' of '));
}

/** The step to which an item belongs, or the step itself. */
export function stepOf(name: string): string {
  return name.split('[', 1)[0]!;
}

/** What an attempt is known by, wherever it leaves a mark. */
export function tokenOf(step: string, attempt: number): string {
  return `${step}#${attempt}`;
}

/** How an attempt ends after its time, given how often the step has failed before. */
export function endOf(plan: StepPlan, failures: number, { step, attempt }: StepContext): unknown {
  const token = tokenOf(step, attempt);
  if (failures < plan.failures) {
    if (plan.fails === 'asks for a delay') throw new RetryAfterError(`${30 * (failures + 1)}ms`, token);
    throw new Error(token);
  }
  if (plan.ends === 'fails for good') throw new NonRetryableError(token);
  return plan.ends === 'returns what cannot be stored' ? `${token} ${REFUSED}` : token;
}
