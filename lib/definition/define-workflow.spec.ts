import { describe, expect, it } from '@jest/globals';

import { DefinitionError } from '../engine/errors.js';
import { Compensate } from './compensate.decorator.js';
import { Ctx } from './ctx.decorator.js';
import { defineWorkflow } from './define-workflow.js';
import { loadDefinitions } from './definition-loader.js';
import { Failure } from './failure.decorator.js';
import { Input } from './input.decorator.js';
import { Result } from './result.decorator.js';
import { SignalPayload } from './signal-payload.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import type { StepContext } from './step-context.js';
import { Parallel, Step } from './step.decorator.js';
import { WaitForSignal } from './wait-for-signal.decorator.js';
import type { StepHandlers, WorkflowData } from './workflow-data.js';
import { Workflow } from './workflow.decorator.js';

const read = (target: new () => object) => loadDefinitions([{ target, instance: new target(), host: null }])[0]!;

function faultsOf(graph: unknown, handlers: unknown = {}, name = 'w'): string[] {
  const defined = defineWorkflow(name, graph as WorkflowData, handlers as StepHandlers);
  try {
    read(defined);
  } catch (error) {
    if (error instanceof DefinitionError) return error.faults.map(({ where, fault }) => `${where} ${fault}`);
    throw error;
  }
  return [];
}

@Workflow({ name: 'w', version: '2', retry: 5, deadline: '9d' })
class Written {
  static readonly output = 'close';

  isBig(@Input() size: number): boolean {
    return size > 1;
  }
  @Step() a(@Input() size: number): number {
    return size;
  }
  @Parallel({ group: 'g', timeout: '1s' }) b(@Result('a') a: number): number {
    return a;
  }
  @Parallel({ group: 'g', onFailure: 'continue' }) c(): void {}
  @Sleep('1d') pause!: void;
  @SleepUntil() until(): Date {
    return new Date();
  }
  @WaitForSignal(['x', 'y'], { timeout: '1h', onTimeout: 'skip' }) news(@SignalPayload() sent: string): string {
    return sent;
  }
  @Step({
    after: ['b', 'news'],
    join: 'any',
    queue: 'q',
    priority: 3,
    delay: '1s',
    scheduleToStart: '2s',
    heartbeat: '3s',
  })
  d(@Result('b', { optional: true }) b?: number, @Result('news', { optional: true }) news?: string): void {
    void [b, news];
  }
  @Step({ when: 'isBig' }) close(@Ctx() ctx: StepContext, @Failure('c') failure: Error | undefined): unknown {
    return [ctx, failure];
  }
  @Compensate('a', { retry: 9 }) undo(@Result('a', { optional: true }) a: number | undefined): void {
    void a;
  }
}

const DATA: WorkflowData = {
  version: '2',
  retry: 5,
  deadline: '9d',
  output: 'close',
  steps: [
    { name: 'a' },
    { name: 'b', parallel: true, group: 'g', timeout: '1s', results: ['a'] },
    { name: 'c', parallel: true, group: 'g', onFailure: 'continue' },
    { name: 'pause', sleep: '1d' },
    { name: 'until', sleepUntil: true },
    { name: 'news', signal: ['x', 'y'], timeout: '1h', onTimeout: 'skip' },
    {
      name: 'd',
      after: ['b', 'news'],
      join: 'any',
      queue: 'q',
      priority: 3,
      delay: '1s',
      scheduleToStart: '2s',
      heartbeat: '3s',
    },
    { name: 'close', when: 'isBig', failures: ['c'] },
    { name: 'undo', compensates: 'a', retry: 9 },
  ],
};
const nothing = () => undefined;
const HANDLERS = {
  a: nothing,
  b: nothing,
  c: nothing,
  until: nothing,
  d: nothing,
  close: nothing,
  undo: nothing,
  isBig: nothing,
};

describe('a workflow that is data', () => {
  it('is the same as a class that says the same, also after a way through JSON', () => {
    const data = JSON.parse(JSON.stringify(DATA)) as WorkflowData;
    const defined = read(defineWorkflow('w', data, HANDLERS));
    expect(defined.graph).toEqual(read(Written).graph);
    expect(defined.hash).toBe(read(Written).hash);
  });

  it('calls a function of the record with everything by its name', () => {
    const given: unknown[] = [];
    const handlers = {
      mark: 'this',
      work(it: unknown) {
        given.push([this.mark, it]);
      },
    };
    const graph = {
      steps: [
        { name: '__proto__', handler: 'work', onFailure: 'continue' },
        { name: 'b', handler: 'work', results: [{ step: '__proto__', optional: true }], failures: ['__proto__'] },
        { name: 'c', signal: 's', handler: 'work' },
        { name: 'd', compensates: 'b', handler: 'work' },
        { name: 'e', signal: 's' },
      ],
    } as const;
    const { instance } = read(defineWorkflow('w', graph, handlers as unknown as StepHandlers));
    const methods = instance as Record<string, (...given: unknown[]) => unknown>;
    const error = new Error('lost');
    methods['b']!('in', 'ctx', undefined, 1, error);
    methods['c']!('in', 'ctx', 'sent');
    methods['d']!('in', 'ctx', error, 2);
    expect(methods['e']!('in', 'ctx', 'sent')).toBe('sent');
    const always = { input: 'in', ctx: 'ctx', results: {}, failures: {}, payload: undefined, failure: undefined };
    expect(given).toEqual([
      ['this', { ...always, results: { ['__proto__']: 1 }, failures: { ['__proto__']: error } }],
      ['this', { ...always, payload: 'sent' }],
      ['this', { ...always, failure: error, results: { b: 2 } }],
    ]);
  });

  it('takes the results of its `after` as far as they have any, and of no other step', () => {
    const steps = [
      { name: 'a' },
      { name: 'pause', sleep: '1s' },
      { name: 'b', after: ['a', 'a', 'pause'] },
      { name: 'c' },
    ] as const;
    const { graph } = read(defineWorkflow('w', { steps }, { a: nothing, b: nothing, c: nothing }));
    expect(graph.nodes.map(({ results }) => results)).toEqual([[], [], ['a'], []]);
  });

  it('has conditions that take results, and not those of their steps', () => {
    const { steps } = read(
      defineWorkflow(
        'w',
        {
          steps: [{ name: 'a' }, { name: 'b', when: 'isBig' }, { name: 'c', when: 'isSmall' }],
          conditions: { isBig: { results: ['a'] } },
        },
        { a: nothing, b: nothing, c: nothing, isBig: nothing, isSmall: nothing },
      ),
    );
    expect(steps.get('b')!.condition!.parameters).toContainEqual({
      index: 3,
      kind: 'result',
      step: 'a',
      isOptional: false,
    });
    expect(steps.get('c')!.condition!.parameters).toHaveLength(2);
  });

  it('has up to 1,000 steps', () => {
    const steps = Array.from({ length: 1_000 }, (_, n) => ({
      name: `s${n}`,
      handler: 'work',
      after: n ? [`s${n >> 1}`, `s${n - 1}`] : [],
    }));
    expect(read(defineWorkflow('w', { steps }, { work: nothing })).graph.nodes).toHaveLength(1_000);
    expect(faultsOf({ steps: [...steps, { name: 'x', handler: 'work' }] }, { work: nothing })).toEqual([
      'w has 1001 steps, and at most 1000 are allowed. Divide the workflow.',
    ]);
  });
});

describe('faults of a workflow that is data', () => {
  it('are told together, each with its step', () => {
    const graph = {
      outptu: 'a',
      steps: [
        { name: 'a', handler: 'wrk' },
        { name: 'b', parallel: 1, sleep: '1s', compensates: 'a' },
        { name: 'c', after: ['x'], results: 'a' },
        { name: 'd', sleep: '1s', handler: 'work' },
        { name: 'e', handler: 'work', results: [{ step: 'y', optinal: true }], failures: 'a' },
        { name: 'f', handler: 'toString' },
        { name: 'a' },
        { name: 'constructor' },
        'g',
      ],
      conditions: { isBgi: {} },
    };
    const faults = faultsOf(graph, { work: nothing, c: nothing });
    for (const fault of [
      'w defineWorkflow() has no option "outptu". Did you mean "output"?',
      'w has two steps named "a". Names of steps are unique: rename one.',
      'w has a step named "constructor", which every class has already. Rename it.',
      "w Expected each of steps to be an object with a name, got 'g'.",
      `w.a has no function: handlers has no 'wrk'. Did you mean "work"? Its functions are "work", "c".`,
      'w.b Expected parallel to be true or false, got 1.',
      'w.b has sleep and compensates. A step is one of them: keep one.',
      "w.c Expected results to be a list of step names or { step, optional }, got 'a'.",
      'w.c after names "x", which is no step.',
      'w.d has sleep and handler, and a pause runs no code. Remove handler.',
      'w.e a result has no option "optinal". Did you mean "optional"?',
      "w.e @Result names 'y', which is no step.",
      "w.e Expected failures to be a list of step names, got 'a'.",
      `w.f has no function: handlers has no 'toString'. Its functions are "work", "c".`,
      'w conditions has "isBgi", which no step names in `when`, `verify` or `until`.',
    ])
      expect(faults).toContainEqual(expect.stringContaining(fault));
    expect(faults).toHaveLength(15);
  });

  it.each([
    [null, {}, 'Expected the options of defineWorkflow() to be an object, got null.'],
    [{ steps: {} }, {}, 'Expected steps to be a list of objects, got {}.'],
    [{ steps: [] }, null, 'Expected the handlers of defineWorkflow() to be an object of functions, got null.'],
    [{ steps: [], conditions: [] }, {}, 'Expected conditions to be an object with { results } for each, got [].'],
    [{ steps: [{ name: 'a', when: 'b' }] }, { a: nothing }, 'when names "b", which is no method of the class.'],
    [{ steps: [{ name: 'a', when: 'a' }] }, { a: nothing }, 'when names "a" itself.'],
  ])('%j is none', (graph, handlers, fault) => {
    expect(faultsOf(graph, handlers)).toContainEqual(expect.stringContaining(fault));
  });

  it('a name that is none is told by what made it', () => {
    expect(faultsOf({ steps: [{ name: 'a' }] }, { a: nothing }, 7 as never)).toEqual([
      expect.stringContaining('defineWorkflow() Expected name of @Workflow to be a text'),
    ]);
  });
});
