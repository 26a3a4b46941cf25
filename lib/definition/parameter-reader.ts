import { checkForeignParameters } from './foreign-decorators.js';
import type { StepMember } from './member-faults.js';
import type { ClassLike, ParameterMark } from './metadata.js';
import { list, suggest } from './near-miss.js';
import { show, type Say } from './option-readers.js';
import type { ParameterBinding } from './workflow-definition.js';

/** Reads what the parameters of a step are given; `names` are the names of all steps of its workflow. */
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
      say(`parameter ${mark.index} bears two of @Input, @Result and @Ctx. Keep one of them.`);
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
  for (let index = 0; index < member.method.length; index++) {
    if (!bound.has(index))
      say(`parameter ${index} gets nothing. Give it @Input(), @Result('…') or @Ctx(), or a default value.`);
  }
}

function toBinding(mark: ParameterMark, names: readonly string[], say: Say): ParameterBinding | null {
  if (mark.kind !== 'result') return { index: mark.index, kind: mark.kind };
  const { index, kind, step } = mark;
  if (typeof step === 'string' && names.includes(step)) return { index, kind, step };
  say(`@Result names ${show(step)}, which is no step.${suggest(step, names)} Its steps are ${list(names)}.`);
  return null;
}
