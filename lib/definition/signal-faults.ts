import type { Blame } from './blame.js';
import { checkDeclared, isClass, isSchema } from './input-faults.js';
import type { StepMember } from './member-faults.js';
import { list, suggest } from './near-miss.js';
import { isName, show } from './option-readers.js';
import type { WrittenStep } from './step-reader.js';
import type { WorkflowClass } from './workflow-class.js';

/**
 * Checks `static signals`, that every signal some step waits for stands there, and that the parameters with `@SignalPayload`
 * are declared as what it gives.
 */
export function checkSignals(
  target: WorkflowClass,
  steps: readonly WrittenStep[],
  members: readonly StepMember[],
  blame: Blame,
): void {
  const { signals }: { readonly signals?: unknown } = target;
  if (signals === undefined) return;
  if (!isDictionary(signals))
    return blame.class(
      `Expected static signals to be an object with a DTO class or a Standard Schema for each name, got ${show(signals)}.`,
    );
  for (const [name, described] of Object.entries(signals)) checkEntry(name, described, blame);
  const names = Object.keys(signals);
  for (const { name: key, wait } of steps) {
    const step = members.find((member) => member.key === key)!;
    for (const name of wait?.signals ?? []) {
      if (Object.hasOwn(signals, name)) checkPayload({ target, step }, { name, described: signals[name] }, blame);
      else
        blame.member(key)(
          `waits for "${name}", which is none of static signals.${suggest(name, names)} Its signals are ${list(names)}.`,
        );
    }
  }
}

/** A schema of all signals is none of them, and neither is a class. */
function isDictionary(signals: unknown): signals is Readonly<Record<string, unknown>> {
  return typeof signals === 'object' && signals !== null && !Array.isArray(signals) && !isSchema(signals);
}

function checkEntry(name: string, described: unknown, blame: Blame): void {
  if (!isName(name))
    blame.class(`static signals has the name ${show(name)}: a signal is named by 1 to 200 characters without NUL.`);
  if (!isSchema(described) && !isClass(described))
    blame.class(`Expected "${name}" of static signals to be a DTO class or a Standard Schema, got ${show(described)}.`);
}

function checkPayload(
  { target, step }: { readonly target: WorkflowClass; readonly step: StepMember },
  { name, described }: { readonly name: string; readonly described: unknown },
  blame: Blame,
): void {
  // The schema first: some schemas are functions, and a parameter cannot be declared as one.
  if (isSchema(described) || !isClass(described)) return;
  for (const { kind, index } of step.parameters) {
    if (kind === 'payload')
      checkDeclared({ target, step, index }, { type: described, what: `the signal "${name}"` }, blame);
  }
}
