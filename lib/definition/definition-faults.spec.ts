import { describe, expect, it } from '@jest/globals';
import { Ctx as ForeignCtx, Payload } from '@nestjs/microservices';
import { Cron, Interval, Timeout } from '@nestjs/schedule';
import { z } from 'zod';
import { DefinitionError, type DefinitionFault } from '../engine/errors.js';
import { MAX_NODES } from '../engine/graph.js';
import { Compensate } from './compensate.decorator.js';
import { Ctx } from './ctx.decorator.js';
import { loadDefinitions } from './definition-loader.js';
import { Failure } from './failure.decorator.js';
import { SleepUntil } from './sleep-until.decorator.js';
import { Sleep } from './sleep.decorator.js';
import { Item } from './item.decorator.js';
import { Input } from './input.decorator.js';
import { Manager } from './manager.decorator.js';
import { Repeat } from './repeat.decorator.js';
import { readScheduleMarks } from './metadata.js';
import { SignalPayload } from './signal-payload.decorator.js';
import { WaitForSignal } from './wait-for-signal.decorator.js';
import { Result } from './result.decorator.js';
import { Retry } from './retry.decorator.js';
import { Schedule } from './schedule.decorator.js';
import { Parallel, Step } from './step.decorator.js';
import type { DefinitionDefaults } from './workflow-options.js';
import { Workflow } from './workflow.decorator.js';

// Faults are what JavaScript, `as any` and renamed methods let through: here every decorator takes anything.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
type Loose = (...args: any[]) => any;
const LooseStep: Loose = Step;
const LooseParallel: Loose = Parallel;
const LooseResult: Loose = Result;
const LooseRetry: Loose = Retry;
const LooseSleep: Loose = Sleep;
const LooseSleepUntil: Loose = SleepUntil;
const LooseFailure: Loose = Failure;
const LooseWait: Loose = WaitForSignal;
const LooseCompensate: Loose = Compensate;
const LooseSchedule: Loose = Schedule;
const LooseWorkflow: Loose = Workflow;

function faultsOf(...targets: (abstract new () => object)[]): readonly DefinitionFault[] {
  return faultsWith({}, ...targets);
}

function faultsWith(defaults: unknown, ...targets: (abstract new () => object)[]): readonly DefinitionFault[] {
  try {
    const found = targets.map((target) => ({ target: target, instance: {}, host: null }));
    loadDefinitions(found, defaults as DefinitionDefaults);
    return [];
  } catch (error) {
    if (error instanceof DefinitionError) return error.faults;
    throw error;
  }
}

function linesOf(...targets: (abstract new () => object)[]): string[] {
  return faultsOf(...targets).map(({ where, fault }) => `${where}: ${fault}`);
}

/** The faults of a workflow whose only step has these options. */
function stepFaults(options: unknown, decorator: Loose = LooseStep): string[] {
  @Workflow({ name: 'w' })
  class W {
    @decorator(options) a() {}
  }
  return linesOf(W);
}

function workflowFaults(options: unknown): string[] {
  @LooseWorkflow(options)
  class W {
    @Step() a() {}
  }
  return linesOf(W);
}

describe('the options of a step', () => {
  it.each([
    [
      { timout: '1s' },
      'W.a: @Step has no option "timout". Did you mean "timeout"? Its options are "after", "beside", "join", "when", "renamedFrom", "timeout", "retry", "queue", "priority", "onFailure", "verify", "delay", "scheduleToStart", "heartbeat", "repeat", "maxItems", "tolerate".',
    ],
    [{ when: 'isBig' }, /when names "isBig", which is no method of the class\. Its methods are none/],
    [{ when: 'a' }, /when names "a" itself/],
    [{ when: 'constructor' }, /when names "constructor", which is no method/],
    [{ when: 'toString' }, /when names "toString", which is no method/],
    [{ when: () => true }, /Expected when to be the name of a method, got \[Function: when\]/],
    [{ join: 'any' }, /has join without after\. Say in `after`/],
    [{ delay: 0 }, /Expected delay to be .*more than 0, got 0/],
    [{ scheduleToStart: 0 }, /Expected scheduleToStart to be .*more than 0, got 0/],
    [{ heartbeat: 0 }, /Expected heartbeat to be .*more than 0, got 0/],
    [{ heartbeat: '25d' }, /Expected heartbeat to be at most 24 days, got '25d'/],
    [{ scheduleToStart: '11y' }, /Expected scheduleToStart to be a duration/],
    [{ delay: '3651d' }, /Expected delay to be at most 10 years \(3650 days\), got '3651d'/],
    [
      { onFailure: 'continu' },
      /Expected onFailure to be one of "fail", "continue", got 'continu'\. Did you mean "continue"/,
    ],
    [{ maxItems: 5 }, /has the option maxItems, and no parameter with @Item/],
    [{ tolerate: '5%' }, /has the option tolerate, and no parameter with @Item/],
    [{ group: 'x' }, /@Step has no option "group"/],
    ['30s', /Expected the options of @Step to be an object, got '30s'/],
    [null, /Expected the options of @Step to be an object, got null/],
    [{ timeout: '14 days' }, /Expected timeout to be a duration such as .*, and more than 0, got '14 days'/],
    [{ timeout: 0 }, /Expected timeout to be .* more than 0, got 0/],
    [{ timeout: -1 }, /Expected timeout/],
    [{ timeout: '4w' }, /Expected timeout to be at most 24 days, got '4w'/],
    [{ queue: '' }, /Expected queue to be 1 to 100 characters without a colon, got ''/],
    [{ queue: 'a:b' }, /Expected queue .* got 'a:b'/],
    [{ queue: 'x'.repeat(101) }, /Expected queue/],
    [{ queue: 1 }, /Expected queue/],
    [{ priority: -1 }, /Expected priority to be an integer from 0 to 2097151, got -1/],
    [{ priority: 1.5 }, /Expected priority/],
    [{ priority: 2_097_152 }, /Expected priority/],
    [{ priority: '1' }, /Expected priority/],
    [{ after: 'a' }, /Expected after to be a list of step names, got 'a'/],
    [{ after: [1] }, /Expected after to be a list of step names/],
    [{ after: ['aa'] }, 'W.a: after names "aa", which is no step. Did you mean "a"? Its steps are "a".'],
    [{ beside: true }, /has beside without after/],
    [{ after: [], beside: 'yes' }, /Expected beside to be true or false, got 'yes'/],
    [{ retry: { attempts: 0 } }, /Expected attempts of retry to be an integer from 1 to 10000, got 0/],
    [{ retry: 10_001 }, /Expected retry \(attempts\) to be an integer/],
    [{ retry: 1.5 }, /Expected retry \(attempts\)/],
    [{ retry: Number.NaN }, /Expected retry \(attempts\)/],
    [{ retry: 'often' }, /Expected the options of retry to be an object, got 'often'/],
    [{ retry: { backof: 'fixed' } }, /retry has no option "backof"\. Did you mean "backoff"\?/],
    [
      { retry: { backoff: 'linear' } },
      /Expected backoff of retry to be a function or one of "fixed", "exponential", got 'linear'/,
    ],
    [{ retry: { backoff: 'exponentiel' } }, /got 'exponentiel'\. Did you mean "exponential"\?/],
    [{ retry: { backoff: 'own' } }, /Expected backoff of retry to be a function or/],
    [{ retry: { jitter: true } }, /Expected jitter of retry to be one of "full", "none", got true/],
    [{ retry: { factor: 0.5 } }, /Expected factor of retry to be a number of at least 1, got 0\.5/],
    [{ retry: { factor: Infinity } }, /Expected factor of retry/],
    [{ retry: { delay: 'soon' } }, /Expected delay of retry to be a duration/],
    [{ retry: { maxDelay: -1 } }, /Expected maxDelay of retry to be a duration/],
    [
      { retry: { delay: '2m', maxDelay: '1m' } },
      /Expected maxDelay of retry to be at least its delay \('2m'\), got '1m'/,
    ],
    [{ retry: { retryOn: Error } }, /Expected retryOn of retry to be a list of error classes/],
    [{ retry: { doNotRetryOn: [undefined] } }, /Expected doNotRetryOn of retry to be a list of error classes/],
  ])('%j are a fault', (options, fault) => {
    expect(stepFaults(options)).toEqual([typeof fault === 'string' ? fault : expect.stringMatching(fault)]);
  });

  it.each([[{ group: '' }], [{ group: 1 }], [{ group: 'x', after: [] }]])('%j of @Parallel are a fault', (options) => {
    expect(stepFaults(options, LooseParallel)).toEqual([expect.stringMatching(/group/)]);
  });

  it.each([
    [{}],
    [undefined],
    [{ timeout: undefined, after: undefined, retry: undefined }],
    [{ onFailure: 'fail', delay: '3650d' }],
    [{ timeout: 1, priority: 2_097_151, queue: 'x'.repeat(100) }],
    [{ retry: { attempts: 10_000, factor: 1, delay: 0, maxDelay: 0, retryOn: [], doNotRetryOn: [TypeError] } }],
  ])('%j are no fault', (options) => {
    expect(stepFaults(options)).toEqual([]);
  });
});

describe('a join', () => {
  function joinFaults(join: unknown, after: unknown = ['a', 'b']): string[] {
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {}
      @Step() b() {}
      @LooseStep({ after, join }) c() {}
    }
    return linesOf(W);
  }

  it.each([
    ['some', /^W\.c: Expected join to be 'all', 'any' or \{ atLeast: <a number of steps> \}, got 'some'/],
    [2, /^W\.c: Expected join to be/],
    [{}, /Expected atLeast of join to be an integer from 1 to the number of steps in after, got undefined/],
    [{ atLeast: 0 }, /Expected atLeast of join/],
    [{ atLeast: 3 }, /Expected atLeast of join/],
    [{ atLeast: 1.5 }, /Expected atLeast of join/],
  ])('%j is a fault', (join, fault) => {
    expect(joinFaults(join)).toEqual([expect.stringMatching(fault)]);
  });

  it('of fewer than two steps is a fault', () => {
    for (const after of [[], ['a'], ['a', 'a']])
      expect(joinFaults('any', after)).toEqual([
        expect.stringMatching(/^W\.c: has join, and after names fewer than two/),
      ]);
  });

  it('of what is misspelt is one fault', () => {
    expect(joinFaults('any', 'a')).toEqual([expect.stringMatching(/Expected after/)]);
    expect(joinFaults({ atLeast: 2 }, ['a', 'bb'])).toEqual([expect.stringMatching(/after names "bb"/)]);
  });

  it.each([['all'], ['any'], [{ atLeast: 1 }], [{ atLeast: 2 }], [undefined]])('%j is no fault', (join) => {
    expect(joinFaults(join)).toEqual([]);
  });

  it('gives no result of a step that may have lost it, and gives it optionally, to what stands behind as well', () => {
    @Workflow({ name: 'w' })
    class W {
      @Parallel() a() {}
      @Parallel() b() {}
      @Step({ after: ['a', 'b'], join: 'any' }) c(
        @Result('a') _: unknown,
        @Result('b', { optional: true }) __: unknown,
      ) {}
      @Step({ after: ['c'] }) d(@Result('a') _: unknown, @Result('b', { optional: true }) __: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      'W.c: parameter 0 takes the result of "a", which may have lost the join. Take it with { optional: true }.',
      'W.d: parameter 0 takes the result of "a", which need not have ended when "d" starts. Add "a" to its `after`.',
    ]);
  });

  it('does not promise what stands before only one of its steps', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() root() {}
      @Parallel() a() {}
      @Step({ after: ['root'] }) b() {}
      @Step({ after: ['a'] }) a2() {}
      @Step({ after: ['a2', 'b'], join: 'any' }) c(
        @Result('root') _: unknown,
        @Result('a', { optional: true }) __: unknown,
      ) {}
    }
    expect(linesOf(W)).toEqual([
      'W.c: parameter 1 takes the result of "a", which need not have ended when "c" starts. Add "a" to its `after`.',
    ]);
  });
});

describe('what verifies a step', () => {
  it('is a method of the class that is no step, and takes what the step may', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(): number[] {
        return [];
      }
      @LooseStep({ verify: 'wasDonne' }) b() {}
      @LooseStep({ verify: 'a' }) c() {}
      @LooseStep({ verify: 7 }) d() {}
      @LooseStep({ verify: 'wasDone' }) e(@Manager() _: unknown) {}
      @Sleep('1d', { verify: 'wasDone' } as never) f!: void;
      @LooseStep({ verify: 'wasItemDone' }) g(@Item('a') _: number) {}
      @LooseStep({ verify: 'wasBothDone' }) h(@Item('a') _: number) {}
      @LooseStep({ verify: 'wasBothDone' }) i() {}
      wasDone(@Result('z') _: unknown) {}
      wasItemDone(@Item('a') _: number, @Ctx() __: unknown) {}
      wasBothDone(@Item('a') _: number) {}
      @Step({ heartbeat: '1m' }) j(@Manager() _: unknown) {}
      @Step() z() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(
        /^W\.b: verify names "wasDonne", which is no method of the class\. Did you mean "wasDone"\?/,
      ),
      'W.c: verify names "a", which is a step. Name a method that is no step and returns { done: false }, or { done: true, result }.',
      'W.d: Expected verify to be the name of a method, got 7.',
      'W.e: has verify and @Manager(). Whether its transaction has come in is known: remove verify.',
      expect.stringMatching(/^W\.f: @Sleep has no option "verify"/),
      expect.stringMatching(/^W\.j: has heartbeat and @Manager\(\)\. .* give it a timeout instead\.$/),
      'W.wasBothDone: parameter 0 bears @Item, and only a @Step or @Parallel method can be a fan-out. Remove it.',
      expect.stringMatching(/^W\.e: parameter 0 of "wasDone", which verifies it, takes the result of "z"/),
    ]);
  });
});

describe('a step that is repeated', () => {
  it('says until when, how often and how often at most, once, and is nothing that is done once', () => {
    const repeat = { until: 'isDone', every: '1m', max: 3 } as const;
    @Workflow({ name: 'w' })
    class W {
      @LooseStep({ repeat: { until: 'isDonne', every: -1, max: 0 } }) a() {}
      @LooseStep({ repeat: { until: 'a' } }) b() {}
      @Step({ repeat }) @Repeat(repeat) c() {}
      @Step({ repeat }) d(@Item('input') _: unknown) {}
      @Step({ repeat, heartbeat: '1m' }) e(@Manager() _: unknown) {}
      @SleepUntil() @Repeat(repeat) f() {
        return new Date();
      }
      @Sleep('1d') @(Repeat(repeat) as PropertyDecorator) g!: void;
      @Step({ repeat }) h(@Result('h') _: unknown) {}
      @Step() @Repeat({ ...repeat, every: '4000d' }) i() {}
      isDone() {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([
      'W.g: bears @Repeat, and a @Sleep is done once. Remove @Repeat.',
      expect.stringMatching(/^W\.a: until names "isDonne", which is no method of the class\. Did you mean "isDone"\?/),
      expect.stringMatching(/^W\.a: Expected every of @Repeat to be a duration/),
      expect.stringMatching(/^W\.a: Expected max of @Repeat to be an integer from 1 to 1000000/),
      'W.b: has @Repeat without every. Say it: @Repeat({ until, every, max }).',
      'W.b: has @Repeat without max. Say it: @Repeat({ until, every, max }).',
      'W.b: until names "a", which is a step. Name a method that is no step and returns a boolean.',
      'W.c: has its repetition said 2 times (@Repeat and the option `repeat` are the same). Keep one of them.',
      expect.stringMatching(/^W\.d: bears @Repeat and @Item\./),
      expect.stringMatching(/^W\.e: has heartbeat and @Manager\(\)\./),
      expect.stringMatching(/^W\.e: bears @Repeat and @Manager\(\)\./),
      expect.stringMatching(/^W\.e: has heartbeat and @Repeat\./),
      expect.stringMatching(/^W\.f: bears @Repeat, and a @SleepUntil is done once\./),
      "W.i: Expected every of @Repeat to be at most 10 years (3650 days), got '4000d'.",
      expect.stringMatching(
        /^W\.h: parameter 0 takes the result of "h".*Take that of the round before, with \{ optional: true \}\.$/,
      ),
    ]);
  });
});

describe('a condition', () => {
  it('is a method of the class that is no step', () => {
    @Workflow({ name: 'w' })
    class W {
      @LooseStep({ when: 'isBigg' }) a() {}
      @LooseStep({ when: 'a' }) b() {}
      @LooseStep({ when: 'flag' }) c() {}
      @LooseStep({ when: 'arrow' }) d() {}
      get flag() {
        return true;
      }
      arrow = () => true;
      isBig(@Input() _: unknown) {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([
      'W.a: when names "isBigg", which is no method of the class. Did you mean "isBig"? Its methods are "isBig".',
      'W.b: when names "a", which is a step. Name a method that is no step and returns a boolean.',
      expect.stringMatching(/^W\.c: when names "flag", which is no method of the class/),
      expect.stringMatching(/^W\.d: when names "arrow", which is no method of the class/),
    ]);
  });

  it('takes parameters as a step does', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ when: 'isBig' }) a() {}
      @Step({ when: 'isBig' }) b() {}
      @Step({ when: 'isRetried' }) c() {}
      isBig(@Ctx() _: unknown, __: unknown, @LooseResult('d') ___: unknown, @Result('a') ____: unknown) {
        return true;
      }
      @Retry(2) isRetried(@Input() _: unknown) {
        return true;
      }
      isStray(@Failure('a') _: unknown) {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([
      'W.isRetried: bears @Retry, @Input but is no step. Add @Step() or @Parallel(); a decorated override says it again.',
      'W.isStray: bears @Failure but is no step. Add @Step() or @Parallel(); a decorated override says it again.',
      expect.stringMatching(/^W\.isBig: parameter 1 gets nothing/),
      expect.stringMatching(/^W\.isBig: @Result names 'd', which is no step/),
      'W.a: parameter 3 of its condition "isBig" takes the result of "a", which need not have ended when "a" starts. A step cannot take its own result.',
    ]);
  });

  it('takes the input as its class', () => {
    class OrderDto {}
    class OtherDto {}
    @Workflow({ name: 'w' })
    class W {
      static readonly input = OrderDto;
      @Step({ when: 'isBig' }) a() {}
      isBig(@Input() _: OtherDto) {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([expect.stringMatching(/^W\.isBig: parameter 0 takes OtherDto/)]);
  });
});

describe('a pause', () => {
  it.each([
    [['soon'], /Expected the duration of @Sleep to be a duration such as .*got 'soon'/],
    [[], /Expected the duration of @Sleep/],
    [[0], /Expected the duration of @Sleep to be .*more than 0, got 0/],
    [['600w'], /Expected the duration of @Sleep to be at most 10 years/],
    [
      ['1d', { delay: '1d' }],
      /@Sleep has no option "delay"\. Its options are "after", "beside", "join", "when", "renamedFrom"\./,
    ],
    [['1d', { timeout: 0 }], /@Sleep has no option "timeout"/],
    [['1d', { retry: 3 }], /@Sleep has no option "retry"/],
    [['1d', { queue: 'q' }], /@Sleep has no option "queue"/],
    [['1d', null], /Expected the options of @Sleep to be an object, got null/],
    [['1d', { when: 'isBig' }], /when names "isBig"/],
  ])('%j is a fault', (written, fault) => {
    @Workflow({ name: 'w' })
    class W {
      @LooseSleep(...written) a!: void;
    }
    expect(linesOf(W)).toEqual([expect.stringMatching(fault)]);
  });

  it('stands on a property, or on a method that says until when, alone', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() fine() {}
      @LooseSleep('1d') a() {}
      @LooseSleepUntil() b!: void;
      @LooseRetry(3) @Sleep('1d') c!: void;
      @LooseStep() @Sleep('1d') d!: void;
      @LooseStep() @LooseParallel() @LooseSleepUntil() e() {}
      @LooseSleepUntil({ delay: '1d' }) f() {}
      @LooseSleep('1d') static g: void;
      @LooseSleep('1d') get h() {
        return 1;
      }
    }
    expect(linesOf(W).toSorted()).toEqual([
      expect.stringMatching(/^W\.a: bears @Sleep and is a method, which would never be called\./),
      expect.stringMatching(/^W\.b: is a property/),
      'W.c: bears @Retry, and a @Sleep runs no code that could fail. Remove @Retry.',
      'W.d: bears both @Step and @Sleep. Keep one of them.',
      'W.e: bears @Step, @Parallel, @SleepUntil. Keep one of them.',
      expect.stringMatching(/^W\.f: @SleepUntil has no option "delay"/),
      expect.stringMatching(/^W\.g: is static/),
      expect.stringMatching(/^W\.h: is an accessor/),
    ]);
  });

  it('gives no result, unless code says until when', () => {
    @LooseWorkflow({ name: 'w' })
    class W {
      static readonly output = 'coolDown';
      @Sleep('1d') coolDown!: void;
      @SleepUntil() at() {
        return new Date();
      }
      @Step() a(
        @LooseResult('coolDown') _: unknown,
        @LooseResult('coolDown', { optional: true }) __: unknown,
        @Result('at') ___: Date,
      ) {}
    }
    expect(linesOf(W)).toEqual([
      `W: static output is 'coolDown', which is a @Sleep and gives no result. Name another step.`,
      'W.a: parameter 0 takes the result of "coolDown", which is a @Sleep and gives no result. Remove the parameter.',
      expect.stringMatching(/^W\.a: parameter 1 takes the result of "coolDown", which is a @Sleep/),
    ]);
  });
});

describe('a step that may fail without an end of the run', () => {
  it('gives its failure, and its result only optionally', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ onFailure: 'continue' }) a(@LooseFailure('a') _: unknown) {}
      @Step({ when: 'isFine' }) b(@Result('a') _: unknown, @Result('a', { optional: true }) __: unknown) {}
      @Step() c(@Failure('a') _: unknown, @Failure('b') __: unknown, @LooseFailure('aa') ___: unknown) {}
      @Step({ after: [] }) d(@Failure('a') _: unknown, @LooseResult('c', { optinal: true }) __: unknown) {}
      @Step() e(@LooseResult('c', { optional: 1 }) _: unknown) {}
      isFine(@Result('a') _: unknown) {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([
      `W.c: @Failure names 'aa', which is no step. Did you mean "a"? Its steps are "a", "b", "c", "d", "e".`,
      'W.d: @Result has no option "optinal". Did you mean "optional"? Its options are "optional".',
      'W.e: Expected optional of @Result to be true or false, got 1.',
      'W.a: parameter 0 takes the failure of "a", which need not have ended when "a" starts. A step cannot take its own failure.',
      'W.b: parameter 0 takes the result of "a", which may have failed without a result. Take it with { optional: true }.',
      'W.b: parameter 0 of its condition "isFine" takes the result of "a", which may have failed without a result. Take it with { optional: true }.',
      `W.c: parameter 1 takes the failure of "b", which ends the run. Give "b" the option onFailure: 'continue', or remove the parameter.`,
      'W.d: parameter 0 takes the failure of "a", which need not have ended when "d" starts. Add "a" to its `after`.',
      'W.d: parameter 1 takes the result of "c", which need not have ended when "d" starts. Add "c" to its `after`.',
    ]);
  });
});

describe('a wait for a signal', () => {
  const waitFaults = (...written: unknown[]): string[] => {
    @Workflow({ name: 'w' })
    class W {
      @LooseWait(...written) a() {}
    }
    return linesOf(W);
  };

  it.each([
    [
      [],
      /^W\.a: Expected @WaitForSignal to be given the name of a signal, or a list of at least one, .* got undefined/,
    ],
    [[''], /Expected @WaitForSignal .* 1 to 200 characters without NUL or lone surrogates, got ''/],
    [[[]], /Expected @WaitForSignal .* got \[\]/],
    [[['a', 7]], /Expected @WaitForSignal/],
    [['x'.repeat(201)], /Expected @WaitForSignal/],
    [['a\0'], /Expected @WaitForSignal/],
    [[['a', 'b', 'a']], /^W\.a: waits for "a" twice\. Name each signal once\.$/],
    [['a', { timeout: 0 }], /Expected timeout to be .*more than 0, got 0/],
    [['a', { timeout: '3651d' }], /Expected timeout to be at most 10 years/],
    [['a', { onTimeout: 'skip' }], /has onTimeout without timeout\. Say in `timeout` how long it waits/],
    [['a', { timeout: 1, onTimeout: 'skp' }], /Expected onTimeout to be 'fail', 'skip' or \{ value: .* got 'skp'/],
    [['a', { timeout: 1, onTimeout: {} }], /Expected onTimeout/],
    [['a', { timeout: 1, onTimeout: null }], /Expected onTimeout/],
    [['a', { timeout: 1, onTimeout: [1] }], /Expected onTimeout/],
    [['a', { timeout: 1, onTimeout: { valu: 1 } }], /onTimeout has no option "valu"\. Did you mean "value"/],
    [
      ['a', { delay: 1 }],
      'W.a: @WaitForSignal has no option "delay". Its options are "after", "beside", "when", "renamedFrom", "timeout", "onTimeout", "retry", "queue", "priority", "onFailure".',
    ],
    [['a', { join: 'any' }], /@WaitForSignal has no option "join"/],
    [['a', { queue: 'a:b' }], /Expected queue/],
    [['a', null], /Expected the options of @WaitForSignal to be an object, got null/],
  ])('%j is a fault', (written, fault) => {
    expect(waitFaults(...written)).toEqual([typeof fault === 'string' ? fault : expect.stringMatching(fault)]);
  });

  it.each([
    [['a']],
    [[['a', 'b']]],
    [['a', { timeout: '3650d', onTimeout: 'fail' }]],
    [['a', { timeout: '30d', onTimeout: 'skip', onFailure: 'continue' }]],
    [['a', { timeout: 1, onTimeout: { value: undefined } }]],
  ])('%j is no fault', (written) => {
    expect(waitFaults(...written)).toEqual([]);
  });

  it('stands on a method, alone, and gives the payload to it only', () => {
    @Workflow({ name: 'w' })
    class W {
      @LooseWait('x') a!: void;
      @LooseWait('x') @LooseStep() b() {}
      @WaitForSignal('x', { when: 'isFine' }) c(@SignalPayload() _: unknown) {}
      @Step() d(@SignalPayload() _: unknown) {}
      @Compensate('c') e(@SignalPayload() _: unknown) {}
      f(@SignalPayload() _: unknown) {}
      isFine(@SignalPayload() _: unknown) {
        return true;
      }
    }
    expect(linesOf(W).toSorted()).toEqual([
      expect.stringMatching(/^W\.a: is a property/),
      'W.b: bears both @Step and @WaitForSignal. Keep one of them.',
      "W.d: parameter 0 bears @SignalPayload, and only a @WaitForSignal method is given a payload. Take the result of that method with @Result('…').",
      expect.stringMatching(/^W\.e: parameter 0 bears @SignalPayload/),
      expect.stringMatching(/^W\.f: bears @SignalPayload but is no step/),
      expect.stringMatching(/^W\.isFine: parameter 0 bears @SignalPayload/),
    ]);
  });

  it('gives a transaction only to what completes with its own code', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ when: 'isFine' }) a(@Manager() _: unknown) {}
      @Parallel() b(@Manager() _: unknown) {}
      @WaitForSignal('x') c(@Manager() _: unknown) {}
      @SleepUntil() d(@Manager() _: unknown) {
        return new Date();
      }
      @Compensate('a') e(@Manager() _: unknown) {}
      @Step() f(@Ctx() @Manager() _: unknown) {}
      isFine(@Manager() _: unknown) {
        return true;
      }
    }
    expect(linesOf(W).toSorted()).toEqual([
      'W.d: parameter 0 bears @Manager, which only a @Step, @Parallel, @WaitForSignal or @Compensate method can take. Write to the database in a step.',
      'W.f: parameter 0 bears two of @Input, @Result, @Results, @Item, @Failure, @SignalPayload, @Manager and @Ctx. Keep one of them.',
      expect.stringMatching(/^W\.isFine: parameter 0 bears @Manager/),
    ]);
  });

  it('that may fail without an end of the run gives its result only optionally', () => {
    @Workflow({ name: 'w' })
    class W {
      @WaitForSignal('x', { onFailure: 'continue' }) a() {}
      @WaitForSignal('y', { timeout: 1, onTimeout: 'skip' }) b() {}
      @Step() c(@Result('a') _: unknown, @Result('b') __: unknown, @Failure('a') ___: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      'W.c: parameter 0 takes the result of "a", which may have failed without a result. Take it with { optional: true }.',
    ]);
  });
});

describe('static signals', () => {
  class Proof {
    by = '';
  }
  class LongProof extends Proof {}
  class Other {}

  function signalFaults(signals: unknown): string[] {
    @LooseWorkflow({ name: 'w' })
    class W {
      static readonly signals = signals;
      @WaitForSignal('delivered') a() {}
    }
    return linesOf(W);
  }

  it.each([[null], [[]], ['delivered'], [Proof], [z.object({ delivered: z.string() })]])(
    '%p are a fault',
    (signals) => {
      expect(signalFaults(signals)).toEqual([
        expect.stringMatching(/^W: Expected static signals to be an object with a DTO class or a Standard Schema/),
      ]);
    },
  );

  it('have a description for every name', () => {
    expect(signalFaults({ delivered: 'Proof', refused: () => undefined, '': Proof, late: undefined })).toEqual([
      `W: Expected "delivered" of static signals to be a DTO class or a Standard Schema, got 'Proof'.`,
      expect.stringMatching(/^W: Expected "refused" of static signals/),
      expect.stringMatching(/^W: static signals has the name ''/),
      expect.stringMatching(/^W: Expected "late" of static signals .* got undefined/),
    ]);
    expect(signalFaults({ delivered: z.string(), refused: Proof })).toEqual([]);
  });

  it('have every signal that is waited for', () => {
    @Workflow({ name: 'w' })
    class W {
      static readonly signals = { delivered: Proof, refused: z.string() };
      @WaitForSignal(['deliverd', 'refused', 'toString']) a() {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: waits for "deliverd", which is none of static signals. Did you mean "delivered"? Its signals are "delivered", "refused".',
      'W.a: waits for "toString", which is none of static signals. Its signals are "delivered", "refused".',
    ]);
    expect(signalFaults({})).toEqual([
      'W.a: waits for "delivered", which is none of static signals. Its signals are none.',
    ]);
  });

  it('are taken as their classes', () => {
    @Workflow({ name: 'w' })
    class W {
      static readonly signals = { short: Proof, long: LongProof, free: z.string() };
      @WaitForSignal(['short', 'long']) a(@SignalPayload() _: Proof) {}
      @WaitForSignal(['short', 'long']) b(@SignalPayload() _: LongProof) {}
      @WaitForSignal('free') c(@SignalPayload() _: string) {}
      @WaitForSignal('short') d(@Ctx() _: unknown, @SignalPayload() __: Other) {}
      @WaitForSignal('short') e(@SignalPayload() _: { by: string }) {}
    }
    expect(linesOf(W)).toEqual([
      'W.b: parameter 0 takes LongProof, but the signal "short" is Proof. Declare the parameter as Proof.',
      'W.d: parameter 1 takes Other, but the signal "short" is Proof. Declare the parameter as Proof.',
    ]);
  });
});

describe('a compensation', () => {
  it.each([
    [[], /^W\.undo: @Compensate names undefined, which is no step\. Its steps are "charge", "coolDown", "at"\.$/],
    [['chrge'], /@Compensate names 'chrge', which is no step\. Did you mean "charge"\?/],
    [['undo'], /@Compensate names 'undo', which undoes a step and is none of the page: .* The steps are "charge", /],
    [['coolDown'], 'W.undo: undoes "coolDown", which is a @Sleep and does nothing. Remove the method.'],
    [
      ['charge', { after: [] }],
      'W.undo: @Compensate has no option "after". Its options are "timeout", "retry", "queue", "priority", "renamedFrom".',
    ],
    [['charge', { when: 'isFine' }], /@Compensate has no option "when"/],
    [['charge', { onFailure: 'continue' }], /@Compensate has no option "onFailure"/],
    [['charge', { timeout: '4w' }], /Expected timeout to be at most 24 days/],
    [['charge', { queue: '' }], /Expected queue/],
    [['charge', { priority: -1 }], /Expected priority/],
    [['charge', { retry: 0 }], /Expected retry \(attempts\)/],
    [['charge', 5], /Expected the options of @Compensate to be an object, got 5/],
  ])('%j is a fault', (written, fault) => {
    @Workflow({ name: 'w' })
    class W {
      @Step() charge() {}
      @Sleep('1d') coolDown!: void;
      @SleepUntil() at() {
        return new Date();
      }
      @LooseCompensate(...written) undo() {}
    }
    expect(linesOf(W)).toEqual([typeof fault === 'string' ? fault : expect.stringMatching(fault)]);
  });

  it('is one of a step, and stands on a method alone', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() charge() {}
      @SleepUntil() at() {
        return new Date();
      }
      @WaitForSignal('x') wait() {}
      @Compensate('at') undoAt() {}
      @Compensate('wait') undoWait() {}
      @Compensate('charge') refund() {}
      @Compensate('charge') refundAgain() {}
      @LooseCompensate('charge') property = () => undefined;
      @LooseCompensate('at') @LooseStep() both() {}
      @Compensate('charge', { retry: 2 }) @Retry(3) twice() {}
      @Compensate('charge') @Cron('* * * * * *') scheduled() {}
    }
    expect(linesOf(W).toSorted()).toEqual([
      'W.both: bears both @Step and @Compensate. Keep one of them.',
      expect.stringMatching(/^W\.property: is a property/),
      'W.refundAgain: undoes "charge", and so does "refund". Keep one of them.',
      expect.stringMatching(/^W\.scheduled: bears @Cron/),
      expect.stringMatching(/^W\.scheduled: undoes "charge", and so does "refund"/),
      expect.stringMatching(/^W\.twice: has its retry policy said 2 times/),
      expect.stringMatching(/^W\.twice: undoes "charge"/),
    ]);
  });

  it('is no step of the page', () => {
    @LooseWorkflow({ name: 'w' })
    class W {
      static readonly output = 'refund';
      @Step() charge() {}
      @Compensate('charge') refund() {
        return true;
      }
      @LooseStep({ after: ['refund'] }) a(@Result('charge') _: unknown) {}
      @Step() b(@LooseResult('refund') _: unknown, @LooseFailure('refund') __: unknown) {}
      @Step({ when: 'refund' }) c() {}
      @LooseStep({ when: 'refnd' }) d() {}
    }
    const what = 'which undoes a step and is none of the page: nothing waits for it or takes its result.';
    const steps = 'The steps are "charge", "a", "b", "c", "d".';
    expect(linesOf(W)).toEqual([
      `W.a: after names "refund", ${what} ${steps}`,
      'W.c: when names "refund", which undoes a step. Name a method that does nothing else and returns a boolean.',
      'W.d: when names "refnd", which is no method of the class. Its methods are none.',
      `W.b: @Result names 'refund', ${what} ${steps}`,
      `W.b: @Failure names 'refund', ${what} ${steps}`,
      `W: static output is 'refund', ${what} ${steps}`,
    ]);
  });

  it('may rely on what its step could rely on, and on nothing else', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() first() {}
      @Step({ when: 'isBig' }) gift() {}
      @Step({ when: 'isBig' }) wrap() {}
      @Step({ onFailure: 'continue' }) notify() {}
      @Parallel() other() {}
      @Parallel() charge(@Result('gift') _: unknown) {}
      @Step({ after: ['charge'] }) ship() {}
      @Sleep('1d') coolDown!: void;

      @Compensate('ship') takeBack(
        @Input() _: unknown,
        @Ctx() __: unknown,
        @Failure() ___: Error | undefined,
        @Failure('notify') ____: unknown,
        @Result('first') a: unknown,
        @Result('gift') b: unknown,
        @Result('charge') c: unknown,
        @Result('ship', { optional: true }) d: unknown,
        @Result('other', { optional: true }) e: unknown,
        @Result('wrap', { optional: true }) f: unknown,
        @Result('notify', { optional: true }) g: unknown,
      ) {
        return [a, b, c, d, e, f, g];
      }
      @Compensate('charge') refund(
        @Result('charge') _: unknown,
        @Result('wrap') __: unknown,
        @Result('other') ___: unknown,
        @Result('ship') ____: unknown,
        @Result('notify') a: unknown,
        @LooseResult('coolDown', { optional: true }) b: unknown,
        @Failure('ship') c: unknown,
        d: unknown,
      ) {
        return [a, b, c, d];
      }
      isBig() {
        return true;
      }
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.refund: parameter 7 gets nothing/),
      'W.refund: parameter 0 takes the result of "charge", which it undoes also where its outcome is not known. Take it with { optional: true }.',
      'W.refund: parameter 1 takes the result of "wrap", which need not have one when "charge" is undone. Take it with { optional: true }.',
      expect.stringMatching(/^W\.refund: parameter 2 takes the result of "other", which need not have one/),
      expect.stringMatching(/^W\.refund: parameter 3 takes the result of "ship", which need not have one/),
      'W.refund: parameter 4 takes the result of "notify", which may have failed without a result. Take it with { optional: true }.',
      'W.refund: parameter 5 takes the result of "coolDown", which is a @Sleep and gives no result. Remove the parameter.',
      `W.refund: parameter 6 takes the failure of "ship", which ends the run. Give "ship" the option onFailure: 'continue', or remove the parameter. @Failure() without a name gives the failure for which the run is undone.`,
    ]);
  });

  it('may rely on no step that lost a join, nor on one that a timeout skips', () => {
    @Workflow({ name: 'w' })
    class W {
      @Parallel() a() {}
      @Parallel() b() {}
      @WaitForSignal('x', { timeout: 1, onTimeout: 'skip' }) wait() {}
      @Step({ after: ['a', 'b'], join: 'any' }) first() {}
      @Step() last() {}
      @Compensate('first') undo(@Result('a') _: unknown, @Result('b', { optional: true }) __: unknown) {}
      @Compensate('last') undoLast(@Result('wait') _: unknown, @Result('first') __: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.undo: parameter 0 takes the result of "a", which need not have one/),
      expect.stringMatching(/^W\.undoLast: parameter 0 takes the result of "wait", which need not have one/),
      expect.stringMatching(/^W\.undoLast: parameter 1 takes the result of "first", which need not have one/),
    ]);
  });

  it('whose step cannot be told is one fault, not two', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() charge() {}
      @LooseStep({ after: ['chrge'] }) ship() {}
      @LooseCompensate('shp') undo(@Result('charge') _: unknown) {}
      @Compensate('ship') takeBack(@Result('charge') _: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.ship: after names "chrge"/),
      expect.stringMatching(/^W\.undo: @Compensate names 'shp', which is no step\. Did you mean "ship"/),
    ]);
  });

  it('alone is given the failure of the run', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ when: 'isFine' }) a(@Failure() _: unknown) {}
      @Compensate('a') undo(@Failure() _: unknown) {}
      isFine(@Failure() _: unknown) {
        return true;
      }
      stray(@Failure() _: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.stray: bears @Failure but is no step/),
      'W.a: parameter 0 bears @Failure without a name, which only a @Compensate method can take. Name the step whose failure it takes.',
      expect.stringMatching(/^W\.isFine: parameter 0 bears @Failure without a name/),
    ]);
  });

  it('counts as a step of the graph', () => {
    class W {}
    const add = (name: string, decorate: MethodDecorator) => {
      const descriptor = { value: () => undefined, configurable: true, writable: true };
      Object.defineProperty(W.prototype, name, descriptor);
      decorate(W.prototype, name, descriptor as never);
    };
    for (let step = 1; step < MAX_NODES; step++) add(`s${step}`, Step() as MethodDecorator);
    add('undo', LooseCompensate('s1') as MethodDecorator);
    Workflow({ name: 'w' })(W);
    expect(linesOf(W)).toEqual([]);
    add('undo2', LooseCompensate('s2') as MethodDecorator);
    expect(linesOf(W)).toEqual([
      'W: has 1001 steps and compensations, and at most 1000 are allowed. Divide the workflow.',
    ]);
  });

  it('needs no after where the order is explicit', () => {
    @Workflow({ name: 'w', order: 'explicit' })
    class W {
      @Step({ after: [] }) a() {}
      @Compensate('a') undo() {}
    }
    expect(linesOf(W)).toEqual([]);
  });
});

describe('the options of a workflow', () => {
  it.each([
    [undefined, /Expected the options of @Workflow to be an object, got undefined/],
    [
      { name: '' },
      /Expected name of @Workflow to be a text of 1 to 200 characters without NUL or lone surrogates, got ''/,
    ],
    [{ name: ' ' }, /Expected name/],
    [{ name: 'x'.repeat(201) }, /Expected name/],
    [{ name: 'a\0b' }, /Expected name/],
    [{ name: 'a\ud800' }, /Expected name/],
    [{ name: Symbol('w') }, /Expected name/],
    [{ name: 'w', queue: 'a\0b' }, /Expected queue/],
    [{ name: 'w', queue: '\udc00' }, /Expected queue/],
    [{ name: 'w', queue: 'x'.repeat(101) }, /Expected queue/],
    [{ name: 'w', priority: Number.NaN }, /Expected priority/],
    [{ name: 'w', priority: 2_097_152 }, /Expected priority/],
    [{ name: 'w', tags: 'vip' }, /Expected tags to be a list of at most 20 texts.* got 'vip'/],
    [{ name: 'w', tags: [''] }, /Expected tags/],
    [{ name: 'w', maxRuns: 0 }, /Expected maxRuns to be a whole number from 1 to 100,000, got 0/],
    [{ name: 'w', maxRuns: '10' }, /Expected maxRuns to be a whole number .* got '10'/],
    [{ name: 'w', maxRuns: null }, /maxRuns/],
    [{ name: 'w', maxRuns: { total: 1.5 } }, /Expected total of maxRuns to be a whole number/],
    [{ name: 'w', maxRuns: { perTenant: 100_001 } }, /Expected perTenant of maxRuns to be a whole number/],
    [{ name: 'w', maxRuns: {} }, /Expected maxRuns to be a number, or to have total or perTenant, got neither/],
    [{ name: 'w', maxRuns: { limit: 10 } }, /limit.* of maxRuns|maxRuns.*limit/],
    [{}, /Expected name of @Workflow .* got undefined/],
    [{ name: 'w', version: 3 }, /Expected version of @Workflow/],
    [
      { name: 'w', order: 'explict' },
      /Expected order to be one of "page", "explicit", got 'explict'\. Did you mean "explicit"\?/,
    ],
    [{ name: 'w', dedline: '14d' }, /@Workflow has no option "dedline"/],
    [{ name: 'w', deadline: '0s' }, /Expected deadline of @Workflow to be/],
    [{ name: 'w', deadline: '3651d' }, /Expected deadline of @Workflow to be at most 10 years/],
    [{ name: 'w', queue: 'a:b' }, /Expected queue/],
    [{ name: 'w', priority: -1 }, /Expected priority/],
    [{ name: 'w', retry: 0 }, /Expected retry of @Workflow \(attempts\)/],
  ])('%j are a fault', (options, fault) => {
    expect(workflowFaults(options)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]));
    expect(workflowFaults(options).every((line) => line.startsWith('W: '))).toBe(true);
  });

  it('of the module are checked as well', () => {
    const faults = faultsWith({ retry: { attempts: 0 }, timeout: 0 });
    expect(faults.map(({ where }) => where)).toEqual(['OrchestrateFlowModule', 'OrchestrateFlowModule']);
    expect(faults[0]!.fault).toMatch(/Expected attempts of defaults.retry/);
  });
});

describe('a member that cannot be a step', () => {
  it('is reported, whatever it is', () => {
    const symbol = Symbol('hidden');
    @Workflow({ name: 'w' })
    class W {
      @Step() static fixed() {}
      @LooseStep() arrow = () => undefined;
      @LooseStep() get accessor() {
        return 1;
      }
      @Step() [symbol]() {}
      @Step() onModuleInit() {}
      @Step() then() {}
      @Step() ['nul\0']() {}
      @Step() fine() {}
      constructor(@Input() readonly order?: unknown) {}
    }
    expect(linesOf(W).toSorted()).toEqual([
      expect.stringMatching(/^W\.Symbol\(hidden\): has a symbol for a name/),
      expect.stringMatching(/^W\.accessor: is an accessor\. A step is a method/),
      expect.stringMatching(/^W\.arrow: is a property, such as an arrow function\. A step is a method/),
      expect.stringMatching(/^W\.constructor: a parameter of the constructor bears/),
      expect.stringMatching(/^W\.fixed: is static\. A step is a method of the instance: remove `static`/),
      expect.stringMatching(/^W\.nul\0: has a name that cannot be stored/),
      expect.stringMatching(/^W\.onModuleInit: is a lifecycle hook/),
      expect.stringMatching(/^W\.then: is what `await` calls/),
    ]);
  });

  it('is told from an instance method of the same name', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {}
      @Retry(2) static a() {}
    }
    expect(linesOf(W)).toEqual([expect.stringMatching(/^W\.a: is static/)]);
  });

  it('is reported where a decorator stands without @Step', () => {
    @Workflow({ name: 'w' })
    class W {
      @Retry(2) a(@Input() _: unknown, @Ctx() __: unknown) {}
      b(@LooseResult('c') _: unknown) {}
      @Step() c() {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: bears @Retry, @Input, @Ctx but is no step. Add @Step() or @Parallel(); a decorated override says it again.',
      'W.b: bears @Result but is no step. Add @Step() or @Parallel(); a decorated override says it again.',
    ]);
  });

  it('is reported where an override is decorated without @Step', () => {
    class Base {
      @Step() a() {}
    }
    @Workflow({ name: 'w' })
    class W extends Base {
      @Retry(3) override a() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.a: bears @Retry but is no step\..*a decorated override says it again/),
    ]);
  });

  it('is reported where two step decorators stand on one method', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() @Parallel() a() {}
      @Step() @Step() b() {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: bears both @Step and @Parallel. Keep one of them.',
      'W.b: bears @Step 2 times. Keep one of them.',
    ]);
  });

  it('is reported where a subclass overrides a step by an accessor', () => {
    class Base {
      @Step() a() {}
    }
    class W extends Base {}
    Object.defineProperty(W.prototype, 'a', { get: () => () => undefined });
    Workflow({ name: 'w' })(W);
    expect(linesOf(W)).toEqual([expect.stringMatching(/^W\.a: is overridden by something that is no method/)]);
  });
});

describe('a retry policy said twice', () => {
  it('is a fault', () => {
    @Workflow({ name: 'w' })
    class W {
      @Retry(2) @Step({ retry: 3 }) a() {}
      @Step() @Retry(2) @Retry(3) b() {}
      @Step() @LooseRetry() c() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.a: has its retry policy said 2 times/),
      expect.stringMatching(/^W\.b: has its retry policy said 2 times/),
      expect.stringMatching(/^W\.c: Expected @Retry to be given a number of attempts or a policy/),
    ]);
  });
});

describe('a parameter', () => {
  it('that gets nothing is a fault, unless it has a default', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(@Input() _: unknown, __: unknown) {}
      @Step() b(_: unknown = 1) {}
      @Step() c(..._: unknown[]) {}
    }
    expect(linesOf(W)).toEqual([
      "W.a: parameter 1 gets nothing. Give it @Input(), @Result('…') or @Ctx(), or a default value.",
    ]);
  });

  it('with two of our decorators is a fault', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(@Input() @Ctx() _: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: parameter 0 bears two of @Input, @Result, @Results, @Item, @Failure, @SignalPayload, @Manager and @Ctx. Keep one of them.',
    ]);
  });

  it('with the result of an unknown step is a fault', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() charge() {}
      @Step() ship(@LooseResult('chrge') _: unknown, @LooseResult(7) __: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      'W.ship: @Result names \'chrge\', which is no step. Did you mean "charge"? Its steps are "charge", "ship".',
      'W.ship: @Result names 7, which is no step. Its steps are "charge", "ship".',
    ]);
  });

  it('with the result of a step that need not have ended is a fault', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(@Result('b') _: unknown) {}
      @Parallel() b(@Result('c') _: unknown) {}
      @Parallel() c(@Result('c') _: unknown) {}
      @Step({ after: ['a'] }) d(@Result('b') _: unknown, @Result('a') __: unknown) {}
      @Step() e(@Result('a') _: unknown, @Result('d') __: unknown) {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: parameter 0 takes the result of "b", which need not have ended when "a" starts. Move it below "b" and, where both are @Parallel, into another group.',
      expect.stringMatching(/^W\.b: parameter 0 takes the result of "c"/),
      'W.c: parameter 0 takes the result of "c", which need not have ended when "c" starts. A step cannot take its own result.',
      'W.d: parameter 0 takes the result of "b", which need not have ended when "d" starts. Add "b" to its `after`.',
    ]);
  });

  it('whose step is misspelt in after is one fault, not two', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() charge() {}
      @LooseStep({ after: ['chrge'] }) ship(@Result('charge') _: unknown) {}
    }
    expect(linesOf(W)).toEqual([expect.stringMatching(/^W\.ship: after names "chrge"/)]);
  });
});

describe('decorators of other packages on a step', () => {
  it('are faults where they would call the step', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() @Cron('* * * * * *') a() {}
      @Interval(1_000) @Step() b() {}
      @Step() @Timeout(1_000) c() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.a: bears @Cron of @nestjs\/schedule/),
      expect.stringMatching(/^W\.b: bears @Interval of @nestjs\/schedule/),
      expect.stringMatching(/^W\.c: bears @Timeout of @nestjs\/schedule/),
    ]);
  });

  it('are faults where they stand on a parameter, once each', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step() a(@Input() _: unknown, @ForeignCtx() __: unknown, @Payload() ___: unknown) {}
    }
    expect(linesOf(W).toSorted()).toEqual([
      expect.stringMatching(/^W\.a: parameter 1 bears a decorator of @nestjs\/common or @nestjs\/microservices/),
      expect.stringMatching(/^W\.a: parameter 2 bears a decorator/),
    ]);
  });
});

describe('the input', () => {
  class OrderDto {
    id = '';
  }
  class RushOrderDto extends OrderDto {}
  class OtherDto {}

  it('declared as another class is a fault', () => {
    @Workflow({ name: 'w' })
    class W {
      static readonly input = OrderDto;
      @Step() a(@Input() _: OtherDto) {}
      @Step() b(@Input() _: OrderDto) {}
      @Step() c(@Input() _: { id: string }) {}
      @Step() d(@Input() _: RushOrderDto) {}
      @Step() e(@Input() _: string) {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: parameter 0 takes OtherDto, but static input is OrderDto. Declare the parameter as OrderDto.',
      expect.stringMatching(/^W\.d: parameter 0 takes RushOrderDto/),
      expect.stringMatching(/^W\.e: parameter 0 takes String/),
    ]);
  });

  it('may be taken as its base class', () => {
    @Workflow({ name: 'w' })
    class W {
      static readonly input = RushOrderDto;
      @Step() a(@Input() _: OrderDto) {}
    }
    expect(linesOf(W)).toEqual([]);
  });

  it('may be a Standard Schema, whatever the parameter is declared as', () => {
    @Workflow({ name: 'w' })
    class W {
      static readonly input = z.object({ id: z.string() });
      @Step() a(@Input() _: OtherDto) {}
    }
    expect(linesOf(W)).toEqual([]);
  });

  it.each([[{}], [null], ['OrderDto'], [() => undefined]])('%p is a fault', (input) => {
    @Workflow({ name: 'w' })
    class W {
      static readonly input: unknown = input;
      @Step() a() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W: Expected static input to be a DTO class or a Standard Schema/),
    ]);
  });
});

describe('a workflow', () => {
  it('without steps is a fault', () => {
    @Workflow({ name: 'w' })
    class W {}
    expect(linesOf(W)).toEqual(['W: has no steps. Add @Step() to a method.']);
    Workflow({ name: '' })(W);
    expect(linesOf(W)).toHaveLength(2);
  });

  it('whose output names no step is a fault', () => {
    @LooseWorkflow({ name: 'w' })
    class W {
      static readonly output = 'shipp';
      @Step() ship() {}
    }
    expect(linesOf(W)).toEqual([
      `W: static output is 'shipp', which is no step. Did you mean "ship"? Its steps are "ship".`,
    ]);
  });

  it('whose name another has is a fault', () => {
    @Workflow({ name: 'order' })
    class First {
      @Step() a() {}
    }
    @Workflow({ name: 'order' })
    class Second {
      @Step() a() {}
    }
    expect(linesOf(First, Second)).toEqual([
      'Second: is named "order", and so is First. Names of workflows are unique: rename one.',
    ]);
  });

  it('with explicit order says after everywhere', () => {
    @Workflow({ name: 'w', order: 'explicit' })
    class W {
      @Step({ after: [] }) a() {}
      @Step() b() {}
      @Parallel() c() {}
    }
    expect(linesOf(W)).toEqual([
      expect.stringMatching(/^W\.b: has no after, and the workflow says order: 'explicit'/),
      expect.stringMatching(/^W\.c: has no after/),
    ]);
  });

  it('whose steps wait for each other is a fault that names the way', () => {
    @Workflow({ name: 'w' })
    class W {
      @Step({ after: ['c'] }) a() {}
      @Step() b() {}
      @Step() c() {}
      @Step({ after: ['d'] }) d() {}
    }
    expect(linesOf(W)).toEqual([
      'W.a: waits for itself: a waits for c, c waits for a. Take one of these out of `after`; a step without `after` waits for every step above it that is not `beside`.',
      'W.d: waits for itself: d waits for d. Take one of these out of `after`.',
    ]);
  });

  it('has as many steps as a graph may have', () => {
    const withSteps = (count: number): new () => object => {
      class W {}
      for (let step = 0; step < count; step++) {
        Object.defineProperty(W.prototype, `s${step}`, { value: () => undefined, configurable: true, writable: true });
        Step()(W.prototype, `s${step}`, Object.getOwnPropertyDescriptor(W.prototype, `s${step}`)!);
      }
      Workflow({ name: 'w' })(W);
      return W;
    };
    expect(linesOf(withSteps(MAX_NODES))).toEqual([]);
    expect(linesOf(withSteps(MAX_NODES + 1))).toEqual([
      'W: has 1001 steps, and at most 1000 are allowed. Divide the workflow.',
    ]);
  });

  it('reports all its faults together with those of the others', () => {
    @LooseWorkflow({ name: '' })
    class First {
      static readonly output = 'none';
      @LooseStep({ timeout: 0, queue: '' }) a(_: unknown) {}
    }
    @Workflow({ name: 'second' })
    class Second {}
    const faults = faultsOf(First, Second);
    expect(faults.map(({ where }) => where)).toEqual(['First', 'First.a', 'First.a', 'First.a', 'First', 'Second']);
    expect(new DefinitionError(faults).message).toContain('\n  - First.a: Expected queue');
  });
});

describe('a schedule', () => {
  function scheduleFaults(timing: unknown, options?: unknown): string[] {
    @LooseSchedule(timing, options)
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {}
    }
    return faultsOf(W).map(({ fault }) => fault);
  }

  it.each([
    ['61 * * * *', undefined, /cron expression of @Schedule.*'61 \* \* \* \*': Invalid value for minute/],
    ['0 0 30 2 *', undefined, /no time is ever like that/],
    ['2026-01-01T00:00:00', undefined, /it is no cron expression/],
    ['', undefined, /it has more than 200 characters, or none/],
    [undefined, undefined, /Expected @Schedule to be given a cron expression/],
    [{ every: '10ms' }, undefined, /every of @Schedule to be .* from 1 second to 10 years, got '10ms'/],
    [{ ever: '1h', every: '1h' }, undefined, /no option "ever"/],
    [{ every: '1h' }, { timeZone: 'UTC' }, /no timeZone beside `every`/],
    ['@daily', { timeZone: 'Mars/Base' }, /timeZone of @Schedule to be the IANA name/],
    ['@daily', { overlap: 'skipp' }, /overlap to be one of .* Did you mean "skip"/],
    ['@daily', { catchUp: { atMost: 1_001 } }, /catchUp to be 'none', 'latest', 'all', or/],
    ['@daily', { catchUp: 'toString' }, /catchUp to be/],
    ['@daily', { name: ' ' }, /name of @Schedule to be a text/],
    ['@daily', { zone: 'UTC' }, /@Schedule has no option "zone"/],
    ['@daily', null, /the options of @Schedule to be an object/],
  ])('%j with %j is refused', (timing, options, fault) => {
    expect(scheduleFaults(timing, options)).toEqual([expect.stringMatching(fault)]);
  });

  it('needs a name of its own, in all of the app', () => {
    @Schedule('@daily')
    @Schedule('@hourly')
    @Schedule('@weekly', { name: 'x' })
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {}
    }
    @Schedule('@daily', { name: 'x' })
    @Workflow({ name: 'v' })
    class V {
      @Step() a() {}
    }
    expect(linesOf(W, V)).toEqual([
      'W: has a @Schedule named "w", and so has another. Give each a `name` of its own.',
      'V: has a @Schedule named "x", and so has another. Give each a `name` of its own.',
    ]);
  });

  it('is read with its defaults, in the order of the page, and is no part of the graph', () => {
    const input = () => undefined;
    @Schedule(' 0 2 * * * ', { timeZone: 'Europe/Berlin', overlap: 'queue', catchUp: 'all', input })
    @Schedule({ every: '15m' }, { name: 'often', catchUp: { atMost: 3 } })
    @Workflow({ name: 'w' })
    class W {
      @Step() a() {}
    }
    @Workflow({ name: 'w' })
    class Plain {
      @Step() a() {}
    }
    class Heir extends W {}
    const [read] = loadDefinitions([{ target: W, instance: {}, host: null }]);
    const [plain] = loadDefinitions([{ target: Plain, instance: {}, host: null }]);
    expect(read!.schedules).toEqual([
      {
        ...{ name: 'w', timing: { kind: 'cron', cron: '0 2 * * *', timeZone: 'Europe/Berlin' }, overlap: 'queue' },
        ...{ catchUp: 100, input },
      },
      { name: 'often', timing: { kind: 'interval', everyMs: 900_000 }, overlap: 'skip', catchUp: 3, input: undefined },
    ]);
    expect(plain).toMatchObject({ hash: read!.hash, schedules: [] });
    expect(readScheduleMarks(Heir)).toEqual([]);
  });
});
