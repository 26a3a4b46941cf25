import { types } from 'node:util';

/** How the writer treats an object. */
export type Kind = 'array' | 'fields' | 'date' | 'map' | 'set' | 'bytes' | 'error' | { readonly refused: string };

/**
 * How an object is stored, by what it is inside rather than by its class, so that objects of another realm (a Jest
 * environment, `node:vm`) are treated alike.
 *
 * @throws whatever a Proxy throws
 */
export function findKind(value: object): Kind {
  if (Array.isArray(value)) return 'array';
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return 'fields';
  return findBuiltin(value) ?? findUnreadable(value) ?? 'fields';
}

/** Whether something is an error; DOMException, as in an AbortError, is not one to V8 in every version of Node. */
export function isError(value: unknown): value is Error {
  return (
    types.isNativeError(value) ||
    value instanceof Error ||
    Object.prototype.toString.call(value) === '[object DOMException]'
  );
}

function findBuiltin(value: object): Kind | null {
  if (types.isDate(value)) return 'date';
  if (types.isMap(value)) return 'map';
  if (types.isSet(value)) return 'set';
  if (types.isUint8Array(value)) return 'bytes';
  if (isError(value)) return 'error';
  return findRefused(value);
}

function findRefused(value: object): Kind | null {
  const name = nameOf(value);
  if (types.isPromise(value)) return { refused: 'it is a Promise: await it first.' };
  if (types.isBoxedPrimitive(value)) return { refused: `it is a ${name} object: use the plain value.` };
  if (types.isArrayBufferView(value) || types.isAnyArrayBuffer(value)) {
    return { refused: `it is a ${name}: of binary data only Uint8Array can be stored.` };
  }
  if (types.isRegExp(value)) return { refused: 'it is a RegExp: store its source.' };
  if (types.isWeakMap(value) || types.isWeakSet(value)) return { refused: `it is a ${name}, which cannot be read.` };
  return null;
}

/**
 * A URL, a Blob, a Headers, a Proxy of a Map, an iterator, a class of the user's with nothing but `#private` fields:
 * all would arrive as `{}`, silently. They have in common no field of their own, and a prototype with getters or a name
 * tag.
 */
function findUnreadable(value: object): Kind | null {
  if (Object.keys(value).length > 0 || !keepsDataElsewhere(value)) return null;
  return {
    refused: `it is a ${nameOf(value)}, which keeps its data where it cannot be read: store what you need of it as a plain object or a string.`,
  };
}

function keepsDataElsewhere(value: object): boolean {
  for (let level: unknown = Object.getPrototypeOf(value); !isRoot(level); level = Object.getPrototypeOf(level)) {
    const own = Object.getOwnPropertyDescriptors(level as object);
    if (Object.hasOwn(own, Symbol.toStringTag)) return true;
    if (Object.values(own).some((property) => property.get !== undefined)) return true;
  }
  return false;
}

/** The end of a prototype chain: null, or an Object.prototype, of whichever realm. */
function isRoot(level: unknown): boolean {
  return level === null || Object.hasOwn(level as object, 'isPrototypeOf');
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'built-in object';
}
