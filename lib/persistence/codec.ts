import { createHash } from 'node:crypto';

import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError, ValueNotStorableError } from '../engine/errors.js';
import { isPlainJson } from './codec-plain.js';
import { reviveTagged } from './codec-reader.js';
import { tooLarge } from './codec-refusal.js';
import { TAGGED_PREFIX } from './codec-text.js';
import { type FieldCodec, storableError } from './codec-thrown.js';
import { PayloadWriter } from './codec-writer.js';

/** One mebibyte: what a value may take unless the codec is told otherwise. */
const DEFAULT_MAX_BYTES = 1024 * 1024;

/**
 * What an encoded error may take, whatever `maxBytes` is: above the worst case of what `storableError` leaves of one.
 */
const MAX_ERROR_BYTES = 4 * 1024 * 1024;

/** Stands for an error of which nothing could be read. */
const UNREADABLE_ERROR = `${TAGGED_PREFIX}{"$":"Error","v":{"parts":{"name":"Error","message":"Something was thrown that cannot be read."},"fields":{}}}`;

/** Options of {@link JsonCodec}. */
export interface JsonCodecOptions {
  /**
   * The most a value may take as text, in bytes of UTF-8.
   *
   * @default 1048576
   */
  readonly maxBytes?: number;
}

/**
 * Stores values as JSON. Text of a value that JSON can express by itself is exactly that JSON; text of any other begins
 * with `~`, which no JSON does, followed by JSON in which `{"$":"<type>","v":…}` stands for a value of that type.
 *
 * Beyond JSON it knows undefined (also in arrays and fields), BigInt, NaN, ±Infinity, -0, Date, Map, Set, Uint8Array
 * and Error with its cause, fields and `AggregateError.errors`. An instance of any other class is stored as its own
 * enumerable fields and arrives as a plain object; `toJSON` is not called. Symbol keys are left out, holes of an array
 * arrive as undefined, a Buffer arrives as Uint8Array, an object referred to twice arrives as two.
 */
export class JsonCodec implements PayloadCodec {
  private readonly maxBytes: number;

  constructor({ maxBytes = DEFAULT_MAX_BYTES }: JsonCodecOptions = {}) {
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
      throw new OrchestrateFlowError(
        'OF_OPTIONS_INVALID',
        `Expected maxBytes to be a whole number of bytes above 0, got ${maxBytes}.`,
      );
    }
    this.maxBytes = maxBytes;
  }

  encode(value: unknown, what: string): string {
    return encodeWithin(value, what, this.maxBytes);
  }

  decode(text: string): unknown {
    try {
      return text.startsWith(TAGGED_PREFIX)
        ? reviveTagged(JSON.parse(text.slice(TAGGED_PREFIX.length)))
        : JSON.parse(text);
    } catch (cause) {
      const start = JSON.stringify(text.slice(0, 40));
      throw new OrchestrateFlowError(
        'OF_STATE_CORRUPT',
        `Cannot decode a stored value that begins with ${start}: this version of orchestrate-flow did not write it. Was the row changed by hand, or by a newer version?`,
        { cause },
      );
    }
  }

  /** SHA-256 of the text with the fields of every object in the order of their names. */
  fingerprint(text: string): Uint8Array {
    const isTagged = text.startsWith(TAGGED_PREFIX);
    const json: unknown = JSON.parse(isTagged ? text.slice(TAGGED_PREFIX.length) : text);
    return createHash('sha256')
      .update(isTagged ? TAGGED_PREFIX : '')
      .update(JSON.stringify(sortFields(json)))
      .digest();
  }

  encodeError(error: unknown): string {
    try {
      return encodeWithin(storableError(error, this.fieldCodec), 'an error', MAX_ERROR_BYTES);
    } catch {
      return UNREADABLE_ERROR;
    }
  }

  decodeError(text: string): unknown {
    return this.decode(text);
  }

  private readonly fieldCodec: FieldCodec = {
    encode: (value, maxBytes) => encodeWithin(value, 'it', maxBytes),
    decode: (text) => this.decode(text),
  };
}

function encodeWithin(value: unknown, what: string, maxBytes: number): string {
  const text = encodePlain(value, maxBytes) ?? new PayloadWriter(what, maxBytes).write(value);
  // A character takes at most three bytes, so that most texts need not be counted.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    throw new ValueNotStorableError(what, '', tooLarge(maxBytes));
  }
  return text;
}

/**
 * The JSON of a value that is nothing but JSON, or null: whatever is odd about it, the writer finds it and says where.
 */
function encodePlain(value: unknown, maxBytes: number): string | null {
  try {
    return isPlainJson(value, maxBytes) ? JSON.stringify(value) : null;
  } catch {
    // A getter or a Proxy threw, or gave the second reader something else than the first.
    return null;
  }
}

/** Parsed JSON with the fields of every object in the order of their names. In a loop: tags nest deeper than the stack is. */
function sortFields(json: unknown): unknown {
  const root: Record<string, unknown> = { json };
  const open: Record<string, unknown>[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const [key, child] of Object.entries(node)) {
      if (typeof child !== 'object' || child === null) continue;
      const sorted = Array.isArray(child) ? child : Object.fromEntries(Object.entries(child).sort(byName));
      node[key] = sorted;
      open.push(sorted as Record<string, unknown>);
    }
  }
  return root['json'];
}

function byName([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}
