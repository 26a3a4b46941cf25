import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InputInvalidError, type InputFault } from '../engine/errors.js';
import { findDtoPackages, type DtoPackages } from './dto-packages.js';
import { reviveAs } from './dto-revival.js';
import { isClass, isSchema } from './input-faults.js';
import type { WorkflowDefinition } from './workflow-definition.js';

/** The most faults that an error lists: an input may be a list of a million wrong items. */
const MAX_FAULTS = 100;

type InputOwner = Pick<WorkflowDefinition, 'name' | 'target'>;
type FindPackages = () => Promise<DtoPackages | null>;
type ValidatingPackages = DtoPackages & { readonly validate: NonNullable<DtoPackages['validate']> };
type DtoClass = new (...args: never[]) => object;

/**
 * Checks the input of a new run against the workflow's `static input` and gives the value to store: what the schema made
 * of it, or the fields of the DTO once class-transformer has made one of it. Without `static input`, or for a DTO class
 * where class-transformer or class-validator is missing, the input as it is.
 *
 * @throws InputInvalidError with every fault and its path
 */
export async function validateInput(
  workflow: InputOwner,
  input: unknown,
  packages: FindPackages = findDtoPackages,
): Promise<unknown> {
  const expected = workflow.target.input;
  if (isSchema(expected)) return validateBySchema(workflow, expected as StandardSchemaV1, input);
  if (!isClass(expected)) return input;
  const found = await packages();
  return found?.validate ? validateByClass(workflow, expected, input, { ...found, validate: found.validate }) : input;
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

async function validateBySchema({ name }: InputOwner, schema: StandardSchemaV1, input: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(input);
  if (!result.issues) return result.value;
  throw invalid(
    name,
    result.issues.map(({ path = [], message }) => ({ path: path.map(nameOfSegment).join('.'), message })),
  );
}

function nameOfSegment(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}

async function validateByClass(
  { name }: InputOwner,
  type: DtoClass,
  input: unknown,
  packages: ValidatingPackages,
): Promise<unknown> {
  if (!isRecord(input))
    throw invalid(name, [{ path: '', message: `expected an object (${type.name}), got ${describe(input)}` }]);
  const instance = toInstance(name, type, input, packages);
  const faults = await packages.validate(instance);
  if (faults.length > 0) throw invalid(name, faults);
  // The fields only: members that are instances themselves are the codec's business, which stores their fields.
  return { ...instance };
}

/** A `@Transform` must not be applied twice: what is an instance already (Nest's ValidationPipe made it) is left as it is. */
function toInstance(workflow: string, type: DtoClass, input: object, packages: DtoPackages): object {
  if (input instanceof type) return reviveAs(type, input, packages);
  try {
    return packages.transform(type, input);
  } catch (error) {
    // A @Transform that stumbles over the value: the value's fault as far as the caller is concerned.
    const message = `cannot be made into ${type.name}: ${error instanceof Error ? error.message : String(error)}`;
    throw new InputInvalidError(workflow, [{ path: '', message }], { cause: error });
  }
}

function invalid(workflow: string, faults: readonly InputFault[]): InputInvalidError {
  const more = faults.length - MAX_FAULTS;
  const shown = more > 0 ? [...faults.slice(0, MAX_FAULTS), { path: '', message: `${more} more faults` }] : faults;
  return new InputInvalidError(workflow, shown);
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
}
