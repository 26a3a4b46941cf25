/**
 * Where two values differ, or null where they are the same in all that the codec promises: types, -0 and NaN, undefined
 * beside missing, the order of fields, maps and sets, prototypes, and of errors every part.
 */
export function findDifference(left: unknown, right: unknown, path = ''): string | null {
  if (typeof left !== 'object' || left === null) return Object.is(left, right) ? null : path || 'the value itself';
  if (typeof right !== 'object' || right === null) return path || 'the value itself';
  const kind = Object.prototype.toString.call(left);
  if (kind !== Object.prototype.toString.call(right)) return `${path} (${kind})`;
  if (left instanceof Error) return findInEntries(partsOf(left), partsOf(right as Error), path);
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return `${path} (prototype)`;
  if (left instanceof Date) return findDifference(left.getTime(), (right as Date).getTime(), path);
  if (left instanceof Map) return findInEntries([...left].flat(), [...(right as Map<unknown, unknown>)].flat(), path);
  if (left instanceof Set) return findInEntries([...left], [...(right as Set<unknown>)], path);
  if (left instanceof Uint8Array) return findInEntries([...left], [...(right as Uint8Array)], path);
  return findInEntries(fieldsOf(left), fieldsOf(right), path);
}

function findInEntries(left: readonly unknown[], right: readonly unknown[], path: string): string | null {
  if (left.length !== right.length) return `${path} (${left.length} and ${right.length})`;
  for (const [index, item] of left.entries()) {
    const difference = findDifference(item, right[index], `${path}/${index}`);
    if (difference !== null) return difference;
  }
  return null;
}

/** An array's length counts too: trailing undefined is not missing. */
function fieldsOf(value: object): unknown[] {
  return Array.isArray(value) ? [...(value as unknown[])] : Object.entries(value).flat();
}

/** The class of an error does not survive, its name does. */
function partsOf(error: Error): unknown[] {
  const { name, message, stack, cause } = error;
  const errors: unknown = 'errors' in error ? error.errors : 'none';
  return [name, message, stack, 'cause' in error, cause, errors, ...(Object.entries(error).flat() as unknown[])];
}
