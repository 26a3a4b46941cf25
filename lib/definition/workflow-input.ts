import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InputInvalidError, messageOf, type InputFault } from '../engine/errors.js';
import { findDtoPackages, type DtoPackages } from './dto-packages.js';
import { reviveAs } from './dto-revival.js';
import { isClass, isSchema } from './input-faults.js';
import { show } from './option-readers.js';
import type { WorkflowDefinition } from './workflow-definition.js';

/** The most faults that an error lists: an input may be a list of a million wrong items. */
const MAX_FAULTS = 100;

/** Characters kept of a fault's path and of its message: both may hold whatever the input holds. */
const MAX_PATH_LENGTH = 200;
const MAX_MESSAGE_LENGTH = 1_000;

/** In a box: a promise would take an input with a member `then` for a promise, or stumble over it. */
export interface ValidInput {
  readonly value: unknown;
}

type InputOwner = Pick<WorkflowDefinition, 'name' | 'target'>;
type FindPackages = () => Promise<DtoPackages | null>;
type ValidatingPackages = DtoPackages & { readonly validate: NonNullable<DtoPackages['validate']> };
type DtoClass = new (...args: never[]) => object;

/**
 * Checks the input of a new run against the workflow's `static input` and gives the value to store: what the schema made
 * of it, or the fields of the DTO once class-transformer has made one of it. Without `static input`, or for a DTO class
 * where class-transformer or class-validator is missing, the input as it is.
 *
 * @throws InputInvalidError with every fault and its path, or with what the validation threw as its cause
 */
export async function validateInput(
  workflow: InputOwner,
  input: unknown,
  packages: FindPackages = findDtoPackages,
): Promise<ValidInput> {
  const expected = workflow.target.input;
  if (isSchema(expected)) {
    return orFault(workflow, () => validateBySchema(workflow, expected as StandardSchemaV1, input));
  }
  if (!isClass(expected)) return { value: input };
  const found = await packages();
  if (!found?.validate) return { value: input };
  const validating = { ...found, validate: found.validate };
  return orFault(workflow, () => validateByClass(workflow, expected, input, validating));
}

/** Validators are the user's code, and read what the caller gave: either may throw. */
async function orFault({ name }: InputOwner, validate: () => Promise<ValidInput>): Promise<ValidInput> {
  try {
    return await validate();
  } catch (error) {
    if (error instanceof InputInvalidError) throw error;
    throw stumbled(name, 'checked', error);
  }
}

/** The stored input as `@Input()` gives it: of the DTO class again where class-transformer is installed, else plain. */
export async function reviveInput(
  workflow: InputOwner,
  value: unknown,
  packages: FindPackages = findDtoPackages,
): Promise<unknown> {
  const expected = workflow.target.input;
  if (isSchema(expected) || !isClass(expected) || !isRecord(value)) return value;
  const found = await packages();
  return found === null ? value : reviveAs(expected, value, found);
}

async function validateBySchema({ name }: InputOwner, schema: StandardSchemaV1, input: unknown): Promise<ValidInput> {
  const result: unknown = await schema['~standard'].validate(input);
  if (typeof result !== 'object' || result === null || !('value' in result || 'issues' in result)) {
    throw new TypeError(`its schema answered ${show(result)}, neither { value } nor { issues }`);
  }
  const { issues } = result as { issues?: StandardSchemaV1.FailureResult['issues'] };
  if (!issues) return { value: (result as StandardSchemaV1.SuccessResult<unknown>).value };
  const faults = Array.from(issues, ({ path = [], message }) => ({ path: path.map(nameOfSegment).join('.'), message }));
  if (faults.length === 0) throw new TypeError('its schema refused it and gave no reason');
  throw invalid(name, faults);
}

function nameOfSegment(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}

async function validateByClass(
  { name }: InputOwner,
  type: DtoClass,
  input: unknown,
  packages: ValidatingPackages,
): Promise<ValidInput> {
  if (!isRecord(input))
    throw invalid(name, [{ path: '', message: `expected an object (${type.name}), got ${describe(input)}` }]);
  const instance = toInstance(name, type, input, packages);
  const faults = await packages.validate(instance);
  if (faults.length > 0) throw invalid(name, faults);
  // The fields only: members that are instances themselves are the codec's business, which stores their fields.
  return { value: { ...instance } };
}

/** A `@Transform` must not be applied twice: what is an instance already (Nest's ValidationPipe made it) is left as it is. */
function toInstance(workflow: string, type: DtoClass, input: object, packages: DtoPackages): object {
  if (input instanceof type) return reviveAs(type, input, packages);
  try {
    return packages.transform(type, input);
  } catch (error) {
    // A @Transform that stumbles over the value: the value's fault as far as the caller is concerned.
    throw stumbled(workflow, `made into ${type.name}`, error);
  }
}

function stumbled(workflow: string, what: string, cause: unknown): InputInvalidError {
  const message = cut(`cannot be ${what}: ${messageOf(cause)}`, MAX_MESSAGE_LENGTH);
  return new InputInvalidError(workflow, [{ path: '', message }], { cause });
}

function invalid(workflow: string, faults: readonly InputFault[]): InputInvalidError {
  const more = faults.length - MAX_FAULTS;
  const shown = more > 0 ? [...faults.slice(0, MAX_FAULTS), { path: '', message: `${more} more faults` }] : faults;
  return new InputInvalidError(
    workflow,
    shown.map(({ path, message }) => ({ path: cut(path, MAX_PATH_LENGTH), message: cut(message, MAX_MESSAGE_LENGTH) })),
  );
}

/** A message may be of any type: custom rules are the user's code. */
function cut(text: unknown, length: number): string {
  const whole = typeof text === 'string' ? text : messageOf(text);
  return whole.length <= length ? whole : `${whole.slice(0, length)}…`;
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
}
