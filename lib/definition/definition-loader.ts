import { DefinitionError, type DefinitionFault } from '../engine/errors.js';
import { buildDefinition, type BuiltWorkflow, type ReadDefaults } from './definition-builder.js';
import type { DiscoveredWorkflow } from './explorer.js';
import { readTimeout } from './option-readers.js';
import { readRetry } from './retry-resolution.js';
import type { WorkflowDefinition } from './workflow-definition.js';
import type { DefinitionDefaults } from './workflow-options.js';

/** Where faults of the module's defaults are said to stand. */
const MODULE = 'OrchestrateFlowModule';

/**
 * The definitions of the workflows that were found.
 *
 * @throws DefinitionError with every fault of every workflow
 */
export function loadDefinitions(
  found: readonly DiscoveredWorkflow[],
  defaults: DefinitionDefaults = {},
): readonly WorkflowDefinition[] {
  const faults: DefinitionFault[] = [];
  const read = readDefaults(defaults, (fault) => faults.push({ where: MODULE, fault }));
  const built = found.map((workflow) => buildDefinition(workflow, read));
  faults.push(
    ...built.flatMap((workflow) => workflow.faults),
    ...findDuplicates(found, built),
    ...findNamesakes(built),
  );
  if (faults.length > 0) throw new DefinitionError(faults);
  return built.flatMap(({ definition }) => definition ?? []);
}

function readDefaults(defaults: DefinitionDefaults, say: (fault: string) => void): ReadDefaults {
  return {
    retry: readRetry(defaults.retry, 'defaults.retry', say),
    timeoutMs: readTimeout(defaults.timeout, 'defaults.timeout', say) ?? null,
  };
}

function findDuplicates(found: readonly DiscoveredWorkflow[], built: readonly BuiltWorkflow[]): DefinitionFault[] {
  const owners = new Map<string, string>();
  return built.flatMap(({ name }, index) => {
    if (name === undefined) return [];
    const where = found[index]!.target.name;
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, where);
    return owner === undefined
      ? []
      : [{ where, fault: `is named "${name}", and so is ${owner}. Names of workflows are unique: rename one.` }];
  });
}

/** Schedules of one name, of one workflow or of two. */
function findNamesakes(built: readonly BuiltWorkflow[]): DefinitionFault[] {
  const owners = new Set<string>();
  return built.flatMap(({ definition }) =>
    (definition?.schedules ?? []).flatMap(({ name }) => {
      const isTaken = owners.has(name);
      owners.add(name);
      if (!isTaken) return [];
      const where = definition!.target.name;
      return [
        { where, fault: `has a @Schedule named "${name}", and so has another. Give each a \`name\` of its own.` },
      ];
    }),
  );
}
