import { Injectable } from '@nestjs/common';
import { OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import { findWorkflowOptions } from './metadata.js';
import { list, suggest } from './near-miss.js';
import { MAX_NAME_LENGTH, show } from './option-readers.js';
import type { WorkflowClass } from './workflow-class.js';
import type { WorkflowDefinition } from './workflow-definition.js';

export type {
  AsideDefinition,
  ItemSource,
  ParameterBinding,
  ScheduleDefinition,
  StepDefinition,
  WorkflowDefinition,
} from './workflow-definition.js';

/** The workflows of this app. Filled once, at boot; empty before. */
@Injectable()
export class WorkflowRegistry {
  private readonly byName = new Map<string, WorkflowDefinition>();
  private readonly byClass = new Map<WorkflowClass, WorkflowDefinition>();

  /** Takes what `loadDefinitions` gave. */
  fill(definitions: readonly WorkflowDefinition[]): void {
    for (const definition of definitions) {
      this.byName.set(definition.name, definition);
      this.byClass.set(definition.target, definition);
    }
  }

  all(): readonly WorkflowDefinition[] {
    return [...this.byName.values()];
  }

  /** The names of the queues that the steps of this app use, each once. */
  queues(): readonly string[] {
    return [...new Set(this.all().flatMap(({ graph }) => graph.nodes.map(({ queue }) => queue)))];
  }

  findByName(name: string): WorkflowDefinition | null {
    return this.byName.get(name) ?? null;
  }

  /** @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN` */
  getByName(name: string): WorkflowDefinition {
    return (
      this.findByName(name) ??
      unknownWorkflow(
        `"${oneLine(name.slice(0, MAX_NAME_LENGTH))}": this app has no workflow of that name`,
        suggest(name, this.byName.keys()),
        this,
      )
    );
  }

  /**
   * The workflow of a class or a name.
   *
   * @throws OrchestrateFlowError `OF_WORKFLOW_UNKNOWN`
   */
  get(workflow: WorkflowClass | string): WorkflowDefinition {
    if (typeof workflow === 'string') return this.getByName(workflow);
    return this.byClass.get(workflow) ?? unknownWorkflow(...describeClass(workflow), this);
  }
}

function describeClass(workflow: WorkflowClass | undefined): [fault: string, remedy: string] {
  if (workflow === undefined)
    return [
      'undefined: it is neither a class nor a name',
      ' Where two files import each other, one of them sees the other’s class too late: start it by its name.',
    ];
  const name = typeof workflow === 'function' && workflow.name !== '' ? workflow.name : show(workflow);
  if (typeof workflow !== 'function')
    return [
      `${name}: it is neither a class nor a name`,
      ' Give the class that bears @Workflow, or the name it has there.',
    ];
  if (findWorkflowOptions(workflow) === null)
    return [`${name}: the class bears no @Workflow of its own`, ` Decorate it with @Workflow({ name: '…' }).`];
  return [`${name}: no module provides it`, ` Add ${name} to the \`providers\` of a module.`];
}

function unknownWorkflow(fault: string, remedy: string, registry: WorkflowRegistry): never {
  const names = registry.all().map(({ name }) => name);
  throw new OrchestrateFlowError(
    'OF_WORKFLOW_UNKNOWN',
    `Cannot find workflow ${fault}.${remedy} Known workflows: ${list(names)}.`,
  );
}
