import type { Duration } from '../engine/duration.js';
import type { DetachedChild, OutputOf, StartArguments, WorkflowClass } from './workflow-class.js';

/**
 * Options of `child()`.
 *
 * @publicApi
 */
export interface ChildOptions {
  /**
   * Nobody waits for it: its step completes at once, and neither failures nor cancels travel.
   * @default false
   */
  readonly detached?: boolean;
  /**
   * Lower runs first: from 0 to 1,000,000.
   * @default that of the run that begins it
   */
  readonly priority?: number;
  /**
   * Words by which it is found, beside those of its workflow.
   * @default none
   */
  readonly tags?: readonly string[];
  /**
   * How long it may take from its beginning. Unless it is detached it never has more time than the run that begins it.
   * @default that of its workflow
   */
  readonly deadline?: Duration;
  /**
   * How long it waits before it begins.
   * @default it begins at once
   */
  readonly delay?: Duration;
  /**
   * When it begins; in place of `delay`.
   * @default at once
   */
  readonly startAt?: Date;
}

declare const childOutput: unique symbol;

/**
 * What a `@Child` method returns: of which workflow a run begins, and with which input. Its step gives an `Output`.
 *
 * @publicApi
 */
export interface ChildRequest<Output> {
  /** Of types alone. */
  readonly [childOutput]: Output;
}

/** What is in one: the run to begin, or, of a test, what it would have given. */
export type ChildContent =
  | { readonly workflow: WorkflowClass | string; readonly input: unknown; readonly options: unknown }
  | { readonly output: unknown };

const CONTENT = Symbol.for('orchestrate-flow:child');

function toRequest<Output>(content: ChildContent): ChildRequest<Output> {
  return { [CONTENT]: content } as unknown as ChildRequest<Output>;
}

/** What was asked for, or null where a value is no request. */
export function findChildContent(value: unknown): ChildContent | null {
  if (typeof value !== 'object' || value === null) return null;
  return (value as { [CONTENT]?: ChildContent })[CONTENT] ?? null;
}

/**
 * Says of which workflow a `@Child` step begins a run, by its class or its name, and with which input. It begins nothing by itself.
 *
 * @example
 * return child(ReportWorkflow, { country });
 *
 * @publicApi
 */
export function child<C extends WorkflowClass>(
  workflow: C,
  ...parameters: StartArguments<C, ChildOptions & { readonly detached?: false }>
): ChildRequest<OutputOf<C>>;
/** The same where nobody waits for it: the step gives the id of the run. */
export function child<C extends WorkflowClass>(
  workflow: C,
  ...parameters: StartArguments<C, ChildOptions & { readonly detached: true }>
): ChildRequest<DetachedChild>;
/** The same of the workflow of that name. */
export function child(workflow: string, input?: unknown, options?: ChildOptions): ChildRequest<unknown>;
export function child(
  workflow: WorkflowClass | string,
  input?: unknown,
  options?: ChildOptions,
): ChildRequest<unknown> {
  return toRequest({ workflow, input, options });
}

/**
 * For the stub of a `@Child` step: the step has this output, and no run begins.
 *
 * @example
 * flow.stub(OrderWorkflow, 'ship', () => endedChild({ tracking: 't-1' }));
 *
 * @publicApi
 */
export function endedChild<Output>(output: Output): ChildRequest<Output> {
  return toRequest({ output });
}
