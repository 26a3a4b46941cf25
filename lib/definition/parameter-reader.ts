import { checkForeignParameters } from './foreign-decorators.js';
import type { StepMember } from './member-faults.js';
import type { ClassLike, ParameterMark } from './metadata.js';
import { list, suggest } from './near-miss.js';
import { readOptions, show, type Say } from './option-readers.js';
import type { ParameterBinding } from './workflow-definition.js';

/** Reads what the parameters of a step or a condition are given; `names` are the names of all steps of its workflow. */
export function readParameters(
  target: ClassLike,
  member: StepMember,
  names: readonly string[],
  say: Say,
): readonly ParameterBinding[] {
  const foreign = checkForeignParameters(target, member.key, say);
  const marks = member.parameters.toSorted((a, b) => a.index - b.index);
  marks.forEach((mark, index) => {
    if (mark.index === marks[index + 1]?.index)
      say(`parameter ${mark.index} bears two of @Input, @Result, @Failure and @Ctx. Keep one of them.`);
  });
  checkUnbound(member, marks, foreign, say);
  return marks.flatMap((mark) => toBinding(mark, names, say) ?? []);
}

/** `length` leaves out parameters with a default (and what follows them): these can do without us. */
function checkUnbound(
  member: StepMember,
  marks: readonly ParameterMark[],
  foreign: ReadonlySet<number>,
  say: Say,
): void {
  const bound = new Set([...foreign, ...marks.map(({ index }) => index)]);
  const count = member.method?.length ?? 0;
  for (let index = 0; index < count; index++) {
    if (!bound.has(index))
      say(`parameter ${index} gets nothing. Give it @Input(), @Result('…') or @Ctx(), or a default value.`);
  }
}

function toBinding(mark: ParameterMark, names: readonly string[], say: Say): ParameterBinding | null {
  if (!('step' in mark)) return { index: mark.index, kind: mark.kind };
  const { index, kind } = mark;
  const isOptional = mark.kind === 'result' && readOptional(mark.options, say);
  const step = readGiver(mark.step, kind === 'result' ? '@Result' : '@Failure', names, say);
  if (step === null) return null;
  return kind === 'result' ? { index, kind, step, isOptional } : { index, kind, step };
}

function readGiver(step: unknown, decorator: string, names: readonly string[], say: Say): string | null {
  if (typeof step === 'string' && names.includes(step)) return step;
  say(`${decorator} names ${show(step)}, which is no step.${suggest(step, names)} Its steps are ${list(names)}.`);
  return null;
}

function readOptional(written: unknown, say: Say): boolean {
  const { optional } = readOptions(written, '@Result', ['optional'], say);
  if (optional !== undefined && typeof optional !== 'boolean')
    say(`Expected optional of @Result to be true or false, got ${show(optional)}.`);
  return optional === true;
}
