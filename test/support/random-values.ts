import fc from 'fast-check';

/** A value, and the path in it of what cannot be stored; null where all of it can. */
export interface RandomValue {
  readonly value: unknown;
  readonly culprit: string | null;
}

const KEYS = ['$', 'v', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'name', 'stack', 'cause', 'errors'];
const TEXTS = [
  '~',
  '~{}',
  '\0',
  '\ud83d',
  '\ude00\ud83d',
  '\u2028',
  '{"$":"Date","v":null}',
  "'; DROP TABLE x; --",
  '$1',
];
const OTHERS = [null, undefined, true, false, -0, 0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, 2 ** 53];

const TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(...TEXTS),
  fc.array(fc.nat(0xffff), { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
);
const KEY = fc.oneof({ weight: 3, arbitrary: TEXT }, fc.constantFrom(...KEYS));
const LEAF = fc.oneof(
  TEXT,
  fc.double(),
  fc.integer(),
  fc.constantFrom(...OTHERS),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 20 }),
);

/** What can be stored. */
const STORABLE: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    LEAF,
    tie('list'),
    tie('fields'),
    tie('map'),
    tie('set'),
    tie('error'),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  fields: fc.array(fc.tuple(KEY, tie('value')), { maxLength: 4 }).map(fieldsOf),
  map: fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
  set: fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
  error: fc.tuple(TEXT, tie('value'), fc.boolean(), fc.array(tie('value'), { maxLength: 2 })).map(errorOf),
})).value;

/** What cannot. Made after the choice, because fast-check looks into what it chooses. */
const CULPRIT = fc.constantFrom<() => unknown>(
  () => () => 1,
  () => class {},
  () => Symbol('s'),
  () => /x/u,
  () => Promise.resolve(1),
  () => new WeakMap(),
  () => new ArrayBuffer(4),
  () => new Float64Array(2),
  () => new URL('https://example.com'),
  () => Object('boxed'),
  () => function* () {}.call(null),
  () => revoked({}),
  () => revoked([]),
  () => new Proxy({ a: 1 }, { ownKeys: () => fail('a trap') }),
  () => new Proxy({ a: 1 }, { getPrototypeOf: () => fail('a trap') }),
  () => new Proxy(new Map(), {}),
);

/** A way to hold a value, with the path segments that lead to it. */
type Wrap = (inner: RandomValue, text: string, beside: unknown) => RandomValue;

const WRAPS: readonly Wrap[] = [
  (inner, _, beside) => at('1', inner, [beside, inner.value, beside]),
  (inner, key) => at(key, inner, fieldsOf([[key, inner.value]])),
  (inner, key, beside) =>
    at(
      key,
      inner,
      new Map(
        [
          [key, beside],
          [key, inner.value],
        ].slice(1) as [unknown, unknown][],
      ),
      '1',
    ),
  (inner, _, beside) => at('0', inner, new Map([[inner.value, beside]]), '0'),
  (inner) => at('0', inner, new Set([inner.value])),
  (inner) => at('cause', inner, new Error('with a cause', { cause: inner.value })),
  (inner) => at('detail', inner, Object.assign(new Error('with a field'), { detail: inner.value })),
];

/** What cannot be stored, somewhere inside what can. */
const REFUSED: fc.Arbitrary<() => RandomValue> = fc
  .tuple(
    CULPRIT,
    fc.array(fc.tuple(fc.constantFrom(...WRAPS), fc.constantFrom('a', 'b c', 'é'), LEAF), { maxLength: 4 }),
  )
  .map(
    ([make, wraps]) =>
      () =>
        wraps.reduce<RandomValue>((inner, [wrap, key, beside]) => wrap(inner, key, beside), {
          value: make(),
          culprit: '',
        }),
  );

const ANY_VALUE: fc.Arbitrary<() => RandomValue> = fc.oneof(
  { weight: 9, arbitrary: STORABLE.map((value) => (): RandomValue => ({ value, culprit: null })) },
  { weight: 1, arbitrary: REFUSED },
);

/** So many values, nine of ten of which can be stored. The same seed gives the same values. */
export function sampleValues(count: number, seed: number): RandomValue[] {
  return fc.sample(ANY_VALUE, { numRuns: count, seed }).map((make) => make());
}

function at(key: string, inner: RandomValue, value: unknown, further?: string): RandomValue {
  const path = [key, further, inner.culprit].filter((part) => part !== undefined && part !== '');
  return { value, culprit: inner.culprit === null ? null : path.join('.') };
}

/** Defined, not assigned: a key may be `__proto__`. Of two entries with one key the first stays. */
function fieldsOf(entries: readonly (readonly [string, unknown])[]): object {
  const fields = {};
  for (const [key, value] of entries) {
    if (Object.hasOwn(fields, key)) continue;
    Object.defineProperty(fields, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return fields;
}

function errorOf([message, cause, hasCause, errors]: [string, unknown, boolean, unknown[]]): Error {
  const options = hasCause ? { cause } : undefined;
  return errors.length > 0 ? new AggregateError(errors, message, options) : new TypeError(message, options);
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function fail(what: string): never {
  throw new Error(`${what} throws`);
}
