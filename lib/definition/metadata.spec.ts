import { Injectable, Scope } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { Compensate } from './compensate.decorator.js';
import { Failure } from './failure.decorator.js';
import { Input } from './input.decorator.js';
import { findWorkflowOptions, readMembers } from './metadata.js';
import { Result } from './result.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import { Retry } from './retry.decorator.js';
import { SignalPayload } from './signal-payload.decorator.js';
import { Step } from './step.decorator.js';
import { WaitForSignal } from './wait-for-signal.decorator.js';
import { Workflow } from './workflow.decorator.js';

describe('metadata', () => {
  it('lists members in the order of their first decorator', () => {
    class W {
      @Step() b() {}
      @Retry(2) @Step() a(@Input() _: unknown) {}
    }
    expect(readMembers(W)).toEqual([
      { key: 'b', place: 'method', steps: [{ decorator: '@Step', options: {} }], retries: [], parameters: [] },
      {
        key: 'a',
        place: 'method',
        steps: [{ decorator: '@Step', options: {} }],
        retries: [2],
        parameters: [{ kind: 'input', index: 0 }],
      },
    ]);
  });

  it('keeps pauses at their place, on properties and on methods', () => {
    class W {
      @Sleep('7d', { after: [] }) pause!: void;
      @SleepUntil({ timeout: 1 }) at() {
        return new Date();
      }
    }
    const rest = { retries: [], parameters: [] };
    expect(readMembers(W)).toEqual([
      {
        key: 'pause',
        place: 'property',
        steps: [{ decorator: '@Sleep', options: { after: [] }, duration: '7d' }],
        ...rest,
      },
      { key: 'at', place: 'method', steps: [{ decorator: '@SleepUntil', options: { timeout: 1 } }], ...rest },
    ]);
  });

  it('keeps waits and what undoes them', () => {
    class W {
      @WaitForSignal(['a', 'b'], { timeout: 1 }) wait(@SignalPayload() _: unknown) {}
      @Compensate('wait') undo(@Failure() _: unknown) {}
    }
    const rest = { place: 'method', retries: [] };
    expect(readMembers(W)).toEqual([
      {
        key: 'wait',
        ...rest,
        steps: [{ decorator: '@WaitForSignal', options: { timeout: 1 }, signals: ['a', 'b'] }],
        parameters: [{ kind: 'payload', index: 0 }],
      },
      {
        key: 'undo',
        ...rest,
        steps: [{ decorator: '@Compensate', options: {}, compensates: 'wait' }],
        parameters: [{ kind: 'run-failure', index: 0 }],
      },
    ]);
  });

  it('takes a number for a name, as TypeScript emits it', () => {
    class W {
      1() {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(W.prototype, 1)!;
    Step()(W.prototype, 1 as never, descriptor);
    Input()(W.prototype, '1', 0);
    expect(readMembers(W)).toMatchObject([{ key: '1', place: 'method', parameters: [{ index: 0 }] }]);
  });

  it('of a subclass does not change that of its base, nor of its siblings', () => {
    class Base {
      @Step() a() {}
    }
    class First extends Base {
      @Step() b() {}
    }
    class Second extends Base {
      @Step() c() {}
    }
    const keysOf = (target: new () => object) => readMembers(target).map(({ key }) => key);
    expect([Base, First, Second].map(keysOf)).toEqual([['a'], ['a', 'b'], ['a', 'c']]);
  });

  it('of @Workflow is not inherited', () => {
    @Workflow({ name: 'base' })
    class Base {}
    class Sub extends Base {}
    expect(findWorkflowOptions(Base)).toEqual({ options: { name: 'base' } });
    expect(findWorkflowOptions(Sub)).toBeNull();
    expect(findWorkflowOptions({})).toBeNull();
  });

  it('is found by another copy of the package', async () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {
        return 1;
      }
      @Step() b(@Result('a') _: number) {}
    }
    jest.resetModules();
    const other = await import('./metadata.js');
    expect(other.readMembers).not.toBe(readMembers);
    expect(other.readMembers(W)).toEqual(readMembers(W));
    expect(other.findWorkflowOptions(W)).not.toBeNull();
  });
});

describe('@Workflow', () => {
  it('makes the class injectable', () => {
    @Workflow({ name: 'w' })
    class W {}
    expect(Reflect.hasOwnMetadata('__injectable__', W)).toBe(true);
  });

  it('leaves a scope that was said where it is', () => {
    @Workflow({ name: 'above' })
    @Injectable({ scope: Scope.REQUEST })
    class Above {}
    @Injectable({ scope: Scope.REQUEST })
    @Workflow({ name: 'below' })
    class Below {}
    for (const target of [Above, Below]) {
      expect(Reflect.getMetadata('scope:options', target)).toEqual({ scope: Scope.REQUEST });
    }
  });
});
