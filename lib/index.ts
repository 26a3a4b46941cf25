export { OrchestrateFlowModule } from './orchestrate-flow.module.js';
export type {
  EmbeddedOptions,
  OrchestrateFlowAsyncOptions,
  OrchestrateFlowOptions,
  OrchestrateFlowOptionsFactory,
  RetentionOptions,
  QueueBackendOptions,
  WorkerOptions,
} from './orchestrate-flow.options.js';
export { migrate, migrationSql } from './orchestrate-flow.migrations.js';

export { Workflow } from './definition/workflow.decorator.js';
export type { MaxRuns } from './definition/limit-options.js';
export type { WorkflowOptions } from './definition/workflow-options.js';
export { defineWorkflow } from './definition/define-workflow.js';
export type {
  DefinedWorkflow,
  HandlerArguments,
  StepData,
  StepHandlers,
  WorkflowData,
} from './definition/workflow-data.js';
export { Schedule } from './definition/schedule.decorator.js';
export type {
  CatchUpOption,
  Occurrence,
  ScheduleOptions,
  ScheduleSettings,
  ScheduleTiming,
} from './definition/schedule-options.js';
export { Parallel, Step } from './definition/step.decorator.js';
export type { ParallelOptions, StepOptions } from './definition/step-options.js';
export type { Verdict } from './definition/verdict.js';
export { Sleep } from './definition/sleep.decorator.js';
export { SleepUntil } from './definition/sleep-until.decorator.js';
export { WaitForSignal } from './definition/wait-for-signal.decorator.js';
export { SignalPayload } from './definition/signal-payload.decorator.js';
export type { WaitForSignalOptions } from './definition/signal-options.js';
export { Compensate } from './definition/compensate.decorator.js';
export type { CompensateOptions } from './definition/compensate-options.js';
export type { SleepOptions, SleepUntilOptions } from './definition/sleep-options.js';
export { Repeat } from './definition/repeat.decorator.js';
export type { RepeatOptions } from './definition/repeat-options.js';
export { Retry } from './definition/retry.decorator.js';
export type { BackoffFunction, RetryOptions } from './definition/retry-options.js';
export { Input } from './definition/input.decorator.js';
export { Result } from './definition/result.decorator.js';
export { Results } from './definition/results.decorator.js';
export { Item } from './definition/item.decorator.js';
export { Failure } from './definition/failure.decorator.js';
export { Ctx } from './definition/ctx.decorator.js';
export { Manager } from './definition/manager.decorator.js';
export type { StepContext, StepLogger } from './definition/step-context.js';
export { stepContextOf } from './definition/step-execution-context.js';
export type { InputOf, OutputOf, SignalsOf, StartArguments, WorkflowClass } from './definition/workflow-class.js';

export { Orchestrator, type StartItem, type WorkflowGraphView } from './runtime/orchestrator.js';
export type {
  AuditOptions,
  AuditPage,
  BulkOutcome,
  BulkRefusal,
  ControlOptions,
  ListOptions,
  PurgeOptions,
  ResultOptions,
  RunAddress,
  RunFilter,
  SignalOptions,
  SignalToSend,
  StartOptions,
} from './runtime/orchestrator-options.js';
export { Run } from './runtime/run.js';
export type { DeployCheck, DeployVerdict, RunsInFlight } from './runtime/deploy-check.js';
export type { RunContext } from './runtime/run-context.js';
export type { RunDetails, RunPage, StepDetails } from './runtime/run-details.js';
export type { ItemDetails, ItemsOptions, ItemsPage } from './runtime/item-pages.js';
export type { AuditEntry, ItemCounts } from './engine/ports.js';
export type { Schedules } from './runtime/schedules.js';
export type { ListSchedulesOptions, ScheduleToKeep } from './runtime/schedule-arguments.js';
export type { ScheduleDetails, SchedulePage } from './runtime/schedule-details.js';
export type { FlowEvent } from './events/flow-event.js';

export type { Duration } from './engine/duration.js';
export type { FanOutLimits, GraphNode, WorkflowGraph } from './engine/graph.js';
export type { RetryPolicy } from './engine/retry-policy.js';
export type { Overlap } from './engine/occurrences.js';
export type { ControlAction, EndStatus, RunStatus, StepStatus } from './engine/words.js';
export {
  DefinitionError,
  InputInvalidError,
  NonRetryableError,
  OrchestrateFlowError,
  ResultTimeoutError,
  RetryAfterError,
  RunCancelledError,
  RunFailedError,
  RunTerminatedError,
  ValueNotStorableError,
  type DefinitionFault,
  type ErrorCode,
  type InputFault,
} from './engine/errors.js';

export {
  ORCHESTRATE_FLOW_ENTITIES,
  WorkflowDefinitionRecord,
  WorkflowEvent,
  WorkflowRun,
  WorkflowSchedule,
  WorkflowSignal,
  WorkflowStep,
  WorkflowWorker,
} from './persistence/entities/index.js';
export { openEmbeddedPostgres, type EmbeddedPostgres } from './persistence/embedded/embedded-postgres.js';
