import type { Blame } from './blame.js';
import { isName, show, type Say } from './option-readers.js';
import type { StepScope } from './step-scope.js';

/** The names that a step had in earlier builds. */
export function readRenamedFrom(written: unknown, scope: StepScope, say: Say): readonly string[] {
  if (written === undefined) return [];
  const names: readonly unknown[] = Array.isArray(written) ? Array.from(written) : [written];
  if (names.length === 0 || !names.every(isName)) {
    say(`Expected renamedFrom to be the former name of the step, or a list of at least one, got ${show(written)}.`);
    return [];
  }
  const taken = names.filter((name) => scope.names.includes(name) || scope.compensations.includes(name));
  for (const name of taken)
    say(
      `renamedFrom names "${name}", which this workflow has. A step that is still there has not been renamed: remove it.`,
    );
  return names.filter((name) => !taken.includes(name));
}

/** Whose a former name is has to be clear. */
export function checkRenames(
  steps: readonly { readonly name: string; readonly renamedFrom: readonly string[] }[],
  blame: Blame,
): void {
  const owners = new Map<string, string>();
  for (const { name, renamedFrom } of steps) {
    for (const former of new Set(renamedFrom)) {
      const owner = owners.get(former);
      if (owner === undefined) owners.set(former, name);
      else blame.member(name)(`was renamed from "${former}", and so was "${owner}". Keep one of them.`);
    }
  }
}
