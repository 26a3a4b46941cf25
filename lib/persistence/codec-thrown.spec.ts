import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { JsonCodec } from './codec.js';

const codec = new JsonCodec();

/** What an encoded error may take at the very most. */
const BOUND = 4 * 1024 * 1024;

function arrived(thrown: unknown): unknown {
  const text = codec.encodeError(thrown);
  expect(text.length).toBeLessThan(BOUND);
  return codec.decodeError(text);
}

function arrivedError(thrown: unknown): Error & Record<string, unknown> {
  const error = arrived(thrown);
  expect(error).toBeInstanceOf(Error);
  return error as Error & Record<string, unknown>;
}

function throwing(message: string): never {
  throw new Error(message);
}

describe('an error that was thrown', () => {
  it('arrives with name, message, stack, cause and fields', () => {
    const cause = new RangeError('too far');
    const error = Object.assign(new TypeError('no such card', { cause }), {
      code: 'E_CARD',
      at: new Date(1),
      attempts: 3n,
    });
    const copy = arrivedError(error);
    expect(copy).toMatchObject({
      name: 'TypeError',
      message: 'no such card',
      stack: error.stack,
      code: 'E_CARD',
      at: new Date(1),
      attempts: 3n,
    });
    expect(Object.keys(copy)).toEqual(['code', 'at', 'attempts']);
    expect(copy.cause).toMatchObject({ name: 'RangeError', message: 'too far', stack: cause.stack });
  });

  it('arrives with its errors if it is an AggregateError, and with those of a field of that name', () => {
    const copy = arrivedError(new AggregateError([new Error('one'), 'two'], 'both'));
    expect(copy).toBeInstanceOf(AggregateError);
    expect(copy).toMatchObject({ message: 'both', errors: [expect.objectContaining({ message: 'one' }), 'two'] });
    expect(arrivedError(Object.assign(new Error('invalid'), { errors: [{ path: 'a' }] }))['errors']).toEqual([
      { path: 'a' },
    ]);
  });

  it('arrives with what is undefined in it', () => {
    const copy = arrivedError(new AggregateError([undefined, 1], 'both', { cause: undefined }));
    expect([Object.hasOwn(copy, 'cause'), copy.cause, copy['errors']]).toEqual([true, undefined, [undefined, 1]]);
    expect(Object.hasOwn(arrivedError(new Error('alone')), 'cause')).toBe(false);
  });

  it('arrives if it is an AbortError', () => {
    expect(arrivedError(AbortSignal.abort().reason)).toMatchObject({ name: 'AbortError' });
  });

  it('loses the fields that cannot be stored and keeps the others', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const error = Object.assign(new Error('axios'), {
      request: () => 1,
      circular,
      config: { url: '/pay' },
      huge: 'x'.repeat(1e7),
    });
    Object.defineProperty(error, 'broken', { enumerable: true, get: () => throwing('getter') });
    expect(Object.entries(arrivedError(Object.freeze(error)))).toEqual([['config', { url: '/pay' }]]);
  });

  it('keeps a field called __proto__ without changing a prototype', () => {
    const copy = arrivedError(
      Object.defineProperty(new Error('x'), '__proto__', { value: { polluted: true }, enumerable: true }),
    );
    expect(Object.getOwnPropertyDescriptor(copy, '__proto__')?.value).toEqual({ polluted: true });
    expect(copy['polluted']).toBeUndefined();
  });

  it('is cut when it is huge, and still shows the frames of its stack', () => {
    const copy = arrivedError(new Error('\u0000'.repeat(1e7)));
    expect(copy.message.length).toBeLessThan(17 * 1024);
    expect(copy.stack?.length).toBeLessThan(66 * 1024);
    expect(copy.stack).toContain('codec-thrown.spec');
  });

  it('keeps eight causes of a long chain, and one of a circle', () => {
    let error = new Error('bottom');
    for (let level = 0; level < 100_000; level += 1) error = new Error(String(level), { cause: error });
    let causes = 0;
    for (let at: unknown = arrived(error); at instanceof Error; at = at.cause) causes += 1;
    expect(causes).toBe(9);
    const circle = new Error('circle');
    circle.cause = new Error('back', { cause: circle });
    expect(arrivedError(circle)).toMatchObject({ message: 'circle', cause: { message: 'back' } });
    expect((arrivedError(circle).cause as Error).cause).toBeUndefined();
  });

  it('stays small however many large errors it holds', () => {
    const errors = Array.from(
      { length: 1_000 },
      (_, index) => new Error(String(index).repeat(1e5), { cause: new Error('y'.repeat(1e5)) }),
    );
    expect((arrivedError(new AggregateError(errors, 'many'))['errors'] as unknown[]).length).toBeLessThanOrEqual(32);
  });

  it('is not bound by the limit for values', () => {
    const small = new JsonCodec({ maxBytes: 10 });
    expect(small.decodeError(small.encodeError(new Error('a long enough message')))).toMatchObject({
      message: 'a long enough message',
    });
  });
});

describe('anything else that was thrown', () => {
  it.each([
    null,
    undefined,
    'text',
    '',
    0,
    -0,
    Number.NaN,
    12n,
    true,
    { code: 1, at: new Date(2) },
    [1, 'two'],
    new Map([[1, 2]]),
  ])('arrives as it is: %p', (thrown) => {
    expect(arrived(thrown)).toStrictEqual(thrown);
  });

  it('arrives as an error with what can be stored of it', () => {
    expect(arrivedError({ status: 502, retry: () => 1 })).toMatchObject({
      message: expect.stringContaining('it is a function'),
      status: 502,
    });
    for (const thrown of [() => 1, Symbol('s'), Promise.resolve(), new WeakMap(), 'x'.repeat(1e6).split('')]) {
      expect(arrivedError(thrown).message).toMatch(/not an Error and cannot be stored/);
    }
    expect(arrived('x'.repeat(1e6))).toMatch(/^x+… \(983616 characters left out\)$/);
  });

  it('never throws, however hostile it is', () => {
    const traps = new Proxy({}, { get: () => () => throwing('trap') }) as ProxyHandler<object>;
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    class Hostile extends Error {
      override get message(): string {
        return throwing('message');
      }
      override get stack(): string {
        return throwing('stack');
      }
      override get name(): string {
        return throwing('name');
      }
      override get cause(): unknown {
        return throwing('cause');
      }
    }
    const nameless = Object.assign(new Error('x'), {
      name: Symbol('s'),
      message: { toString: () => throwing('m') },
      stack: 1,
    });
    for (const thrown of [
      new Proxy({}, traps),
      new Proxy(new Error('x'), traps),
      proxy,
      new Hostile(),
      nameless,
      Object.create(null),
      Object.create(Error.prototype),
    ]) {
      expect(arrived(thrown)).toBeDefined();
    }
  });

  it('arrives bounded and without throwing, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withSparseArray: true,
          withNullPrototype: true,
          withTypedArray: true,
          withBoxedValues: true,
        }),
        (value) => {
          arrived(value);
          arrivedError(Object.assign(new Error('x', { cause: value }), { value }));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
