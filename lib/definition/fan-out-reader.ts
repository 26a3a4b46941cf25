import { DEFAULT_ITEMS_AT_ONCE, MOST_ITEMS_AT_ONCE } from '../engine/fan-out.js';
import type { FanOutLimits } from '../engine/graph.js';
import type { Blame } from './blame.js';
import type { StepMember } from './member-faults.js';
import { readInteger, show, type Say, type WrittenOptions } from './option-readers.js';
import type { WrittenStep } from './step-reader.js';
import { describeNoStep, type StepScope } from './step-scope.js';
import type { ItemSource } from './workflow-definition.js';

const MAX_TOLERATED = 1_000_000;
const SHARE = /^(?:100|\d{1,2})(?:\.\d+)?%$/;

/** How a step with `@Item` runs; null of any other. */
export function readFanOut({ parameters }: StepMember, options: WrittenOptions, say: Say): FanOutLimits | null {
  const items = parameters.filter(({ kind }) => kind === 'item');
  if (items.length > 1) say('bears @Item on several parameters. A fan-out goes over one list: keep one of them.');
  for (const option of ['maxItems', 'tolerate']) {
    if (items.length === 0 && options[option] !== undefined)
      say(`has the option ${option}, and no parameter with @Item. Only a fan-out has it: add @Item, or remove it.`);
  }
  const maxItems = readInteger(options['maxItems'], 'maxItems', 1, MOST_ITEMS_AT_ONCE, say) ?? DEFAULT_ITEMS_AT_ONCE;
  const tolerate = readTolerate(options['tolerate'], say);
  return items.length === 0 ? null : { maxItems, tolerate };
}

function readTolerate(value: unknown, say: Say): FanOutLimits['tolerate'] {
  if (value === undefined) return 0;
  if (typeof value === 'string' && SHARE.test(value) && Number.parseFloat(value) <= 100) return value as `${number}%`;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOLERATED) return value;
  say(`Expected tolerate to be an integer from 0 to ${MAX_TOLERATED} or a share such as '10%', got ${show(value)}.`);
  return 0;
}

const ITEM_NAME = /^(.*)\[\d+\]$/s;

/** An item is known by its fan-out and its index: no step or compensation may be called so. */
export function checkItemNames(page: readonly string[], steps: readonly WrittenStep[], blame: Blame): void {
  const fanOuts = new Set(steps.filter(({ fanOut }) => fanOut !== null).map(({ name }) => name));
  for (const name of page) {
    const of = ITEM_NAME.exec(name)?.[1];
    if (of !== undefined && fanOuts.has(of))
      blame.member(name)(`is called as an item of the fan-out "${of}" is. Give it another name.`);
  }
}

/** The list that `@Item` names: the run's input or a part of it, an earlier step, or a function of the input. */
export function readItemSource(source: unknown, scope: StepScope, say: Say): ItemSource | null {
  if (typeof source === 'function') return { kind: 'select', select: source as (from: { input: unknown }) => unknown };
  if (typeof source === 'string') {
    const [head, ...path] = source.split('.');
    if (head === 'input' && path.every((key) => key !== '')) return { kind: 'input', path };
    if (scope.names.includes(source)) return { kind: 'result', step: source };
  }
  say(`@Item names ${show(source)}, ${describeNoStep(source, scope)} The run's input is 'input', or 'input.lines'.`);
  return null;
}
