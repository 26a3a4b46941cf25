import type { CodeOptions, PlaceOptions } from './step-options.js';

/**
 * Options of `@Sleep`: where the pause stands (`after`, `beside`, `join`) and whether it is made (`when`).
 *
 * @publicApi
 */
export type SleepOptions<A extends string = string, N extends string = string> = PlaceOptions<A, N>;

/**
 * Options of `@SleepUntil`: those of `@Step` without `delay`.
 *
 * @publicApi
 */
export type SleepUntilOptions<A extends string = string, N extends string = string> = CodeOptions<A, N>;
