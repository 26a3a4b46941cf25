import { WorkflowDefinitionRecord } from './workflow-definition.entity.js';
import { WorkflowEvent } from './workflow-event.entity.js';
import { WorkflowRun } from './workflow-run.entity.js';
import { WorkflowSchedule } from './workflow-schedule.entity.js';
import { WorkflowSignal } from './workflow-signal.entity.js';
import { WorkflowStep } from './workflow-step.entity.js';
import { WorkflowWorker } from './workflow-worker.entity.js';

/**
 * The library's entities, for a DataSource whose `entities` are listed by hand (with `autoLoadEntities` they come by
 * themselves).
 *
 * @publicApi
 */
export const ORCHESTRATE_FLOW_ENTITIES = [
  WorkflowDefinitionRecord,
  WorkflowRun,
  WorkflowStep,
  WorkflowSignal,
  WorkflowSchedule,
  WorkflowWorker,
  WorkflowEvent,
] as const;

export {
  WorkflowDefinitionRecord,
  WorkflowEvent,
  WorkflowRun,
  WorkflowSchedule,
  WorkflowSignal,
  WorkflowStep,
  WorkflowWorker,
};
