/** Levels a value may be nested; beyond, a walk would come near the end of the stack. */
export const MAX_DEPTH = 1_000;

/** The key that marks a tag in tagged text; an object of the user's that has it is escaped. */
export const TAG_KEY = '$';

/**
 * Whether `JSON.stringify` alone stores a value exactly, in not many more than `maxBytes`. Most payloads are such, and
 * this walk costs a fraction of `JSON.stringify`; for anything else it says no and the writer, which is slower, has a
 * closer look.
 *
 * Cycles need no attention: the first one entered exceeds the depth. Neither do objects that are shared so often that
 * their text would grow without bound: every level costs bytes.
 *
 * @throws whatever a getter or a Proxy throws
 */
export function isPlainJson(value: unknown, maxBytes: number): boolean {
  return bytesLeft(value, maxBytes, 0) >= 0;
}

/**
 * What is left of the bytes after the least this value can take; below zero as soon as there is anything odd about it.
 */
function bytesLeft(value: unknown, bytes: number, depth: number): number {
  switch (typeof value) {
    case 'string':
      return bytes - value.length - 2;
    case 'number':
      return isPlainNumber(value) ? bytes - 1 : -1;
    case 'boolean':
      return bytes - 4;
    case 'object':
      return value === null ? bytes - 4 : bytesLeftOfObject(value, bytes, depth);
    default:
      return -1;
  }
}

function bytesLeftOfObject(value: object, bytes: number, depth: number): number {
  // JSON.stringify would call toJSON, wherever it comes from.
  if (depth >= MAX_DEPTH || bytes < 0 || (value as { toJSON?: unknown }).toJSON !== undefined) return -1;
  if (Array.isArray(value)) return bytesLeftOfArray(value, bytes - 1, depth + 1);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  return bytesLeftOfFields(value as Record<string, unknown>, bytes - 2, depth + 1);
}

function bytesLeftOfArray(items: readonly unknown[], bytes: number, depth: number): number {
  let left = bytes;
  for (let index = 0; index < items.length && left >= 0; index += 1) left = bytesLeft(items[index], left - 1, depth);
  return left;
}

function bytesLeftOfFields(fields: Record<string, unknown>, bytes: number, depth: number): number {
  let left = bytes;
  // With what others may have put on Object.prototype: it is read like a field, which at worst sends the value to the
  // writer.
  for (const key in fields) {
    if (key === TAG_KEY) return -1;
    left = bytesLeft(fields[key], left - key.length - 3, depth);
    if (left < 0) return -1;
  }
  return left;
}

/** Whether JSON has a word for this number: it has none for NaN, the infinities and minus zero. */
export function isPlainNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}
