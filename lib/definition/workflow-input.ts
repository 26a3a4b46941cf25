import { InputInvalidError } from '../engine/errors.js';
import { reviveValue, validateValue, type FindPackages, type ValidValue } from './value-validation.js';
import type { WorkflowDefinition } from './workflow-definition.js';

type InputOwner = Pick<WorkflowDefinition, 'name' | 'target'>;

/**
 * Checks the input of a new run against the workflow's `static input` and gives the value to store; without `static input`,
 * the input as it is.
 *
 * @throws InputInvalidError with every fault and its path, or with what the validation threw as its cause
 */
export async function validateInput(
  { name, target }: InputOwner,
  input: unknown,
  packages?: FindPackages,
): Promise<ValidValue> {
  const checked = await validateValue(target.input, input, packages);
  if ('value' in checked) return checked;
  throw new InputInvalidError(name, checked.faults, checked.options);
}

/** The stored input as `@Input()` gives it: of the DTO class again where class-transformer is installed, else plain. */
export async function reviveInput({ target }: InputOwner, value: unknown, packages?: FindPackages): Promise<unknown> {
  return reviveValue(target.input, value, packages);
}
