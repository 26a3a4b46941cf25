/**
 * What the method that a step names in `verify` has found: the step has not been done, and is run; or it has been, and this is its
 * result.
 *
 * @publicApi
 */
export type Verdict<T = unknown> = { readonly done: false } | { readonly done: true; readonly result?: T };

/** A method that `verify` may name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- `unknown[]` would refuse methods with typed parameters
export type Verification = (...args: any[]) => Verdict | PromiseLike<Verdict>;

export function isVerdict(value: unknown): value is Verdict {
  return typeof value === 'object' && value !== null && typeof (value as { done?: unknown }).done === 'boolean';
}
