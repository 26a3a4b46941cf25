import { addToMember } from './metadata.js';
import type { CheckItem, CheckItemOf } from './workflow-class.js';

/** A parameter decorator that compiles only where the parameter takes what the named list is made of. */
export type ItemDecorator<S extends string> = <W, K extends PropertyKey, I extends number>(
  target: W & CheckItem<W, K, I, S>,
  key: K,
  index: I,
) => void;

/** A parameter decorator that compiles only where the parameter takes a `T`. */
export type ItemOfDecorator<T> = <W, K extends PropertyKey, I extends number>(
  target: W & CheckItemOf<W, K, I, T>,
  key: K,
  index: I,
) => void;

/**
 * Makes a `@Step` or `@Parallel` method a fan-out: it runs once for each item of a list, each a durable step of its own,
 * named `step[index]`, with its own attempts. The list is the result of an earlier step (`'reserve'`), the run's input or what
 * lies in it (`'input'`, `'input.lines'`), or what a function makes of the input. It has at most 1,000,000 items; a step
 * without any has completed at once. `@Results` takes the results.
 *
 * The function is called again where its attempt is repeated, and must give the same list for the same input.
 *
 * @example
 * ```ts
 * @Parallel({ maxItems: 20 }) printLabel(@Item('reserve') line: ReservedLine): Promise<Label> { … }
 * @Step() remind(@Item(({ input }: { input: OrderDto }) => input.guests) guest: Guest): Promise<void> { … }
 * ```
 * @publicApi
 */
export function Item<S extends string>(list: S): ItemDecorator<S>;
export function Item<Input, T>(select: (from: { readonly input: Input }) => readonly T[]): ItemOfDecorator<T>;
export function Item(source: unknown): (target: never, key: never, index: number) => void {
  return (target: object, key, index) => {
    addToMember(target, key, { parameters: [{ kind: 'item', index, source }] });
  };
}
