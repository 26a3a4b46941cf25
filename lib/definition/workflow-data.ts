import type { Duration } from '../engine/duration.js';
import type { StepContext } from './step-context.js';
import type { ParallelOptions } from './step-options.js';
import type { WorkflowOptions } from './workflow-options.js';

/** The step whose result is taken, which is undefined where it has none if it is said to be optional. */
export type ResultData = string | { readonly step: string; readonly optional?: boolean };

/**
 * A step of a graph that is data. It is what one of the decorators makes: `@Sleep` with `sleep`, `@SleepUntil` with
 * `sleepUntil`, `@WaitForSignal` with `signal`, `@Child` with `child`, `@Compensate` with `compensates`, `@Parallel` with `parallel`, else `@Step`; and it
 * takes that decorator's options.
 *
 * @publicApi
 */
export interface StepData extends ParallelOptions {
  /** Unique in the graph. */
  readonly name: string;
  /**
   * The function that runs it, which several steps may share. A `sleep` has none.
   * @default the one of its name; of a `signal` without one: the payload is its result
   */
  readonly handler?: string;
  /** Whether it runs beside its neighbours that say so too. @default false */
  readonly parallel?: boolean;
  /** How long the run pauses here. */
  readonly sleep?: Duration;
  /** Its function gives the Date until which the run pauses. */
  readonly sleepUntil?: boolean;
  /** The name of the signal that it waits for, or several of which the first ends the wait; `timeout` is the wait's. */
  readonly signal?: string | readonly string[];
  /** Of a `signal`: what comes of it when its `timeout` is over. @default 'fail' */
  readonly onTimeout?: 'fail' | 'skip' | { readonly value: unknown };
  /** Its function gives `child(…)`: it runs another workflow, of which its result is the output. */
  readonly child?: boolean;
  /** Of a `child`: what becomes of its run when nobody waits for it any more. @default 'cancel' */
  readonly onParentEnd?: 'cancel' | 'abandon';
  /** The step that it undoes. */
  readonly compensates?: string;
  /**
   * The steps whose results it takes.
   * @default those in its `after` as far as they have results; of what compensates: that of its step. All of these optional
   */
  readonly results?: readonly ResultData[];
  /** The steps with `onFailure: 'continue'` whose errors it takes. @default none */
  readonly failures?: readonly string[];
}

/**
 * A workflow as data, such as JSON: the options of `@Workflow`, its output and its steps.
 *
 * @publicApi
 */
export interface WorkflowData extends Omit<WorkflowOptions, 'name'> {
  /** The step whose result is the run's. @default none */
  readonly output?: string;
  /** Its steps, in the order of the run where they say no `after`. At most 1,000. */
  readonly steps: readonly StepData[];
  /** What the functions take that steps name in `when` and `verify`. @default the input alone */
  readonly conditions?: Readonly<Record<string, { readonly results?: readonly ResultData[] }>>;
}

/**
 * What the function of a step is given.
 *
 * @publicApi
 */
export interface HandlerArguments<I = unknown> {
  /** The run's input. */
  readonly input: I;
  /** By their steps; undefined where an optional one has none. */
  readonly results: Readonly<Record<string, unknown>>;
  /** The errors of `failures` by their steps; undefined where one has not failed. */
  readonly failures: Readonly<Record<string, Error | undefined>>;
  /** Of a `signal`: what was sent with it. */
  readonly payload: unknown;
  /** Of what compensates: the failure that it is about, or undefined where the run was cancelled. */
  readonly failure: Error | undefined;
  readonly ctx: StepContext;
}

/** The function of a step, or a condition, which gives a boolean. It is called as a method of the record it stands in. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each may declare the type of its input
export type StepHandler = (given: HandlerArguments<any>) => unknown;

/**
 * The functions of a graph by their names.
 *
 * @publicApi
 */
export type StepHandlers = Readonly<Record<string, StepHandler>>;

/** What is no data: a DTO class or a Standard Schema for the input, and for each signal. */
export interface DataTypes {
  readonly input?: unknown;
  readonly signals?: Readonly<Record<string, unknown>>;
}

/** The type of a `static input` that admits anything. */
type Anything = abstract new () => unknown;

type OutputName<D> = 'output' extends keyof D ? Extract<D['output'], string> : never;

/** Its output as a method, from which the result of a run has its type. */
type OutputSteps<D, H> = {
  readonly [S in OutputName<D>]: (given: never) => S extends keyof H ? HandlerResult<H[S]> : unknown;
};

type HandlerResult<F> = F extends (given: never) => infer R ? R : unknown;

/**
 * The class that `defineWorkflow()` makes: a provider, and what `start()` takes.
 *
 * @publicApi
 */
export type DefinedWorkflow<D, H, T> = (new () => OutputSteps<D, H>) &
  ('output' extends keyof D ? { readonly output: OutputName<D> } : unknown) &
  (T extends { readonly input: infer I } ? { readonly input: I } : { readonly input: Anything }) &
  (T extends { readonly signals: infer S extends Record<string, unknown> } ? { readonly signals: S } : unknown);

const MARK_KEYS = ['parallel', 'sleep', 'sleepUntil', 'signal', 'child', 'compensates'] as const;
/** What makes a step other than a plain one. */
export type MarkKey = (typeof MARK_KEYS)[number];

/** The options of a step that belong to no decorator. */
export const DATA_KEYS: readonly string[] = [
  ...MARK_KEYS,
  'name',
  'handler',
  'results',
  'failures',
] satisfies readonly (keyof StepData)[];
