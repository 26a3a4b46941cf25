import { ValueNotStorableError } from '../engine/errors.js';
import { findKind } from './codec-kinds.js';
import { isPlainNumber, MAX_DEPTH, TAG_KEY } from './codec-plain.js';
import { formatPath, tooLarge, unreadable } from './codec-refusal.js';
import { PayloadText } from './codec-text.js';

/** What of an error is stored apart from its fields. */
const ERROR_PARTS: readonly string[] = ['name', 'message', 'stack', 'cause'];

/** Bits that a decimal digit stands for, rounded up. */
const BITS_PER_DIGIT = 4;

/**
 * Writes one value as text. The walk reads everything once, knows at each moment the path at which it stands, and ends
 * as soon as the text is too long. One writer writes one value.
 */
export class PayloadWriter {
  private readonly text = new PayloadText();
  private readonly path: string[] = [];
  /** The objects the walk is inside of: to meet one again is a cycle. With the number of keys that lead to each. */
  private readonly open = new Map<object, number>();

  constructor(
    private readonly what: string,
    private readonly maxBytes: number,
  ) {}

  /** @throws ValueNotStorableError */
  write(value: unknown): string {
    try {
      this.value(value);
    } catch (error) {
      if (error instanceof ValueNotStorableError) throw error;
      // Only what belongs to the value can have thrown: a getter, a trap of a Proxy. The path still says where.
      throw this.refusal(unreadable(error));
    }
    return this.text.toString();
  }

  private value(value: unknown): void {
    if (this.text.length > this.maxBytes) throw this.tooLarge();
    switch (typeof value) {
      case 'string':
        return this.string(value);
      case 'number':
        return this.number(value);
      case 'boolean':
        return this.text.raw(String(value));
      case 'undefined':
        return this.text.tag('undefined', null);
      case 'bigint':
        return this.bigint(value);
      case 'function':
        throw this.refusal('it is a function: only data can be stored.');
      case 'symbol':
        throw this.refusal('it is a symbol: use a string.');
      default:
        return value === null ? this.text.raw('null') : this.object(value as object);
    }
  }

  private object(value: object): void {
    const first = this.open.get(value);
    if (first !== undefined) throw this.refusal(cycle(this.path.slice(0, first)));
    if (this.open.size >= MAX_DEPTH) throw this.refusal(`it is nested deeper than ${MAX_DEPTH} levels.`);
    this.open.set(value, this.path.length);
    this.contents(value);
    this.open.delete(value);
  }

  private contents(value: object): void {
    const kind = findKind(value);
    if (typeof kind === 'object') throw this.refusal(kind.refused);
    switch (kind) {
      case 'array':
        return this.items(value as readonly unknown[]);
      case 'fields':
        return this.fields(value);
      case 'date':
        return this.date(value as Date);
      case 'map':
        return this.text.wrap('Map', () => this.map(value as ReadonlyMap<unknown, unknown>));
      case 'set':
        return this.text.wrap('Set', () => this.items([...Set.prototype.values.call(value as Set<unknown>)]));
      case 'bytes':
        return this.bytes(value as Uint8Array);
      case 'error':
        return this.text.wrap('Error', () => this.error(value as Error));
    }
  }

  private items(items: readonly unknown[]): void {
    this.text.raw('[');
    for (let index = 0; index < items.length; index += 1) {
      this.text.comma(index);
      this.path.push(String(index));
      this.value(items[index]);
      this.path.pop();
    }
    this.text.raw(']');
  }

  private map(map: ReadonlyMap<unknown, unknown>): void {
    this.text.raw('[');
    let index = 0;
    for (const [key, value] of Map.prototype.entries.call(map)) {
      this.text.comma(index);
      this.path.push(typeof key === 'string' ? key : String(index));
      this.items([key, value]);
      this.path.pop();
      index += 1;
    }
    this.text.raw(']');
  }

  private fields(value: object): void {
    const keys = Object.keys(value);
    // A user's object that looks like a tag: inside an Object tag the key means nothing.
    if (keys.includes(TAG_KEY)) this.text.wrap('Object', () => this.entries(value, keys));
    else this.entries(value, keys);
  }

  private entries(value: object, keys: readonly string[]): void {
    this.text.raw('{');
    for (let index = 0; index < keys.length; index += 1) {
      this.text.comma(index);
      this.entry(value, keys[index] as string);
    }
    this.text.raw('}');
  }

  private entry(value: object, key: string): void {
    this.path.push(key);
    this.string(key);
    this.text.raw(':');
    this.value((value as Record<string, unknown>)[key]);
    this.path.pop();
  }

  private error(error: Error): void {
    const fields = Object.keys(error).filter((key) => !ERROR_PARTS.includes(key));
    const parts = ERROR_PARTS.filter((part) => part in error);
    // Of an AggregateError; enumerable, it is a field like others.
    if (Object.hasOwn(error, 'errors') && !fields.includes('errors')) parts.push('errors');
    this.text.raw('{"parts":');
    this.entries(error, parts);
    this.text.raw(',"fields":');
    this.entries(error, fields);
    this.text.raw('}');
  }

  private string(value: string): void {
    if (this.text.length + value.length > this.maxBytes) throw this.tooLarge();
    this.text.string(value);
  }

  private number(value: number): void {
    if (isPlainNumber(value)) this.text.raw(String(value));
    else this.text.tag('number', Object.is(value, -0) ? '-0' : String(value));
  }

  private bigint(value: bigint): void {
    // To write a large one takes quadratic time; to tell that it is large does not.
    if (BigInt.asIntN(this.maxBytes * BITS_PER_DIGIT, value) !== value) throw this.tooLarge();
    this.text.tag('bigint', String(value));
  }

  private date(date: Date): void {
    const time = Date.prototype.getTime.call(date);
    this.text.tag('Date', Number.isNaN(time) ? null : new Date(time).toISOString());
  }

  private bytes(bytes: Uint8Array): void {
    if (bytes.byteLength > this.maxBytes) throw this.tooLarge();
    // A copy by the language itself: of an array whose buffer was transferred or shrunk away, which looks empty, it throws.
    this.text.tag('Uint8Array', Buffer.from(new Uint8Array(bytes).buffer).toString('base64'));
  }

  private tooLarge(): ValueNotStorableError {
    return new ValueNotStorableError(this.what, '', tooLarge(this.maxBytes));
  }

  private refusal(reason: string): ValueNotStorableError {
    return new ValueNotStorableError(this.what, formatPath(this.path), reason);
  }
}

function cycle(path: readonly string[]): string {
  const place = path.length === 0 ? 'the value itself' : `"${formatPath(path)}"`;
  return `it is a cycle: the same object as ${place}, which holds it. Store an id instead.`;
}
