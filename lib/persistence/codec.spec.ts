import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';

import { OrchestrateFlowError, ValueNotStorableError } from '../engine/errors.js';
import { JsonCodec } from './codec.js';

const codec = new JsonCodec();

function roundTrip(value: unknown): unknown {
  return codec.decode(codec.encode(value, 'a value'));
}

function refusal(value: unknown, tested = codec): ValueNotStorableError {
  try {
    tested.encode(value, 'the result of step "charge"');
  } catch (error) {
    expect(error).toBeInstanceOf(ValueNotStorableError);
    return error as ValueNotStorableError;
  }
  throw new Error('It was not refused.');
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { down: value };
  return value;
}

const ANY_KEY = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary' }) },
  fc.constantFrom(
    '$',
    'v',
    '__proto__',
    'constructor',
    'toJSON',
    'name',
    'stack',
    'cause',
    'errors',
    '\u0000',
    '\ud800',
    '',
  ),
);

const ANY_STRING = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('~', '~{}', '\u0000', '\ud83d', '\ude00\ud83d', '\u2028', 'undefined', '{"$":"undefined","v":null}'),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);

const LEAF = fc.oneof(
  ANY_STRING,
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.bigInt(),
  // isDeepStrictEqual of Node 20 finds no invalid date equal to another: they have a test of their own.
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
  fc.constantFrom(null, undefined, -0, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);

function ownFields(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}

function anError([message, name, cause, fields]: [string, string, unknown, object]): Error {
  const error = new Error(message, cause === 'none' ? undefined : { cause });
  if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  for (const [key, value] of Object.entries(fields)) {
    if (!['name', 'message', 'stack', 'cause', 'errors'].includes(key)) {
      Object.defineProperty(error, key, { value, enumerable: true, writable: true, configurable: true });
    }
  }
  return error;
}

const { value: ANY_VALUE, error: ANY_ERROR } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    LEAF,
    tie('array'),
    tie('object'),
    tie('map'),
    tie('set'),
    tie('error'),
    tie('aggregate'),
  ),
  array: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.array(fc.tuple(ANY_KEY, tie('value')), { maxLength: 4 }).map(ownFields),
  map: fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
  set: fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
  error: fc
    .tuple(
      ANY_STRING,
      fc.constantFrom('Error', 'TypeError', 'Mine'),
      fc.oneof(fc.constant('none'), tie('value')),
      tie('object') as fc.Arbitrary<object>,
    )
    .map(anError),
  aggregate: fc
    .tuple(fc.array(tie('value'), { maxLength: 3 }), ANY_STRING)
    .map(([errors, message]) => new AggregateError(errors, message)),
}));

const REFUSED = fc.constantFrom<unknown>(
  () => 1,
  Symbol('s'),
  /x/u,
  Promise.resolve(1),
  new WeakMap(),
  new ArrayBuffer(4),
  new Float64Array(2),
  new DataView(new ArrayBuffer(2)),
  new URL('https://example.com'),
  Object(1n),
  {
    get broken(): never {
      throw new Error('no');
    },
  },
);

/** Errors by all their parts, which isDeepStrictEqual compares only in part; everything else by it. */
function sameErrors(left: unknown, right: unknown): boolean {
  if (!(left instanceof Error && right instanceof Error)) return isDeepStrictEqual(left, right);
  const parts = (error: Error) => [error.name, error.message, error.stack, 'cause' in error];
  return (
    isDeepStrictEqual(parts(left), parts(right)) &&
    sameErrors(left.cause, right.cause) &&
    isDeepStrictEqual({ ...left }, { ...right })
  );
}

describe('a value that can be stored', () => {
  it('arrives deeply equal, whatever it is made of, and its text has neither NUL nor lone surrogates', () => {
    fc.assert(
      fc.property(ANY_VALUE, (value) => {
        const text = codec.encode(value, 'a value');
        expect(text).not.toContain('\u0000');
        expect(text).not.toMatch(/\p{Surrogate}/u);
        expect(isDeepStrictEqual(codec.decode(text), value)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it('arrives deeply equal if it is an error, with name, message, stack, cause and fields', () => {
    fc.assert(
      fc.property(ANY_ERROR, (error) => expect(sameErrors(roundTrip(error), error)).toBe(true)),
      { numRuns: 500 },
    );
  });

  it('may be or hold an invalid date', () => {
    const arrived = roundTrip({ at: new Date(Number.NaN) }) as { at: unknown };
    for (const date of [roundTrip(new Date(Number.NaN)), arrived.at]) {
      expect(date).toBeInstanceOf(Date);
      expect((date as Date).getTime()).toBeNaN();
    }
  });

  it('is stored as the very JSON if JSON can express it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        // A user's "$" is escaped, and JSON drops the sign of -0.
        fc.pre(!json.includes('"$"') && isDeepStrictEqual(JSON.parse(json), value));
        expect(codec.encode(value, 'a value')).toBe(json);
      }),
    );
  });

  it('does not change what Object.prototype is when it has __proto__ as a key', () => {
    const hostile = JSON.parse(
      '{"__proto__":{"polluted":true},"at":0,"constructor":{"prototype":{"polluted":true}}}',
    ) as Record<string, unknown>;
    const plain = roundTrip(hostile) as object;
    const tagged = roundTrip({ ...{ date: new Date(0) }, hostile }) as { hostile: object };
    for (const arrived of [plain, tagged.hostile]) {
      expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
      expect(Object.hasOwn(arrived, '__proto__')).toBe(true);
      expect((arrived as { polluted?: boolean }).polluted).toBeUndefined();
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('may look like a tag', () => {
    for (const value of [
      { $: 'Date', v: '2026-01-01' },
      { $: 'undefined' },
      { $: { $: 'Map', v: [[1, 2]] } },
      { $: undefined },
      { $: 1n, v: { $: '' } },
    ]) {
      expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
    }
  });

  it('may hold the same object twice', () => {
    const shared = { at: new Date(5) };
    expect(roundTrip({ a: shared, b: [shared, shared] })).toEqual({ a: shared, b: [shared, shared] });
  });

  it('may be nested a thousand levels', () => {
    expect(isDeepStrictEqual(roundTrip(nested(1_000)), nested(1_000))).toBe(true);
    expect(roundTrip([nested(999), 1n])).toEqual([nested(999), 1n]);
  });

  it('arrives as plain fields if it is an instance of a class, without calling toJSON', () => {
    class Money {
      readonly paidAt = new Date(7);
      constructor(readonly amount: number) {}
      toJSON(): string {
        return 'never';
      }
      get doubled(): number {
        return this.amount * 2;
      }
    }
    const arrived = roundTrip({ money: new Money(5) }) as { money: object };
    expect(arrived).toEqual({ money: { amount: 5, paidAt: new Date(7) } });
    expect(Object.getPrototypeOf(arrived.money)).toBe(Object.prototype);
  });

  it('arrives as Uint8Array of its own memory if it is a Buffer', () => {
    const arrived = roundTrip(Buffer.from('hello').subarray(1)) as Uint8Array;
    expect(Buffer.isBuffer(arrived)).toBe(false);
    expect(arrived).toEqual(new Uint8Array(Buffer.from('ello')));
    expect(arrived.buffer.byteLength).toBe(4);
  });

  it('may come from another realm', () => {
    const foreign: unknown = vm.runInNewContext(
      `({ d: new Date(3), m: new Map([[1, new Set([2])]]), e: new TypeError('x'), p: { a: [1] }, b: new Uint8Array([1, 2]) })`,
    );
    const arrived = roundTrip(foreign) as { d: Date; m: Map<number, Set<number>>; e: Error; b: Uint8Array };
    expect(arrived.d).toEqual(new Date(3));
    expect(arrived.m).toEqual(new Map([[1, new Set([2])]]));
    expect([arrived.e.name, arrived.e.message, arrived.e instanceof Error]).toEqual(['TypeError', 'x', true]);
    expect(arrived).toMatchObject({ p: { a: [1] }, b: new Uint8Array([1, 2]) });
  });

  it('keeps neither symbol keys nor hidden properties nor holes', () => {
    const value = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 });
    expect(roundTrip(value)).toStrictEqual({ a: 1 });
    // eslint-disable-next-line no-sparse-arrays
    expect(roundTrip([1, , 3])).toStrictEqual([1, undefined, 3]);
  });

  it('comes fresh from every decode', () => {
    const text = codec.encode({ list: [new Date(1)] }, 'a value');
    expect(codec.decode(text)).not.toBe(codec.decode(text));
  });
});

describe('a value that cannot be stored', () => {
  it('is refused before anything is returned, wherever the culprit stands', () => {
    fc.assert(
      fc.property(
        ANY_VALUE,
        REFUSED,
        fc.array(fc.constantFrom('array', 'field', 'map', 'key', 'set', 'cause'), { maxLength: 6 }),
        (beside, culprit, wraps) => {
          const value = wraps.reduce<unknown>((inner, wrap) => {
            if (wrap === 'array') return [beside, inner];
            if (wrap === 'field') return { beside, inner };
            if (wrap === 'map')
              return new Map([
                ['beside', beside],
                ['inner', inner],
              ]);
            if (wrap === 'key') return new Map([[inner, beside]]);
            return wrap === 'set' ? new Set([beside, inner]) : new Error('outer', { cause: inner });
          }, culprit);
          expect(refusal(value).code).toBe('OF_VALUE_NOT_STORABLE');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it.each<[string, unknown, string, RegExp]>([
    ['a function', { items: [{ price: () => 1 }] }, 'items.0.price', /function/],
    ['a symbol', [Symbol('x')], '0', /symbol/],
    ['a Promise', { user: Promise.resolve() }, 'user', /await/],
    ['a RegExp', new Map([['rule', /a/]]), 'rule.1', /RegExp/],
    ['a WeakMap', { cache: new WeakMap() }, 'cache', /WeakMap/],
    ['a boxed string', { s: Object('x') as unknown }, 's', /String object/],
    ['a typed array', { f: new Float32Array(1) }, 'f', /Float32Array: of binary data only Uint8Array/],
    ['a URL', { link: new URL('https://example.com') }, 'link', /a URL, which keeps its data/],
    ['a generator', { g: (function* () {})() }, 'g', /cannot be read/],
    ['a Proxy of a Map', { m: new Proxy(new Map([[1, 2]]), {}) }, 'm', /a Map, which keeps its data/],
    ['a toJSON of its own', { toJSON: () => 1 }, 'toJSON', /function/],
  ])('%s is refused with its path', (_, value, path, reason) => {
    const error = refusal(value);
    expect(error.path).toBe(path);
    expect(error.message).toMatch(reason);
    expect(error.message).toContain(`Cannot store the result of step "charge" at "${path}"`);
  });

  it('is refused if it has only private fields, instead of arriving empty', () => {
    class Secret {
      #inner = 1;
      get inner(): number {
        return this.#inner;
      }
    }
    expect(refusal({ s: new Secret() }).message).toMatch(/a Secret, which keeps its data/);
  });

  it('names where a cycle returns and to what', () => {
    const order: Record<string, unknown> = { id: 1 };
    const customer = { name: 'Ada', orders: [order] };
    order['customer'] = customer;
    expect(refusal(order)).toMatchObject({
      path: 'customer.orders.0',
      reason: expect.stringContaining('the value itself'),
    });
    expect(refusal({ deep: { order } })).toMatchObject({
      path: 'deep.order.customer.orders.0',
      reason: expect.stringContaining('"deep.order"'),
    });
    const map = new Map<string, unknown>();
    map.set('self', map);
    expect(refusal(map).message).toMatch(/cycle/);
    const error = new Error('own cause');
    error.cause = error;
    expect(refusal(error)).toMatchObject({ path: 'cause', reason: expect.stringContaining('cycle') });
  });

  it('is called a cycle even if turning in it would exceed the limit', () => {
    const large: Record<string, unknown> = { text: 'x'.repeat(600_000) };
    large['self'] = large;
    expect(refusal(large)).toMatchObject({ path: 'self', reason: expect.stringContaining('cycle') });
  });

  it('is refused cleanly however deep it is', () => {
    for (const depth of [1_001, 5_000, 100_000])
      expect(refusal(nested(depth)).message).toMatch(/deeper than 1000 levels/);
    expect(refusal(nested(100_000)).message.length).toBeLessThan(500);
  });

  it('is refused if it is bytes that are gone, instead of arriving empty', () => {
    const transferred = new Uint8Array([1, 2, 3]);
    structuredClone(transferred, { transfer: [transferred.buffer] });
    // The types of this version of Node do not know resizable buffers.
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: object,
    ) => ArrayBuffer & { resize(to: number): void };
    const buffer = new Resizable(8, { maxByteLength: 16 });
    const shrunk = new Uint8Array(buffer, 4, 4);
    buffer.resize(2);
    for (const bytes of [transferred, shrunk]) {
      expect(refusal({ bytes })).toMatchObject({ path: 'bytes', reason: expect.stringContaining('reading it threw') });
    }
    const shared = new Uint8Array(new SharedArrayBuffer(4), 1, 2).fill(7);
    expect(roundTrip(shared)).toEqual(new Uint8Array([7, 7]));
  });

  it('is refused if a getter or a Proxy throws, with what it threw', () => {
    const getter = {
      a: {
        get b(): never {
          throw new Error('not loaded');
        },
      },
    };
    expect(refusal(getter)).toMatchObject({ path: 'a.b', reason: 'reading it threw "not loaded".' });
    const hostile = new Proxy({}, { getPrototypeOf: () => { throw null; } }); // prettier-ignore
    expect(refusal([hostile])).toMatchObject({ path: '0', reason: 'reading it threw "null".' });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal({ proxy }).path).toBe('proxy');
  });

  it('is refused if a getter throws something that throws when read', () => {
    const value = { get a(): never { throw Object.create(null); } }; // prettier-ignore
    expect(refusal(value).reason).toMatch(/cannot be read/);
  });

  it('is refused or read once if a getter answers differently each time', () => {
    let reads = 0;
    const value = { get a(): unknown { reads += 1; return reads === 1 ? 1 : 2n; } }; // prettier-ignore
    expect(roundTrip(value)).toEqual({ a: 2n });
  });
});

describe('the limit', () => {
  it('counts bytes of UTF-8 of the text, and the limit itself is allowed', () => {
    for (const [value, bytes] of [
      ['é'.repeat(4), 10],
      ['abcd', 6],
      [[1, [2]], 7],
      [{ a: '😀' }, 12],
      ['\u0000', 8],
      [new Date(0), 44],
    ] as const) {
      expect(Buffer.byteLength(codec.encode(value, 'a value'))).toBe(bytes);
      expect(new JsonCodec({ maxBytes: bytes }).encode(value, 'a value')).toBe(codec.encode(value, 'a value'));
      expect(refusal(value, new JsonCodec({ maxBytes: bytes - 1 })).message).toMatch(
        `more than the ${bytes - 1} bytes`,
      );
    }
  });

  it('is one mebibyte by default', () => {
    expect(codec.encode('x'.repeat(1024 * 1024 - 2), 'a value')).toHaveLength(1024 * 1024);
    expect(refusal('x'.repeat(1024 * 1024 - 1)).path).toBe('');
  });

  it('ends the walk early', () => {
    let read = 0;
    const items = Array.from({ length: 10_000 }, () => ({ get text(): string { read += 1; return 'x'.repeat(10_000); } })); // prettier-ignore
    refusal(items);
    expect(read).toBeLessThan(500);
  });

  it('holds for arrays of nothing, shared objects, big integers and bytes', () => {
    let shared: unknown = [];
    for (let level = 0; level < 100; level += 1) shared = [shared, shared];
    for (const value of [
      new Array(2 ** 32 - 1),
      shared,
      { shared, at: new Date() },
      1n << 100_000_000n,
      -(1n << 100_000_000n),
      new Uint8Array(1e8),
    ]) {
      expect(refusal(value).message).toMatch(/bytes a value may take/);
    }
  });

  it('must be a whole number above 0', () => {
    for (const maxBytes of [0, -1, 1.5, Number.NaN])
      expect(() => new JsonCodec({ maxBytes })).toThrow(/Expected maxBytes/);
  });
});

describe('a text that was not written by the codec', () => {
  it.each([
    '',
    '~',
    '{',
    '~{"$":"Unknown","v":1}',
    '~{"$":1}',
    '~{"$":"toString"}',
    '~{"$":"bigint","v":"x"}',
    '~{"$":"Error"}',
  ])('%j is refused as corrupt', (text) => {
    expect(() => codec.decode(text)).toThrow(OrchestrateFlowError);
    expect(() => codec.decode(text)).toThrow(expect.objectContaining({ code: 'OF_STATE_CORRUPT' }));
  });
});

describe('a fingerprint', () => {
  it('is taken of a value however deeply it is nested', () => {
    let value: unknown = 'bottom';
    for (let level = 0; level < 999; level += 1) value = new Map([[level, value]]);
    expect(codec.fingerprint(codec.encode(value, 'a value'))).toHaveLength(32);
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
  });

  const fingerprint = (value: unknown) =>
    Buffer.from(codec.fingerprint(codec.encode(value, 'a value'))).toString('hex');

  it.each([
    ['plain', { id: '1', items: [{ sku: 'a', count: 2 }] }, { items: [{ count: 2, sku: 'a' }], id: '1' }],
    ['tagged', { at: new Date(0), tags: new Set(['x']) }, { tags: new Set(['x']), at: new Date(0) }],
  ])('of a %s value does not depend on the order of fields', (_kind, one, other) => {
    expect(fingerprint(one)).toBe(fingerprint(other));
  });

  it.each([
    ['another value', { a: 1 }, { a: 2 }],
    ['another order of a list', [1, 2], [2, 1]],
    ['a value that only looks like a tagged one', { a: new Date(0) }, { a: { $: 'Date', v: 0 } }],
    ['one field more', { a: 1 }, { a: 1, b: undefined }],
  ])('tells %s apart', (_what, one, other) => {
    expect(fingerprint(one)).not.toBe(fingerprint(other));
  });
});
