import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { WorkflowClass } from './workflow-class.js';
import { reviveSignal, validateSignal } from './workflow-signals.js';

class Place {
  @IsString() street!: string;
}

class Proof {
  @IsString() by!: string;
  @ValidateNested({ each: true }) @Type(() => Place) @IsOptional() places?: Place[];
  @Transform(({ value }) => value === 'true') @IsOptional() late?: boolean;
}

class Stumbling {
  @Transform(() => {
    throw new RangeError('no');
  })
  @IsInt()
  count!: number;
}

const workflow = withSignals({ delivered: Proof, refused: z.object({ why: z.string() }), broken: Stumbling });

function withSignals(signals?: Record<string, unknown>): { name: string; target: WorkflowClass } {
  class W {
    static readonly signals = signals;
  }
  return { name: 'order', target: W };
}

async function refusalOf(name: unknown, payload: unknown, owner = workflow): Promise<OrchestrateFlowError> {
  const error: unknown = await validateSignal(owner, name as string, payload).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OrchestrateFlowError);
  return error as OrchestrateFlowError;
}

describe('a signal of a workflow that describes none', () => {
  it('passes as it is, whatever its name', async () => {
    const payload = { then: 1 };
    expect((await validateSignal(withSignals(), 'anything', payload)).value).toBe(payload);
    expect((await validateSignal({ name: 'w', target: class {} }, 'toString', undefined)).value).toBeUndefined();
    expect(await reviveSignal(withSignals(), 'anything', payload)).toBe(payload);
  });
});

describe('a signal that the workflow does not have', () => {
  it('is refused with the names it has, and the one that was meant', async () => {
    const error = await refusalOf('deliverd', {});
    expect(error.code).toBe('OF_SIGNAL_UNKNOWN');
    expect(error.message).toBe(
      'Cannot send signal "deliverd" to workflow "order": it has no signal of that name. Did you mean "delivered"? ' +
        'Its signals are "delivered", "refused", "broken".',
    );
  });

  it.each([['toString'], ['__proto__'], [Symbol('delivered')], [undefined], ['x\n'.repeat(1e6)]])(
    '%p is refused in one line',
    async (name) => {
      const { code, message } = await refusalOf(name, {});
      expect(code).toBe('OF_SIGNAL_UNKNOWN');
      expect(message.length).toBeLessThan(2_000);
      expect(message).not.toContain('\n');
    },
  );

  it('is refused where there are none at all', async () => {
    expect((await refusalOf('delivered', {}, withSignals({}))).message).toContain('Its signals are none.');
  });

  it('is plain where it was taken before', async () => {
    const value = { by: 'x' };
    expect(await reviveSignal(workflow, 'toString', value)).toBe(value);
  });
});

describe('a payload described by a Standard Schema', () => {
  it('becomes what the schema makes of it', async () => {
    expect(await validateSignal(workflow, 'refused', { why: 'late', more: 1 })).toEqual({ value: { why: 'late' } });
    const value = { why: 'late' };
    expect(await reviveSignal(workflow, 'refused', value)).toBe(value);
  });

  it('is refused with the path of every fault', async () => {
    const error = await refusalOf('refused', { why: 5 });
    expect(error.code).toBe('OF_SIGNAL_INVALID');
    expect(error.message).toMatch(
      /^Cannot send signal "refused" to workflow "order": its payload is invalid\.\n {2}- why: .*string/,
    );
    expect(error).not.toHaveProperty('cause');
  });
});

describe('a payload described by a DTO class', () => {
  it('is stored as the fields of what class-transformer makes of it, and given as that class again', async () => {
    const payload = { by: 'x', places: [{ street: 's' }], late: 'true' };
    const { value } = await validateSignal(workflow, 'delivered', payload);
    expect(value).toEqual({ by: 'x', places: [{ street: 's' }], late: true });
    const proof = (await reviveSignal(workflow, 'delivered', structuredClone(value))) as Proof;
    expect(proof).toBeInstanceOf(Proof);
    expect(proof.places![0]).toBeInstanceOf(Place);
    expect(proof.late).toBe(true);
  });

  it('is refused with the path of every fault', async () => {
    const error = await refusalOf('delivered', { by: 5, places: [{ street: 's' }, {}] });
    expect(error.message).toBe(
      'Cannot send signal "delivered" to workflow "order": its payload is invalid.\n' +
        '  - by: by must be a string\n  - places.1.street: street must be a string',
    );
    expect((await refusalOf('delivered', undefined)).message).toContain(
      '  - payload: expected an object (Proof), got nothing',
    );
  });

  it('keeps the cause where it stumbles', async () => {
    const error = await refusalOf('broken', { count: 1 });
    expect(error).toMatchObject({ code: 'OF_SIGNAL_INVALID', cause: { message: 'no' } });
    expect(error.message).toContain('payload: cannot be made into Stumbling: no');
  });

  it('passes and stays plain where no packages are installed', async () => {
    const packages = () => Promise.resolve(null);
    const payload = { by: 5 };
    expect((await validateSignal(workflow, 'delivered', payload, packages)).value).toBe(payload);
    expect(await reviveSignal(workflow, 'delivered', payload, packages)).toBe(payload);
  });
});
