import { checkForeignParameters } from './foreign-decorators.js';
import { readItemSource } from './fan-out-reader.js';
import type { StepMember } from './member-faults.js';
import type { ParameterMark } from './metadata.js';
import { readOptions, show, type Say } from './option-readers.js';
import { describeNoStep, type StepScope } from './step-scope.js';
import type { ParameterBinding } from './workflow-definition.js';

/** What completes with its own code, and so may run in a transaction. */
const TRANSACTIONAL: ReadonlySet<string> = new Set(['@Step', '@Parallel', '@WaitForSignal', '@Compensate']);

const FANS_OUT: ReadonlySet<string> = new Set(['@Step', '@Parallel', '@Child']);

/** Reads what the parameters of a step, a condition or a compensation are given. */
export function readParameters(member: StepMember, scope: StepScope, say: Say): readonly ParameterBinding[] {
  const foreign = checkForeignParameters(scope.target, member.key, say);
  const marks = member.parameters.toSorted((a, b) => a.index - b.index);
  marks.forEach((mark, index) => {
    if (mark.index === marks[index + 1]?.index)
      say(
        `parameter ${mark.index} bears two of @Input, @Result, @Results, @Item, @Failure, @SignalPayload, @Manager and @Ctx. Keep one of them.`,
      );
  });
  checkUnbound(member, marks, foreign, say);
  return marks.filter((mark) => isInPlace(mark, member, say)).flatMap((mark) => toBinding(mark, scope, say) ?? []);
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

/** Some give something only to a certain kind of method. A condition bears no decorator of a step. */
function isInPlace({ index, kind }: ParameterMark, { steps, isOfItems }: StepMember, say: Say): boolean {
  const decorator = steps[0]?.decorator;
  if (kind === 'payload' && decorator !== '@WaitForSignal') {
    say(
      `parameter ${index} bears @SignalPayload, and only a @WaitForSignal method is given a payload. ` +
        "Take the result of that method with @Result('…').",
    );
    return false;
  }
  if (kind === 'manager' && !(decorator && TRANSACTIONAL.has(decorator))) {
    say(
      `parameter ${index} bears @Manager, which only a @Step, @Parallel, @WaitForSignal or @Compensate method can take. ` +
        'Write to the database in a step.',
    );
    return false;
  }
  if (kind === 'run-failure' && decorator !== '@Compensate') {
    say(
      `parameter ${index} bears @Failure without a name, which only a @Compensate method can take. ` +
        'Name the step whose failure it takes.',
    );
    return false;
  }
  if (kind === 'item' && !(decorator && FANS_OUT.has(decorator)) && !isOfItems) {
    say(`parameter ${index} bears @Item, and only a @Step, @Parallel or @Child method can be a fan-out. Remove it.`);
    return false;
  }
  return true;
}

function toBinding(mark: ParameterMark, scope: StepScope, say: Say): ParameterBinding | null {
  if (mark.kind === 'item') {
    const from = readItemSource(mark.source, scope, say);
    return from && { index: mark.index, kind: mark.kind, from };
  }
  if (!('step' in mark)) return { index: mark.index, kind: mark.kind };
  const { index, kind } = mark;
  const isOptional = mark.kind === 'result' && readOptional(mark.options, say);
  const step = readGiver(mark.step, DECORATORS[kind], scope, say);
  if (step === null) return null;
  return kind === 'result' ? { index, kind, step, isOptional } : { index, kind, step };
}

const DECORATORS = { result: '@Result', results: '@Results', failure: '@Failure' } as const;

function readGiver(step: unknown, decorator: string, scope: StepScope, say: Say): string | null {
  if (typeof step === 'string' && scope.names.includes(step)) return step;
  say(`${decorator} names ${show(step)}, ${describeNoStep(step, scope)}`);
  return null;
}

function readOptional(written: unknown, say: Say): boolean {
  const { optional } = readOptions(written, '@Result', ['optional'], say);
  if (optional !== undefined && typeof optional !== 'boolean')
    say(`Expected optional of @Result to be true or false, got ${show(optional)}.`);
  return optional === true;
}
