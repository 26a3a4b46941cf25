import { findAncestors, findFittingCode } from '../definition/fitting-code.js';
import type { WorkflowDefinition, WorkflowRegistry } from '../definition/registry.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { WorkflowGraph } from '../engine/graph.js';
import { oneLine } from '../engine/one-line.js';
import type { DefinitionInFlight, RunArchive } from '../engine/ports.js';

/** So many runs of a definition are named. */
const MOST_RUN_IDS = 100;

/**
 * What this build means for the open runs of one definition. `safe`: it is this build's own. `finishes-on-old-graph`: this build has
 * the code for it, and what it adds or changes is not for these runs. `order-changed`: it has, and steps that both have come in another
 * order: was it a formatter? `blocked`: it lacks what these runs need, and they wait for a build that has it.
 *
 * @publicApi
 */
export type DeployVerdict = 'safe' | 'finishes-on-old-graph' | 'order-changed' | 'blocked';

/**
 * Open runs that were started with one definition of a workflow.
 *
 * @publicApi
 */
export interface RunsInFlight {
  readonly workflow: string;
  /** The `version` of the workflow when they were started. */
  readonly version: string | null;
  readonly verdict: DeployVerdict;
  /** What is lacking where they are blocked, or what has another order; else null. */
  readonly reason: string | null;
  /** How many they are. */
  readonly count: number;
  /** The oldest of them: up to 100. */
  readonly runIds: readonly string[];
}

/**
 * What this build means for the runs that have not ended.
 *
 * @publicApi
 */
export interface DeployCheck {
  /** Whether every one of them can go on in this build. */
  readonly isSafe: boolean;
  /** By workflow, the oldest definition first. */
  readonly runs: readonly RunsInFlight[];
}

/** Compares the graphs of this build with those of the runs in flight. */
export async function checkDeploy(registry: WorkflowRegistry, archive: RunArchive): Promise<DeployCheck> {
  const inFlight = await archive.definitionsInFlight(MOST_RUN_IDS);
  const runs = inFlight.map(({ workflow, version, count, runIds, ...stored }): RunsInFlight => {
    return { workflow, version, ...judge(registry.findByName(workflow), stored), count, runIds };
  });
  return { isSafe: runs.every(({ verdict }) => verdict !== 'blocked'), runs };
}

/** @throws OrchestrateFlowError `OF_RUNS_BLOCKED` where runs cannot go on in this build */
export function refuseBlocked({ runs }: DeployCheck): void {
  const blocked = runs.filter(({ verdict }) => verdict === 'blocked');
  if (blocked.length === 0) return;
  const lines = blocked.map(
    ({ workflow, count, reason, runIds }) =>
      `\n  - ${count} of "${oneLine(workflow)}": ${oneLine(reason!)} (${runIds.slice(0, 3).join(', ')}${count > 3 ? ', …' : ''})`,
  );
  throw new OrchestrateFlowError(
    'OF_RUNS_BLOCKED',
    `Cannot start this build: runs that have not ended cannot go on in it:${lines.join('')}\n` +
      'Bring back what they need, by `renamedFrom` where it has another name; let them end in the build before; or end them by terminate().',
  );
}

function judge(
  code: WorkflowDefinition | null,
  stored: Pick<DefinitionInFlight, 'graph' | 'hash'>,
): Pick<RunsInFlight, 'verdict' | 'reason'> {
  if (code === null) return { verdict: 'blocked', reason: 'this build has no workflow of that name' };
  const graph = JSON.parse(stored.graph) as WorkflowGraph;
  const fitting = findFittingCode(code, graph, stored.hash);
  if (fitting.code === null) return { verdict: 'blocked', reason: fitting.lacks };
  if (stored.hash === code.hash) return { verdict: 'safe', reason: null };
  const reason = findReversed(graph, code.graph, fitting.code);
  return { verdict: reason === null ? 'finishes-on-old-graph' : 'order-changed', reason };
}

/** Two steps of which one comes before the other there, and after it here. */
function findReversed(old: WorkflowGraph, now: WorkflowGraph, fitting: WorkflowDefinition): string | null {
  const [ancestorsThen, ancestorsNow] = [findAncestors(old), findAncestors(now)];
  const before = new Map(now.nodes.map(({ name }) => [name, ancestorsNow(name)]));
  const named = (name: string) => fitting.steps.get(name)!.name;
  for (const { name } of old.nodes)
    for (const earlier of ancestorsThen(name))
      if (before.get(named(earlier))?.has(named(name)))
        return `step "${earlier}" comes before "${name}" there, and after it here`;
  return null;
}
