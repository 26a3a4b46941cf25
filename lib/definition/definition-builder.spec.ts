import { describe, expect, it } from '@jest/globals';
import { applyDecorators } from '@nestjs/common';
import { DEFAULT_RETRY } from '../engine/retry-policy.js';
import { Ctx } from './ctx.decorator.js';
import { loadDefinitions } from './definition-loader.js';
import { hashOf } from './graph-hash.js';
import { Input } from './input.decorator.js';
import { Result } from './result.decorator.js';
import { Retry } from './retry.decorator.js';
import { Parallel, Step } from './step.decorator.js';
import type { WorkflowDefinition } from './workflow-definition.js';
import { DEFAULT_QUEUE } from '../engine/graph.js';
import type { DefinitionDefaults } from './workflow-options.js';
import { Workflow } from './workflow.decorator.js';

function load(target: new () => object, defaults?: DefinitionDefaults): WorkflowDefinition {
  return loadDefinitions([{ target: target, instance: new target(), scopeFault: null }], defaults)[0]!;
}

/** Replaces the function, as tracing and caching decorators do. */
function Wrapped(): MethodDecorator {
  return (_target, _key, descriptor) => {
    const { value } = descriptor;
    descriptor.value = function (this: unknown, ...args: unknown[]) {
      return (value as unknown as (...args: unknown[]) => unknown).apply(this, args);
    } as never;
    return descriptor;
  };
}

@Workflow({ name: 'order', version: '2', queue: 'orders', priority: 5, retry: { attempts: 7, delay: '2s' } })
class OrderWorkflow {
  static readonly output = 'ship';

  @Step()
  reserve(@Input() order: { id: string }) {
    return order.id;
  }

  @Retry({ backoff: 'fixed', doNotRetryOn: [TypeError] })
  @Parallel({ queue: 'payments', priority: 0, timeout: '30s' })
  charge(@Ctx() _step: unknown, @Result('reserve') reservation: string) {
    return reservation;
  }

  @Parallel()
  @Retry(1)
  label() {}

  @Step({ retry: { retryOn: [RangeError], maxDelay: '1m' } })
  ship(@Result('charge') charge: string, @Result('reserve') _: string, @Result('charge') __: string) {
    return charge;
  }
}

describe('a definition', () => {
  it('carries the graph with every policy resolved', () => {
    const { graph } = load(OrderWorkflow);
    const retry = { ...DEFAULT_RETRY, attempts: 7, delayMs: 2_000 };
    expect(graph).toEqual({
      workflow: 'order',
      version: '2',
      output: 'ship',
      nodes: [
        { name: 'reserve', after: [], results: [], queue: 'orders', priority: 5, retry, timeoutMs: null },
        {
          name: 'charge',
          after: ['reserve'],
          results: ['reserve'],
          queue: 'payments',
          priority: 0,
          retry: { ...retry, backoff: 'fixed' },
          timeoutMs: 30_000,
        },
        {
          name: 'label',
          after: ['reserve'],
          results: [],
          queue: 'orders',
          priority: 5,
          retry: { ...retry, attempts: 1 },
          timeoutMs: null,
        },
        {
          name: 'ship',
          after: ['charge', 'label'],
          results: ['charge', 'reserve'],
          queue: 'orders',
          priority: 5,
          retry: { ...retry, maxDelayMs: 60_000 },
          timeoutMs: null,
        },
      ],
    });
  });

  it('is plain data in its graph', () => {
    const { graph } = load(OrderWorkflow);
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
  });

  it('carries what each parameter is given and which errors are tried again', () => {
    const { steps } = load(OrderWorkflow);
    expect([...steps.keys()]).toEqual(['reserve', 'charge', 'label', 'ship']);
    expect(steps.get('charge')).toEqual({
      name: 'charge',
      parameters: [
        { index: 0, kind: 'context' },
        { index: 1, kind: 'result', step: 'reserve' },
      ],
      retryOn: null,
      doNotRetryOn: [TypeError],
    });
    expect(steps.get('ship')).toMatchObject({ retryOn: [RangeError], doNotRetryOn: [] });
  });

  it('falls back to the defaults of the module, then of the library', () => {
    @Workflow({ name: 'w', retry: { delay: undefined, factor: 3 } })
    class W {
      @Step() a() {}
      @Step({ timeout: '1s', retry: 9 }) b() {}
    }
    const [a, b] = load(W, { retry: { delay: '5s', jitter: 'none', retryOn: [RangeError] }, timeout: '10s' }).graph
      .nodes;
    expect(a).toMatchObject({ queue: DEFAULT_QUEUE, priority: 0, timeoutMs: 10_000 });
    expect(a!.retry).toEqual({ ...DEFAULT_RETRY, delayMs: 5_000, factor: 3, jitter: 'none' });
    expect(b).toMatchObject({ timeoutMs: 1_000, retry: { attempts: 9, delayMs: 5_000 } });
  });

  it('raises the longest delay to a longer delay, unless one was said', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ retry: { delay: '2h' } }) a() {}
    }
    expect(load(W).graph.nodes[0]!.retry).toMatchObject({ delayMs: 7_200_000, maxDelayMs: 7_200_000 });
    expect(load(W, { retry: { maxDelay: '1m' } }).graph.nodes[0]!.retry.maxDelayMs).toBe(60_000);
  });

  it('survives decorators that replace the method', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {
        return 1;
      }
      @Wrapped() @Retry(4) @Step() b(@Result('a') value: number) {
        return value + 1;
      }
      @Retry(5) @Wrapped() @Step() @Wrapped() c() {}
    }
    const { graph, steps, instance } = load(W);
    expect(graph.nodes.map(({ name, retry }) => [name, retry.attempts])).toEqual([
      ['a', 3],
      ['b', 4],
      ['c', 5],
    ]);
    expect(steps.get('b')!.parameters).toEqual([{ index: 0, kind: 'result', step: 'a' }]);
    expect((instance as W).b(1)).toBe(2);
  });

  it('understands decorators that were composed', () => {
    const Patient = () => applyDecorators(Step({ timeout: '1h' }), Retry(5));
    @Workflow({ name: 'w' })
    class W {
      @Patient() a() {}
    }
    expect(load(W).graph.nodes[0]).toMatchObject({ timeoutMs: 3_600_000, retry: { attempts: 5 } });
  });

  it('takes over the parameters of a step that is overridden without decorators', () => {
    class Base {
      @Step({ timeout: 5 }) a(@Input() value: unknown): unknown {
        return value;
      }
    }
    @Workflow({ name: 'w' })
    class W extends Base {
      override a(value: unknown): unknown {
        return [value];
      }
    }
    const definition = load(W);
    expect(definition.graph.nodes[0]!.timeoutMs).toBe(5);
    expect(definition.steps.get('a')!.parameters).toEqual([{ index: 0, kind: 'input' }]);
  });

  it('replaces options and parameters of a step that is overridden with decorators', () => {
    class Base {
      @Step({ timeout: 5 }) @Retry(9) a(@Input() value?: unknown): unknown {
        return value;
      }
    }
    @Workflow({ name: 'w' })
    class W extends Base {
      @Step({ queue: 'q' }) override a() {
        return 1;
      }
    }
    const definition = load(W);
    expect(definition.graph.nodes[0]).toMatchObject({ timeoutMs: null, queue: 'q', retry: { attempts: 3 } });
    expect(definition.steps.get('a')!.parameters).toEqual([]);
  });

  it('leaves the methods what they are', () => {
    expect(new OrderWorkflow().ship('c', 'r', 'c')).toBe('c');
  });
});

describe('the hash of a graph', () => {
  const { graph, hash } = load(OrderWorkflow);

  it('is the same for the same graph', () => {
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf(structuredClone(graph))).toBe(hash);
    expect(hashOf({ ...graph, version: '3' })).toBe(hash);
  });

  it.each([
    ['the name', { ...graph, workflow: 'other' }],
    ['the output', { ...graph, output: null }],
    ['the order of the steps', { ...graph, nodes: graph.nodes.toReversed() }],
    ...(
      [
        ['an edge', { after: ['x'] }],
        ['a result', { results: ['x'] }],
        ['a queue', { queue: 'x' }],
        ['a priority', { priority: 1 }],
        ['a timeout', { timeoutMs: 1 }],
        ['a policy', { retry: { ...DEFAULT_RETRY, jitter: 'none' as const } }],
      ] as const
    ).map(
      ([what, change]) =>
        [what, { ...graph, nodes: [{ ...graph.nodes[0]!, ...change }, ...graph.nodes.slice(1)] }] as const,
    ),
  ])('changes with %s', (_, changed) => {
    expect(hashOf(changed)).not.toBe(hash);
  });
});
