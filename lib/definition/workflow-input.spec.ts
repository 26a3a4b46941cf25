import 'reflect-metadata';
import { Transform, Type, Expose } from 'class-transformer';
import { IsInt, IsOptional, IsString, Min, ValidateNested, ValidateBy } from 'class-validator';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { InputInvalidError } from '../engine/errors.js';
import { loadDtoPackages, type ImportPackage } from './dto-packages.js';
import { reviveInput, validateInput } from './workflow-input.js';
import type { WorkflowClass } from './workflow-class.js';

class ItemDto {
  @IsString() sku!: string;
  @IsInt() @Min(1) quantity!: number;
}

class OrderDto {
  @IsString() id!: string;
  @ValidateNested() @Type(() => ItemDto) items!: ItemDto[];
  @ValidateNested() @Type(() => ItemDto) @IsOptional() gift?: ItemDto;
  @Type(() => Date) @IsOptional() due?: Date;
  @Transform(({ value }) => value === 'true') @IsOptional() rush?: boolean;
  @Expose({ name: 'remark' }) @IsOptional() note?: string;

  get size(): number {
    return this.items.length;
  }
}

function withInput(input?: unknown): { name: string; target: WorkflowClass } {
  class W {
    static readonly input = input;
  }
  return { name: 'order', target: W };
}

async function faultsOf(validation: Promise<unknown>): Promise<InputInvalidError> {
  const error: unknown = await validation.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputInvalidError);
  return error as InputInvalidError;
}

const written = {
  id: 'o1',
  items: [{ sku: 'a', quantity: 1 }],
  due: '2026-01-02T00:00:00Z',
  rush: 'true',
  remark: 'hi',
};

async function validated(...parameters: Parameters<typeof validateInput>): Promise<unknown> {
  return (await validateInput(...parameters)).value;
}

/** What the store gives back: a copy without classes. */
function stored(value: unknown): unknown {
  return structuredClone(value);
}

describe('an input without description', () => {
  it('passes as it is', async () => {
    const input = { a: 1 };
    expect(await validated(withInput(), input)).toBe(input);
    expect(await reviveInput(withInput(), input)).toBe(input);
    expect(await validated({ name: 'w', target: class {} }, undefined)).toBeUndefined();
  });
});

describe('an input described by a Standard Schema', () => {
  const schema = z.object({ id: z.string(), items: z.array(z.object({ quantity: z.coerce.number().int() })) });

  it('becomes what the schema makes of it', async () => {
    expect(await validated(withInput(schema), { id: 'x', items: [{ quantity: '3' }], more: 1 })).toEqual({
      id: 'x',
      items: [{ quantity: 3 }],
    });
  });

  it('is refused with the path of every fault', async () => {
    const error = await faultsOf(validateInput(withInput(schema), { items: [{ quantity: 1 }, { quantity: 0.5 }] }));
    expect(error.workflow).toBe('order');
    expect(error.faults.map(({ path }) => path)).toEqual(['id', 'items.1.quantity']);
    expect(error.message).toContain('  - items.1.quantity: ');
  });

  it('may be checked by a schema that is a function, asynchronously, with segments as paths', async () => {
    const callable = Object.assign(() => undefined, {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () =>
          Promise.resolve({ issues: [{ message: 'no', path: [{ key: 'a' }, 0, Symbol('b')] }, { message: 'never' }] }),
      },
    });
    const error = await faultsOf(validateInput(withInput(callable), {}));
    expect(error.faults).toEqual([
      { path: 'a.0.Symbol(b)', message: 'no' },
      { path: '', message: 'never' },
    ]);
  });

  it.each<[string, (value: unknown) => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('schema');
      },
      /^cannot be checked: schema$/,
    ],
    [
      'throws what cannot be read',
      () => {
        throw Object.create(null);
      },
      /^cannot be checked: something that cannot be read$/,
    ],
    ['rejects', () => Promise.reject(new Error('asynchronously')), /asynchronously/],
    ['gives nothing', () => undefined, /its schema answered undefined, neither/],
    ['gives something else', () => ({ ok: true }), /its schema answered { ok: true }, neither/],
    ['gives no reason', () => ({ issues: [] }), /refused it and gave no reason/],
    ['gives reasons of another form', () => ({ issues: 5 }), /gave no reason/],
    ['gives a reason that is none', () => ({ issues: [null] }), /cannot be checked/],
    ['gives a reason without a message', () => ({ issues: [{}] }), /^undefined$/],
    [
      'gives an endless reason',
      () => ({ issues: [{ message: 'x'.repeat(1e7), path: ['y'.repeat(1e7)] }] }),
      /^x{1000}…$/,
    ],
  ])('is refused where its schema %s', async (_, validate, message) => {
    const error = await faultsOf(
      validateInput(withInput({ '~standard': { version: 1, vendor: 'test', validate } }), 1),
    );
    expect(error).toMatchObject({ code: 'OF_INPUT_INVALID', faults: [{ message: expect.stringMatching(message) }] });
    expect(error.message.length).toBeLessThan(2_000);
  });

  it('is given to steps as it was stored', async () => {
    const value = { id: 'x' };
    expect(await reviveInput(withInput(schema), value)).toBe(value);
  });
});

describe('an input described by a DTO class', () => {
  it('is stored as the fields of what class-transformer makes of it', async () => {
    const value = (await validated(withInput(OrderDto), written)) as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(stored(value)).toMatchObject({
      id: 'o1',
      items: [{ sku: 'a', quantity: 1 }],
      due: new Date('2026-01-02T00:00:00Z'),
      rush: true,
      note: 'hi',
    });
  });

  it('is given to steps as that class again, transformed once only', async () => {
    const value = stored(await validated(withInput(OrderDto), written));
    const order = (await reviveInput(withInput(OrderDto), value)) as OrderDto;
    expect(order).toBeInstanceOf(OrderDto);
    expect(order.items[0]).toBeInstanceOf(ItemDto);
    expect(order).toMatchObject({ id: 'o1', rush: true, note: 'hi', due: new Date('2026-01-02T00:00:00Z'), size: 1 });
  });

  it('is not transformed again where it is an instance already', async () => {
    const order = Object.assign(new OrderDto(), { id: 'o1', items: [{ sku: 'a', quantity: 1 }], rush: true });
    expect(await validated(withInput(OrderDto), order)).toMatchObject({ rush: true });
    order.items.push({ sku: 'b', quantity: 0 });
    const error = await faultsOf(validateInput(withInput(OrderDto), order));
    expect(error.faults).toEqual([{ path: 'items.1.quantity', message: 'quantity must not be less than 1' }]);
  });

  it('is refused with the path of every fault', async () => {
    const input = {
      id: 5,
      items: [
        { sku: 'a', quantity: 1 },
        { sku: 1, quantity: 0.5 },
      ],
      gift: {},
    };
    const error = await faultsOf(validateInput(withInput(OrderDto), input));
    expect(error.code).toBe('OF_INPUT_INVALID');
    expect(error.faults.map(({ path }) => path)).toEqual([
      'id',
      'items.1.sku',
      'items.1.quantity',
      'items.1.quantity',
      'gift.sku',
      'gift.quantity',
      'gift.quantity',
    ]);
  });

  it.each([
    [undefined, 'expected an object (OrderDto), got nothing'],
    [null, 'expected an object (OrderDto), got null'],
    [[], 'expected an object (OrderDto), got a list'],
    ['o1', 'expected an object (OrderDto), got a string'],
  ])('is refused where it is %p', async (input, message) => {
    expect((await faultsOf(validateInput(withInput(OrderDto), input))).faults).toEqual([{ path: '', message }]);
  });

  it('is refused where a transformation stumbles over it, and the cause is kept', async () => {
    class Trimmed {
      @Transform(({ value }: { value: string }) => value.trim()) name!: string;
    }
    const error = await faultsOf(validateInput(withInput(Trimmed), { name: 5 }));
    expect(error.faults).toEqual([{ path: '', message: 'cannot be made into Trimmed: value.trim is not a function' }]);
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it('is refused where a rule throws or the input cannot be read, and the cause is kept', async () => {
    class Ruled {
      @ValidateBy({
        name: 'broken',
        validator: {
          validate: () => {
            throw new Error('rule');
          },
        },
      })
      name!: string;
    }
    expect((await faultsOf(validateInput(withInput(Ruled), { name: 'a' }))).cause).toMatchObject({ message: 'rule' });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const unreadable = await faultsOf(validateInput(withInput(OrderDto), proxy));
    expect(unreadable.message).toContain('cannot be checked');
    expect(unreadable.cause).toBeInstanceOf(TypeError);
  });

  it('may have no rules at all', async () => {
    class Free {
      a?: number;
    }
    expect(await validated(withInput(Free), { a: 1 })).toEqual({ a: 1 });
  });

  it('lists no more than a hundred faults', async () => {
    const items = Array.from({ length: 200 }, () => ({ sku: 'a', quantity: 0 }));
    const error = await faultsOf(validateInput(withInput(OrderDto), { id: 'x', items }));
    expect(error.faults).toHaveLength(101);
    expect(error.faults.at(-1)).toEqual({ path: '', message: '100 more faults' });
  });

  it('revives members in sets and maps, and leaves other values alone', async () => {
    class Bag {
      @Type(() => ItemDto) set!: Set<ItemDto>;
      @Type(() => ItemDto) map!: Map<string, ItemDto>;
      @Type(() => ItemDto) none!: ItemDto | null;
      free!: { a: number };
    }
    const value = { set: new Set([{ sku: 'a' }]), map: new Map([['k', { sku: 'b' }]]), none: null, free: { a: 1 } };
    const bag = (await reviveInput(withInput(Bag), value)) as Bag;
    expect([...bag.set][0]).toBeInstanceOf(ItemDto);
    expect(bag.map.get('k')).toBeInstanceOf(ItemDto);
    expect(bag).toMatchObject({ none: null, free: { a: 1 } });
    expect(await reviveInput(withInput(Bag), null)).toBeNull();
  });
});

// As text, because it has no types.
const STORAGE: string = 'class-transformer/cjs/storage.js';

describe('where packages are missing', () => {
  const without = (...missing: string[]): ImportPackage => {
    return (name) => {
      if (missing.some((prefix) => name.startsWith(prefix)))
        return Promise.reject(Object.assign(new Error(name), { code: 'ERR_MODULE_NOT_FOUND' }));
      if (name === 'class-transformer') return import('class-transformer');
      return name === 'class-validator' ? import('class-validator') : import(STORAGE);
    };
  };

  it('a DTO passes as it is and stays plain without class-transformer', async () => {
    const packages = () => loadDtoPackages(without('class-transformer'));
    const input = { id: 5 };
    expect(await validated(withInput(OrderDto), input, packages)).toBe(input);
    expect(await reviveInput(withInput(OrderDto), input, packages)).toBe(input);
  });

  it('a DTO passes as it is and is revived without class-validator', async () => {
    const packages = () => loadDtoPackages(without('class-validator'));
    const input = { id: 5 };
    expect(await validated(withInput(OrderDto), input, packages)).toBe(input);
    expect(await reviveInput(withInput(OrderDto), input, packages)).toBeInstanceOf(OrderDto);
  });

  it('members stay plain where the types of class-transformer cannot be read', async () => {
    const packages = () => loadDtoPackages(without('class-transformer/storage'));
    const order = (await reviveInput(withInput(OrderDto), { items: [{}] }, packages)) as OrderDto;
    expect(order).toBeInstanceOf(OrderDto);
    expect(order.items[0]).not.toBeInstanceOf(ItemDto);
  });

  it('a package that is there and does not load is an error', async () => {
    await expect(loadDtoPackages(() => Promise.reject(new SyntaxError('broken')))).rejects.toThrow('broken');
  });
});
