import { describe, expect, it } from '@jest/globals';
import { applyDecorators } from '@nestjs/common';
import { DEFAULT_RETRY } from '../engine/retry-policy.js';
import { Compensate } from './compensate.decorator.js';
import { Ctx } from './ctx.decorator.js';
import { Failure } from './failure.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import { loadDefinitions } from './definition-loader.js';
import { hashOf } from './graph-hash.js';
import { Input } from './input.decorator.js';
import { Result } from './result.decorator.js';
import { SignalPayload } from './signal-payload.decorator.js';
import { WaitForSignal } from './wait-for-signal.decorator.js';
import { Retry } from './retry.decorator.js';
import { Parallel, Step } from './step.decorator.js';
import type { WorkflowDefinition } from './workflow-definition.js';
import { DEFAULT_QUEUE } from '../engine/graph.js';
import type { DefinitionDefaults } from './workflow-options.js';
import { Workflow } from './workflow.decorator.js';

function load(target: new () => object, defaults?: DefinitionDefaults): WorkflowDefinition {
  return loadDefinitions([{ target: target, instance: new target(), host: null }], defaults)[0]!;
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
        { index: 1, kind: 'result', step: 'reserve', isOptional: false },
      ],
      retryOn: null,
      renamedFrom: [],
      doNotRetryOn: [TypeError],
      ownBackoff: null,
      condition: null,
      until: null,
      verification: null,
      onTimeout: 'fail',
    });
    expect(steps.get('ship')).toMatchObject({ retryOn: [RangeError], doNotRetryOn: [] });
  });

  it('says in its graph that a backoff is its own, and holds the function, of whichever level said it last', () => {
    const ofModule = () => 1;
    const ofWorkflow = () => '2s' as const;
    const ofStep = () => '3s' as const;

    @Workflow({ name: 'w', retry: { backoff: ofWorkflow } })
    class W {
      @Step() a() {}
      @Step() @Retry({ backoff: ofStep, attempts: 5 }) b() {}
      @Step({ retry: { backoff: 'fixed' } }) c() {}
      @Compensate('b') d() {}
    }
    @Workflow({ name: 'v' })
    class V {
      @Step() a() {}
    }
    const [w, v] = [load(W, { retry: { backoff: ofModule } }), load(V, { retry: { backoff: ofModule } })] as const;
    const found = [w, v].flatMap(({ graph, steps }) =>
      graph.nodes.map(({ name, retry }) => [retry.backoff, steps.get(name)!.ownBackoff]),
    );
    expect(found).toEqual([
      ['own', ofWorkflow],
      ['own', ofStep],
      ['fixed', null],
      ['own', ofWorkflow],
      ['own', ofModule],
    ]);
    expect(JSON.parse(JSON.stringify(w.graph))).toEqual(w.graph);
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
    expect(steps.get('b')!.parameters).toEqual([{ index: 0, kind: 'result', step: 'a', isOptional: false }]);
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

  it('says of conditions, pauses, joins and failures what is not the default', () => {
    @Workflow({ name: 'w', retry: 1 })
    class W {
      @Step({ delay: '1m', onFailure: 'continue', scheduleToStart: '2m', heartbeat: '9s' }) notify() {}
      @Sleep('7d', { when: 'isPatient' }) coolDown!: void;
      @SleepUntil({ timeout: '1s' }) at() {
        return new Date();
      }
      @Step({ after: ['at', 'notify', 'at'], join: 'any' }) first(
        @Result('at', { optional: true }) _: Date | undefined,
        @Failure('notify') __: Error | undefined,
      ) {}
      @Step({ join: 'all', after: ['first', 'at'], onFailure: 'fail' }) last() {}

      isPatient(@Failure('notify') _: Error | undefined, @Input() __: unknown) {
        return true;
      }
    }
    const { graph, steps } = load(W);
    const plain = { results: [], queue: DEFAULT_QUEUE, priority: 0, retry: graph.nodes[0]!.retry, timeoutMs: null };
    expect(graph.nodes).toEqual([
      {
        name: 'notify',
        after: [],
        ...plain,
        delayMs: 60_000,
        onFailure: 'continue',
        startWithinMs: 120_000,
        heartbeatMs: 9_000,
      },
      { name: 'coolDown', after: ['notify'], ...plain, kind: 'sleep', delayMs: 604_800_000, when: 'isPatient' },
      { name: 'at', after: ['coolDown'], ...plain, kind: 'sleep-until', timeoutMs: 1_000 },
      { name: 'first', after: ['notify', 'at'], ...plain, results: ['at'], join: 1 },
      { name: 'last', after: ['at', 'first'], ...plain, needs: ['at', 'first'] },
    ]);
    expect(Object.keys(graph.nodes[4]!)).not.toContain('join');
    expect(steps.get('coolDown')).toEqual({
      name: 'coolDown',
      parameters: [],
      retryOn: null,
      renamedFrom: [],
      doNotRetryOn: [],
      ownBackoff: null,
      condition: {
        name: 'isPatient',
        parameters: [
          { index: 0, kind: 'failure', step: 'notify' },
          { index: 1, kind: 'input' },
        ],
      },
      until: null,
      verification: null,
      onTimeout: 'fail',
    });
    expect(steps.get('first')!.parameters).toEqual([
      { index: 0, kind: 'result', step: 'at', isOptional: true },
      { index: 1, kind: 'failure', step: 'notify' },
    ]);
  });

  it('knows which steps need which that may be missing', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ when: 'isBig' }) gift() {
        return 1;
      }
      @Step() byPage() {}
      @Step() byResult(@Result('gift') _: number) {}
      @Step() byOptional(@Result('gift', { optional: true }) _: number | undefined) {}
      @Step({ when: 'isHeavy' }) byCondition() {}
      @Step({ after: ['byPage', 'byResult', 'gift'] }) byAfter() {}
      @Step({ after: ['byAfter', 'byOptional'], join: { atLeast: 2 } }) both() {}
      @Step({ after: ['both'] }) behind() {}

      isBig() {
        return false;
      }
      isHeavy(@Result('gift') gift: number) {
        return gift > 1;
      }
    }
    const { nodes } = load(W).graph;
    expect(nodes.map(({ name, needs }) => [name, needs])).toEqual([
      ['gift', undefined],
      ['byPage', undefined],
      ['byResult', ['gift']],
      ['byOptional', undefined],
      ['byCondition', ['gift']],
      ['byAfter', ['gift', 'byResult']],
      ['both', ['byAfter']],
      ['behind', ['both']],
    ]);
    expect(nodes.find(({ name }) => name === 'byCondition')!.results).toEqual(['gift']);
    expect(nodes.find(({ name }) => name === 'both')).not.toHaveProperty('join');
  });

  it('says of a wait what it waits for, how long, and what comes of it', () => {
    @Workflow({ name: 'w', retry: 1, queue: 'q' })
    class W {
      @Step() a() {}
      @WaitForSignal('x') plain(@SignalPayload() _: unknown, @Result('a') __: unknown) {}
      @WaitForSignal(['y', 'z'], {
        timeout: '3d',
        onTimeout: 'skip',
        when: 'isFine',
        priority: 7,
        onFailure: 'continue',
      })
      @Retry(4)
      skipped(@SignalPayload() payload: unknown) {
        return payload;
      }
      @WaitForSignal('y', { timeout: '30d', onTimeout: { value: { by: 'nobody' } }, after: ['a'], beside: true })
      valued() {
        return { by: 'somebody' };
      }
      @Step({ after: ['skipped', 'valued'] }) behind(@Result('valued') _: unknown) {}
      isFine() {
        return true;
      }
    }
    const { graph, steps } = load(W, { timeout: '1m' });
    const { retry } = graph.nodes[0]!;
    const plain = { results: [], queue: 'q', priority: 0, retry, timeoutMs: 60_000 };
    expect(graph.nodes.slice(1)).toEqual([
      { name: 'plain', after: ['a'], ...plain, results: ['a'], kind: 'signal', signals: ['x'] },
      {
        name: 'skipped',
        after: ['plain'],
        ...plain,
        priority: 7,
        retry: { ...retry, attempts: 4 },
        kind: 'signal',
        signals: ['y', 'z'],
        waitMs: 259_200_000,
        onTimeout: 'skip',
        when: 'isFine',
        onFailure: 'continue',
      },
      {
        name: 'valued',
        after: ['a'],
        ...plain,
        kind: 'signal',
        signals: ['y'],
        waitMs: 2_592_000_000,
        onTimeout: 'value',
      },
      { name: 'behind', after: ['skipped', 'valued'], ...plain, results: ['valued'], needs: ['skipped'] },
    ]);
    expect([...steps.values()].map(({ onTimeout }) => onTimeout)).toEqual([
      'fail',
      'fail',
      'skip',
      { value: { by: 'nobody' } },
      'fail',
    ]);
    expect(steps.get('plain')!.parameters).toEqual([
      { index: 0, kind: 'payload' },
      { index: 1, kind: 'result', step: 'a', isOptional: false },
    ]);
  });

  it('knows which steps need a wait that may be skipped', () => {
    @Workflow({ name: 'w' })
    class W {
      @WaitForSignal('x', { timeout: 1, onTimeout: 'skip' }) skipped() {}
      @WaitForSignal('x', { timeout: 1, onTimeout: { value: undefined } }) valued() {}
      @WaitForSignal('x', { timeout: 1, onTimeout: 'fail' }) failed() {}
      @Step() takes(@Result('skipped') _: unknown, @Result('valued') __: unknown, @Result('failed') ___: unknown) {}
      @Step() byPage() {}
    }
    const { nodes } = load(W).graph;
    expect(nodes.map(({ needs }) => needs)).toEqual([undefined, undefined, undefined, ['skipped'], undefined]);
    expect(nodes.map(({ onTimeout }) => onTimeout)).toEqual(['skip', 'value', undefined, undefined, undefined]);
  });

  it('has compensations at their place on the page', () => {
    @Workflow({ name: 'w', retry: 1, queue: 'q', priority: 3 })
    class W {
      static readonly output = 'ship';
      @Step() reserve() {
        return 1;
      }
      @Compensate('charge', { timeout: '1s', queue: 'money', priority: 0 })
      @Retry({ attempts: 9, retryOn: [RangeError] })
      refund(
        @Ctx() _: unknown,
        @Result('charge', { optional: true }) __: number | undefined,
        @Failure() ___: Error | undefined,
        @Result('reserve') ____: number,
      ) {}
      @Step() charge() {
        return 2;
      }
      @Compensate('reserve') release(@Input() _: unknown) {}
      @Step() ship() {}
    }
    const { graph, steps } = load(W, { timeout: '1m' });
    const { retry } = graph.nodes[0]!;
    const plain = { results: [], queue: 'q', priority: 3, retry, timeoutMs: 60_000 };
    expect(graph.nodes).toEqual([
      { name: 'reserve', after: [], ...plain },
      {
        name: 'refund',
        after: [],
        results: ['charge', 'reserve'],
        queue: 'money',
        priority: 0,
        retry: { ...retry, attempts: 9 },
        timeoutMs: 1_000,
        kind: 'compensation',
        compensates: 'charge',
      },
      { name: 'charge', after: ['reserve'], ...plain },
      { name: 'release', after: [], ...plain, kind: 'compensation', compensates: 'reserve' },
      { name: 'ship', after: ['charge'], ...plain },
    ]);
    expect([...steps.keys()]).toEqual(['reserve', 'refund', 'charge', 'release', 'ship']);
    expect(steps.get('refund')).toEqual({
      renamedFrom: [],
      name: 'refund',
      parameters: [
        { index: 0, kind: 'context' },
        { index: 1, kind: 'result', step: 'charge', isOptional: true },
        { index: 2, kind: 'run-failure' },
        { index: 3, kind: 'result', step: 'reserve', isOptional: false },
      ],
      retryOn: [RangeError],
      doNotRetryOn: [],
      ownBackoff: null,
      condition: null,
      until: null,
      verification: null,
      onTimeout: 'fail',
    });
  });

  it('takes over compensations of the base, and what an override says of them', () => {
    class Base {
      @Step() a() {}
      @Compensate('a', { timeout: 5 }) undoA() {}
      @Compensate('b') undoB() {}
      @Step() b() {}
    }
    @Workflow({ name: 'w' })
    class W extends Base {
      @Compensate('b', { timeout: 7 }) override undoB() {}
    }
    expect(load(W).graph.nodes.map(({ name, compensates, timeoutMs }) => [name, compensates, timeoutMs])).toEqual([
      ['a', undefined, null],
      ['undoA', 'a', 5],
      ['undoB', 'b', 7],
      ['b', undefined, null],
    ]);
  });

  it('gives a condition to every step that names it, inherited ones included', () => {
    class Base {
      @Step({ when: 'isBig' }) a() {}
      isBig(@Input() _: unknown) {
        return true;
      }
    }
    @Workflow({ name: 'w' })
    class W extends Base {
      @Parallel({ when: 'isBig' }) b() {}
      override isBig(_: unknown) {
        return false;
      }
    }
    const condition = { name: 'isBig', parameters: [{ index: 0, kind: 'input' }] };
    expect([...load(W).steps.values()].map((step) => step.condition)).toEqual([condition, condition]);
  });

  it('understands composed pauses', () => {
    const Week = () => applyDecorators(Sleep('7d'));
    const Patient = () => applyDecorators(SleepUntil(), Retry(5));
    @Workflow({ name: 'w' })
    class W {
      @Week() coolDown!: void;
      @Patient() at() {
        return new Date();
      }
    }
    expect(load(W).graph.nodes).toMatchObject([
      { name: 'coolDown', kind: 'sleep', delayMs: 604_800_000 },
      { name: 'at', kind: 'sleep-until', retry: { attempts: 5 }, after: ['coolDown'] },
    ]);
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

  it('is what it was before nodes could say more', () => {
    @Workflow({ name: 'old' })
    class Old {
      @Step() a() {}
      @Parallel({ timeout: 5 }) b() {}
    }
    expect(load(Old).hash).toBe('e90d418d0c41e67d289461efd84a44212279ae7ea3cf63b61674aed01ca372a6');
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
        ['a kind', { kind: 'sleep-until' }],
        ['a delay', { delayMs: 1 }],
        ['a condition', { when: 'x' }],
        ['a transaction', { transactional: true }],
        ['a time to start', { startWithinMs: 1 }],
        ['a heartbeat', { heartbeatMs: 1 }],
        ['a repetition', { repeat: { until: 'x', everyMs: 1, max: 2 } }],
        ['a need', { needs: ['x'] }],
        ['a join', { join: 1 }],
        ['a failure', { onFailure: 'continue' }],
        ['a signal', { signals: ['x'] }],
        ['a wait', { waitMs: 1 }],
        ['the end of a wait', { onTimeout: 'skip' }],
        ['what it undoes', { compensates: 'x' }],
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
