import type { WorkflowGraph } from '../engine/graph.js';
import type { WorkflowLimits } from '../engine/limits.js';
import type { CatchUp, Overlap, Timing } from '../engine/occurrences.js';
import type { BackoffFunction, ErrorClass } from './retry-options.js';
import type { CallHost } from './provider-host.js';
import type { WorkflowClass } from './workflow-class.js';

/** Where the list of a fan-out comes from. */
export type ItemSource =
  | { readonly kind: 'result'; readonly step: string }
  | { readonly kind: 'input'; readonly path: readonly string[] }
  | { readonly kind: 'select'; readonly select: (from: { readonly input: unknown }) => unknown };

/** What a parameter of a step is given. */
export type ParameterBinding =
  | { readonly index: number; readonly kind: 'input' | 'context' }
  | { readonly index: number; readonly kind: 'result'; readonly step: string; readonly isOptional: boolean }
  | { readonly index: number; readonly kind: 'failure' | 'results'; readonly step: string }
  /** One item of the list over which the step fans out. */
  | { readonly index: number; readonly kind: 'item'; readonly from: ItemSource }
  /** The EntityManager of the step's transaction. */
  | { readonly index: number; readonly kind: 'manager' }
  /** The payload of the signal that ended the wait. */
  | { readonly index: number; readonly kind: 'payload' }
  /** The failure that the compensations are about, where the run was not cancelled. */
  | { readonly index: number; readonly kind: 'run-failure' };

/** A method that a step names: it decides whether the step runs, or whether it has been done. */
export interface AsideDefinition {
  readonly name: string;
  /** By index, ascending. */
  readonly parameters: readonly ParameterBinding[];
}

/** The step fails, is skipped, or completes with this value. */
export type WaitEnd = 'fail' | 'skip' | { readonly value: unknown };

/** The part of a step that is code and no data: what the graph does not hold. */
export interface StepDefinition {
  readonly name: string;
  /** By index, ascending. A parameter that has a default may be missing. */
  readonly parameters: readonly ParameterBinding[];
  /** Only these errors are tried again; null: every error. */
  readonly retryOn: readonly ErrorClass[] | null;
  /** These errors are never tried again; goes before `retryOn`. */
  readonly doNotRetryOn: readonly ErrorClass[];
  /** Says how long it waits before its next attempt; null: the policy's numbers do. */
  readonly ownBackoff: BackoffFunction | null;
  readonly condition: AsideDefinition | null;
  /** Asked after each round whether the step is done; null: it is done once. */
  readonly until: AsideDefinition | null;
  /** Asked before another attempt where nobody knows how the last one ended. */
  readonly verification: AsideDefinition | null;
  /** What a wait for a signal comes to when its time is over. */
  readonly onTimeout: WaitEnd;
  /** The names that it had in earlier builds. */
  readonly renamedFrom: readonly string[];
}

/** A schedule as `@Schedule` declares it. */
export interface ScheduleDefinition {
  readonly name: string;
  readonly timing: Timing;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** The value, or a function of the occurrence that gives it. */
  readonly input: unknown;
}

/** A workflow of this app: its graph, and the instance whose methods are its steps (`instance[step](…)`) but for what `host` concerns. */
export interface WorkflowDefinition {
  readonly name: string;
  /** Fingerprint of the graph: runs are pinned to it. */
  readonly hash: string;
  readonly graph: WorkflowGraph;
  readonly target: WorkflowClass;
  readonly instance: object;
  /** Null where each method is called on the instance as it is. */
  readonly host: CallHost | null;
  readonly steps: ReadonlyMap<string, StepDefinition>;
  /** No part of the graph: with another schedule it is the same workflow. */
  readonly schedules: readonly ScheduleDefinition[];
  /** What all its runs bear. */
  readonly tags: readonly string[];
  /** How many of its runs may be under way at once; no part of the graph either. */
  readonly limits: WorkflowLimits | null;
}
