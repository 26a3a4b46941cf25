/**
 * What the method that a step names in `verify` has found: the step has not been done, and is run; it has been, and this is its
 * result; or the method cannot tell, and asks a person, for this reason: the step waits for `orchestrator.resolve()`.
 *
 * @publicApi
 */
export type Verdict<T = unknown> =
  { readonly done: false } | { readonly done: true; readonly result?: T } | { readonly ask: string };

/**
 * What a person has found who looked whether a step has been done that is in doubt.
 *
 * @publicApi
 */
export type Resolution<T = unknown> = { readonly done: false } | { readonly done: true; readonly result?: T };

/** A method that `verify` may name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- `unknown[]` would refuse methods with typed parameters
export type Verification = (...args: any[]) => Verdict | PromiseLike<Verdict>;

export function isVerdict(value: unknown): value is Verdict {
  return isResolution(value) || (isObject(value) && typeof (value as { ask?: unknown }).ask === 'string');
}

export function isResolution(value: unknown): value is Resolution {
  return isObject(value) && typeof (value as { done?: unknown }).done === 'boolean';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
