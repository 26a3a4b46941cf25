import { describe, expect, it } from '@jest/globals';

import { DefinitionError } from '../engine/errors.js';
import { computeGraphText } from '../engine/graph-text.js';
import { Compensate } from './compensate.decorator.js';
import { loadDefinitions } from './definition-loader.js';
import { findFittingCode } from './fitting-code.js';
import { Item } from './item.decorator.js';
import { Result } from './result.decorator.js';
import { Results } from './results.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import { Parallel, Step } from './step.decorator.js';
import { Workflow } from './workflow.decorator.js';

// Faults are what JavaScript, `as any` and renamed methods let through: here every decorator takes anything.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
type Loose = (...args: any[]) => any;
const LooseItem: Loose = Item;
const LooseResults: Loose = Results;
const LooseResult: Loose = Result;
const LooseStep: Loose = Step;
const LooseSleepUntil: Loose = SleepUntil;
const LooseCompensate: Loose = Compensate;
const LooseWorkflow: Loose = Workflow;

const load = (target: abstract new () => object) => loadDefinitions([{ target, instance: {}, host: null }], {})[0]!;

function faultsOf(target: abstract new () => object): string[] {
  try {
    load(target);
    return [];
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return error.faults.map(({ where, fault }) => `${where === 'W' ? 'class' : where.slice(2)} ${fault}`);
  }
}

function optionFaults(options: unknown): string[] {
  @Workflow({ name: 'w' })
  class W {
    @LooseStep(options) a(@LooseItem('input') item: unknown): unknown {
      return item;
    }
  }
  return faultsOf(W);
}

describe('a fan-out', () => {
  it('is a node with its limits, and `[]` in the text of its graph', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() list(): number[] {
        return [];
      }
      @Parallel({ maxItems: 5, tolerate: '10%' }) one(@Item('list') item: number): number {
        return item;
      }
      @Parallel() two(@Item(({ input }: { input: { lines: number[] } }) => input.lines) item: number): number {
        return item;
      }
      @Step() sum(@Results('one') one: number[], @Results('two') two: number[]): number {
        return one.length + two.length;
      }
      @Compensate('one') undo(@Results('one') done: number[]): void {
        void done;
      }
    }
    const { graph } = load(W);
    expect(graph.nodes[1]).toMatchObject({ name: 'one', fanOut: { maxItems: 5, tolerate: '10%' }, results: ['list'] });
    expect(graph.nodes[2]).toMatchObject({ name: 'two', fanOut: { maxItems: 100, tolerate: 0 }, results: [] });
    expect(graph.nodes[3]!.results).toEqual(['one', 'two']);
    expect(computeGraphText(graph)).toBe('w: list → one[] ∥ two[] → sum');
  });

  it('has another hash with other limits', () => {
    const hashOf = (options: object) => {
      @Workflow({ name: 'w' })
      class W {
        @Step(options) a(@Item('input') item: unknown): unknown {
          return item;
        }
      }
      return load(W).hash;
    };
    const hashes = [hashOf({}), hashOf({ maxItems: 99 }), hashOf({ tolerate: 1 }), hashOf({ tolerate: '1%' })];
    expect(new Set(hashes).size).toBe(4);
    expect(hashOf({ maxItems: 100, tolerate: 0 })).toBe(hashes[0]);
  });

  it('whose list may be missing is skipped with it, and so is who takes its results', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ when: 'isWanted' }) list(): number[] {
        return [];
      }
      @Step() one(@Item('list') item: number): number {
        return item;
      }
      @Step() sum(@Results('one') all: number[]): number {
        return all.length;
      }
      isWanted(): boolean {
        return true;
      }
    }
    expect(load(W).graph.nodes.map(({ needs }) => needs)).toEqual([undefined, ['list'], ['one']]);
  });

  it.each([
    [{ maxItems: 0 }, /Expected maxItems to be an integer from 1 to 1000, got 0/],
    [{ maxItems: 1_001 }, /Expected maxItems/],
    [{ maxItems: '5' }, /Expected maxItems/],
    [{ tolerate: -1 }, /Expected tolerate to be an integer from 0 to 1000000 or a share such as '10%', got -1/],
    [{ tolerate: 0.5 }, /Expected tolerate/],
    [{ tolerate: '101%' }, /Expected tolerate/],
    [{ tolerate: '100.5%' }, /Expected tolerate/],
    [{ tolerate: 'all' }, /Expected tolerate/],
  ])('with %j is a fault', (options, fault) => {
    expect(optionFaults(options)).toEqual([expect.stringMatching(fault)]);
  });

  it.each([{}, { maxItems: 1_000 }, { tolerate: 3 }, { tolerate: '100%' }, { tolerate: '0.5%' }])(
    'with %j is none',
    (options) => {
      expect(optionFaults(options)).toEqual([]);
    },
  );

  it('goes over one list, which is the input or a step that gives one, and only a step is one', () => {
    @Workflow({ name: 'w' })
    class W {
      @Sleep('1s') pause!: void;
      @Step({ onFailure: 'continue' }) list(): number[] {
        return [];
      }
      @Step() twice(@LooseItem('input') one: unknown, @LooseItem('input.lines') two: unknown): void {
        void [one, two];
      }
      @Step() wrong(@LooseItem('lst') one: unknown): void {
        void one;
      }
      @Step() path(@LooseItem('input..lines') one: unknown): void {
        void one;
      }
      @Step() slept(@LooseItem('pause') one: unknown): void {
        void one;
      }
      @Step() failed(@LooseItem('list') one: unknown): void {
        void one;
      }
      @Step() itself(@LooseItem('itself') one: unknown): void {
        void one;
      }
      @Step() again(@LooseItem('twice') one: unknown): void {
        void one;
      }
      @LooseSleepUntil() until(@LooseItem('input') one: unknown): Date {
        return one as Date;
      }
      @LooseCompensate('list') undo(@LooseItem('input') one: unknown): void {
        void one;
      }
    }
    const faults = faultsOf(W);
    const expected = [
      /^twice bears @Item on several parameters/,
      /^wrong @Item names 'lst', which is no step\. Did you mean "list"/,
      /^path @Item names 'input\.\.lines', which is no step\..* The run's input is 'input', or 'input\.lines'\./,
      /^slept parameter 0 takes the items of "pause", which is a @Sleep and gives no result/,
      /^failed parameter 0 takes the items of "list", which may have failed without a result\. Let a step in between/,
      /^again parameter 0 takes the items of "twice", which is a fan-out\. Let a step that takes @Results\('twice'\)/,
      /^until parameter 0 bears @Item, and only a @Step, @Parallel or @Child method can be a fan-out/,
      /^undo parameter 0 bears @Item, and only a @Step, @Parallel or @Child/,
    ];
    for (const fault of expected) expect(faults).toContainEqual(expect.stringMatching(fault));
    expect(faults).toContainEqual(expect.stringMatching(/^itself parameter 0 takes the items of "itself"/));
    expect(faults).toHaveLength(expected.length + 1);
  });

  it('gives results, and any other step a result', () => {
    @LooseWorkflow({ name: 'w' })
    class W {
      static readonly output = 'fan';
      @Step() plain(): number[] {
        return [];
      }
      @Step() fan(@Item('plain') one: number): number {
        return one;
      }
      @Step() one(@LooseResult('fan') all: unknown): void {
        void all;
      }
      @Step() two(@LooseResults('plain') all: unknown): void {
        void all;
      }
      @Step() three(@LooseResults('fn') all: unknown): void {
        void all;
      }
      @Step() 'fan[0]'(): void {}
      @Compensate('fan') undo(@LooseResult('fan', { optional: true }) all: unknown): void {
        void all;
      }
      @Compensate('plain') release(@LooseResults('fan') all: unknown): void {
        void all;
      }
    }
    expect(faultsOf(W)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^class static output is 'fan', which is a fan-out\. Name a step that takes its list/),
        expect.stringMatching(/^one parameter 0 takes the result of "fan", which is a fan-out/),
        expect.stringMatching(/^two parameter 0 takes the results of "plain", which is no fan-out/),
        expect.stringMatching(/^three @Results names 'fn', which is no step\. Did you mean "fan"/),
        expect.stringMatching(/^fan\[0\] is called as an item of the fan-out "fan" is/),
        expect.stringMatching(/^undo parameter 0 takes the result of "fan", which is a fan-out/),
        expect.stringMatching(
          /^release parameter 0 takes the results of "fan", which need not be there when "plain" is undone\. Only what undoes "fan"/,
        ),
      ]),
    );
    expect(faultsOf(W)).toHaveLength(7);
  });

  it('may lose a join, and then its results are not to be had in the step that joins', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ after: [] }) fan(@Item('input') one: unknown): unknown {
        return one;
      }
      @Step({ after: [] }) other(): void {}
      @LooseStep({ after: ['fan', 'other'], join: 'any' }) first(@LooseResults('fan') all: unknown): void {
        void all;
      }
    }
    expect(faultsOf(W)).toEqual([expect.stringMatching(/the results of "fan", which may have lost the join/)]);
  });
});

describe('the code of a build for a stored graph with fan-outs', () => {
  @Workflow({ name: 'w' })
  class Fanned {
    @Step() list(): number[] {
      return [];
    }
    @Step() each(@Item('list') one: number): number {
      return one;
    }
    @Step() sum(@Results('each') all: number[]): number {
      return all.length;
    }
  }
  @Workflow({ name: 'w' })
  class Renamed {
    @Step({ renamedFrom: 'list' }) find(): number[] {
      return [];
    }
    @Step({ renamedFrom: 'each', maxItems: 5 }) every(@Item('find') one: number): number {
      return one;
    }
    @Step() sum(@Results('every') all: number[]): number {
      return all.length;
    }
  }
  @Workflow({ name: 'w' })
  class Plain {
    @Step() list(): number[] {
      return [];
    }
    @Step() each(@Result('list') all: number[]): number {
      return all.length;
    }
    @Step() sum(@Result('each') count: number): number {
      return count;
    }
  }
  @Workflow({ name: 'w' })
  class PlainSum {
    @Step() each(@Item('input') one: number): number {
      return one;
    }
    @Step({ renamedFrom: 'list' }) other(): number[] {
      return [];
    }
    @Step() sum(@Result('other') all: number[]): number {
      return all.length;
    }
  }
  const fit = (stored: abstract new () => object, build: abstract new () => object) =>
    findFittingCode(load(build), load(stored).graph);

  it('takes items and results under the names of that graph', () => {
    const { code } = fit(Fanned, Renamed);
    expect(code!.steps.get('each')!.parameters).toEqual([
      { index: 0, kind: 'item', from: { kind: 'result', step: 'list' } },
    ]);
    expect(code!.steps.get('sum')!.parameters).toEqual([{ index: 0, kind: 'results', step: 'each' }]);
    expect(fit(Fanned, PlainSum).code).not.toBeNull();
  });

  it('is none where a step was a fan-out there and is none here, or the other way round', () => {
    const [there, here] = ['a fan-out there and a plain step here', 'a plain step there and a fan-out here'];
    expect(fit(Fanned, Plain)).toEqual({ code: null, lacks: `step "each" is ${there}` });
    expect(fit(Plain, Fanned)).toEqual({ code: null, lacks: `step "each" is ${here}` });
  });
});
