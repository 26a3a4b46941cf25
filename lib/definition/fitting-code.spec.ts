import { describe, expect, it } from '@jest/globals';

import type { DefinitionError } from '../engine/errors.js';
import { defineWorkflow } from './define-workflow.js';
import { loadDefinitions } from './definition-loader.js';
import { findFittingCode } from './fitting-code.js';
import { Manager } from './manager.decorator.js';
import { Step } from './step.decorator.js';
import type { StepData } from './workflow-data.js';
import { Workflow } from './workflow.decorator.js';

const handlers = new Proxy(
  {},
  { has: () => true, getOwnPropertyDescriptor: () => ({ configurable: true, value: work }), get: () => work },
);
function work(): undefined {
  return undefined;
}

function build(steps: readonly StepData[]) {
  const target = defineWorkflow('w', { steps }, handlers);
  return loadDefinitions([{ target, instance: new target(), host: null }])[0]!;
}

/** What the build has for the graph of another: methods and what they take, by the steps of the graph; or what it lacks. */
function fit(stored: readonly StepData[], steps: readonly StepData[]) {
  const fitting = findFittingCode(build(steps), build(stored).graph);
  if (fitting.code === null) return fitting.lacks;
  return [...fitting.code.steps].map(([name, { name: method, parameters }]) => {
    const takes = parameters.flatMap((binding) => ('step' in binding ? [binding.step] : []));
    return `${name}: ${method}(${takes.join()})`;
  });
}

const A = { name: 'a' };

describe('the code of a build for a stored graph', () => {
  it('is the code as it is where the graph is the same', () => {
    const code = build([A]);
    expect(findFittingCode(code, code.graph, code.hash).code).toBe(code);
  });

  it('runs renamed steps under their old names, and gives them the results of those', () => {
    const stored: StepData[] = [A, { name: 'b', results: ['a'] }, { name: 'undo', compensates: 'a' }];
    expect(
      fit(stored, [
        { name: 'first', renamedFrom: ['zero', 'a'] },
        { name: 'second', renamedFrom: 'b', results: ['first'] },
        { name: 'undone', compensates: 'first', renamedFrom: 'undo' },
      ]),
    ).toEqual(['a: first()', 'b: second(a)', 'undo: undone(a)']);
  });

  it('may have more steps, in another order', () => {
    expect(fit([A, { name: 'b' }], [{ name: 'b' }, { name: 'new' }, A])).toEqual(['a: a()', 'b: b()']);
  });

  it('need not have a pause that is gone', () => {
    expect(fit([A, { name: 'pause', sleep: '1s' }], [A])).toEqual(['a: a()', 'pause: pause()']);
  });

  it('takes a name that the graph has for itself, also where another was renamed from what it has', () => {
    expect(fit([A, { name: 'b' }], [{ name: 'b', renamedFrom: 'a' }])).toMatch('step "a" has no method');
  });

  it('is none where a step has become transactional, or is it no more', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(@Manager() _: unknown) {}
    }
    const code = loadDefinitions([{ target: W, instance: new W(), host: null }])[0]!;
    expect(findFittingCode(code, build([A]).graph)).toEqual({
      code: null,
      lacks: 'step "a" takes a @Manager() here, and is not transactional there',
    });
    expect(findFittingCode(build([A]), code.graph)).toEqual({
      code: null,
      lacks: 'step "a" is transactional there, and takes no @Manager() here',
    });
  });

  it.each<[string, StepData[], StepData[], string]>([
    ['a step is gone', [A, { name: 'b' }], [A], 'step "b" has no method, and none says that it was renamed from it'],
    ['a pause with a condition is gone', [A, { name: 'b', sleep: '1s', when: 'is' }], [A], 'step "b" has no method'],
    ['a step has become a pause', [A], [{ name: 'a', sleep: '1s' }], 'step "a" is a step there and a sleep here'],
    ['a wait has become a step', [{ name: 'a', signal: 's' }], [A], 'step "a" is a signal there and a step here'],
    [
      'a step takes the result of a new one',
      [A],
      [{ name: 'n' }, { name: 'a', results: ['n'] }],
      'step "a" takes the result of "n", which does not come before it there',
    ],
    [
      'a step takes the result of one that came later',
      [A, { name: 'b' }],
      [{ name: 'b' }, { name: 'a', results: ['b'] }],
      'step "a" takes the result of "b", which does not come before it there',
    ],
  ])('is none where %s', (_, stored, steps, lacks) => {
    expect(fit(stored, steps)).toMatch(lacks);
  });

  it('may take what it can do without', () => {
    expect(fit([A], [{ name: 'n' }, { name: 'a', results: [{ step: 'n', optional: true }] }])).toEqual(['a: a(n)']);
  });
});

describe('the option renamedFrom', () => {
  it.each<[unknown, string]>([
    [7, 'Expected renamedFrom to be the former name of the step, or a list of at least one, got 7.'],
    [[], 'Expected renamedFrom to be the former name of the step, or a list of at least one, got [].'],
    ['a', 'renamedFrom names "a", which this workflow has.'],
    ['undo', 'renamedFrom names "undo", which this workflow has.'],
    ['old', 'was renamed from "old", and so was "a". Keep one of them.'],
  ])('%j is a fault', (renamedFrom, fault) => {
    const steps = [
      { name: 'a', renamedFrom: 'old' },
      { name: 'b', renamedFrom } as StepData,
      { name: 'undo', compensates: 'a' },
    ];
    try {
      build(steps);
    } catch (error) {
      expect((error as DefinitionError).faults).toEqual([{ where: 'w.b', fault: expect.stringContaining(fault) }]);
      return;
    }
    throw new Error('It has no fault.');
  });
});
