import type { StepMark } from './metadata.js';
import {
  isName,
  MAX_NAME_LENGTH,
  readDelay,
  readOptions,
  show,
  type Say,
  type WrittenOptions,
} from './option-readers.js';
import type { WaitEnd } from './workflow-definition.js';

/** What a `@WaitForSignal` says of its wait, read. */
export interface WrittenWait {
  readonly signals: readonly string[];
  readonly waitMs: number | undefined;
  readonly onTimeout: WaitEnd;
}

/** Null for every other step. */
export function readWait({ decorator, signals }: StepMark, options: WrittenOptions, say: Say): WrittenWait | null {
  if (decorator !== '@WaitForSignal') return null;
  const { timeout, onTimeout } = options;
  if (onTimeout !== undefined && timeout === undefined)
    say('has onTimeout without timeout. Say in `timeout` how long it waits, or remove `onTimeout`.');
  return {
    signals: readSignals(signals, say),
    waitMs: readDelay(timeout, 'timeout', say),
    onTimeout: readOnTimeout(onTimeout, say),
  };
}

function readSignals(written: unknown, say: Say): readonly string[] {
  const names: readonly unknown[] = Array.isArray(written) ? Array.from(written) : [written];
  if (names.length === 0 || !names.every(isName)) {
    say(
      'Expected @WaitForSignal to be given the name of a signal, or a list of at least one, each a text of ' +
        `1 to ${MAX_NAME_LENGTH} characters without NUL or lone surrogates, got ${show(written)}.`,
    );
    return [];
  }
  const distinct = [...new Set(names)];
  for (const name of distinct) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) say(`waits for "${name}" twice. Name each signal once.`);
  }
  return distinct;
}

function readOnTimeout(written: unknown, say: Say): WaitEnd {
  if (written === undefined || written === 'fail' || written === 'skip') return written ?? 'fail';
  if (typeof written !== 'object' || written === null || Object.keys(written).length === 0 || Array.isArray(written)) {
    say(`Expected onTimeout to be 'fail', 'skip' or { value: <what it gives> }, got ${show(written)}.`);
    return 'fail';
  }
  return { value: readOptions(written, 'onTimeout', ['value'], say)['value'] };
}
