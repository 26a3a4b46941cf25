import type { StandardSchemaV1 } from '@standard-schema/spec';
import { messageOf, type InputFault } from '../engine/errors.js';
import { findDtoPackages, type DtoPackages } from './dto-packages.js';
import { reviveAs } from './dto-revival.js';
import { isClass, isSchema } from './input-faults.js';
import { show } from './option-readers.js';

/** The most faults that an error lists: a value may be a list of a million wrong items. */
const MAX_FAULTS = 100;

/** Characters kept of a fault's path and of its message: both may hold whatever the value holds. */
const MAX_PATH_LENGTH = 200;
const MAX_MESSAGE_LENGTH = 1_000;

/** In a box: a promise would take a value with a member `then` for a promise, or stumble over it. */
export interface ValidValue {
  readonly value: unknown;
}

/** A value that is not what was expected: every fault and its path, and what the validation threw, if it did. */
export interface InvalidValue {
  readonly faults: readonly InputFault[];
  readonly options?: ErrorOptions;
}

export type FindPackages = () => Promise<DtoPackages | null>;
type ValidatingPackages = DtoPackages & { readonly validate: NonNullable<DtoPackages['validate']> };
type DtoClass = new (...args: never[]) => object;

/**
 * Checks a value against a DTO class or a Standard Schema and gives the value to store: what the schema made of it, or the
 * fields of the DTO once class-transformer has made one of it. Where nothing is expected, or a DTO class and class-transformer
 * or class-validator is missing, the value as it is.
 */
export async function validateValue(
  expected: unknown,
  value: unknown,
  packages: FindPackages = findDtoPackages,
): Promise<ValidValue | InvalidValue> {
  if (isSchema(expected)) return orFault(() => validateBySchema(expected as StandardSchemaV1, value));
  if (!isClass(expected)) return { value };
  const found = await packages();
  if (!found?.validate) return { value };
  const validating = { ...found, validate: found.validate };
  return orFault(() => validateByClass(expected, value, validating));
}

/** A stored value of a DTO class as that class again where class-transformer is installed, else plain. */
export async function reviveValue(
  expected: unknown,
  value: unknown,
  packages: FindPackages = findDtoPackages,
): Promise<unknown> {
  if (isSchema(expected) || !isClass(expected) || !isRecord(value)) return value;
  const found = await packages();
  return found === null ? value : reviveAs(expected, value, found);
}

/** Validators are the user's code, and read what the caller gave: either may throw. */
async function orFault(validate: () => Promise<ValidValue | InvalidValue>): Promise<ValidValue | InvalidValue> {
  try {
    return await validate();
  } catch (error) {
    return stumbled('checked', error);
  }
}

async function validateBySchema(schema: StandardSchemaV1, value: unknown): Promise<ValidValue | InvalidValue> {
  const result: unknown = await schema['~standard'].validate(value);
  if (typeof result !== 'object' || result === null || !('value' in result || 'issues' in result)) {
    throw new TypeError(`its schema answered ${show(result)}, neither { value } nor { issues }`);
  }
  const { issues } = result as { issues?: StandardSchemaV1.FailureResult['issues'] };
  if (!issues) return { value: (result as StandardSchemaV1.SuccessResult<unknown>).value };
  const faults = Array.from(issues, ({ path = [], message }) => ({ path: path.map(nameOfSegment).join('.'), message }));
  if (faults.length === 0) throw new TypeError('its schema refused it and gave no reason');
  return invalid(faults);
}

function nameOfSegment(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}

async function validateByClass(
  type: DtoClass,
  value: unknown,
  packages: ValidatingPackages,
): Promise<ValidValue | InvalidValue> {
  if (!isRecord(value))
    return invalid([{ path: '', message: `expected an object (${type.name}), got ${describe(value)}` }]);
  const made = toInstance(type, value, packages);
  if (made.instance === undefined) return made.fault;
  const faults = await packages.validate(made.instance);
  if (faults.length > 0) return invalid(faults);
  // The fields only: members that are instances themselves are the codec's business, which stores their fields.
  return { value: { ...made.instance } };
}

type Made = { readonly instance: object } | { readonly instance?: undefined; readonly fault: InvalidValue };

/** A `@Transform` must not be applied twice: what is an instance already (Nest's ValidationPipe made it) is left as it is. */
function toInstance(type: DtoClass, value: object, packages: DtoPackages): Made {
  if (value instanceof type) return { instance: reviveAs(type, value, packages) };
  try {
    return { instance: packages.transform(type, value) };
  } catch (error) {
    // A @Transform that stumbles over the value: the value's fault as far as the caller is concerned.
    return { fault: stumbled(`made into ${type.name}`, error) };
  }
}

function stumbled(what: string, cause: unknown): InvalidValue {
  const message = cut(`cannot be ${what}: ${messageOf(cause)}`, MAX_MESSAGE_LENGTH);
  return { faults: [{ path: '', message }], options: { cause } };
}

function invalid(faults: readonly InputFault[]): InvalidValue {
  const more = faults.length - MAX_FAULTS;
  const shown = more > 0 ? [...faults.slice(0, MAX_FAULTS), { path: '', message: `${more} more faults` }] : faults;
  return {
    faults: shown.map(({ path, message }) => {
      return { path: cut(path, MAX_PATH_LENGTH), message: cut(message, MAX_MESSAGE_LENGTH) };
    }),
  };
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
