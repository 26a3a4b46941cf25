import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';

/** How many steps stand side by side in the workflow `fan`. */
export const WIDTH = 20;

/** How many steps the workflow `sequence` has. */
export const LENGTH = 5;

/** How long the step of `blocking` keeps the event loop: ten leases of the test that uses it. */
export const BLOCKED_MS = 20_000;

/** For each workflow its steps, and for each step those that must have ended before it. */
export const dependencies = {
  sequence: chain('s', LENGTH),
  flaky: chain('f', 3),
  patient: { wait: [] },
  blocking: { compute: [] },
  fan: {
    split: [],
    ...Object.fromEntries(range(WIDTH).map((i) => [`p${i}`, ['split']])),
    join: range(WIDTH).map((i) => `p${i}`),
  },
};

/**
 * The workflows of the chaos tests. Every step answers with its token (`step#attempt`) and with the tokens that it was
 * given, so that the output of a run tells which outcomes its steps went on from.
 */
export function createWorkflows(flow, ledger, { workMs = 15, graphs = [] } = {}) {
  const { Workflow, Step, Parallel, Result, Ctx, defineWorkflow } = flow;
  const work = (failureRate) =>
    async function (context, ...given) {
      const token = `${context.step}#${context.attempt}`;
      ledger.write('begin', context);
      await sleep(Math.random() * 2 * workMs);
      if (Math.random() < failureRate) {
        ledger.write('fail', context);
        throw new Error('One of the ten percent.');
      }
      ledger.write('end', context);
      return [...new Set([...given.flat(), token])];
    };

  class Sequence {
    static output = `s${LENGTH - 1}`;
  }
  range(LENGTH).forEach((i) => add(Sequence, `s${i}`, work(0), i === 0 ? [] : [`s${i - 1}`], Step()));
  Workflow({ name: 'sequence' })(Sequence);

  class Flaky {
    static output = 'f2';
  }
  const retry = { attempts: 1_000, delay: 200, maxDelay: 400 };
  range(3).forEach((i) => add(Flaky, `f${i}`, work(0.1), i === 0 ? [] : [`f${i - 1}`], Step({ retry })));
  Workflow({ name: 'flaky' })(Flaky);

  class Fan {
    static output = 'join';
  }
  add(Fan, 'split', work(0), [], Step());
  range(WIDTH).forEach((i) => add(Fan, `p${i}`, work(0.1), ['split'], Parallel({ retry })));
  add(Fan, 'join', work(0), dependencies.fan.join, Step());
  Workflow({ name: 'fan' })(Fan);

  // A step that kills its process, and one that is often there when it happens.
  class Poison {}
  add(Poison, 'kill', kill, [], Step());
  Workflow({ name: 'poison' })(Poison);

  class Exiting {}
  add(Exiting, 'kill', exit, [], Step());
  Workflow({ name: 'exiting' })(Exiting);

  class Hoarding {}
  add(Hoarding, 'kill', hoard, [], Step());
  Workflow({ name: 'hoarding' })(Hoarding);

  class Patient {
    static output = 'wait';
  }
  add(Patient, 'wait', work(0), [], Step({ retry: { attempts: 1 } }));
  Workflow({ name: 'patient' })(Patient);

  // A step that gives nobody else a turn.
  class Blocking {
    static output = 'compute';
  }
  add(Blocking, 'compute', block, [], Step({ retry: { attempts: 1 } }));
  Workflow({ name: 'blocking' })(Blocking);

  // Of what goes before it a task passes on the tokens of its own givers alone: a result grows with the graph's width only.
  const task = work(0);
  const run = ({ ctx, results }) => task(ctx, ...Object.values(results).map((given) => given.at(-1)));
  const drawn = graphs.map(({ name, steps }) => {
    const all = steps.map((step) => ({ ...step, handler: 'run' }));
    return defineWorkflow(name, { order: 'explicit', steps: all }, { run });
  });

  return [Sequence, Flaky, Fan, Poison, Exiting, Hoarding, Patient, Blocking, ...drawn];

  async function block(context) {
    ledger.write('begin', context);
    const until = performance.now() + BLOCKED_MS;
    while (performance.now() < until);
    ledger.write('end', context);
    return `${context.step}#${context.attempt}`;
  }

  async function kill(context) {
    ledger.write('begin', context);
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {});
  }

  async function exit(context) {
    ledger.write('begin', context);
    process.exit(0);
  }

  /** Ends when the process is out of memory, and gives nobody else a turn. */
  async function hoard(context) {
    ledger.write('begin', context);
    const hoarded = [];
    for (;;) hoarded.push(new Array(1_000_000).fill(context));
  }

  /** What TypeScript makes of a method with `@Ctx()` and a `@Result()` for each name given. */
  function add(target, name, value, results, decorate) {
    const method = { value, writable: true, configurable: true };
    Object.defineProperty(target.prototype, name, method);
    Ctx()(target.prototype, name, 0);
    results.forEach((result, i) => Result(result)(target.prototype, name, i + 1));
    decorate(target.prototype, name, method);
  }
}

function chain(letter, length) {
  return Object.fromEntries(range(length).map((i) => [`${letter}${i}`, i === 0 ? [] : [`${letter}${i - 1}`]]));
}

function range(length) {
  return Array.from({ length }, (_, i) => i);
}
