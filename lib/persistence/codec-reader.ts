import { TAG_KEY } from './codec-plain.js';

/** What `{"$":"Error","v":…}` holds. */
interface ErrorContent {
  readonly parts: Readonly<Record<string, unknown>>;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How each tag's content becomes a value; the content has not been looked into yet. */
const READERS: Readonly<Record<string, (content: never) => unknown>> = {
  undefined: () => undefined,
  number: (word: string) => Number(word),
  bigint: (word: string) => BigInt(word),
  Date: (word: string | null) => new Date(word ?? Number.NaN),
  // A Buffer may lie in a pool that others see; its copy does not.
  Uint8Array: (word: string) => new Uint8Array(Buffer.from(word, 'base64')),
  Map: (entries: unknown[]) => new Map(reviveItems(entries) as [unknown, unknown][]),
  Set: (items: unknown[]) => new Set(reviveItems(items)),
  Object: (fields: Record<string, unknown>) => reviveFields(fields),
  Error: readError,
};

/**
 * The value of parsed tagged text. Works in place: what JSON.parse made belongs to nobody else, and it made every key
 * an own property, `__proto__` too, so that to assign to it changes no prototype.
 *
 * @throws Error at a tag it does not know
 */
export function reviveTagged(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return reviveItems(node);
  const fields = node as Record<string, unknown>;
  return Object.hasOwn(fields, TAG_KEY) ? readTag(fields[TAG_KEY], fields['v']) : reviveFields(fields);
}

function reviveItems(items: unknown[]): unknown[] {
  for (let index = 0; index < items.length; index += 1) items[index] = reviveTagged(items[index]);
  return items;
}

function reviveFields<T extends Record<string, unknown>>(fields: T): T {
  for (const key of Object.keys(fields)) (fields as Record<string, unknown>)[key] = reviveTagged(fields[key]);
  return fields;
}

function readTag(type: unknown, content: unknown): unknown {
  const read = typeof type === 'string' && Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (read === undefined) throw new Error(`Unknown tag ${JSON.stringify(type)}.`);
  return read(content as never);
}

/** A plain Error under its name: the class that was thrown may not exist here. */
function readError({ parts, fields }: ErrorContent): Error {
  const { name, message, stack, cause, errors } = reviveFields(parts as Record<string, unknown>);
  const error = Array.isArray(errors) ? new AggregateError(errors) : new Error();
  if (name !== error.name) define(error, 'name', name);
  define(error, 'message', message);
  // Not the stack of this decoding.
  define(error, 'stack', Object.hasOwn(parts, 'stack') ? stack : `${String(name)}: ${String(message)}`);
  if (Object.hasOwn(parts, 'cause')) define(error, 'cause', cause);
  for (const [key, field] of Object.entries(reviveFields(fields as Record<string, unknown>)))
    define(error, key, field, true);
  return error;
}

/**
 * Defined, not assigned: a field may be called `__proto__`. Hidden as the parts of an error are, unless said otherwise.
 */
function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}
