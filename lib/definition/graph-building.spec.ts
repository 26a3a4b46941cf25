import { describe, expect, it } from '@jest/globals';
import { computeGraphText } from '../engine/graph-text.js';
import { Child } from './child.decorator.js';
import { child } from './child-request.js';
import { Compensate } from './compensate.decorator.js';
import { loadDefinitions } from './definition-loader.js';
import { Item } from './item.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import { Parallel, Step } from './step.decorator.js';
import { WaitForSignal } from './wait-for-signal.decorator.js';
import { Workflow } from './workflow.decorator.js';

function textOf(target: new () => object): string {
  const [definition] = loadDefinitions([{ target: target, instance: new target(), host: null }]);
  return computeGraphText(definition!.graph).replace('w: ', '');
}

@Workflow({ name: 'w' })
class Sequence {
  @Step() a() {}
  @Step() b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class Group {
  @Step() a() {}
  @Parallel() b() {}
  @Parallel() c() {}
  @Step() d() {}
}

@Workflow({ name: 'w' })
class GroupFirstAndLast {
  @Parallel() a() {}
  @Parallel() b() {}
  @Step() c() {}
  @Parallel() d() {}
  @Parallel() e() {}
}

@Workflow({ name: 'w' })
class HelperInside {
  @Parallel() a() {}
  helper() {}
  @Parallel() b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class TwoGroups {
  @Parallel({ group: 'x' }) a() {}
  @Parallel({ group: 'x' }) b() {}
  @Parallel({ group: 'y' }) c() {}
  @Parallel({ group: 'y' }) d() {}
}

@Workflow({ name: 'w' })
class GroupAndNoGroup {
  @Parallel() a() {}
  @Parallel({ group: 'y' }) b() {}
  @Parallel() c() {}
}

@Workflow({ name: 'w' })
class LoneParallel {
  @Step() a() {}
  @Parallel() b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class AfterIsAwaitedBelow {
  @Step() a() {}
  @Step() b() {}
  @Step({ after: ['a'] }) c() {}
  @Step() d() {}
}

@Workflow({ name: 'w' })
class AtOnce {
  @Step() a() {}
  @Step({ after: [] }) b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class Beside {
  @Step() a() {}
  @Step({ after: ['a'], beside: true }) audit() {}
  @Step() b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class AfterEndsAGroup {
  @Parallel() a() {}
  @Step({ after: [] }) x() {}
  @Parallel() b() {}
}

@Workflow({ name: 'w' })
class BesideDoesNotEndAGroup {
  @Parallel() a() {}
  @Step({ after: [], beside: true }) x() {}
  @Parallel() b() {}
}

@Workflow({ name: 'w' })
class ParallelWithAfter {
  @Step() a() {}
  @Parallel({ after: ['a'] }) b() {}
  @Parallel() c() {}
}

@Workflow({ name: 'w' })
class ForwardReference {
  @Step({ after: ['b'], beside: true }) a() {}
  @Step() b() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class RedundantAfter {
  @Step() a() {}
  @Step() b() {}
  @Step({ after: ['b', 'a', 'a'] }) c() {}
}

@Workflow({ name: 'w', order: 'explicit' })
class Explicit {
  @Step({ after: ['b'] }) a() {}
  @Step({ after: [] }) b() {}
  @Step({ after: ['b'] }) c() {}
  @Step({ after: ['a', 'c'] }) d() {}
}

@Workflow({ name: 'w' })
class NumericNames {
  @Step() 2() {}
  @Step() 1() {}
}

@Workflow({ name: 'w' })
class Pauses {
  @Parallel() a() {}
  @Sleep('1d') b!: void;
  @Parallel() c() {}
  @SleepUntil() d() {
    return new Date();
  }
  @Parallel() e() {}
}

@Workflow({ name: 'w' })
class Children {
  @Parallel() a() {}
  @Child() b() {
    return child('x');
  }
  @Child({ when: 'isBig', onParentEnd: 'abandon' }) c(@Item('input') _: string) {
    return child('x');
  }
  isBig() {
    return true;
  }
}

@Workflow({ name: 'w' })
class PauseBeside {
  @Step() a() {}
  @Sleep(5, { after: ['a'], beside: true }) b!: void;
  @Step({ after: ['b'], beside: true }) remind() {}
  @Step() c() {}
}

@Workflow({ name: 'w' })
class Condition {
  @Step() a() {}
  @Step({ when: 'isBig' }) b() {}
  isBig() {
    return true;
  }
  @Parallel() c() {}
  isSmall() {
    return true;
  }
  @Parallel({ when: 'isSmall' }) d() {}
}

@Workflow({ name: 'w' })
class Joins {
  @Parallel() a() {}
  @Parallel() b() {}
  @Parallel() c() {}
  @Step({ after: ['c', 'b', 'a'], join: { atLeast: 2 } }) d() {}
  @Step({ after: ['d'] }) e() {}
}

@Workflow({ name: 'w' })
class JoinOfWhatWaits {
  @Step() a() {}
  @Step() b() {}
  @Step({ after: ['a', 'b'], join: 'any' }) c() {}
  @Step() d() {}
}

@Workflow({ name: 'w' })
class Waits {
  @Parallel() a() {}
  @WaitForSignal('x') b() {}
  @Parallel() c() {}
  @WaitForSignal('y', { timeout: 5, onTimeout: 'skip' }) d() {}
  @WaitForSignal('z', { after: ['c'], beside: true }) e() {}
  @Step() f() {}
}

@Workflow({ name: 'w' })
class CompensationInside {
  @Parallel() a() {}
  @Compensate('a') undoA() {}
  @Parallel() b() {}
  @Compensate('c') undoC() {}
  @Step() c() {}
}

class Base {
  @Step() a() {}
  @Step() b() {}
}

@Workflow({ name: 'w' })
class Extended extends Base {
  @Step() c() {}
}

@Workflow({ name: 'w' })
class OverriddenAgain extends Base {
  @Step() c() {}
  @Parallel({ after: [] }) override a() {}
}

@Workflow({ name: 'w' })
class OverriddenSilently extends Base {
  override b() {}
  @Step() c() {}
}

describe('the order on the page is the order of the run', () => {
  it.each([
    ['steps run one after the other', Sequence, 'a → b → c'],
    ['neighbours with @Parallel run side by side', Group, 'a → b ∥ c → d'],
    ['a group may stand first and last', GroupFirstAndLast, 'a ∥ b → c → d ∥ e'],
    ['a helper does not split a group', HelperInside, 'a ∥ b → c'],
    ['group separates two groups in a row', TwoGroups, 'a ∥ b → c ∥ d'],
    ['a neighbour without group is another group', GroupAndNoGroup, 'a → b → c'],
    ['a lone @Parallel is a step', LoneParallel, 'a → b → c'],
    ['what stands below waits for a step with after', AfterIsAwaitedBelow, 'a → b ∥ c → d'],
    ['an empty after starts at once', AtOnce, 'a ∥ b → c'],
    ['nothing waits for a step that is beside', Beside, 'a → b → c; audit ⇠ a'],
    ['a step with after ends the group above it', AfterEndsAGroup, 'a ∥ x → b'],
    ['a step that is beside parts no group', BesideDoesNotEndAGroup, 'a ∥ x ∥ b'],
    ['a @Parallel with after belongs to no group', ParallelWithAfter, 'a → b → c'],
    ['after may name a step further down', ForwardReference, 'b → a ∥ c'],
    ['an after that another one implies makes no edge', RedundantAfter, 'a → b → c'],
    ['a pause ends a group, as a step does', Pauses, 'a → ⏸ b → c → ⏸ d → e'],
    ['a child is a step of its own', Children, 'a → ⤷ b → ⤷ c[]?'],
    ['a pause may be beside', PauseBeside, 'a → ⏸ b → remind; c ⇠ a'],
    ['a condition is no step and splits no group', Condition, 'a → b? → c ∥ d?'],
    ['a join waits for so many of those it names', Joins, 'a ∥ b ∥ c → d(2 of 3) → e'],
    [
      'a join keeps what it names, and what stands below waits for all',
      JoinOfWhatWaits,
      'a → b; c(any) ⇠ a, b; d ⇠ b, c',
    ],
    ['a wait ends a group, and may be beside', Waits, 'a → ⏸ b → c → ⏸ d? → f; ⏸ e ⇠ c'],
    ['a compensation is no step and splits no group', CompensationInside, 'a ∥ b → c'],
    ['explicit order ignores the page', Explicit, 'b → a ∥ c → d'],
    ['numeric names keep their place', NumericNames, '2 → 1'],
    ['inherited steps come first', Extended, 'a → b → c'],
    ['a decorated override keeps its place and takes the new options', OverriddenAgain, 'a → b → c'],
    ['an undecorated override stays the step it was', OverriddenSilently, 'a → b → c'],
  ])('%s', (_, target, text) => {
    expect(textOf(target)).toBe(text);
  });

  it('gives the nodes in the order of the page, also where they run in another', () => {
    const [definition] = loadDefinitions([{ target: ForwardReference, instance: new ForwardReference(), host: null }]);
    expect(definition!.graph.nodes.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('says of a child what is not the default', () => {
    const [definition] = loadDefinitions([{ target: Children, instance: new Children(), host: null }]);
    const [, b, c] = definition!.graph.nodes;
    expect(b).toMatchObject({ kind: 'child' });
    expect(b).not.toHaveProperty('onParentEnd');
    expect(c).toMatchObject({ kind: 'child', onParentEnd: 'abandon', fanOut: { tolerate: 0 } });
  });

  it('leaves the base as it was when a subclass overrides its step', () => {
    Workflow({ name: 'w' })(Base);
    expect(textOf(Base)).toBe('a → b');
  });
});
